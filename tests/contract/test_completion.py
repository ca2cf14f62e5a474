"""What an emergency deferred is done by naming its run, for every strategy: the returned side is fenced first."""

from __future__ import annotations

import pytest

from orchestrator.ending import finish
from orchestrator.words import Mode, Outcome, Phase
from tests.contract.matrix import facts, pairs, tagged
from tests.support.driver import SCOPE, SOURCE, open_world

WELL = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_WARNINGS, Outcome.SKIPPED}
PROMISED = [pair for pair in pairs() if pair[1] not in facts(pair[0]).no_emergency]


@pytest.mark.exhaustive
@pytest.mark.parametrize(("key", "strategy"), PROMISED, ids=["-".join(pair) for pair in PROMISED])
def test_what_an_emergency_deferred_is_done_on_the_sides_of_its_plan(
    monkeypatch: pytest.MonkeyPatch, key: str, strategy: str
) -> None:
    # Given an emergency that activated the target side while the source Region was dark
    entries = [tagged(entry, strategy, SCOPE.customer) for entry in facts(key).estates[strategy]]
    world = open_world(monkeypatch, *entries, images=facts(key).images)
    world.wait(minutes=10)
    world.inventory()
    world.darken(SOURCE)
    emergency = world.start(emergency=True, AcceptDataLoss=True)
    emergency.commit().all()
    activated = emergency.action(Phase.ACTIVATE)
    assert activated.outcome in WELL, f"{activated.detail}\n{activated.remedy}"
    finish(emergency.platform, emergency.run_id)
    # When the Region is back, has come to rest, and the run is named
    world.repair()
    world.wait(minutes=30)
    done = world.start(Complete=emergency.run_id)
    assert done.ready, done.findings
    # Then CLEANUP and REPLICATE are planned from and to where the frozen plan moved everything
    assert (done.run.mode, {a.phase for a in done.plan.actions}) == (Mode.PLANNED, {Phase.CLEANUP, Phase.REPLICATE})
    sides = [
        {m.resource_id: (m.source.arn, m.source.region, m.target.region) for t in p.targets for m in t.members}
        for p in (emergency.plan, done.plan)
    ]
    assert sides[0] == sides[1]
    # And both end well, unless that could lose what only the returned side holds
    done.commit().all()
    fenced, followed = done.action(Phase.CLEANUP), done.action(Phase.REPLICATE)
    assert fenced.outcome in WELL, f"{fenced.detail}\n{fenced.remedy}"
    if strategy in facts(key).asks_to_overwrite:
        assert (followed.outcome, "Or give it up: aws " in followed.remedy) == (Outcome.FAILED, True), followed
    else:
        assert followed.outcome in WELL, f"{followed.detail}\n{followed.remedy}"
