"""Recovery plans and their executions in botocore's output shapes."""

from __future__ import annotations

from typing import Any

from localaws.services.drs.models import ExecutedStep, PlanExecution, PlanStep, RecoveryPlan
from localaws.services.drs.shapes import timestamp, without_none


def plan_summary(item: RecoveryPlan) -> dict[str, Any]:
    """Build a `RecoveryPlanSummary`."""
    changed = max([item.created_at, *(step.created_at for step in item.steps)])
    return {
        "recoveryPlanArn": item.arn,
        "name": item.name,
        "status": "ACTIVE" if item.server_arns else "INVALID",
        "createdAt": timestamp(item.created_at),
        "updatedAt": timestamp(changed),
    }


def plan(item: RecoveryPlan) -> dict[str, Any]:
    """Build a `RecoveryPlan`."""
    return {**plan_summary(item), "description": item.description, "tags": dict(item.tags)}


def plan_step(of: RecoveryPlan, item: PlanStep) -> dict[str, Any]:
    """Build a `RecoveryPlanStep`."""
    servers = [{"serverArn": arn, "impactLevel": impact} for arn, impact in item.servers.items()]
    return {
        "recoveryPlanStepArn": f"{of.arn}/{item.id}",
        "stepOrder": of.steps.index(item) + 1,
        "stepName": item.name,
        "configuration": {"serverStepConfiguration": {"servers": servers}} if servers else _wait(item),
        "createdAt": timestamp(item.created_at),
        "updatedAt": timestamp(item.created_at),
    }


def execution_summary(item: PlanExecution) -> dict[str, Any]:
    """Build a `RecoveryPlanExecutionSummary`."""
    return without_none(
        {
            "recoveryPlanExecutionArn": item.arn,
            "recoveryPlanArn": item.plan.arn,
            "mode": item.mode,
            "status": item.status,
            "startedAt": timestamp(item.started_at),
            "errorDetail": item.error,
        }
    )


def execution(item: PlanExecution) -> dict[str, Any]:
    """Build a `RecoveryPlanExecution`."""
    ended = timestamp(item.completed_at) if item.completed_at else None
    return without_none({**execution_summary(item), "completedAt": ended, "tags": dict(item.tags)})


def executed_step_arn(of: PlanExecution, item: ExecutedStep) -> str:
    """Return the ARN of a step of an execution."""
    return f"{of.arn}/{item.id}"


def executed_step_summary(of: PlanExecution, item: ExecutedStep) -> dict[str, Any]:
    """Build a `RecoveryPlanExecutionStepSummary`."""
    servers = [
        without_none({"serverArn": arn, "impactLevel": impact, "jobID": item.jobs.get(arn)})
        for arn, impact in item.step.servers.items()
    ]
    return without_none(
        {
            "recoveryPlanExecutionStepArn": executed_step_arn(of, item),
            "stepName": item.step.name,
            "stepIndex": of.steps.index(item) + 1,
            "status": item.status,
            "configuration": {"executionServerStepConfiguration": {"servers": servers}}
            if servers
            else _wait(item.step),
            "errorDetail": item.error,
        }
    )


def executed_step(of: PlanExecution, item: ExecutedStep) -> dict[str, Any]:
    """Build a `RecoveryPlanExecutionStep`."""
    at = timestamp(of.started_at)
    more = {"attempt": item.attempt, "createdAt": at, "updatedAt": timestamp(item.changed_at)}
    return {**executed_step_summary(of, item), **more}


def _wait(item: PlanStep) -> dict[str, Any]:
    return {"waitStepConfiguration": {"waitDurationMinutes": item.wait_minutes}}
