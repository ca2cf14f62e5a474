"""The planner: who moves when, and every reason why a plan cannot be made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import planner
from orchestrator.errors import ValidationError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.plan import Plan
from orchestrator.request import parse
from orchestrator.words import LIFECYCLE, Order, Outcome, Phase, Priority
from tests.unit.scripted_platform import ADAPTERS, APPS, REQUEST, SCOPE, SOURCE, START, TARGET, Cloud

FAKES = {key: make(Cloud()) for key, make in ADAPTERS.items()}
TAGS = {"Customer": SCOPE.customer, "Environment": SCOPE.environment, "dr:enabled": "true", "dr:wave": "1"}


def side(region: str, name: str, tags: Mapping[str, str], account: str = APPS) -> SideRecord:
    return SideRecord(account=account, region=region, id=name, arn=f"arn:{region}:{name}", tags=tags)


def a_thing(name: str, wave: int | str = 1, adapter: str = "database", **tags: str) -> Resource:
    """Return a resource with both sides; tags are given with underscores: dr_priority="high"."""
    named = {key.replace("dr_", "dr:").replace("_", "-"): value for key, value in tags.items()}
    own = {**TAGS, "dr:wave": str(wave), **named}
    sides = {region: side(region, name, own) for region in (SOURCE, TARGET)}
    return Resource(resource_id=f"{adapter}/{name}", adapter=adapter, name=name, strategy="switch", sides=sides)


def plan_of(*resources: Resource, **request: Any) -> Plan:
    snapshot = Snapshot(scope=SCOPE, taken_at=START, resources=resources)
    return planner.build(parse({**REQUEST, **request}), snapshot, FAKES.__getitem__)


def refusal(*resources: Resource, **request: Any) -> ValidationError:
    with pytest.raises(ValidationError) as refused:
        plan_of(*resources, **request)
    return refused.value


def order_in(plan: Plan, phase: Phase = Phase.ACTIVATE) -> list[list[str]]:
    """Return the targets of a phase, group by group over its stages."""
    return [
        [action_id.partition(".")[2] for action_id in group]
        for stage in plan.stages
        if stage.phase is phase
        for group in stage.groups
    ]


class TestSize:
    def test_wave_that_no_record_can_hold_is_refused_with_a_way_out(self) -> None:
        things = [a_thing(f"a-thing-with-a-rather-long-name-of-its-own-{number:05d}") for number in range(6_000)]
        error = refusal(*things)
        assert "wave 1 holds 6000 actions" in error.message
        assert "spread them over several waves" in error.remedy


class TestOrder:
    def test_waves_follow_one_another_inside_each_phase(self) -> None:
        # Given three waves written in no order, with a gap
        plan = plan_of(a_thing("c", 5), a_thing("a", 1), a_thing("b", 2))
        # Then phases come one after another, the waves inside
        assert [(s.phase, s.wave) for s in plan.stages] == [(p, w) for p in LIFECYCLE for w in (1, 2, 5)]
        assert [s.index for s in plan.stages] == list(range(1, 13))
        assert (plan.order, plan.order_reason) == (Order.LIFECYCLE, "the scope holds more than DRS servers")

    def test_scope_of_servers_only_goes_wave_by_wave(self) -> None:
        plan = plan_of(a_thing("m1", 1, "drs"), a_thing("m2", 2, "drs"))
        assert plan.order is Order.WAVE
        assert [(s.phase, s.wave) for s in plan.stages] == [(p, w) for w in (1, 2) for p in LIFECYCLE]

    def test_asked_for_order_wins_over_the_automatic_one(self) -> None:
        assert plan_of(a_thing("a"), Mode="wave").order is Order.WAVE
        assert plan_of(a_thing("m", 1, "drs"), Mode="lifecycle").order is Order.LIFECYCLE

    def test_priorities_form_groups_from_critical_to_low(self) -> None:
        plan = plan_of(
            a_thing("later", dr_priority="low"),
            a_thing("plain"),
            a_thing("first", dr_priority="critical"),
            a_thing("second", dr_priority="high"),
            a_thing("other"),
        )
        assert order_in(plan) == [
            ["database-first"],
            ["database-second"],
            ["database-other", "database-plain"],
            ["database-later"],
        ]

    def test_dependency_comes_before_what_needs_it(self) -> None:
        plan = plan_of(
            a_thing("app", dr_dependencies="db,cache"), a_thing("cache", dr_dependencies="db"), a_thing("db")
        )
        assert order_in(plan) == [["database-db"], ["database-cache"], ["database-app"]]

    def test_low_resource_that_a_critical_one_needs_becomes_critical(self) -> None:
        # Given a priority inversion over two steps
        plan = plan_of(
            a_thing("shop", dr_priority="critical", dr_dependencies="db"),
            a_thing("db", dr_priority="low", dr_dependencies="keys"),
            a_thing("keys", dr_priority="medium"),
            a_thing("blog", dr_priority="high"),
        )
        # Then the whole chain goes first
        assert order_in(plan) == [["database-keys"], ["database-db"], ["database-shop"], ["database-blog"]]
        assert {a.priority for a in plan.actions if a.target_id == "database-keys"} == {Priority.CRITICAL}

    def test_dependency_may_name_the_whole_id_when_technologies_share_a_name(self) -> None:
        plan = plan_of(a_thing("orders"), a_thing("orders", 1, "service", dr_dependencies="database/orders"))
        assert order_in(plan) == [["database-orders"], ["service-orders"]]

    def test_dependency_on_an_earlier_wave_needs_no_group_of_its_own(self) -> None:
        plan = plan_of(a_thing("app", 2, dr_dependencies="db"), a_thing("web", 2), a_thing("db", 1))
        assert order_in(plan) == [["database-db"], ["database-app", "database-web"]]

    def test_needs_are_known_to_the_phases_that_wait_for_them(self) -> None:
        plan = plan_of(a_thing("app", dr_dependencies="db"), a_thing("db"))
        needs = {a.action_id: a.needs for a in plan.actions if a.needs}
        assert needs == {
            "INSTANTIATE.database-app": ("INSTANTIATE.database-db",),
            "ACTIVATE.database-app": ("ACTIVATE.database-db",),
        }

    def test_expected_minutes_add_groups_and_take_the_longest_inside_one(self) -> None:
        # Given two groups of two in ACTIVATE, four minutes each
        plan = plan_of(a_thing("a"), a_thing("b"), a_thing("c", dr_priority="low"), a_thing("d", dr_priority="low"))
        activate = next(s for s in plan.stages if s.phase is Phase.ACTIVATE)
        assert activate.expected_minutes == 8.0
        assert plan.expected_minutes == 2 + 8 + 2 + 10


class TestBatches:
    def test_servers_go_together_up_to_the_size_the_service_takes(self) -> None:
        plan = plan_of(*(a_thing(f"m{n}", 1, "drs") for n in range(7)))
        assert [len(target.members) for target in plan.targets] == [3, 3, 1]
        assert len({target.target_id for target in plan.targets}) == 3

    def test_servers_of_two_accounts_never_share_a_call(self) -> None:
        # Given servers of two accounts
        mine = [a_thing(f"m{n}", 1, "drs") for n in range(2)]
        sides = {region: side(region, "x", TAGS, "333333333333") for region in (SOURCE, TARGET)}
        theirs = Resource(resource_id="drs/x", adapter="drs", name="x", strategy="switch", sides=sides)
        # When, Then
        accounts = [{m.source.account for m in t.members} for t in plan_of(*mine, theirs).targets]
        assert sorted(accounts, key=str) == sorted([{APPS}, {"333333333333"}], key=str)

    def test_names_that_look_alike_in_an_id_stay_apart(self) -> None:
        # Given names that become the same when written into an id, one of them already numbered
        names = ["web 1", "web.1", "web-1", "web-1-2", "web/1", "web-1-3"]
        plan = plan_of(*(a_thing(name, 1, "service") for name in names))
        # Then nobody takes another's place
        assert len({target.target_id for target in plan.targets}) == len(names)
        assert plan.resource_count() == len(names)


class TestRefusals:
    def test_cycle_is_shown(self) -> None:
        message = refusal(a_thing("a", dr_dependencies="b"), a_thing("b", dr_dependencies="a")).message
        assert "cycle" in message
        assert "database/a -> database/b" in message or "database/b -> database/a" in message

    def test_resource_that_depends_on_itself_is_told_so(self) -> None:
        assert "names the resource itself" in refusal(a_thing("a", dr_dependencies="a")).message

    def test_dependency_on_a_later_wave_is_refused(self) -> None:
        message = refusal(a_thing("app", 1, dr_dependencies="db"), a_thing("db", 2)).message
        assert "database/app (wave 1) depends on database/db, which comes later (wave 2)" in message

    def test_dependency_on_nothing_is_refused(self) -> None:
        assert '"dbb", which is not in the scope' in refusal(a_thing("app", dr_dependencies="dbb")).message

    def test_dependency_on_what_will_stay_behind_is_refused(self) -> None:
        message = refusal(a_thing("app", dr_dependencies="db"), a_thing("db", dr_enabled="false")).message
        assert 'names "db", which will not be moved' in message

    def test_resource_with_a_single_side_is_refused(self) -> None:
        lonely = a_thing("a").model_copy(update={"sides": {SOURCE: side(SOURCE, "a", TAGS)}})
        assert f"database/a: has no counterpart in {TARGET}" in refusal(lonely).message

    def test_resource_of_another_customer_stops_the_run(self) -> None:
        # Given a side that carries somebody else's tag
        sides = {SOURCE: side(SOURCE, "a", TAGS), TARGET: side(TARGET, "a", {**TAGS, "Customer": "CustomerY"})}
        message = refusal(a_thing("a").model_copy(update={"sides": sides})).message
        assert 'Customer is "CustomerY" in us-west-2, expected "CustomerX": a foreign resource stops the run' in message

    @pytest.mark.parametrize("tag", ["dr:wave", "dr:enabled", "dr:priority"])
    def test_sides_that_disagree_stop_the_run(self, tag: str) -> None:
        # Given one side that says otherwise; for dr:enabled that must not quietly leave the resource behind
        other = {"dr:wave": "2", "dr:enabled": "false", "dr:priority": "low"}[tag]
        sides = {
            SOURCE: side(SOURCE, "a", {**TAGS, "dr:priority": "high"}),
            TARGET: side(TARGET, "a", {**TAGS, tag: other}),
        }
        message = refusal(a_thing("a").model_copy(update={"sides": sides}), Waves=[1]).message
        assert f"{tag} is " in message
        assert "both sides must agree" in message

    def test_strategy_that_nothing_tells_is_the_adapters_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = FAKES["database"]
        monkeypatch.setattr(fake, "spec", replace(fake.spec, default_strategy="switch"))
        unclear = a_thing("a").model_copy(update={"strategy": None})
        assert plan_of(unclear).targets[0].strategy == "switch"

    def test_strategy_that_cannot_be_told_must_be_named(self) -> None:
        unclear = a_thing("a").model_copy(update={"strategy": None})
        assert "set dr:recovery-strategy to one of switch" in refusal(unclear).message
        assert (
            plan_of(a_thing("a", dr_recovery_strategy="switch").model_copy(update={"strategy": None}))
            .targets[0]
            .strategy
            == "switch"
        )

    def test_every_problem_of_the_scope_is_told_at_once(self) -> None:
        error = refusal(
            a_thing("a", "one"), a_thing("b", dr_priority="urgent"), a_thing("c", dr_dependencies="nowhere,a")
        )
        assert error.code == "BadScope"
        assert "3 problem(s)" in error.message  # that c needs a is no problem of its own: a is named for its wave

    def test_scope_in_which_nothing_is_enabled_is_refused(self) -> None:
        error = refusal(a_thing("a", dr_enabled="false"))
        assert error.code == "EmptyScope"
        assert "none is enabled" in error.message

    def test_phases_that_the_mode_does_not_have_are_refused(self) -> None:
        error = refusal(a_thing("a"), Emergency=True, Phases=["CLEANUP", "REPLICATE"])
        assert error.code == "NoPhase"
        assert "emergency runs have the phases ACTIVATE" in error.message

    def test_two_resources_of_one_name_are_refused(self) -> None:
        assert "2 resources have this name" in refusal(a_thing("a"), a_thing("a")).message


class TestLimits:
    def test_disabled_resource_is_left_out_whatever_else_its_tags_say(self) -> None:
        plan = plan_of(a_thing("a"), a_thing("b", "no number", dr_enabled="false"))
        assert plan.excluded == {"database/b": "dr:enabled is false"}
        assert plan.resource_count() == 1

    def test_asked_for_waves_alone_are_planned(self) -> None:
        # Given a resource of wave 2 that needs one of wave 1, moved in an earlier run
        plan = plan_of(a_thing("db", 1), a_thing("app", 2, dr_dependencies="db"), Waves=[2])
        assert plan.excluded == {"database/db": "wave 1 was not asked for"}
        assert {stage.wave for stage in plan.stages} == {2}

    def test_asked_for_phases_alone_are_planned(self) -> None:
        plan = plan_of(a_thing("a"), Phases=["REPLICATE", "CLEANUP"])
        assert [stage.phase for stage in plan.stages] == [Phase.CLEANUP, Phase.REPLICATE]

    def test_emergency_activates_at_once_and_says_what_it_puts_off(self) -> None:
        plan = plan_of(a_thing("a"), Emergency=True)
        assert [stage.phase for stage in plan.stages] == [Phase.ACTIVATE]
        assert plan.deferred == (Phase.CLEANUP, Phase.REPLICATE)

    def test_drill_never_replicates_the_other_way(self) -> None:
        plan = plan_of(a_thing("a"), Operation="test")
        assert [stage.phase for stage in plan.stages] == [Phase.INSTANTIATE, Phase.ACTIVATE, Phase.CLEANUP]
        assert plan.deferred == ()

    def test_failback_swaps_the_sides(self) -> None:
        member = plan_of(a_thing("a"), Operation="failback").targets[0].members[0]
        assert (member.source.region, member.target.region) == (TARGET, SOURCE)


class TestHash:
    def test_same_input_gives_the_same_hash_in_any_order(self) -> None:
        things = [a_thing("a", 2), a_thing("b", dr_priority="low"), a_thing("m", 1, "drs")]
        assert plan_of(*things).hash == plan_of(*reversed(things)).hash

    @pytest.mark.parametrize(
        "change",
        [
            {"name": "other"},
            {"settings": {"size": "large"}},
            {"sides": {SOURCE: side(SOURCE, "a", TAGS), TARGET: side(TARGET, "a2", TAGS)}},
            {"sides": {SOURCE: side(SOURCE, "a", TAGS), TARGET: side(TARGET, "a", TAGS, "333333333333")}},
        ],
    )
    def test_hash_changes_with_a_member(self, change: dict[str, Any]) -> None:
        assert plan_of(a_thing("a")).hash != plan_of(a_thing("a").model_copy(update=change)).hash

    def test_hash_changes_with_what_is_asked(self) -> None:
        hashes = {plan_of(a_thing("a"), **asked).hash for asked in ({}, {"Emergency": True}, {"Mode": "wave"})}
        assert len(hashes) == 3

    def test_hash_does_not_depend_on_what_the_preview_saw(self) -> None:
        plan = plan_of(a_thing("a"))
        assert plan.with_previews({}, ()).hash == plan.hash


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from(Priority), st.sets(st.integers(0, 7), max_size=3), st.booleans()),
        min_size=1,
        max_size=8,
    )
)
def test_any_graph_of_dependencies_gives_an_order_that_keeps_them_or_a_named_problem(
    drawn: list[tuple[int, Priority, set[int], bool]],
) -> None:
    # Given resources with arbitrary waves, priorities and dependencies
    things = [
        a_thing(
            f"r{n}",
            wave,
            "drs" if batched else "database",
            dr_priority=priority,
            dr_dependencies=",".join(f"r{d}" for d in sorted(needs) if d < len(drawn)),
        )
        for n, (wave, priority, needs, batched) in enumerate(drawn)
    ]
    # When
    try:
        plan = plan_of(*things)
    except ValidationError as err:
        assert "depends on" in err.message or "cycle" in err.message or "itself" in err.message  # noqa: PT017
        return
    # Then everybody is planned once per phase, after what it needs
    groups = [
        [r for action in plan.actions if action.action_id in group for r in action.resource_ids]
        for stage in plan.stages
        if stage.phase is Phase.ACTIVATE
        for group in stage.groups
    ]
    turn = {resource.rpartition("/")[2]: number for number, group in enumerate(groups) for resource in group}
    assert sorted(turn) == sorted(f"r{n}" for n in range(len(drawn)))
    for n, (_, _, needs, _) in enumerate(drawn):
        assert all(turn[f"r{d}"] < turn[f"r{n}"] for d in needs if d < len(drawn))


def test_resource_whose_dependency_fails_is_never_started() -> None:
    # Given a service that needs a database which cannot be activated
    from tests.unit.scripted_platform import Operator, obstacle_blocked

    cloud = Cloud()
    cloud.add("orders")
    cloud.add("web", adapter="service", dr_dependencies="orders")
    cloud.obstacles["orders", "fence"] = obstacle_blocked("fence")
    platform = cloud.platform()
    # When
    Operator(platform, cloud).drive(cloud.accept(platform))
    # Then the service was left as it was, and the reason is said
    web = cloud.ledger.action("run-1", "ACTIVATE.service-web")
    assert web.outcome is Outcome.FAILED
    assert "not started: it depends on database/orders, which failed" in web.detail
    assert "stop the application first" in web.remedy
    assert cloud.operations("web") == ["scale"]
