"""DRS where AWS's limits end: 100 servers in a job, 20 jobs, 500 servers in jobs, one job per server. AWS never refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from localaws.service import Call, Reply
from orchestrator.ledger.records import Action
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

OTHERS = {"dr:enabled": "false"}
"""Servers of somebody else in the same account: no run moves them, AWS counts them."""


def estate(monkeypatch: pytest.MonkeyPatch, mine: int, others: int, **settings: Any) -> World:
    """Return a world with so many servers of the scope, and of others."""
    entries = [{"kind": "drs-server", "name": f"app-{number:03d}", **settings} for number in range(mine)]
    entries += [{"kind": "drs-server", "name": f"other-{number:03d}", "tags": OTHERS} for number in range(others)]
    return open_world(monkeypatch, *entries, images=True)


def somebody_launches(world: World, *names: str) -> None:
    """Let somebody else start a job for each of these servers."""
    drs = world.aws("drs", TARGET)
    listed = drs.get_paginator("describe_source_servers").paginate().build_full_result()["items"]
    ids = {server["tags"]["Name"]: server["sourceServerID"] for server in listed}
    for name in names:
        drs.start_recovery(sourceServers=[{"sourceServerID": ids[name]}], isDrill=True)


def before_call(world: World, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> None:
    """Let something happen once, just before a launch of the run arrives."""
    operations = world.local.service("drs").operations
    usual, left = operations["StartRecovery"], [then]

    def start(call: Call) -> Reply:
        if left and ":assumed-role/dr-spoke-" in str(call.principal.arn):
            left.pop()()
        answer: Reply = usual(call)
        return answer

    monkeypatch.setitem(operations, "StartRecovery", start)


def most_at_once(world: World) -> tuple[int, int]:
    """Return how many jobs, and servers in jobs, there were at most at one time, as the jobs' own logs tell."""
    changes: list[tuple[Any, int, int]] = []
    for job in world.local.service("drs").region_state(APPS, TARGET).jobs.values():  # type: ignore[attr-defined]
        size, end = len(job.participants), max(item["logDateTime"] for item in job.log)
        changes += [(job.created_at.timestamp(), 1, size), (_seconds(end), -1, -size)]
    jobs = servers = 0
    highest = (0, 0)
    for _, more_jobs, more_servers in sorted(changes):
        jobs, servers = jobs + more_jobs, servers + more_servers
        highest = (max(highest[0], jobs), max(highest[1], servers))
    return highest


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def errors(world: World) -> Counter[str]:
    """Return what AWS answered the spoke roles with, other than success."""
    return Counter(call.error for call in world.calls() if call.error)


def reason(action: Action, step: str) -> str:
    return next(each.reason for each in action.steps if each.name == step)


def emergency(world: World) -> Journey:
    world.inventory()
    world.darken(SOURCE)
    return world.start(emergency=True, AcceptDataLoss=True)


def test_520_servers_are_moved_in_turns_and_aws_never_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given 520 servers, more than AWS takes in all jobs at one time, and a job of somebody else for another one
    world = estate(monkeypatch, 520, 1)
    run = emergency(world)
    # Then they are planned in batches that a job takes, in groups that all jobs together take
    assert [len(target.members) for target in run.plan.targets] == [100, 100, 100, 100, 100, 20]
    (stage,) = run.plan.stages
    assert [len(group) for group in stage.groups] == [5, 1]
    assert any("AWS allows 500 at once" in each for each in stage.splits), stage
    # When they are moved while that job runs, so that the fifth batch has no room
    somebody_launches(world, "other-000")
    run.phase(Phase.ACTIVATE)
    # Then each server was launched once, a batch a job, never more than 500 at a time; and AWS refused nothing
    actions = world.ledger.actions(run.run_id)
    assert {action.outcome for action in actions} == {Outcome.SUCCEEDED}
    jobs = world.aws("drs", TARGET).get_paginator("describe_jobs").paginate().build_full_result()["items"]
    assert sorted(len(job["participatingServers"]) for job in jobs) == [1, 20, 100, 100, 100, 100, 100]
    launched = Counter(part["sourceServerID"] for job in jobs for part in job["participatingServers"])
    assert (len(launched), set(launched.values())) == (521, {1})
    assert errors(world) == Counter()
    assert most_at_once(world)[1] <= 500


def test_batch_waits_its_turn_while_somebody_else_fills_all_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given twenty jobs of somebody else, as many as AWS takes in an account and Region
    world = estate(monkeypatch, 2, 20)
    run = emergency(world)
    somebody_launches(world, *(f"other-{number:03d}" for number in range(20)))
    # When the servers are to be launched, the stage waits and says for what
    waiting = run.tick(Phase.ACTIVATE)
    told = "20 jobs are active, expected fewer than 20: waiting until one has ended"
    assert reason(waiting, "start-recovery") == told
    assert waiting.called_at == {}
    # Then it goes on by itself when they have ended, without a refusal by AWS
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["StartRecovery"]
    assert most_at_once(world) == (20, 20)
    assert errors(world) == Counter()


def test_drills_copies_are_removed_when_there_is_room_for_the_job_that_does(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, 1, 20)
    run = world.start(Operation.TEST)
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    somebody_launches(world, *(f"other-{number:03d}" for number in range(20)))

    waiting = run.tick(Phase.CLEANUP)

    assert reason(waiting, "terminate-drill-instances").startswith("20 jobs are active")
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
    assert errors(world) == Counter()


def test_last_place_that_somebody_else_takes_after_the_look_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given nineteen jobs of somebody else, and a twentieth that begins between the look of the run and its call
    world = estate(monkeypatch, 1, 20)
    run = emergency(world)
    somebody_launches(world, *(f"other-{number:03d}" for number in range(19)))
    before_call(world, monkeypatch, lambda: somebody_launches(world, "other-019"))
    # When the server is launched, AWS refuses once
    action = run.phase(Phase.ACTIVATE)
    # Then the run looked again, waited, and launched it
    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert errors(world) == Counter({"ServiceQuotaExceededException": 1})
    assert run.made() == ["StartRecovery"]


def test_server_that_is_in_a_job_of_somebody_else_takes_part_in_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    world = estate(monkeypatch, 2, 0)
    run = emergency(world)
    somebody_launches(world, "app-001")

    waiting = run.tick(Phase.ACTIVATE)

    assert reason(waiting, "start-recovery").startswith("held by another job: drsjob-")
    run.phase(Phase.ACTIVATE)
    assert errors(world) == Counter()
