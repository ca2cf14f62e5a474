"""Drills: a rehearsal beside production, which notices nothing."""

from __future__ import annotations

import pytest

from orchestrator.words import RunStatus
from tests.functional.world import EAST, WEST, World

pytestmark = pytest.mark.functional

NEVER_IN_A_DRILL = ("Promote", "Switchover", "Failover", "RemoveFrom", "Reverse", "StopReplication", "ChangeResource")


def test_drill_rehearses_every_resource_leaves_production_untouched_and_no_copies(world: World) -> None:
    # Given a shop of every technology, and the picture of it before
    shop = world.shop("Drilled")
    before = shop.attributes()
    mark = world.mark()
    # When a test is run in us-west-2
    run = shop.start("test")
    ended = run.ended()
    # Then it succeeds, and something was really made on the way
    assert ended.status in {RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_WARNINGS}, ended.failure
    changes = shop.changes_since(mark)
    assert any("Restore" in c or "RunTask" in c or "StartRecovery" in c for c in changes), changes
    # And production looks attribute by attribute as before: the copies are gone, too. Only DRS keeps a note of the drill
    after = shop.attributes()
    for server in [*before[f"{WEST} source servers"], *after[f"{WEST} source servers"]]:
        server.pop("lastLaunchResult", None)
        server["lifeCycle"].pop("lastLaunch", None)
    assert after == before
    # And no call that would switch a role, a name or a replication was made, and none that changes us-east-1's resources
    assert [c for c in changes if any(word in c for word in NEVER_IN_A_DRILL)] == []
    # And the shop can still be moved in earnest, from us-east-1
    assert shop.tasks(EAST) == (2, 2)


def test_drill_is_never_an_emergency(world: World) -> None:
    cause = world.shop("Rushed", ["ecs-service"]).start("test", Emergency=True, AcceptDataLoss=True).refused()
    assert "a drill never touches production" in cause
