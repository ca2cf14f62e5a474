"""Runs that meet trouble: what fails is named with its remedy, a person decides, and the ledger stays true."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from orchestrator.ledger.records import Gate
from orchestrator.words import GateKind, RunStatus
from tests.functional.world import EAST, OWNER, WEST, Running, Shop, World

pytestmark = pytest.mark.functional

NO_BREAKER = {"ecs-service": {"circuit_breaker": False}}


def without_capacity(world: World, customer: str, kinds: list[str]) -> tuple[Shop, Running, Gate]:
    """Start a run whose ECS service finds no capacity in us-west-2; return it at its failure gate."""
    shop = world.shop(customer, kinds, NO_BREAKER)
    world.break_things({"effect": "fail", "kind": "ecs.start-tasks", "resource": shop.service})
    run = shop.start("failover")
    return shop, run, run.gate(GateKind.FAILURE)


def test_failed_resource_is_shown_with_remedy_and_succeeds_by_retry_after_repair(world: World) -> None:
    # Given a service for which there is no capacity in us-west-2
    shop, run, gate = without_capacity(world, "Retry", ["ecs-service"])
    # Then the failure gate says which resource failed, what was observed, and what to do
    told = "\n".join(gate.checklist)
    assert shop.service in told
    assert "unable to place a task" in told
    assert "then retry" in told
    assert set(gate.choices) == {"retry", "skip", "continue", "rollback", "rollback-run", "abort"}
    assert "failure" in world.told(run.run_id)
    # When capacity is there and a person says retry
    world.heal()
    run.answer(gate, "retry")
    ended = run.ended()
    # Then the run succeeds, and the second attempt is in the ledger
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert run.not_served() == []
    attempts = {a.action_id: a.attempt for a in run.hub.ledger.actions(run.run_id)}
    assert [n for name, n in attempts.items() if name.startswith("ACTIVATE")] == [1]
    decisions = [e for e in run.events() if e.kind == "decision"]
    assert [(e.actor, e.message.split()[0]) for e in decisions] == [(OWNER, "retry")]


def test_failed_resource_skipped_is_left_alone_and_its_source_goes_on_serving(world: World) -> None:
    # Given a database that moves and a service that cannot, and another customer's identical ones beside them
    neighbour = world.shop("Adjacent", ["aurora-global", "ecs-service"])
    picture = neighbour.attributes()
    shop, run, gate = without_capacity(world, "Skip", ["aurora-global", "ecs-service"])
    # When a person says skip
    said = world.run_command(
        *("dr", "decide", gate.gate_id, "skip", "--resource", f"ecs/{shop.service}", "--reason", "replaced by v2")
    )
    assert said.code == 0, said.err
    ended = run.ended()
    # Then the run ends with warnings, and the service's failure is kept as ignored
    assert ended.status is RunStatus.SUCCEEDED_WITH_WARNINGS, ended.failure
    assert run.outcome("ACTIVATE", shop.service) == "failed_ignored"
    # And nothing more was done to it: its source still serves, while the database is served from us-west-2
    assert run.outcome("CLEANUP", shop.service) == "skipped"
    assert shop.tasks(EAST) == (2, 2)
    (missing,) = run.not_served()
    assert shop.service in missing
    # And of the other customer nothing has changed to the last attribute
    assert neighbour.attributes() == picture


def test_failed_resource_rolled_back_sleeps_again_and_the_scope_is_free(world: World) -> None:
    # Given a service that failed in us-west-2
    shop, run, gate = without_capacity(world, "Undo", ["ecs-service"])
    # When a person says rollback
    run.answer(gate, "rollback")
    ended = run.ended()
    # Then the target side sleeps as before, the source side serves, and the run says so
    assert ended.status is RunStatus.FAILED
    assert "rolled back" in str(ended.failure)
    assert shop.tasks(WEST) == (0, 0)
    assert shop.tasks(EAST) == (2, 2)
    assert run.outcome("ACTIVATE", shop.service) == "rolled_back"
    assert run.hub.ledger.holder(ended.scope) is None


def test_cancelled_run_finishes_its_step_and_stops_in_a_defined_state(world: World) -> None:
    # Given a service that is being scaled up slowly in us-west-2
    shop = world.shop("Cancel", ["ecs-service"])
    world.break_things({"effect": "slow", "kind": "ecs.start-tasks", "resource": shop.service, "times": 8})
    run = shop.start("failover")
    run.until(lambda: run.waits_for("service-stable"), "tasks that are starting")
    # When an operator cancels
    mark = world.mark()
    run.hub.order("cancel_run", {"RunId": run.run_id, "Reason": "wrong customer"})
    ended = run.ended()
    # Then the step under way was finished, and nothing else was begun
    assert ended.status is RunStatus.CANCELLED
    assert shop.tasks(WEST) == (2, 2)
    assert shop.tasks(EAST) == (2, 2)
    assert shop.changes_since(mark) == []
    # And the ledger says who cancelled and why; the scope is free
    (cancel,) = [e for e in run.events() if e.kind == "cancel"]
    assert cancel.actor == run.hub.caller
    assert "wrong customer" in cancel.message
    assert run.execution()["error"] == "RunCancelled"
    assert run.hub.ledger.holder(ended.scope) is None


def test_execution_stopped_from_outside_leaves_a_true_ledger_and_a_free_scope(world: World) -> None:
    # Given a service that is being scaled up slowly in us-west-2
    shop = world.shop("Stopped", ["ecs-service"])
    world.break_things({"effect": "slow", "kind": "ecs.start-tasks", "resource": shop.service, "times": 8})
    run = shop.start("failover")
    run.until(lambda: run.waits_for("service-stable"), "tasks that are starting")
    # When somebody stops the execution past the platform
    run.hub.hub.client("stepfunctions").stop_execution(executionArn=run.execution_arn, cause="pulled the plug")
    ended = run.ended()
    # Then the run is stopped, what was under way is named, and what never began is still pending
    assert ended.status is RunStatus.STOPPED
    actions = {a.phase: a for a in run.hub.ledger.actions(run.run_id)}
    assert actions["ACTIVATE"].outcome == "failed"  # type: ignore[index]
    assert "was aborted while this was under way" in actions["ACTIVATE"].detail  # type: ignore[index]
    assert actions["CLEANUP"].status == "pending"  # type: ignore[index]
    # And the scope is free and people are told
    assert run.hub.ledger.holder(ended.scope) is None
    run.until(lambda: world.told(run.run_id)[-1] == "failure", "a notification")
    # And a new run adopts what was done
    again = shop.start("failover")
    assert again.ended().status is RunStatus.SUCCEEDED
    assert again.not_served() == []


def test_execution_stopped_in_the_middle_of_activate_and_redriven_completes_with_each_effect_once(world: World) -> None:
    # Given a database that moves, and a service that is being scaled up slowly in us-west-2
    shop = world.shop("Redriven", ["aurora-global", "ecs-service"])
    world.break_things({"effect": "slow", "kind": "ecs.start-tasks", "resource": shop.service, "times": 8})
    mark = world.mark()
    run = shop.start("failover")
    run.until(lambda: run.waits_for("service-stable"), "tasks that are starting")
    # When somebody stops the execution
    stopped = world.run_command("aws", "stepfunctions", "stop-execution", "--execution-arn", run.execution_arn)
    assert stopped.code == 0, stopped.err
    assert run.ended().status is RunStatus.STOPPED
    # Then status says how to go on
    redrive = ["aws", "stepfunctions", "redrive-execution", "--region", WEST, "--execution-arn", run.execution_arn]
    said = world.run_command("dr", "status", run.run_id).out
    assert "".join(redrive) in "".join(said.split())  # the terminal breaks lines
    # When that is typed
    redriven = world.run_command(*redrive)
    assert redriven.code == 0, redriven.err
    ended = run.ended()
    # Then the same run comes to its end, under a new epoch, and says that it was interrupted
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert (run.execution()["status"], run.execution()["redriveCount"], ended.redrives) == ("SUCCEEDED", 1, 1)
    (gap,) = ended.interruptions
    assert (gap.how, gap.until is not None) == ("the execution was aborted from outside", True)
    assert run.not_served() == []
    # And every change was made once
    changes = Counter(c for c in shop.changes_since(mark) if "UpdateService" not in c)
    assert set(changes.values()) == {1}, changes
    assert shop.tasks(WEST) == (2, 2)
    # And a run that ended well is not redriven
    again = world.run_command(*redrive)
    assert "cannot be redriven" in again.err


def test_redriven_execution_is_refused_when_another_run_moved_the_scope_since(world: World) -> None:
    # Given a run that was stopped, and another that moved the scope since
    shop = world.shop("Overtaken", ["ecs-service"])
    world.break_things({"effect": "slow", "kind": "ecs.start-tasks", "resource": shop.service, "times": 8})
    run = shop.start("failover")
    run.until(lambda: run.waits_for("service-stable"), "tasks that are starting")
    run.hub.hub.client("stepfunctions").stop_execution(executionArn=run.execution_arn)
    run.ended()
    world.heal()
    other = shop.start("failover")
    assert other.ended().status is RunStatus.SUCCEEDED
    mark, picture = world.mark(), shop.attributes()
    # When the first is redriven
    redriven = world.run_command("aws", "stepfunctions", "redrive-execution", "--execution-arn", run.execution_arn)
    assert redriven.code == 0, redriven.err
    run.until(lambda: run.execution()["status"] == "FAILED", "the refusal")
    # Then it fails with the reason and what to type, and has changed nothing
    why = run.execution()["cause"]
    assert (
        f"run {other.run_id} (succeeded) has acted on Overtaken/production since run {run.run_id} was interrupted"
        in why
    )
    assert f"dr report {other.run_id}" in why
    assert run.execution()["error"] == "RunFailed"
    assert shop.changes_since(mark) == []
    assert shop.attributes() == picture


def test_wrong_external_id_in_a_spoke_is_refused_with_remedy_and_changes_nothing(world: World) -> None:
    # Given a spoke whose role for ECS expects another external ID
    shop = world.shop("Trust", ["ecs-service"])
    iam = world.client("iam", EAST)
    role = iam.get_role(RoleName="dr-spoke-ecs")["Role"]
    before, picture = role["AssumeRolePolicyDocument"], shop.attributes()
    mark = world.mark()
    try:
        iam.update_assume_role_policy(RoleName="dr-spoke-ecs", PolicyDocument=with_other_external_id(before))
        # When a run is started
        why = shop.start("failover").failed()
    finally:
        iam.update_assume_role_policy(RoleName="dr-spoke-ecs", PolicyDocument=as_text(before))
    # Then it is refused, names the role, and says what to compare
    assert "role/dr-spoke-ecs with the hub's external ID" in why
    assert "a wrong external ID shows the same error" in why
    # And nothing was changed
    assert shop.changes_since(mark) == []
    assert shop.attributes() == picture


def with_other_external_id(policy: object) -> str:
    """Return a trust policy that expects another external ID."""
    text = as_text(policy)
    start = text.index('"sts:ExternalId": "') + len('"sts:ExternalId": "')
    return text[:start] + "somebody-else" + text[text.index('"', start) :]


def as_text(policy: object) -> str:
    """Return a policy document as JSON text."""
    return policy if isinstance(policy, str) else json.dumps(policy)


def test_account_without_spoke_roles_is_refused_with_remedy_and_changes_nothing(world: World) -> None:
    # Given a shop in an account to which no spoke roles were rolled out
    shop = world.shop("Spokeless", ["ecs-service"], {"ecs-service": {"account": "hub"}})
    # When a run is started
    why = shop.start("failover").failed()
    # Then the inventory counts as incomplete; the role and the next step are named
    assert "the inventory is incomplete" in why
    assert "role/dr-spoke-discovery" in why
    assert "update the StackSet" in why


def test_tags_that_differ_between_the_sides_are_refused_and_name_both_values(world: World) -> None:
    # Given a service whose sides disagree about its priority
    shop = world.shop("Torn", ["ecs-service"])
    ecs = world.client("ecs", WEST)
    arn = ecs.describe_services(cluster="apps", services=[shop.service])["services"][0]["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "dr:priority", "value": "low"}])
    # When a run is started, then both values are named
    why = shop.start("failover").failed()
    assert f'dr:priority is "critical" in {EAST}, "low" in {WEST}; both sides must agree' in why
    assert shop.service in why


@pytest.mark.parametrize(
    ("customer", "changes", "said"),
    [
        ("Wavy", {"ecs-service": {"tags": {"dr:wave": "two"}}}, 'dr:wave is "two", expected a whole number from 1'),
        (
            "Circle",
            {
                "aurora-global": {"tags": {"dr:dependencies": "{shop}-orders-api"}},
                "ecs-service": {"tags": {"dr:wave": "1", "dr:dependencies": "{shop}-orders-db"}},
            },
            "cycle",
        ),
        (
            "Later",
            {"aurora-global": {"tags": {"dr:dependencies": "{shop}-orders-api"}}},
            "which comes later (wave 3)",
        ),
    ],
    ids=["wave is no number", "dependency cycle", "dependency on a later wave"],
)
def test_wrong_tags_are_refused_before_anything_changes(
    world: World, customer: str, changes: dict[str, dict[str, object]], said: str
) -> None:
    shop = world.shop(customer, ["aurora-global", "ecs-service"], changes)
    mark = world.mark()
    why = shop.start("failover").failed()
    assert said in why
    assert f"{shop.slug}-orders-api" in why
    assert "dr plan" in why
    assert shop.changes_since(mark) == []


def test_tagged_resource_of_an_unknown_type_is_refused_and_named(world: World) -> None:
    # Given a shop with a tagged bucket, for which there is no adapter
    shop = world.shop("Bucket", ["ecs-service"])
    s3 = world.client("s3", EAST)
    s3.create_bucket(Bucket="bucket-of-an-unknown-kind")
    tags = {"Customer": "Bucket", "Environment": "production", "dr:enabled": "true", "dr:wave": "1"}
    s3.put_bucket_tagging(
        Bucket="bucket-of-an-unknown-kind", Tagging={"TagSet": [{"Key": k, "Value": v} for k, v in tags.items()]}
    )
    # When a run is started, then it is not silently left out
    why = shop.start("failover").failed()
    assert "bucket-of-an-unknown-kind" in why
    assert "no adapter knows the type" in why
