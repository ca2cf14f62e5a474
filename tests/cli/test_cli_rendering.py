"""How a run and a plan look in a terminal."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType

from cli import show
from orchestrator.inventory import SideRecord
from orchestrator.ledger.records import Scope
from orchestrator.plan import LossStatement, Plan, PlannedAction, PlannedCall, PlannedStage, PlannedStep
from orchestrator.recovery_time import RecoveryTime
from orchestrator.status import OpenGate, ResourceLine, RunView, StageLine
from orchestrator.targets import PlannedMember, PlannedTarget
from orchestrator.words import Choice, Effect, Mode, Operation, Order, Phase, Priority, Side, StageStatus, StepState


def text(shown: RenderableType) -> str:
    """Return what a terminal 200 characters wide shows, without blanks at the ends of lines."""
    out = io.StringIO()
    Console(file=out, width=200, highlight=False).print(shown)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def line(stage_id: str, status: StageStatus, **counts: float | None) -> StageLine:
    numbers = {"done": 0, "running": 0, "failed": 0, "pending": 0, "seconds": None, "expected_minutes": None}
    _, phase, wave = stage_id.split("-")
    return StageLine.model_validate(
        {"stage_id": stage_id, "phase": phase, "wave": int(wave[1:]), "status": status, **numbers, **counts}
    )


VIEW = RunView(
    run_id="CustomerX-1",
    execution_arn="arn:aws:states:us-west-2:111111111111:execution:DROrchestrator:CustomerX-1",
    scope="CustomerX/production",
    operation="failover",
    mode="planned",
    status="waiting",
    source_region="us-east-1",
    target_region="us-west-2",
    resources_done=1,
    resources_pending=2,
    resources_failed=1,
    elapsed_seconds=3725,
    rto_target_minutes=90,
    estimated_end=None,
    recovery_time_seconds=RecoveryTime(declaration=None, human_wait=60, machine=3665, health_settle=0, total=3725),
    stages=(
        line("01-INSTANTIATE-w1", StageStatus.PASSED, done=3, seconds=61),
        line("02-ACTIVATE-w1", StageStatus.FAILED, done=1, failed=1, seconds=600, expected_minutes=8),
        line("03-CLEANUP-w1", StageStatus.PENDING, pending=3),
    ),
    under_way=(
        ResourceLine(
            action_id="ACTIVATE.ecs-api", resource_ids=("ecs/api",), state="running", step="stable", detail="1 of 2 run"
        ),
    ),
    failures=(
        ResourceLine(
            action_id="ACTIVATE.rds-pay", resource_ids=("rds/pay",), state="failed", step="", detail="drain: lag 9 s"
        ),
    ),
    open_gates=(
        OpenGate(
            gate_id="g-1",
            kind="failure",
            question="What shall happen?",
            checklist=("rds/pay failed",),
            choices=(Choice.RETRY, Choice.ABORT),
            waiting_seconds=75,
            asks=1,
        ),
    ),
    failure=None,
)


def test_status_tells_where_a_run_stands_what_failed_and_what_to_type() -> None:
    assert text(show.status(VIEW)).splitlines() == [
        "CustomerX/production failover (planned) us-east-1 → us-west-2   waiting   1:02:05 elapsed of RTO 90 min",
        "resources: 1 done, 2 pending, 1 failed   run CustomerX-1",
        "stage              status   done  running  failed  pending   time  expected",
        "01-INSTANTIATE-w1  passed      3                             1:01",
        "02-ACTIVATE-w1     failed      1                1           10:00     8 min",
        "03-CLEANUP-w1      pending                               3",
        "  … ACTIVATE.ecs-api: stable: 1 of 2 run",
        "  ✗ ACTIVATE.rds-pay: failed: drain: lag 9 s",
        "⏸ failure gate g-1, open 1:15: What shall happen?",
        "    - rds/pay failed",
        "    dr decide g-1 retry",
        "    dr decide g-1 abort",
    ]


def test_status_of_a_broken_run_ends_with_the_reason() -> None:
    broken = VIEW.model_copy(update={"open_gates": (), "status": "failed", "failure": "the inventory is incomplete"})
    assert text(show.status(broken)).splitlines()[-1] == "failure: the inventory is incomplete"


def step(name: str, effect: Effect, operation: str | None) -> PlannedStep:
    call = operation and PlannedCall(
        service="rds",
        operation=operation,
        side=Side.TARGET,
        account="222222222222",
        region="us-west-2",
        params={},
    )
    state = StepState.TODO if call else StepState.DONE
    return PlannedStep(name=name, state=state, effect=effect, reason="as it should be", call=call or None)


def planned(phase: Phase, stage_id: str, *steps: PlannedStep) -> PlannedAction:
    return PlannedAction(
        action_id=f"{phase}.rds-pay",
        stage_id=stage_id,
        target_id="rds-pay",
        adapter="rds",
        strategy="read-replica",
        phase=phase,
        wave=1,
        priority=Priority.HIGH,
        resource_ids=("rds/pay",),
        expected_minutes=1 if phase is Phase.INSTANTIATE else 5,
        steps=steps,
    )


def plan() -> Plan:
    side = SideRecord(account="222222222222", region="us-west-2", id="pay", arn="arn:aws:rds:us-west-2:2:db:pay")
    first, second = "01-INSTANTIATE-w1", "02-ACTIVATE-w1"
    return Plan(
        scope=Scope(customer="CustomerX", environment="production"),
        operation=Operation.FAILOVER,
        mode=Mode.PLANNED,
        order=Order.LIFECYCLE,
        order_reason="asked for in the request",
        source_region="us-east-1",
        target_region="us-west-2",
        stages=(
            PlannedStage(
                stage_id=first,
                index=1,
                phase=Phase.INSTANTIATE,
                wave=1,
                groups=(("INSTANTIATE.rds-pay",),),
                expected_minutes=1,
            ),
            PlannedStage(
                stage_id=second,
                index=2,
                phase=Phase.ACTIVATE,
                wave=1,
                groups=(("ACTIVATE.rds-pay",),),
                expected_minutes=5,
                irreversible=True,
            ),
        ),
        actions=(
            planned(Phase.INSTANTIATE, first, step("exists", Effect.NONE, None)),
            planned(Phase.ACTIVATE, second, step("promote", Effect.IRREVERSIBLE, "PromoteReadReplica")),
        ),
        targets=(
            PlannedTarget(
                target_id="rds-pay",
                strategy="read-replica",
                members=(PlannedMember(resource_id="rds/pay", name="pay", source=side, target=side),),
            ),
        ),
        excluded={"ecs/old": "dr:enabled is false"},
        losses=(
            LossStatement(resource_id="rds/pay", seconds=4.25, detail="replica lag"),
            LossStatement(resource_id="ecs/api", seconds=0.0, detail="stateless"),
            LossStatement(resource_id="drs/app", seconds=None, detail="cannot be read"),
        ),
    )


def test_plan_shows_every_call_its_effect_the_line_of_no_return_and_the_losses() -> None:
    frozen = plan()
    assert text(show.plan(frozen)).splitlines() == [
        f"CustomerX/production failover (planned) us-east-1 → us-west-2, 1 resource(s), about 6 min, "
        f"order lifecycle (asked for in the request), plan {frozen.hash[:12]}",
        "├── 01-INSTANTIATE-w1 about 1 min",
        "│   └── INSTANTIATE.rds-pay read-replica, high",
        "│       └── exists: done: as it should be",
        "├── ──── line of no return: past this, the way back is a planned failback ────",
        "└── 02-ACTIVATE-w1 about 5 min",
        "    └── ACTIVATE.rds-pay read-replica, high",
        "        └── promote: rds.PromoteReadReplica in 222222222222/us-west-2 [irreversible]",
        "critical path, about 6 min: INSTANTIATE.rds-pay 1 min → ACTIVATE.rds-pay 5 min",
        "left out: ecs/old: dr:enabled is false",
        "if forced now, rds/pay would lose: 4.2 s (replica lag)",
        "if forced now, drs/app would lose: unknown (cannot be read)",
    ]


def test_plan_says_why_a_stage_takes_turns() -> None:
    why = "45 copies of DB snapshots into the Region in account 222222222222, us-west-2: AWS allows 20 at once"
    frozen = plan()
    waiting = frozen.stages[1].model_copy(update={"splits": (why,)})
    shown = text(show.plan(frozen.model_copy(update={"stages": (frozen.stages[0], waiting)}))).splitlines()
    assert shown[5:7] == ["└── 02-ACTIVATE-w1 about 5 min", f"    ├── in turns: {why}"]
