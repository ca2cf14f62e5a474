"""What an emergency deferred is done by naming its run, with the real adapters: the returned side is fenced first."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.ending import finish
from orchestrator.words import Mode, Outcome, Phase
from tests.support.driver import SOURCE, TARGET, open_world

WELL = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_WARNINGS, Outcome.SKIPPED}


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "rds-replica", "name": "orders"},
        {"kind": "ecs-service", "name": "api"},
    ],
    ids=lambda entry: entry["kind"],
)
def test_what_an_emergency_deferred_is_done_on_the_sides_of_its_plan(
    monkeypatch: pytest.MonkeyPatch, entry: dict[str, Any]
) -> None:
    # Given an emergency that activated the target side while the source Region was dark
    world = open_world(monkeypatch, {**entry, "tags": {"dr:wave": "1"}})
    world.wait(minutes=10)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.commit().all()
    assert emergency.action(Phase.ACTIVATE).outcome in WELL
    finish(emergency.platform, emergency.run_id)
    # When the Region is back and the run is named
    world.repair()
    done = world.start(Complete=emergency.run_id)
    assert done.ready, done.findings
    # Then CLEANUP and REPLICATE are planned on the very sides of the frozen plan
    assert (done.run.mode, {a.phase for a in done.plan.actions}) == (Mode.PLANNED, {Phase.CLEANUP, Phase.REPLICATE})
    sides = [
        [(m.source.region, m.source.id, m.target.id) for t in p.targets for m in t.members]
        for p in (emergency.plan, done.plan)
    ]
    assert sides[0] == sides[1]
    assert {m.target.region for t in done.plan.targets for m in t.members} == {TARGET}
    # And both end well
    done.commit().all()
    assert {done.action(phase).outcome for phase in (Phase.CLEANUP, Phase.REPLICATE)} <= WELL
