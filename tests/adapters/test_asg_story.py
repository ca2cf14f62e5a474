"""Auto Scaling groups through the real engine: scaled up here, put to sleep there, and never both asleep."""

from __future__ import annotations

import pytest

from orchestrator.words import Operation, Outcome
from tests.support.asg import asg_world, lives, sizes
from tests.support.driver import SOURCE, TARGET


def test_the_group_moves_and_comes_back_with_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    world = asg_world(monkeypatch)
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = world.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
        assert run.made() == foreseen
        assert (sizes(world, here), sizes(world, there)) == ((1, 4, 2), (0, 4, 0))
        assert (lives(world, here), lives(world, there)) == (["InService"] * 2, [])
        run.end()
    assert world.refusals() == []
