"""How to ask whether what a rule sends to exists. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.eventbridge.spec import MISSING, QUEUE_MISSING


@dataclass(frozen=True)
class Existence:
    """How to ask whether a target exists: the read, the parameter, and what AWS answers when it does not."""

    service: str
    operation: str
    parameter: str
    missing: tuple[str, ...]
    whole_arn: bool = True


EXISTENCE: Mapping[str, Existence] = {
    "sqs": Existence("sqs", "GetQueueUrl", "QueueName", QUEUE_MISSING, whole_arn=False),
    "lambda": Existence("lambda", "GetFunctionConfiguration", "FunctionName", MISSING),
    "sns": Existence("sns", "GetTopicAttributes", "TopicArn", ("NotFound", "NotFoundException")),
    "states": Existence("stepfunctions", "DescribeStateMachine", "stateMachineArn", ("StateMachineDoesNotExist",)),
    "events": Existence("events", "DescribeEventBus", "Name", MISSING),
}
"""The service in a target's ARN -> how to ask for it. Other kinds of targets are not asked for."""
