"""Recovery plans of Elastic Disaster Recovery in the embedded AWS: steps in order, failures, retries, cancellations."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.scenario import Effect, Transition
from tests.localaws.test_drs import (
    ACCOUNT,
    JOB_SECONDS,
    MINUTE,
    TARGET,
    Client,
    code,
    estate_of,
    has_the_documented_shape,
)


class Drs:
    """A Region with servers, two in a plan's first step and one, after a pause, in its second; and its user."""

    def __init__(self, local: LocalAws) -> None:
        self.local = local
        local.reset()
        local.faults.remove()
        assert isinstance(local.clock, ManualClock)
        self.clock = local.clock
        places = {"orders-1": 1, "orders-2": 1, "orders-3": 2}
        entries = [
            {
                "kind": "drs-server",
                "account": "apps",
                "name": name,
                "tags": {"Customer": "X"},
                "plan_step": step,
                "wait_minutes": 5 if step == 2 else 0,
            }
            for name, step in places.items()
        ]
        estates.seed(local, estate_of(*entries))
        self.client: Client = local.session(ACCOUNT, TARGET).client("drs")
        self.plan: str = self.client.list_recovery_plans()["recoveryPlans"][0]["recoveryPlanArn"]

    def start(self, mode: str = "RECOVERY", **options: Any) -> str:
        reply = self.client.start_recovery_plan_execution(recoveryPlanArn=self.plan, mode=mode, **options)
        return str(reply["recoveryPlanExecution"]["recoveryPlanExecutionArn"])

    def status(self, run: str) -> str:
        reply = self.client.get_recovery_plan_execution(recoveryPlanExecutionArn=run)
        return str(reply["recoveryPlanExecution"]["status"])

    def steps(self, run: str) -> list[dict[str, Any]]:
        reply = self.client.list_recovery_plan_execution_steps(recoveryPlanExecutionArn=run)
        return list(reply["recoveryPlanExecutionSteps"])

    def statuses(self, run: str) -> list[str]:
        return [step["status"] for step in self.steps(run)]

    def instances(self) -> list[dict[str, Any]]:
        return list(self.client.describe_recovery_instances()["items"])

    def fail(self, kind: str, resource: str) -> None:
        self.local.faults.add(Transition(effect=Effect.FAIL, kind=kind, resource=resource))


@pytest.fixture(scope="module")
def local() -> LocalAws:
    aws = LocalAws({ACCOUNT: "apps"}, clock=ManualClock())
    aws.after.append(has_the_documented_shape)
    return aws


@pytest.fixture
def drs(local: LocalAws) -> Drs:
    return Drs(local)


def refused(drs: Drs, operation: str, **params: Any) -> str:
    with pytest.raises(ClientError) as failure:
        getattr(drs.client, operation)(**params)
    return f"{code(failure)}: {failure.value.response['Error']['Message']}"


def test_plan_runs_its_steps_one_after_the_other_and_waits_between_them(drs: Drs) -> None:
    run = drs.start(tags={"dr:execution-id": "run-1"})
    assert (drs.status(run), drs.statuses(run)) == ("CREATED", ["NOT_STARTED"] * 3)

    drs.clock.advance(MINUTE)
    assert (drs.status(run), drs.statuses(run)) == ("IN_PROGRESS", ["EXECUTING", "NOT_STARTED", "NOT_STARTED"])
    drs.clock.advance(6 * MINUTE)
    assert drs.statuses(run) == ["COMPLETED", "WAITING", "NOT_STARTED"]
    assert len(drs.instances()) == 2
    drs.clock.advance(JOB_SECONDS)

    assert (drs.status(run), drs.statuses(run)) == ("COMPLETED", ["COMPLETED"] * 3)
    assert [instance["isDrill"] for instance in drs.instances()] == [False] * 3
    jobs = [server["jobID"] for step in (0, 2) for server in drs.steps(run)[step]["configuration"][SERVERS]["servers"]]
    assert len(jobs) == 3
    assert set(jobs) == {job["jobID"] for job in drs.client.describe_jobs()["items"]}
    reply = drs.client.get_recovery_plan_execution(recoveryPlanExecutionArn=run)["recoveryPlanExecution"]
    assert reply["tags"] == {"dr:execution-id": "run-1"}


SERVERS = "executionServerStepConfiguration"


def test_drill_of_a_plan_launches_drill_instances(drs: Drs) -> None:
    drs.start("DRILL")
    drs.clock.advance(30 * MINUTE)

    assert [instance["isDrill"] for instance in drs.instances()] == [True] * 3


def test_second_execution_of_a_plan_is_refused_while_one_is_active_and_a_repeated_token_starts_none(drs: Drs) -> None:
    run = drs.start(clientToken="a-token")

    assert drs.start(clientToken="a-token") == run
    told = refused(drs, "start_recovery_plan_execution", recoveryPlanArn=drs.plan, mode="DRILL")
    assert told.startswith("ConflictException: Another execution is already active for plan plan-")


