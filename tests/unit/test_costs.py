"""What the copies of a drill cost: an estimate that people see before, and a ceiling that stops a dear one."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import ending, planning, stocktaking
from orchestrator.checklists import plan_overview
from orchestrator.costs import cost_lines, estimate, units_of
from orchestrator.errors import RefusedError
from orchestrator.extending import extend
from orchestrator.plan import PlannedAction, PlannedCall, PlannedStep, load_plan
from orchestrator.rates import FREE, RATES, Rate
from orchestrator.words import Effect, Phase, Priority, RunStatus, Side, StepState
from tests.unit.scripted_platform import HOME, SCOPE, TARGET, Cloud, Operator
from tests.unit.test_leases import KIM


def making(call: str, phase: Phase = Phase.INSTANTIATE, **params: Any) -> PlannedAction:
    """Return an action of a drill whose preview makes one call."""
    service, _, operation = call.partition(".")
    planned = PlannedCall(
        service=service, operation=operation, side=Side.TARGET, account=HOME, region=TARGET, params=params
    )
    step = PlannedStep(name="drill", state=StepState.TODO, effect=Effect.REVERSIBLE, reason="", call=planned)
    return PlannedAction(
        action_id="x",
        stage_id="01",
        target_id="x",
        adapter="x",
        strategy="x",
        phase=phase,
        wave=1,
        priority=Priority.MEDIUM,
        resource_ids=("database/orders",),
        expected_minutes=1,
        steps=(step,),
    )


@pytest.mark.parametrize(
    ("instance_class", "units"),
    [
        ("db.r6g.large", 4),
        ("db.t4g.micro", 0.5),
        ("cache.r7g.xlarge", 8),
        ("db.r5.24xlarge", 192),
        ("m5.metal", None),
        ("db.serverless", None),
        ("", None),
    ],
)
def test_size_of_a_class_is_its_normalized_units(instance_class: str, units: float | None) -> None:
    assert units_of(instance_class) == units


def test_copy_costs_by_its_class_and_by_how_many_pieces_it_has() -> None:
    instance = estimate([making("rds.CreateDBInstance", DBInstanceClass="db.r6g.2xlarge")], 120)
    assert instance.usd_per_hour == pytest.approx(4 * RATES["rds.CreateDBInstance"].usd)
    assert instance.usd() == pytest.approx(2 * instance.usd_per_hour)
    assert instance.copies[0].exact
    cache = making(
        "elasticache.CreateReplicationGroup", CacheNodeType="cache.r6g.large", NumNodeGroups=3, ReplicasPerNodeGroup=1
    )
    assert estimate([cache], 60).usd() == pytest.approx(6 * RATES["elasticache.CreateReplicationGroup"].usd)
    servers = making("drs.StartRecovery", sourceServers=[{"sourceServerID": "s-1"}, {"sourceServerID": "s-2"}])
    assert estimate([servers], 60).usd() == pytest.approx(2 * RATES["drs.StartRecovery"].usd)


def test_unknown_class_is_said_and_taken_for_a_large_one() -> None:
    serverless = estimate([making("rds.CreateDBInstance", DBInstanceClass="db.serverless")], 60)
    (copy,) = serverless.copies
    assert not copy.exact
    assert "class db.serverless, taken for 24xlarge" in copy.what
    assert serverless.usd() > 10
    task = estimate([making("ecs.RunTask", count=1)], 60)
    assert "size unknown, taken for" in " ".join(cost_lines(task))


def test_what_costs_nothing_is_silent_and_what_nobody_priced_is_said() -> None:
    costs = estimate([making("ec2.CreateSecurityGroup"), making("quantum.CreateFridge")], 60)
    assert (costs.usd(), costs.unpriced) == (0, ("quantum.CreateFridge",))
    assert any("not priced: quantum.CreateFridge" in line for line in cost_lines(costs))
    assert estimate([making("rds.DeleteDBInstance", Phase.CLEANUP)], 60).unpriced == ()


def test_table_names_its_source_and_prices_nothing_that_is_free() -> None:
    assert not set(RATES) & FREE
    assert all(rate.usd > 0 and rate.source for rate in RATES.values())
    assert [name for name, rate in RATES.items() if not rate.size and "unknown" not in rate.what] == []


# --- the ceiling ------------------------------------------------------------------------------------------------------


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cloud of two databases whose copies cost 5 dollars an hour each."""
    monkeypatch.setattr("orchestrator.costs.RATES", {"fake.scale": Rate("a copy, size unknown", 5.0, "fake")})
    cloud = Cloud()
    cloud.add("orders")
    cloud.add("search", wave=2)
    return cloud


def drill(cloud: Cloud, **more: Any) -> None:
    cloud.accept(cloud.platform(), Operation="test", LeaseMinutes=120, **more)


def test_estimate_is_in_the_plan_and_at_its_gate(cloud: Cloud) -> None:
    drill(cloud)
    plan = load_plan(cloud.blobs, "run-1")
    assert plan.costs is not None
    assert plan.costs.usd() == pytest.approx(20)
    told = "\n".join(plan_overview(plan, []))
    assert (
        "the copies cost an estimated 20.00 USD if they stay for the whole lease of 120 min (10.00 USD an hour; "
        in told
    )
    assert "us-east-1 On-Demand" in told


def test_drill_above_its_ceiling_is_refused_before_it_makes_anything_and_says_what_would_fit(cloud: Cloud) -> None:
    platform = cloud.platform()
    run_id = "run-1"
    drill(cloud, CostCeilingUSD=15)
    assert not planning.check_readiness(platform, run_id)
    ended = ending.finish(platform, run_id)
    assert ended.status is RunStatus.FAILED
    assert "they would cost an estimated 20.00 USD in 120 min, expected at most 15.00 USD" in ended.summary
    assert "--lease-minutes 90" in ended.summary
    assert "--cost-ceiling 20" in ended.summary
    assert cloud.made == []
    assert cloud.ledger.holder(SCOPE) is None


def test_drill_below_its_ceiling_goes_on(cloud: Cloud) -> None:
    drill(cloud, CostCeilingUSD=20, ApprovalMode="automatic")
    assert Operator(cloud.platform(), cloud).drive("run-1").status is RunStatus.SUCCEEDED


def test_more_time_may_not_break_the_ceiling(cloud: Cloud) -> None:
    drill(cloud, CostCeilingUSD=25)
    extend(cloud.platform(), "run-1", KIM, 30, "")
    with pytest.raises(RefusedError) as refused:
        extend(cloud.platform(), "run-1", KIM, 30, "")
    assert refused.value.code == "AboveCeiling"
    assert "in 180 min the copies of run run-1 would cost an estimated 30.00 USD, expected at most 25.00" in str(
        refused.value
    )


def test_drill_whose_plan_is_not_built_yet_is_extended_without_an_estimate(cloud: Cloud) -> None:
    arn = f"arn:aws:states:{TARGET}:{HOME}:execution:DROrchestrator:run-1"
    raw = {
        "Customer": SCOPE.customer,
        "Environment": SCOPE.environment,
        "Operation": "test",
        "PrimaryRegion": "us-east-1",
        "DRRegion": TARGET,
        "CostCeilingUSD": 1,
    }
    planning.accept(cloud.platform(), raw, arn, "run-1", cloud.clock.now())
    stocktaking.take_inventory(cloud.platform(), "run-1")
    lease = extend(cloud.platform(), "run-1", KIM, 30, "").lease
    assert lease is not None
    assert len(lease.extensions) == 1
