"""Drills by the calendar: which hub holds one, in which direction, and what people hear when nobody does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from orchestrator import ending, stocktaking
from orchestrator.notify import Notice
from orchestrator.scheduling import Due, hold
from orchestrator.words import Mode
from tests.unit.scripted_platform import REQUEST, SCOPE, SOURCE, START, TARGET, Cloud, Operator, approve
from tests.unit.test_watchdog import MACHINE, StepFunctions

DRILL: dict[str, Any] = {
    **REQUEST,
    "Operation": "test",
    "ApprovalMode": "automatic",
    "LeaseMinutes": 60,
    "Requester": "schedule nightly",
    "Reason": "scheduled drill nightly",
}
NAME = "dr-drill-CustomerX-nightly"
RUN = f"{NAME}-20260301T0200"
BOTH = frozenset({SOURCE, TARGET})


@dataclass
class Calendar:
    """A scope of two waves, and the nightly drill of both hubs."""

    cloud: Cloud = field(default_factory=Cloud)
    started: dict[str, StepFunctions] = field(default_factory=lambda: {r: StepFunctions() for r in (SOURCE, TARGET)})

    def __post_init__(self) -> None:
        self.cloud.add("orders")
        self.cloud.add("search", wave=2)

    def strikes(self, hubs: frozenset[str] = BOTH, home: str = SOURCE, **more: Any) -> dict[str, str | None]:
        """Let the drill's time come in every hub; return what each has started."""
        due = Due(NAME, "nightly", {**DRILL, **more}, START)
        return {
            region: hold(self.cloud.platform(region), self.started[region], due, home, hubs, MACHINE)
            for region in sorted(hubs)
        }

    def move(self, run_id: str, **more: Any) -> None:
        back = more.get("Operation") == "failback"
        self.cloud.clock.advance(3600)
        platform = self.cloud.platform(SOURCE if back else TARGET)
        Operator(platform, self.cloud, approve).drive(self.cloud.accept(platform, run_id, **more))
        stocktaking.refresh(platform, SCOPE, (SOURCE, TARGET))

    @property
    def told(self) -> list[str]:
        return [m.body for m in self.cloud.notifier.sent if "was not held" in m.subject]


def test_customer_at_home_is_drilled_into_the_region_that_stands_by_once_however_often_it_is_told() -> None:
    calendar = Calendar()
    for _ in range(2):
        assert calendar.strikes() == {SOURCE: None, TARGET: RUN}
    assert calendar.started[TARGET].started == {RUN: DRILL}
    assert (calendar.started[SOURCE].started, calendar.told) == ({}, [])


def test_customer_that_was_moved_is_drilled_the_other_way_round_by_the_other_hub_which_says_why() -> None:
    # Given a customer that was moved
    calendar = Calendar()
    calendar.move("run-1")
    # When the drill's time comes
    assert calendar.strikes() == {SOURCE: RUN, TARGET: None}
    # Then the other hub rehearses the way back, and says since when
    given = calendar.started[SOURCE].started[RUN]
    assert (given["PrimaryRegion"], given["DRRegion"]) == (TARGET, SOURCE)
    assert given["Reason"] == (
        "scheduled drill nightly, the other way round: CustomerX/production runs in us-west-2 since run run-1"
    )
    assert calendar.told == []
    # And that is an input a drill of that hub accepts, with what the configuration says besides
    east = calendar.cloud.platform(SOURCE)
    calendar.cloud.accept(east, RUN, **given)
    run = calendar.cloud.ledger.run(RUN)
    assert (run.mode, run.source_region, run.target_region) == (Mode.DRILL, TARGET, SOURCE)
    assert run.lease is not None
    assert run.lease.minutes == 60
    ending.finish(east, RUN)
    # And when the customer is back, so is the drill
    calendar.move("run-2", Operation="failback")
    assert calendar.strikes() == {SOURCE: None, TARGET: RUN}


def test_customer_at_home_in_the_other_region_is_drilled_from_there() -> None:
    calendar = Calendar()
    assert calendar.strikes(home=TARGET) == {SOURCE: RUN, TARGET: None}
    assert calendar.strikes(home="eu-west-1") == {SOURCE: None, TARGET: RUN}, "the drill's own word counts"


def test_customer_of_two_halves_is_not_drilled_and_people_are_told_once_what_runs_where_and_what_to_type() -> None:
    # Given a customer of which one wave was moved
    calendar = Calendar()
    calendar.move("run-1", Waves=[1])
    # When the drill of everything is due, then nobody holds it, and one of the hubs says why
    assert calendar.strikes() == {SOURCE: None, TARGET: None}
    (told,) = calendar.told
    assert "CustomerX/production is split: database/search in us-east-1; database/orders in us-west-2" in told
    assert "--operation test --primary-region us-east-1 --dr-region us-west-2 --waves" in told
    (message,) = [m for m in calendar.cloud.notifier.sent if "was not held" in m.subject]
    assert (message.notice, message.customer) == (Notice.WARNING, "CustomerX")
    # But a drill of waves that run in one Region is held, each in its direction
    assert calendar.strikes(Waves=[2]) == {SOURCE: None, TARGET: RUN}
    assert calendar.strikes(Waves=[1]) == {SOURCE: RUN, TARGET: None}


def test_moved_customer_whose_way_back_has_no_hub_is_told_of() -> None:
    calendar = Calendar()
    calendar.move("run-1")
    assert calendar.strikes(hubs=frozenset({TARGET, "eu-west-1"}) - {"eu-west-1"}) == {TARGET: None}
    (told,) = calendar.told
    assert (
        "runs in us-west-2 since run run-1; the move away from there goes into us-east-1, where there is no hub" in told
    )
    assert "dr status run-1 --region us-west-2" in told


def test_drill_of_a_customer_in_whose_scope_another_run_goes_on_is_not_started_and_people_are_told() -> None:
    # Given a customer with a run under way
    calendar = Calendar()
    calendar.cloud.accept(calendar.cloud.platform(), "run-1")
    # When the drill's time comes, then it is not started only to be refused
    assert calendar.strikes() == {SOURCE: None, TARGET: None}
    assert calendar.started[TARGET].started == {}
    (told,) = calendar.told
    assert "CustomerX/production is held by run run-1 (ready) since 2026-03-01 02:00 UTC" in told
    assert "dr status run-1 --region us-west-2" in told
    assert "when it has ended: dr start --customer CustomerX" in told
    # And a repetition of its own start is none of that
    ending.finish(calendar.cloud.platform(), "run-1")
    assert calendar.strikes()[TARGET] == RUN
    calendar.cloud.accept(calendar.cloud.platform(), RUN, **DRILL)
    assert calendar.strikes()[TARGET] == RUN


@pytest.mark.parametrize("home", [SOURCE, TARGET])
def test_exactly_one_hub_holds_a_drill(home: str) -> None:
    held = [run for run in Calendar().strikes(home=home).values() if run]
    assert held == [RUN]
