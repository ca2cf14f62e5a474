"""Delivery to targets: what EventBridge rules, schedules and pipes of the embedded AWS hand messages to."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localaws.acting import act, role_principal
from localaws.service import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localaws.dispatcher import LocalAws

log = logging.getLogger("localaws.delivery")


@dataclass(frozen=True)
class Target:
    """Where a message goes: an ARN, the role that carries it there, and the target's own parameters."""

    arn: str
    role_arn: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    dead_letter_arn: str | None = None


def deliver(local: LocalAws, target: Target, message: str, sender: str) -> bool:
    """Hand `message` (JSON text) to a target; what cannot be delivered goes to the dead-letter queue, else the log."""
    try:
        _send(local, target, message, sender)
    except AwsError as error:
        log.warning("%s could not deliver to %s: %s", sender, target.arn, error)
        if target.dead_letter_arn:
            _send(local, Target(target.dead_letter_arn), message, sender)
        return False
    return True


def _send(local: LocalAws, target: Target, message: str, sender: str) -> None:
    _, _, service, region, account, resource = target.arn.split(":", 5)
    if service == "scheduler":
        _universal(local, target, resource, message, sender)
        return
    senders = {"lambda": _to_lambda, "states": _to_states, "sns": _to_sns, "sqs": _to_sqs, "events": _to_bus}
    if service == "logs":
        _to_logs(local, account, region, resource, message)
    elif service in senders:
        operation, params = senders[service](local, target, resource, message)
        _call(local, target, service, operation, region, account, params, sender)
    else:
        raise AwsError("NotServedByLocalAws", f"the embedded AWS does not deliver to {target.arn}")


def _call(
    local: LocalAws, target: Target, service: str, operation: str, region: str, account: str, params: Any, sender: str
) -> None:
    name = {"states": "stepfunctions"}.get(service, service)
    if target.role_arn:
        act(local, role_principal(target.role_arn, sender[:64]), name, operation, region, **params)
    else:
        local.call(name, operation, account, region, **params)


def _to_lambda(_local: LocalAws, target: Target, _resource: str, message: str) -> tuple[str, dict[str, Any]]:
    return "Invoke", {"FunctionName": target.arn, "InvocationType": "Event", "Payload": message.encode()}


def _to_states(_local: LocalAws, target: Target, _resource: str, message: str) -> tuple[str, dict[str, Any]]:
    return "StartExecution", {"stateMachineArn": target.arn, "input": message}


def _to_sns(_local: LocalAws, target: Target, _resource: str, message: str) -> tuple[str, dict[str, Any]]:
    return "Publish", {"TopicArn": target.arn, "Message": message}


def _to_sqs(local: LocalAws, target: Target, resource: str, message: str) -> tuple[str, dict[str, Any]]:
    _, _, _, region, account, _ = target.arn.split(":", 5)
    url = local.call("sqs", "GetQueueUrl", account, region, QueueName=resource)["QueueUrl"]
    return "SendMessage", {"QueueUrl": url, "MessageBody": message, **target.parameters}


def _to_bus(_local: LocalAws, _target: Target, resource: str, message: str) -> tuple[str, dict[str, Any]]:
    event = json.loads(message)
    entry = {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event.get("resources", []),
        "EventBusName": resource.removeprefix("event-bus/"),
    }
    return "PutEvents", {"Entries": [entry]}


def _to_logs(local: LocalAws, account: str, region: str, resource: str, message: str) -> None:
    group = resource.removeprefix("log-group:").removesuffix(":*")
    now = int(local.clock.now().timestamp() * 1000)
    with local.lock:
        logs = local.backend("logs", account, region)
        if group not in logs.groups:
            logs.create_log_group(group, {})
        if "events" not in logs.groups[group].streams:
            logs.create_log_stream(group, "events")
        logs.put_log_events(group, "events", [{"timestamp": now, "message": message}])


def _universal(local: LocalAws, target: Target, resource: str, message: str, sender: str) -> None:
    """Make the call of a universal target of EventBridge Scheduler (`arn:aws:scheduler:::aws-sdk:service:action`)."""
    from moto.core.utils import get_service_model

    _, service, action = resource.split(":")
    service = {"sfn": "stepfunctions"}.get(service, service)
    names = {name.lower(): name for name in get_service_model(service).operation_names}
    operation = names[action.lower()]
    members = get_service_model(service).operation_model(operation).input_shape.members
    cased = {name.lower(): name for name in members}
    params = {cased.get(key.lower(), key): value for key, value in json.loads(message).items()}
    if target.role_arn is None:
        raise AwsError("ValidationException", f"{sender}: a universal target needs a RoleArn")
    region = str(target.parameters["region"])
    act(local, role_principal(target.role_arn, sender[:64]), service, operation, region, **params)
