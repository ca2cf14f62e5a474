"""Quotas of AWS: a stage asks for no more at once than an account and Region may do, and says why it takes turns."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import registry
from orchestrator import planner
from orchestrator.batching import demands_of
from orchestrator.errors import ValidationError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.plan import Plan, PlannedStage
from orchestrator.request import parse
from orchestrator.words import LIFECYCLE, Mode, Phase
from tests.unit.scripted_platform import APPS, REQUEST, SCOPE, SOURCE, START, TARGET

TAGS = {"Customer": SCOPE.customer, "Environment": SCOPE.environment, "dr:enabled": "true"}
OTHER = "333333333333"
RDS_COPIES, DRS_SERVERS = 20, 500


def a_thing(key: str, strategy: str, name: str, account: str = APPS, wave: int = 1, **more: Any) -> Resource:
    """Return a resource of a real technology; `more` may hold `needs`, `priority` and `settings`."""
    tags = {**TAGS, "dr:wave": str(wave), "dr:priority": more.get("priority", "medium")}
    tags |= {"dr:dependencies": more["needs"]} if more.get("needs") else {}
    sides = {
        region: SideRecord(account=account, region=region, id=name, arn=f"arn:{region}:{account}:{name}", tags=tags)
        for region in (SOURCE, TARGET)
    }
    return Resource(
        resource_id=f"{key}/{account}/{name}",
        adapter=key,
        name=name,
        strategy=strategy,
        sides=sides,
        settings=more.get("settings", {}),
    )


def databases(count: int, account: str = APPS, **more: Any) -> list[Resource]:
    return [a_thing("rds", "snapshot-copy", f"db-{n:03d}", account, **more) for n in range(count)]


def servers(count: int, account: str = APPS, **more: Any) -> list[Resource]:
    return [a_thing("drs", "drs-recovery", f"server-{n:04d}", account, **more) for n in range(count)]


def plan_of(*resources: Resource, **request: Any) -> Plan:
    snapshot = Snapshot(scope=SCOPE, taken_at=START, resources=resources)
    return planner.build(parse({**REQUEST, **request}), snapshot, registry.adapter)


def stage_of(plan: Plan, phase: Phase) -> PlannedStage:
    (found,) = (stage for stage in plan.stages if stage.phase is phase)
    return found


def sizes(plan: Plan, phase: Phase) -> list[int]:
    """Return how many resources each group of a phase moves."""
    members = {action.action_id: len(action.resource_ids) for action in plan.actions}
    return [sum(members[each] for each in group) for group in stage_of(plan, phase).groups]


class TestSnapshotCopies:
    def test_forty_five_databases_of_an_account_are_copied_twenty_at_a_time(self) -> None:
        plan = plan_of(*databases(45))
        assert sizes(plan, Phase.ACTIVATE) == [20, 20, 5]
        assert stage_of(plan, Phase.ACTIVATE).splits == (
            f"45 copies of DB snapshots into the Region in account {APPS}, {TARGET}: "
            "AWS allows 20 at once (RDS user guide, Copying a DB snapshot)",
        )

    def test_phase_that_copies_nothing_runs_all_side_by_side(self) -> None:
        plan = plan_of(*databases(45))
        assert sizes(plan, Phase.CLEANUP) == [45]
        assert stage_of(plan, Phase.CLEANUP).splits == ()

    def test_copies_back_count_in_the_region_they_go_to(self) -> None:
        plan = plan_of(*databases(21))
        assert sizes(plan, Phase.REPLICATE) == [20, 1]
        assert f"{APPS}, {SOURCE}" in stage_of(plan, Phase.REPLICATE).splits[0]

    def test_each_account_has_a_quota_of_its_own(self) -> None:
        plan = plan_of(*databases(45), *databases(25, OTHER))
        assert sizes(plan, Phase.ACTIVATE) == [40, 25, 5]
        assert [f"account {each}" in why for each, why in zip((APPS, OTHER), plan.stages[1].splits, strict=True)]

    def test_replicas_need_no_copies_and_wait_for_nobody(self) -> None:
        replicas = [a_thing("rds", "read-replica", f"replica-{n:03d}") for n in range(45)]
        plan = plan_of(*databases(21), *replicas)
        assert sizes(plan, Phase.ACTIVATE) == [65, 1]

    def test_emergency_restores_what_is_there_all_at_once(self) -> None:
        plan = plan_of(*databases(45), Emergency=True)
        assert sizes(plan, Phase.ACTIVATE) == [45]

    def test_waiting_in_turns_is_part_of_the_expected_time(self) -> None:
        alone, many = plan_of(*databases(20)), plan_of(*databases(21))
        assert stage_of(many, Phase.ACTIVATE).expected_minutes == 2 * stage_of(alone, Phase.ACTIVATE).expected_minutes


class TestServers:
    @pytest.mark.parametrize("emergency", [False, True])
    def test_seven_hundred_servers_start_in_five_jobs_then_two(self, *, emergency: bool) -> None:
        plan = plan_of(*servers(700), **({"Emergency": True} if emergency else {}))
        assert [len(target.members) for target in plan.targets] == [100] * 7
        assert sizes(plan, Phase.ACTIVATE) == [500, 200]
        assert "700 servers in jobs of DRS" in stage_of(plan, Phase.ACTIVATE).splits[0]

    def test_no_server_is_in_two_jobs(self) -> None:
        plan = plan_of(*servers(700))
        moved = Counter(each for a in plan.actions if a.phase is Phase.ACTIVATE for each in a.resource_ids)
        assert len(moved) == 700
        assert set(moved.values()) == {1}

    def test_many_small_batches_are_limited_by_the_number_of_jobs(self) -> None:
        # Given servers of 25 source accounts that all recover in one: a batch never crosses accounts
        plan = plan_of(*(_staged(f"server-{n:04d}", f"{4000 + n:012d}") for n in range(25)))
        assert sizes(plan, Phase.ACTIVATE) == [20, 5]
        assert "25 jobs of DRS" in stage_of(plan, Phase.ACTIVATE).splits[0]

    def test_drill_counts_the_jobs_that_launch_and_those_that_clean_up(self) -> None:
        plan = plan_of(*servers(700), Operation="test")
        assert [sizes(plan, phase) for phase in (Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP)] == [
            [500, 200],
            [700],
            [500, 200],
        ]


def _staged(name: str, account: str) -> Resource:
    server = a_thing("drs", "drs-recovery", name)
    there = server.sides[SOURCE].model_copy(update={"account": account})
    return server.model_copy(update={"sides": {**server.sides, SOURCE: there}})


class TestOthers:
    @pytest.mark.parametrize(
        ("key", "strategy", "phase", "expected"),
        [
            ("fsx", "backup-copy", Phase.ACTIVATE, [5, 5, 2]),
            ("fsx", "lustre-s3", Phase.ACTIVATE, [12]),
            ("efs", "backup-restore", Phase.ACTIVATE, [12]),
            ("elasticache", "backup-restore", Phase.ACTIVATE, [12]),
        ],
    )
    def test_only_what_is_documented_and_used_is_limited(
        self, key: str, strategy: str, phase: Phase, expected: list[int]
    ) -> None:
        assert sizes(plan_of(*(a_thing(key, strategy, f"thing-{n:02d}") for n in range(12))), phase) == expected

    def test_file_systems_are_copied_by_hundreds(self) -> None:
        plan = plan_of(*(a_thing("efs", "backup-restore", f"files-{n:03d}") for n in range(101)))
        assert sizes(plan, Phase.ACTIVATE) == [100, 1]
        assert f"{APPS}, {SOURCE}" in stage_of(plan, Phase.ACTIVATE).splits[0]

    def test_only_buses_whose_manifest_asks_for_a_replay_take_turns(self) -> None:
        def bus(number: int, settings: dict[str, Any]) -> Resource:
            return a_thing("eventbridge", "rule-toggle", f"bus-{number:02d}", settings=settings)

        plan = plan_of(*(bus(n, {"replay": {"archive": "orders"}} if n < 12 else {}) for n in range(30)))
        assert sizes(plan, Phase.CLEANUP) == [28, 2]

    def test_technologies_take_their_turns_independently(self) -> None:
        files = [a_thing("fsx", "backup-copy", f"files-{n}") for n in range(12)]
        plan = plan_of(*databases(45), *files, *servers(700))
        assert sizes(plan, Phase.ACTIVATE) == [500 + 20 + 5, 200 + 20 + 5, 5 + 2]
        assert len(stage_of(plan, Phase.ACTIVATE).splits) == 3


class TestOrder:
    def test_urgent_ones_are_through_before_the_first_turn_of_the_others(self) -> None:
        plan = plan_of(*databases(21, OTHER, priority="critical"), *databases(21))
        turns = [{each.split(".")[1] for each in group} for group in stage_of(plan, Phase.ACTIVATE).groups]
        assert [len(each) for each in turns] == [20, 1, 20, 1]
        assert {a.priority for a in plan.actions if a.action_id in stage_of(plan, Phase.ACTIVATE).groups[1]} == {
            "critical"
        }

    def test_wave_of_more_turns_than_can_be_followed_is_refused_with_a_way_out(self) -> None:
        with pytest.raises(ValidationError) as refused:
            plan_of(*(a_thing("fsx", "backup-copy", f"f{n}") for n in range(5_001)))
        assert "wave 1 needs 1001 groups of actions one after another" in refused.value.message
        assert "spread them over several waves" in refused.value.remedy

    def test_turns_are_part_of_what_is_approved(self) -> None:
        resources = [*databases(45), *servers(3)]
        assert plan_of(*resources).hash == plan_of(*reversed(resources)).hash
        plan = plan_of(*resources)
        together = [s.model_copy(update={"groups": (tuple(a for g in s.groups for a in g),)}) for s in plan.stages]
        assert plan.model_copy(update={"stages": tuple(together)}).hash != plan.hash


KINDS = (
    ("rds", "snapshot-copy"),
    ("rds", "read-replica"),
    ("drs", "drs-recovery"),
    ("fsx", "backup-copy"),
    ("fsx", "openzfs-replication"),
    ("asg", "image-refresh"),
    ("ecs", "scale-service"),
)


@st.composite
def _estates(draw: st.DrawFn) -> list[Resource]:
    """Return blocks of like resources; each block may wait for the first resource of an earlier one."""
    found: list[Resource] = []
    firsts: list[str] = []
    for block in range(draw(st.integers(1, 5))):
        key, strategy = draw(st.sampled_from(KINDS))
        count, account = draw(st.sampled_from((1, 6, 21, 45, 230))), draw(st.sampled_from((APPS, OTHER)))
        needs = draw(st.sampled_from(["", *firsts]))
        priority = draw(st.sampled_from(("critical", "high", "low")))
        names = [f"b{block}-{n:03d}" for n in range(count)]
        found += [a_thing(key, strategy, name, account, needs=needs, priority=priority) for name in names]
        firsts.append(names[0])
    return draw(st.permutations(found)) if len(found) < 60 else found


@pytest.mark.exhaustive
@given(_estates(), st.sampled_from([{}, {"Emergency": True}, {"Operation": "test"}]))
def test_no_group_ever_exceeds_a_quota_nothing_is_lost_and_the_order_holds(
    estate: list[Resource], request_: dict[str, Any]
) -> None:
    plan = plan_of(*estate, **request_)
    actions = {action.action_id: action for action in plan.actions}
    targets = {target.target_id: target for target in plan.targets}
    for stage in plan.stages:
        turn = {name: number for number, group in enumerate(stage.groups) for name in group}
        # nothing is lost, nothing is done twice
        assert sorted(turn) == sorted(a.action_id for a in plan.actions if a.stage_id == stage.stage_id)
        assert sum(len(group) for group in stage.groups) == len(turn)
        moved = [each for name in turn for each in actions[name].resource_ids]
        assert sorted(moved) == sorted(each.resource_id for each in estate)
        # no group exceeds a quota
        for group in stage.groups:
            used: Counter[tuple[str, str, str]] = Counter()
            for name in group:
                spec = registry.adapter(actions[name].adapter).spec
                for demand in demands_of(spec, targets[actions[name].target_id], stage.phase, plan.mode):
                    used[demand.key] += demand.amount
                    assert used[demand.key] <= demand.quota.at_once
        # what is needed, and what is more urgent, comes first
        assert all(turn[needed] < turn[name] for name in turn for needed in actions[name].needs)
        ranks = [max(actions[name].priority.rank for name in group) for group in stage.groups]
        lowest = [min(actions[name].priority.rank for name in group) for group in stage.groups]
        assert ranks == lowest == sorted(ranks)
    # the same input is the same plan
    assert plan_of(*reversed(estate), **request_).hash == plan.hash


class TestDeclarations:
    def test_technologies_that_share_an_operation_agree_on_its_quota(self) -> None:
        every = [quota for each in registry.adapters() for quota in each.spec.quotas]
        assert len({quota.operation for quota in every}) == len({(quota.operation, quota.at_once) for quota in every})

    def test_every_quota_names_its_source_real_strategies_and_phases(self) -> None:
        for each in registry.adapters():
            for quota in each.spec.quotas:
                assert quota.source
                assert set(quota.strategies) <= {strategy.name for strategy in each.spec.strategies}
                assert quota.where
                assert set(quota.where) <= set(LIFECYCLE)
                assert quota.modes <= set(Mode)
                assert each.spec.batch_size <= quota.at_once or not quota.counts_resources, "a batch must fit"
