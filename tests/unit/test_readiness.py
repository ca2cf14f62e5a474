"""Between runs: could a scope be moved now, and who is told when it no longer can."""

from __future__ import annotations

from orchestrator import stocktaking
from orchestrator.ledger.records import ReadinessRecord
from orchestrator.notify import Notice
from orchestrator.readiness import active_region, judge
from orchestrator.words import Readiness, RunStatus
from tests.unit.scripted_platform import SCOPE, SOURCE, TARGET, Cloud, Operator

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


def test_scope_runs_where_its_last_move_went_and_a_drill_moves_nothing() -> None:
    cloud = a_cloud()
    platform = cloud.platform()
    assert active_region(cloud.ledger, SCOPE, SOURCE) == SOURCE
    Operator(platform, cloud).drive(cloud.accept(platform, "run-1", Operation="test"))
    assert active_region(cloud.ledger, SCOPE, SOURCE) == SOURCE
    cloud.clock.advance(3600)
    Operator(platform, cloud).drive(cloud.accept(platform, "run-2"))
    assert active_region(cloud.ledger, SCOPE, SOURCE) == TARGET


def test_scope_whose_standby_alone_was_made_ready_still_runs_at_home() -> None:
    cloud = a_cloud()
    platform = cloud.platform()
    run_id = cloud.accept(platform, "run-1", Phases=["INSTANTIATE"])

    Operator(platform, cloud).drive(run_id)

    assert cloud.ledger.run(run_id).status is RunStatus.SUCCEEDED
    assert active_region(cloud.ledger, SCOPE, SOURCE) == SOURCE
