"""Between runs: could a scope be moved now, and who is told when it no longer can."""

from __future__ import annotations

from typing import Any

from orchestrator import stocktaking
from orchestrator.home import Whereabouts, whereabouts
from orchestrator.ledger.records import ReadinessRecord
from orchestrator.notify import Notice
from orchestrator.readiness import judge, stands_by
from orchestrator.words import Choice, Readiness, RunStatus
from tests.unit.scripted_platform import SCOPE, SOURCE, TARGET, Cloud, Operator, obstacle_failed

BOTH = (SOURCE, TARGET)


def a_cloud() -> Cloud:
    cloud = Cloud()
    cloud.add("orders")
    return cloud


def judged(cloud: Cloud, *, fresh: bool = True) -> ReadinessRecord:
    """Refresh the inventory and judge, as the schedules do."""
    cloud.clock.advance(30 * 60)
    platform = cloud.platform()
    if fresh:
        stocktaking.refresh(platform, SCOPE, BOTH)
    return judge(platform, SCOPE, SOURCE)


def news(cloud: Cloud) -> list[str]:
    return [each.subject.partition(": ")[0] for each in cloud.notifier.sent if each.notice is Notice.READINESS]


class TestState:
    def test_scope_that_can_be_moved_is_ready_and_nothing_was_changed(self) -> None:
        cloud = a_cloud()
        verdict = judged(cloud)
        assert (verdict.state, verdict.reason) == (Readiness.READY, "1 resource(s) can be moved")
        assert (cloud.tried, cloud.ledger.runs_of(SCOPE), cloud.ledger.holder(SCOPE)) == ([], [], None)

    def test_scope_without_an_inventory_is_a_draft(self) -> None:
        assert judged(a_cloud(), fresh=False).state is Readiness.DRAFT

    def test_scope_whose_tags_make_no_plan_is_a_draft_and_says_why(self) -> None:
        cloud = a_cloud()
        cloud.resources["orders"]["tags"]["dr:wave"] = "first"
        verdict = judged(cloud)
        assert verdict.state is Readiness.DRAFT
        assert 'dr:wave is "first"' in verdict.findings[0].message

    def test_red_finding_needs_attention_and_comes_with_its_remedy(self) -> None:
        cloud = a_cloud()
        cloud.red = {"orders"}
        verdict = judged(cloud)
        assert (verdict.state, verdict.reason) == (Readiness.NEEDS_ATTENTION, "1 red finding(s)")
        assert verdict.findings[0].remedy == "wait, then: dr plan"

    def test_inventory_that_is_no_longer_refreshed_makes_the_plan_stale(self) -> None:
        cloud = a_cloud()
        judged(cloud)
        states = [judged(cloud, fresh=False) for _ in range(4)]
        assert [each.state for each in states] == [Readiness.READY] * 3 + [Readiness.STALE]
        assert states[-1].reason == "the inventory is 120 minutes old"

    def test_partial_inventory_makes_the_plan_stale_and_names_what_is_missing(self) -> None:
        cloud = a_cloud()
        cloud.add("web", adapter="service")
        judged(cloud)
        cloud.dark_technologies = {"service"}
        verdict = judged(cloud)
        assert verdict.state is Readiness.STALE
        assert "222222222222/us-east-1/service" in verdict.reason


class TestNews:
    def test_people_are_told_once_when_a_scope_stops_being_ready_and_once_when_it_is_again(self) -> None:
        cloud = a_cloud()
        judged(cloud)
        cloud.red = {"orders"}
        first = judged(cloud)
        assert judged(cloud).since == first.at
        cloud.red = set()
        judged(cloud)
        judged(cloud)
        assert news(cloud) == ["[DR] CustomerX/production is not ready", "[DR] CustomerX/production is ready again"]
        body = cloud.notifier.sent[0].body
        assert "replication lags 9 h" in body
        assert "dr readiness --customer CustomerX --environment production --region us-west-2 --fresh" in body

    def test_scope_that_was_never_ready_is_told_at_the_first_look(self) -> None:
        cloud = a_cloud()
        cloud.red = {"orders"}
        judged(cloud)
        assert news(cloud) == ["[DR] CustomerX/production is not ready"]

    def test_history_is_kept(self) -> None:
        cloud = a_cloud()
        judged(cloud)
        cloud.red = {"orders"}
        judged(cloud)
        assert [each.state for each in cloud.ledger.readiness_of(SCOPE)] == [Readiness.NEEDS_ATTENTION, Readiness.READY]
        assert [each.state for each in cloud.ledger.newest_readiness()] == [Readiness.NEEDS_ATTENTION]