def test_critical_server_that_fails_ends_the_execution_and_a_retry_recovers_only_that_one(drs: Drs) -> None:
    drs.fail("drs.conversion", "s-orders1")
    run = drs.start()
    drs.clock.advance(30 * MINUTE)
    assert (drs.status(run), drs.statuses(run)) == ("FAILED", ["FAILED", "NOT_STARTED", "NOT_STARTED"])
    (survivor,) = (instance["recoveryInstanceID"] for instance in drs.instances())

    drs.local.faults.remove()
    step = drs.steps(run)[0]["recoveryPlanExecutionStepArn"]
    drs.client.retry_recovery_plan_execution_step(recoveryPlanExecutionStepArn=step)
    drs.clock.advance(30 * MINUTE)

    assert drs.status(run) == "COMPLETED"
    assert survivor in {instance["recoveryInstanceID"] for instance in drs.instances()}
    assert len(drs.instances()) == 3
    shown = drs.client.get_recovery_plan_execution_step(recoveryPlanExecutionStepArn=step)["recoveryPlanExecutionStep"]
    assert shown["attempt"] == 2
    told = refused(drs, "retry_recovery_plan_execution_step", recoveryPlanExecutionStepArn=step)
    assert told.startswith("ConflictException")


def test_server_that_cannot_be_recovered_fails_the_whole_plan_before_anything_is_launched(drs: Drs) -> None:
    third = next(s for s in drs.client.describe_source_servers()["items"] if s["tags"]["Name"] == "orders-3")
    drs.client.stop_replication(sourceServerID=third["sourceServerID"])

    run = drs.start()
    drs.clock.advance(30 * MINUTE)

    assert (drs.status(run), drs.statuses(run)) == ("FAILED", ["NOT_STARTED"] * 3)
    assert drs.instances() == []


def test_cancelled_execution_ends_its_running_step_and_begins_no_other(drs: Drs) -> None:
    run = drs.start()
    drs.clock.advance(MINUTE)

    drs.client.cancel_recovery_plan_execution(recoveryPlanExecutionArn=run)
    assert (drs.status(run), drs.statuses(run)) == ("CANCELLING", ["EXECUTING", "SKIPPED", "SKIPPED"])
    drs.clock.advance(30 * MINUTE)

    assert (drs.status(run), len(drs.instances())) == ("CANCELLED", 2)
    assert refused(drs, "cancel_recovery_plan_execution", recoveryPlanExecutionArn=run).startswith("ConflictException")


def test_skipped_step_is_passed_over_and_the_execution_still_reports_completed(drs: Drs) -> None:
    run = drs.start()
    drs.clock.advance(MINUTE)
    last = drs.steps(run)[2]["recoveryPlanExecutionStepArn"]

    drs.client.update_recovery_plan_execution_step(recoveryPlanExecutionStepArn=last, status="SKIPPED")
    drs.clock.advance(30 * MINUTE)

    assert (drs.status(run), drs.statuses(run)) == ("COMPLETED", ["COMPLETED", "COMPLETED", "SKIPPED"])
    assert len(drs.instances()) == 2


def test_execution_that_takes_a_day_times_out(drs: Drs) -> None:
    plan = drs.client.create_recovery_plan(name="slow")["recoveryPlan"]["recoveryPlanArn"]
    first, *_ = drs.client.describe_source_servers()["items"]
    servers = {"serverStepConfiguration": {"servers": [{"serverArn": first["arn"]}]}}
    drs.client.create_recovery_plan_step(recoveryPlanArn=plan, stepName="first", configuration=servers)
    for number in range(13):
        wait = {"waitStepConfiguration": {"waitDurationMinutes": 120}}
        drs.client.create_recovery_plan_step(recoveryPlanArn=plan, stepName=f"wait {number}", configuration=wait)
    drs.plan = plan

    run = drs.start()
    drs.clock.advance(25 * 60 * MINUTE)

    assert drs.status(run) == "TIMED_OUT"
    assert "TIMED_OUT" in drs.statuses(run)


def test_plan_is_put_together_as_documented(drs: Drs) -> None:
    plan = drs.client.create_recovery_plan(name="web", clientToken="one")["recoveryPlan"]
    arn = plan["recoveryPlanArn"]
    assert plan["status"] == "INVALID"
    assert drs.client.create_recovery_plan(name="web", clientToken="one")["recoveryPlan"]["recoveryPlanArn"] == arn
    first, *_ = drs.client.describe_source_servers()["items"]
    servers = {"serverStepConfiguration": {"servers": [{"serverArn": first["arn"]}]}}
    wait = {"waitStepConfiguration": {"waitDurationMinutes": 5}}

    assert refused(drs, "create_recovery_plan", name="web").startswith("ConflictException")
    assert "has no steps" in refused(drs, "start_recovery_plan_execution", recoveryPlanArn=arn, mode="DRILL")
    told = refused(drs, "create_recovery_plan_step", recoveryPlanArn=arn, stepName="w", configuration=wait)
    assert "cannot be the first step" in told
    drs.client.create_recovery_plan_step(recoveryPlanArn=arn, stepName="first", configuration=servers)
    told = refused(drs, "create_recovery_plan_step", recoveryPlanArn=arn, stepName="again", configuration=servers)
    assert "in the plan already" in told
    (step,) = drs.client.list_recovery_plan_steps(recoveryPlanArn=arn)["recoveryPlanSteps"]
    assert step["configuration"]["serverStepConfiguration"]["servers"][0]["impactLevel"] == "CRITICAL"
    assert drs.client.get_recovery_plan(recoveryPlanArn=arn)["recoveryPlan"]["status"] == "ACTIVE"
    drs.client.delete_recovery_plan(recoveryPlanArn=arn)
    assert refused(drs, "get_recovery_plan", recoveryPlanArn=arn).startswith("ResourceNotFoundException")
