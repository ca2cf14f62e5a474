"""Drills: a rehearsal beside production, which notices nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.ledger.records import Scope
from orchestrator.names import drill_schedule
from orchestrator.words import GateStatus, Mode, RunStatus, StageStatus
from tests.functional.world import EAST, OWNER, WEST, Running, Shop, World

pytestmark = pytest.mark.functional

KINDS = ["aurora-global", "ecs-service"]
NEVER_IN_A_DRILL = ("Promote", "Switchover", "Failover", "RemoveFrom", "Reverse", "StopReplication", "ChangeResource")


def test_drill_rehearses_every_resource_leaves_production_untouched_and_no_copies(world: World) -> None:
    # Given a shop of every technology, and the picture of it before
    shop = world.shop("Drilled")
    before = shop.attributes()
    mark = world.mark()
    # When a test is run in us-west-2
    run = shop.start("test")
    ended = run.ended()
    # Then it succeeds, and something was really made on the way
    assert ended.status in {RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_WARNINGS}, ended.failure
    changes = shop.changes_since(mark)
    assert any("Restore" in c or "RunTask" in c or "StartRecovery" in c for c in changes), changes
    # And production looks attribute by attribute as before: the copies are gone, too. Only DRS keeps a note of the drill
    after = shop.attributes()
    for server in [*before[f"{WEST} source servers"], *after[f"{WEST} source servers"]]:
        server.pop("lastLaunchResult", None)
        server["lifeCycle"].pop("lastLaunch", None)
    assert after == before
    # And no call that would switch a role, a name or a replication was made, and none that changes us-east-1's resources
    assert [c for c in changes if any(word in c for word in NEVER_IN_A_DRILL)] == []
    # And the shop can still be moved in earnest, from us-east-1
    assert shop.tasks(EAST) == (2, 2)


def shown(world: World, run: Running) -> str:
    """Return what `dr status` shows, however its lines are broken."""
    return " ".join(world.run_command("dr", "status", run.run_id).out.split())


def in_the_middle_of_activate(shop: Shop) -> Running:
    """Start a drill and leave it with copies of everything, between two waves of ACTIVATE."""
    run = shop.start("test", ApprovalMode="required", LeaseMinutes=60)
    asked: set[str] = set()

    def wave_1_is_active() -> bool:
        through = [
            s.stage_id
            for s in run.hub.ledger.stages(run.run_id)
            if s.status in {StageStatus.PASSED, StageStatus.SKIPPED}
        ]
        waiting = [g for g in run.hub.ledger.gates(run.run_id) if g.status is GateStatus.OPEN and g.token]
        new = [g for g in waiting if g.gate_id not in asked]
        if new and any("ACTIVATE" in stage_id for stage_id in through):
            return True
        for gate in new:
            asked.add(gate.gate_id)
            run.send(gate, {"approved": True, "approver": OWNER})
        return False

    run.until(wave_1_is_active, "the first wave to be activated")
    return run


def test_drill_killed_halfway_is_cleaned_up_when_its_lease_is_over_and_production_is_untouched(world: World) -> None:
    # Given a drill whose execution is stopped in the middle of ACTIVATE, with copies of both waves
    shop = world.shop("Killed", KINDS)
    before = shop.attributes()
    mark = world.mark()
    run = in_the_middle_of_activate(shop)
    assert shop.attributes() != before
    stop = ("aws", "stepfunctions", "stop-execution", "--execution-arn", run.execution_arn)
    assert world.run_command(*stop).code == 0
    assert run.ended().status is RunStatus.STOPPED
    # Then people are told that copies are left, until when, and how to remove them now
    run.until(lambda: "failure" in world.told(run.run_id), "the last message")
    told = world.texts(run.run_id)[-1]
    assert "are left; lease until" in told
    assert f"dr start --complete {run.run_id} --region {WEST}" in told
    assert "are left; lease until" in shown(world, run)
    assert world.watchdog() == []
    # When its lease is over, and the watchdog looks
    run.let_lease_end()
    (found,) = world.watchdog()
    # Then it says which run removes them, and starts that once
    removal = run.linked(f"{run.run_id}-removal-1")
    assert found["Finding"] == "expired-lease"
    assert removal.run_id in found["What"]
    assert world.watchdog() == []
    ended = removal.ended()
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert run.hub.ledger.run(run.run_id).completed_by == removal.run_id
    assert world.watchdog() == []
    # And the copies are gone, production is as it was, and no call was made that it would have noticed
    assert shop.attributes() == before
    changes = shop.changes_since(mark)
    assert any("Delete" in change for change in changes), changes
    assert [c for c in changes if any(word in c for word in NEVER_IN_A_DRILL) or c.endswith(EAST)] == []
    # And the scope is free
    assert run.hub.ledger.holder(ended.scope) is None
    # And a redrive of the drill ends with what became of its copies and what to type, and begins nothing
    redriven = world.run_command("aws", "stepfunctions", "redrive-execution", "--execution-arn", run.execution_arn)
    assert redriven.code == 0, redriven.err
    run.until(lambda: run.execution()["status"] == "FAILED", "the refusal")
    why = run.execution()["cause"]
    assert f"UTC by run {removal.run_id}; there is nothing to go on with" in why
    assert "start a new drill: dr start --customer Killed --environment production --operation test" in why
    assert shop.attributes() == before


def test_drill_that_nobody_answers_is_given_more_time_and_then_removes_its_copies_itself(world: World) -> None:
    # Given a drill in the middle of ACTIVATE, that somebody gives more time
    shop = world.shop("Forgotten", KINDS)
    before = shop.attributes()
    run = in_the_middle_of_activate(shop)
    said = world.run_command("dr", "extend", run.run_id, "--minutes", "30", "--reason", "one more look")
    assert said.code == 0, said.err
    assert "may stay until" in said.out
    assert "extended by 30" in shown(world, run)
    # When that is over, too, while it still waits at its gate
    run.let_lease_end()
    (found,) = world.watchdog()
    assert "makes nothing more, and removes its copies now" in found["What"]
    # Then it removes its copies, asks nobody, and ends with the reason
    ended = run.ended()
    assert ended.status is RunStatus.FAILED
    assert "was not through when its lease ended" in str(ended.failure)
    assert shop.attributes() == before
    assert run.hub.ledger.holder(ended.scope) is None


def test_drill_that_waits_with_a_lost_token_beyond_its_lease_is_stopped_and_its_copies_go(world: World) -> None:
    # Given a drill with copies, whose execution lives and waits with a token that nobody knows any more
    shop = world.shop("Deaf", KINDS)
    before = shop.attributes()
    run = in_the_middle_of_activate(shop)
    assert shop.attributes() != before
    (gate,) = [g for g in run.hub.ledger.gates(run.run_id) if g.status is GateStatus.OPEN]
    run.hub.ledger.change_gate(run.run_id, gate.gate_id, lambda g: g.but(token=None))
    # When its lease ends, and the watchdog has told it so a while ago
    run.let_lease_end()
    assert [found["Finding"] for found in world.watchdog()] == ["expired-lease"]
    assert run.execution()["status"] == "RUNNING"
    ago = timedelta(minutes=20)
    run.hub.ledger.change_gate(run.run_id, gate.gate_id, lambda g: g.but(token=None, asked_at=g.opened_at - ago))
    run.hub.ledger.change_run(run.run_id, lambda r: r.but(lease=r.lease and r.lease.but(over_at=gate.opened_at - ago)))
    # Then the watchdog stops its execution, closes the run, and has its copies removed; it says all that
    stopped, removal = world.watchdog()
    assert "its execution was stopped, and its copies are removed now" in stopped["What"]
    assert f"Run {run.run_id}-removal-1 was started" in removal["What"]
    assert run.ended().status is RunStatus.STOPPED
    assert run.execution()["status"] == "ABORTED"
    assert run.linked(f"{run.run_id}-removal-1").ended().status is RunStatus.SUCCEEDED
    assert shop.attributes() == before
    assert world.watchdog() == []


def test_copies_of_a_drill_that_was_stopped_are_removed_at_once_by_hand(world: World) -> None:
    # Given a drill that somebody stopped by hand
    shop = world.shop("ByHand", KINDS)
    before = shop.attributes()
    run = in_the_middle_of_activate(shop)
    run.hub.hub.client("stepfunctions").stop_execution(executionArn=run.execution_arn)
    run.ended()
    # When the command that it told is typed
    command = ("dr", "start", "--complete", run.run_id, "--region", WEST, "--approval", "automatic", "--yes")
    said = world.run_command(*command)
    assert said.code == 0, said.err
    ended = run.linked(said.out.strip().rpartition(":")[2]).ended()
    # Then the copies are gone, and once is enough
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert shop.attributes() == before
    again = world.run_command(*command)
    assert again.code == 3
    assert "were removed by run" in again.err


def test_drill_cancelled_in_its_middle_leaves_nothing_behind_within_minutes(world: World) -> None:
    # Given a drill in the middle of ACTIVATE, long before its lease ends
    shop = world.shop("Enough", KINDS)
    before = shop.attributes()
    run = in_the_middle_of_activate(shop)
    assert shop.attributes() != before
    # When it is cancelled
    said = world.run_command("dr", "cancel", run.run_id, "--reason", "seen enough", "--yes")
    assert said.code == 0, said.err
    assert "its copies are removed at once; to keep them" in said.err
    assert run.ended().status is RunStatus.CANCELLED
    # Then its own end starts the run that removes its copies, and its last message says so
    removal = run.linked(f"{run.run_id}-removal-1")
    run.until(lambda: "failure" in world.told(run.run_id), "the last message")
    assert f"run {removal.run_id} removes them" in world.texts(run.run_id)[-1]
    ended = removal.ended()
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    # And they are gone without the watchdog, which has nothing to do
    assert shop.attributes() == before
    assert run.hub.ledger.run(run.run_id).completed_by == removal.run_id
    assert world.watchdog() == []
    assert run.hub.ledger.holder(ended.scope) is None


def test_drill_is_held_by_the_calendar_in_the_direction_in_which_the_customer_stands(world: World) -> None:
    # Given a customer for whom the configuration names a nightly drill
    shop = world.shop("Calendar", ["ecs-service"])
    before = shop.attributes()
    hub = world.enter(WEST)
    scope = Scope(customer="Calendar", environment="production")
    # When its time has come
    schedule = drill_schedule("Calendar", "production", "nightly")
    world.hub.admin(f"schedules/fire?name={schedule}", {})
    # Then a drill begins with the input of the configuration, and comes to a good end
    run = world.started_by_itself(hub, scope)
    ended = run.ended()
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert (ended.mode, ended.requester, ended.reason) == (Mode.DRILL, "schedule nightly", "scheduled drill nightly")
    assert ended.lease is not None
    assert ended.lease.minutes == 60
    assert shop.attributes() == before
    assert '"machine"' in world.run_command("dr", "report", run.run_id).out
    # And when the customer has been moved, the other Region's hub rehearses the way back, and says why
    move = shop.start("failover")
    assert move.ended().status is RunStatus.SUCCEEDED
    world.hub.admin(f"schedules/fire?name={schedule}", {})
    back = world.started_by_itself(world.enter(EAST), scope).ended()
    assert back.status is RunStatus.SUCCEEDED, back.failure
    assert (back.mode, back.source_region, back.target_region) == (Mode.DRILL, WEST, EAST)
    assert f"the other way round: Calendar/production runs in {WEST} since run {move.run_id}" in back.reason
    assert [r.run_id for r in hub.ledger.runs_of(scope) if r.mode is Mode.DRILL] == [back.run_id, run.run_id]


def test_drill_is_never_an_emergency(world: World) -> None:
    cause = world.shop("Rushed", ["ecs-service"]).start("test", Emergency=True, AcceptDataLoss=True).refused()
    assert "a drill never touches production" in cause