class TestWhereabouts:
    def where(self, cloud: Cloud) -> Whereabouts:
        return whereabouts(cloud.ledger, SCOPE, SOURCE)

    def move(self, cloud: Cloud, **request: Any) -> RunStatus:
        """Move the scope into us-west-2 as far as the request says, or back."""
        cloud.clock.advance(3600)
        back = request.get("Operation") == "failback"
        platform = cloud.platform(SOURCE if back else TARGET)
        run_id = f"run-{len(cloud.ledger.runs_of(SCOPE)) + 1}"
        answers = lambda g: Choice.APPROVE if Choice.APPROVE in g.choices else Choice.CONTINUE  # noqa: E731
        return Operator(platform, cloud, answers).drive(cloud.accept(platform, run_id, **request)).status

    def test_scope_runs_where_its_last_move_went_and_a_drill_moves_nothing(self) -> None:
        cloud = a_cloud()
        assert self.where(cloud).region == SOURCE
        self.move(cloud, Operation="test")
        assert self.where(cloud).region == SOURCE
        self.move(cloud)
        assert self.where(cloud) == Whereabouts(TARGET, "run-2")

    def test_scope_whose_standby_alone_was_made_ready_still_runs_at_home(self) -> None:
        cloud = a_cloud()
        assert self.move(cloud, Phases=["INSTANTIATE"]) is RunStatus.SUCCEEDED
        assert self.where(cloud) == Whereabouts(SOURCE)

    def test_run_limited_to_some_waves_counts_for_what_it_moved_only(self) -> None:
        # Given a scope of three waves of which the first is moved
        cloud = three_waves()
        self.move(cloud, Waves=[1])
        # Then that is where it went, and the rest is at home
        where = self.where(cloud)
        assert (where.region, where.elsewhere) == (SOURCE, {"database/orders": TARGET})
        # When the second is moved, too, and the first brought back
        self.move(cloud, Waves=[2])
        self.move(cloud, Waves=[1], Operation="failback")
        assert self.where(cloud).elsewhere == {"database/search": TARGET}
        # And when everything is moved, then the scope is there as a whole
        self.move(cloud)
        assert self.where(cloud) == Whereabouts(TARGET, "run-4")

    def test_what_a_whole_move_left_behind_is_where_it_was(self) -> None:
        cloud = three_waves()
        cloud.obstacles["search", "fence"] = obstacle_failed("database/search", "fence")
        assert self.move(cloud) is RunStatus.SUCCEEDED_WITH_WARNINGS
        assert self.where(cloud) == Whereabouts(TARGET, "run-1", {"database/search": SOURCE})

    def test_run_that_came_to_no_good_end_counts_for_what_it_moved_before(self) -> None:
        cloud = three_waves()
        cloud.obstacles["search", "fence"] = obstacle_failed("database/search", "fence")
        assert self.move(cloud, OnFailure="abort", Mode="wave") is RunStatus.FAILED
        assert self.where(cloud) == Whereabouts(SOURCE, None, {"database/orders": TARGET})

    def test_run_that_was_rolled_back_moved_nothing(self) -> None:
        cloud = three_waves()
        cloud.obstacles["orders", "promote"] = obstacle_failed("database/orders", "promote")
        assert self.move(cloud, OnFailure="rollback") is RunStatus.FAILED
        assert self.where(cloud) == Whereabouts(SOURCE)


def three_waves() -> Cloud:
    cloud = a_cloud()
    cloud.add("search", wave=2, dr_dependencies="orders")
    cloud.add("mail", wave=3)
    return cloud


def test_each_side_of_a_scope_that_was_moved_in_part_is_judged_on_its_own() -> None:
    # Given a scope of which the first wave was moved to us-west-2
    cloud = three_waves()
    TestWhereabouts().move(cloud, Waves=[1])
    where = whereabouts(cloud.ledger, SCOPE, SOURCE)
    stocktaking.refresh(cloud.platform(), SCOPE, BOTH)
    # When either Region's hub judges what does not run there
    into_west = judge(cloud.platform(TARGET), SCOPE, SOURCE, where)
    into_east = judge(cloud.platform(SOURCE), SCOPE, TARGET, where)
    # Then it is the rest there, although it depends on what is there already, and the first wave here
    assert (into_west.state, into_west.resources) == (Readiness.READY, 2)
    assert into_west.reason == "2 resource(s) can be moved; 1 of the scope run(s) in us-west-2 already"
    assert (into_east.state, into_east.resources) == (Readiness.READY, 1)
    # And what is wrong with a part shows on its own side only
    cloud.red = {"search"}
    assert judge(cloud.platform(TARGET), SCOPE, SOURCE, where).state is Readiness.NEEDS_ATTENTION
    assert judge(cloud.platform(SOURCE), SCOPE, TARGET, where).state is Readiness.READY
    # And a hub where everything runs has nothing to judge
    assert stands_by(cloud.platform(TARGET), SCOPE, where)
    assert not stands_by(cloud.platform(TARGET), SCOPE, Whereabouts(TARGET, "run-9", {"database/gone": SOURCE}))
