"""The report: true to the ledger, safe to open, complete on paper."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from orchestrator import ending, stocktaking
from orchestrator.ledger.records import Gate
from orchestrator.report import Report, build_report
from orchestrator.report_html import render_html
from orchestrator.timeline import LABELS, LANES_PER_STAGE, PLOT, Timeline, draw, length
from orchestrator.words import ActionStatus, Choice, GateKind, GateStatus, Outcome, Phase, StageStatus
from tests.unit.scripted_platform import START, Cloud, Operator, a_gate, a_run, a_stage, an_action, obstacle_blocked


class Page(HTMLParser):
    """Reads a page: its texts, what it loads from elsewhere, and whether every element is closed."""

    EMPTY = frozenset({"meta", "br", "rect", "line", "i"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in {"src", "href"}]
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.texts.append(data.strip())

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


def page_of(cloud: Cloud) -> Page:
    return Page(cloud.blobs.get("runs/run-1/report.html").decode())


def a_failover(cloud: Cloud, answer: Any = None, **request: Any) -> Report:
    """Run the failover of what the cloud holds and return its report."""
    platform = cloud.platform()
    operator = Operator(platform, cloud, answer) if answer else Operator(platform, cloud)
    operator.drive(cloud.accept(platform, **request))
    return build_report(cloud.ledger, cloud.blobs, "run-1", cloud.clock.now())


@pytest.fixture
def cloud() -> Cloud:
    cloud = Cloud()
    cloud.add("orders", dr_rto_target="30")
    cloud.add("web", 2, "service", dr_rto_target="60")
    return cloud


class TestContent:
    def test_json_report_holds_what_the_ledger_holds(self, cloud: Cloud) -> None:
        a_failover(cloud, Reason="CHG-1")
        report = json.loads(cloud.blobs.get("runs/run-1/report.json"))
        assert report["schema_version"] == 1
        assert report["run"]["status"] == "succeeded"
        assert report["outcomes"] == {"succeeded": 8}
        assert report["rto_target_minutes"] == 30
        assert len(report["stages"]) == 8
        assert len(report["gates"]) == 8
        assert {gate["token"] for gate in report["gates"]} == {None}
        assert [e["message"] for e in report["events"]][-1].startswith("succeeded: 8 succeeded")

    def test_page_says_who_asked_why_and_how_it_ended(self, cloud: Cloud) -> None:
        a_failover(cloud, Reason="CHG-20417 maintenance", Requester="kim@example.com")
        text = page_of(cloud).text
        assert "Planned failover of CustomerX/production" in text
        assert "succeeded" in text
        assert "us-east-1 → us-west-2" in text
        assert "asked by kim@example.com" in text
        assert "CHG-20417 maintenance" in text

    def test_page_shows_each_action_with_its_steps_and_calls(self, cloud: Cloud) -> None:
        report = a_failover(cloud)
        page = page_of(cloud)
        for action in report.actions:
            assert action.resource_ids[0] in page.text
        for part in ("fake.promote", "promote is wanted", "irreversible", "serves", "approve"):
            assert part in page.text
        assert page.tags.count("details") == len(report.actions) + 6 + 1  # health of six stages, and the audit trail
        assert "hunter2" not in page.text

    def test_page_needs_nothing_but_itself(self, cloud: Cloud) -> None:
        a_failover(cloud)
        page = page_of(cloud)
        html = cloud.blobs.get("runs/run-1/report.html").decode()
        assert page.loaded == []
        assert "script" not in page.tags
        assert "@import" not in html
        assert "url(http" not in html
        assert {"@media print", "@media (max-width"} <= set(re.findall(r"@media print|@media \(max-width", html))

    def test_what_people_typed_is_shown_and_never_obeyed(self, cloud: Cloud) -> None:
        # Given text that would run in a careless page, in every field people and AWS can fill
        evil = '<script>alert("x")</script><img src=x onerror=alert(1)>'
        cloud.obstacles["orders", "scale"] = obstacle_blocked("scale")
        a_failover(cloud, Reason=evil, Requester=evil)
        cloud.ledger.change_run("run-1", lambda r: r.but(failure=evil))
        cloud.ledger.change_action("run-1", "INSTANTIATE.database-orders", lambda a: a.but(detail=evil, remedy=evil))
        # When
        report = build_report(cloud.ledger, cloud.blobs, "run-1", cloud.clock.now())
        page = Page(render_html(report))
        # Then
        assert "script" not in page.tags
        assert "img" not in page.tags
        assert 'alert("x")' in page.text

    def test_failed_resource_stands_at_the_top_with_its_remedy(self, cloud: Cloud) -> None:
        cloud.obstacles["web", "promote"] = obstacle_blocked("promote")
        a_failover(cloud)
        text = page_of(cloud).text
        top = text.index("What needs attention")
        assert top < text.index("Where the time went")
        assert "stop the application first" in text[top : top + 400]

    def test_resource_with_bad_health_stands_at_the_top(self, cloud: Cloud) -> None:
        cloud.unhealthy = {"web"}
        a_failover(cloud, lambda gate: Choice.CONTINUE if gate.kind is GateKind.FAILURE else Choice.APPROVE)
        text = page_of(cloud).text
        assert text.index("What needs attention") < text.index("answers badly") < text.index("Where the time went")

    def test_emergency_shows_what_was_lost_and_put_off(self, cloud: Cloud) -> None:
        platform = cloud.platform()
        from tests.unit.scripted_platform import SCOPE, SOURCE, TARGET

        stocktaking.refresh(platform, SCOPE, (SOURCE, TARGET))
        a_failover(cloud, Emergency=True)
        text = page_of(cloud).text
        assert "Data lost, at most 12 s" in text
        assert "the last 12 s of writes" in text
        assert "to be run when both Regions are back: CLEANUP, REPLICATE" in text

    def test_run_that_ended_before_its_plan_has_a_report(self) -> None:
        # Given a run refused for an unknown customer
        cloud = Cloud()
        platform = cloud.platform()
        with pytest.raises(Exception, match="no resource carries"):
            cloud.accept(platform)
        # When
        ending.finish(platform, "run-1", "no resource carries Customer=CustomerX")
        # Then
        text = page_of(cloud).text
        assert "no resource carries Customer=CustomerX" in text
        assert "0 of 0" in text
        assert "Timeline" not in text

    def test_report_of_a_running_run_counts_until_now(self, cloud: Cloud) -> None:
        report = a_failover(cloud, lambda gate: None if gate.kind is GateKind.COMMIT else Choice.APPROVE)
        page = Page(render_html(report))
        assert "not reached yet" in page.text
        assert "waiting" in page.text


class TestTarget:
    def test_run_within_its_target_has_met_it(self, cloud: Cloud) -> None:
        a_failover(cloud)
        assert re.search(r"Recovery-time target 30 min met", page_of(cloud).text)

    def test_time_before_the_run_counts_against_the_target(self, cloud: Cloud) -> None:
        # Given an outage noticed 28 minutes before anybody started
        report = a_failover(cloud, DetectedAt=(START - timedelta(minutes=28)).isoformat())
        # Then
        assert report.recovery_time_seconds.declaration == 28 * 60
        served = report.recovery_time_seconds.to_service
        assert served is not None
        assert served > 30 * 60
        assert "Recovery-time target 30 min missed" in page_of(cloud).text

    def test_service_is_back_before_the_run_is_over(self, cloud: Cloud) -> None:
        report = a_failover(cloud)
        activated = max(s.ended_at for s in report.stages if s.phase is Phase.ACTIVATE and s.ended_at)
        assert report.recovery_time_seconds.to_service == (activated - START).total_seconds()
        assert report.recovery_time_seconds.total > report.recovery_time_seconds.to_service

    def test_resources_without_a_target_show_none(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        assert a_failover(cloud).rto_target_minutes is None
        assert "Recovery-time target" not in page_of(cloud).text


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def picture(*stages: Any, actions: Any = (), gates: Any = (), minutes: float = 40) -> Timeline:
    return draw(a_run(ended_at=at(minutes)), stages, actions, gates, at(99))


class TestTimeline:
    def test_lane_of_an_action_stands_where_its_time_was_in_the_colour_of_its_end(self) -> None:
        # Given an action from minute 10 to 30 of 40
        action = an_action(started_at=at(10), ended_at=at(30), status=ActionStatus.ENDED, outcome=Outcome.TIMED_OUT)
        # When
        head, lane = picture(a_stage(), actions=[action]).lanes
        # Then
        assert (head.heading, head.label) == (True, "ACTIVATE · wave 1")
        (bar,) = lane.bars
        assert (bar.x, bar.width, bar.kind) == (LABELS + PLOT / 4, PLOT / 2, "timed_out")
        assert bar.title == "database/orders: timed out, 20 min"

    def test_waiting_for_people_is_a_lane_of_its_own(self) -> None:
        gate = a_gate(
            stage_id=a_stage().stage_id,
            opened_at=at(0),
            decided_at=at(10),
            status=GateStatus.ANSWERED,
            choice=Choice.APPROVE,
            decided_by="kim",
        )
        _, lane = picture(a_stage(), gates=[gate]).lanes
        assert (lane.label, lane.note) == ("plan gate", "approve by kim")
        assert (lane.bars[0].kind, lane.bars[0].width) == ("human", PLOT / 4)

    def test_health_is_a_lane_and_what_never_began_is_none(self) -> None:
        checked = a_stage(health_since=at(20), ended_at=at(30), status=StageStatus.PASSED)
        drawn = picture(checked, a_stage(2, wave=2), actions=[an_action(stage_id="02-ACTIVATE-w2")])
        assert [lane.label for lane in drawn.lanes] == ["ACTIVATE · wave 1", "health checks"]

    def test_hundreds_of_resources_show_the_failed_and_the_longest(self) -> None:
        actions = [
            an_action(
                target_id=f"{n:03d}",
                resource_ids=(f"database/{n:03d}",),
                started_at=at(0),
                ended_at=at(n / 10),
                status=ActionStatus.ENDED,
                outcome=Outcome.FAILED if n == 7 else Outcome.SUCCEEDED,
            )
            for n in range(300)
        ]
        labels = [lane.label for lane in picture(a_stage(), actions=actions).lanes]
        assert {"database/007", "database/299"} <= set(labels)
        assert labels[-1] == f"and {300 - LANES_PER_STAGE} more, all well"
        assert len(labels) == LANES_PER_STAGE + 2

    @pytest.mark.parametrize("minutes", [0, 0.05, 1, 7, 45, 600, 10_000])
    def test_axis_is_readable_for_runs_of_any_length(self, minutes: float) -> None:
        ticks = picture(minutes=minutes).ticks
        assert 1 <= len(ticks) <= 11
        gaps = [b.x - a.x for a, b in zip(ticks, ticks[1:], strict=False)]
        assert all(gap > 40 for gap in gaps)
        assert ticks[0].label == "0"

    def test_everything_stays_inside_the_picture(self, cloud: Cloud) -> None:
        report = a_failover(cloud)
        drawn = draw(report.run, report.stages, report.actions, report.gates, report.written_at)
        for lane in drawn.lanes:
            assert 0 <= lane.y < drawn.height
            assert all(bar.x >= LABELS and bar.x + bar.width <= drawn.width for bar in lane.bars)

    def test_gate_without_a_stage_is_shown(self) -> None:
        gates: list[Gate] = [a_gate(opened_at=at(1))]
        (lane,) = picture(gates=gates).lanes
        assert (lane.label, lane.note) == ("plan gate", "open")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (45.4, "45 s"), (60, "1 min"), (200, "3 min 20 s"), (3600, "1 h"), (3900, "1 h 5 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert length(seconds) == said
