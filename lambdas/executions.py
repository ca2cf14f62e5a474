"""The executions of this Region's hub, as its functions look at them and start them."""

from __future__ import annotations

from lambdas.callers import own_hub
from lambdas.composition import platform
from lambdas.settings import read_settings
from orchestrator import removal
from orchestrator.executions import Executions, StepFunctionsExecutions
from orchestrator.names import Machine


def executions() -> Executions:
    """Return the hub's executions."""
    return StepFunctionsExecutions(own_hub().client("stepfunctions"))


def orchestrator_arn() -> str:
    """Return the ARN of the machine that runs are executions of: it lives where the topic does."""
    settings = read_settings()
    partition, account = settings.topic_arn.split(":")[1], settings.topic_arn.split(":")[4]
    return f"arn:{partition}:states:{settings.hub_region}:{account}:stateMachine:{Machine.ORCHESTRATOR}"


def remove_at_once(run_id: str) -> None:
    """Have removed what a drill that has just ended may not keep; nothing but a drill has anything to remove."""
    if platform().ledger.run(run_id).lease is None:
        return
    removal.remove_at_once(platform(), executions(), run_id, orchestrator_arn())
