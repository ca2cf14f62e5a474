"""A source Region that dies in the middle of a planned failover, and what is done when it is back."""

from __future__ import annotations

import pytest

from orchestrator.words import GateStatus, Mode, Outcome, Phase, RunStatus, StageStatus
from tests.functional.test_emergency_runs import DISASTER, GLOBAL_CONTROL_PLANES
from tests.functional.world import EAST, OWNER, WEST, Running, World

pytestmark = pytest.mark.functional


def test_source_that_dies_in_the_middle_of_activate_is_left_by_dr_escalate_and_completed_when_it_is_back(
    world: World,
) -> None:
    # Given a planned failover whose database has been activated, with the services still to come, and a neighbour's estate
    neighbour = world.shop("Nextdoor", ["aurora-global", "ecs-service"])
    picture = neighbour.attributes()
    shop = world.shop("Midway", ["aurora-global", "ecs-service"])
    shop.inventory()
    run = shop.start("failover", ApprovalMode="required")
    asked: set[str] = set()

    def activated_and_asked() -> bool:
        stages, gates = run.hub.ledger.stages(run.run_id), run.hub.ledger.gates(run.run_id)
        waiting = [g for g in gates if g.status is GateStatus.OPEN and g.token and g.gate_id not in asked]
        if waiting and any(s.phase is Phase.ACTIVATE and s.status is StageStatus.PASSED for s in stages):
            return True
        for gate in waiting:
            asked.add(gate.gate_id)
            run.send(gate, {"approved": True, "approver": OWNER})
        return False

    run.until(activated_and_asked, "the database to be activated")
    # When us-east-1 dies and the operator escalates
    world.break_things(*DISASTER)
    mark = world.mark()
    said = world.run_command("dr", "escalate", run.run_id, "--region", WEST, "--reason", "INC-1", "--yes")
    assert said.code == 0, said.err
    arn = said.out.strip()
    emergency = Running(world, run.hub, arn.rpartition(":")[2], arn)
    # Then the planned run ends without a further change, and the emergency shows the loss before it goes on
    assert run.ended().status is RunStatus.CANCELLED
    shown = emergency.until(lambda: [g for g in run.hub.ledger.gates(emergency.run_id) if g.token], "its first gate")
    assert any(line.startswith("loss: ") for line in shown[0].checklist), shown[0].checklist
    emergency.approve_all()
    ended = emergency.ended()
    assert ended.status in {RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_WARNINGS}, ended.failure
    assert (ended.mode, ended.escalates) == (Mode.EMERGENCY, run.run_id)
    assert emergency.not_served() == []
    # And the emergency has not even tried to call what is lost
    lost = [c for c in world.platform_calls_since(mark) if c.region == EAST or c.service in GLOBAL_CONTROL_PLANES]
    assert [f"{c.service}.{c.operation}" for c in lost if emergency.run_id[:20] in c.principal_arn] == []
    # And what it deferred is refused as long as the Region is away
    complete = ("dr", "start", "--complete", emergency.run_id, "--region", WEST, "--approval", "automatic", "--yes")
    said = world.run_command(*complete)
    early = Running(world, run.hub, said.out.strip().rpartition(":")[2], said.out.strip())
    assert f"{EAST} is not back" in early.failed()
    # When it is back, then the same command fences what returned and protects it again
    world.heal()
    said = world.run_command(*complete)
    assert said.code == 0, said.err
    last = Running(world, run.hub, said.out.strip().rpartition(":")[2], said.out.strip())
    done = last.ended()
    assert done.status in {RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_WARNINGS}, done.failure
    actions = run.hub.ledger.actions(last.run_id)
    assert {a.phase for a in actions} == {Phase.CLEANUP, Phase.REPLICATE}
    assert {a.outcome for a in actions} <= {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_WARNINGS, Outcome.SKIPPED}
    assert shop.tasks(EAST) == (0, 0)
    # And both runs tell of each other
    assert run.hub.ledger.run(emergency.run_id).completed_by == last.run_id
    assert f"by run {last.run_id}" in world.run_command("dr", "report", emergency.run_id, "--region", WEST).out
    # And once is enough
    again = world.run_command(*complete)
    assert again.code == 3
    assert "was completed by run" in again.err
    # And of the other customer nothing has changed to the last attribute
    assert neighbour.attributes() == picture
