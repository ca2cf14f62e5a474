"""A run that is interrupted at any write or call, and begun again, comes to the same end with one effect of each call."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator import ending
from orchestrator.blobs import MemoryBlobs
from orchestrator.errors import NotFoundError
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.notify import Notice
from orchestrator.report import report_keys
from orchestrator.words import GateStatus, RunStatus
from tests.unit.scripted_platform import SCOPE, Cloud, Operator, approve

WRITES = (
    "create_run",
    "save_run",
    "lock",
    "unlock",
    "add_stages",
    "save_stage",
    "save_action",
    "add_gate",
    "save_gate",
    "record",
    "save_snapshot",
)
REQUEST: dict[str, Any] = {"Phases": ["ACTIVATE", "CLEANUP"]}


class Crash(Exception):
    """The function was killed."""


class Fuse:
    """Counts the points at which a process can die, and dies at the chosen ones."""

    def __init__(self, *points: int) -> None:
        self.points = set(points)
        self.seen: list[str] = []

    def pass_by(self, where: str) -> None:
        self.seen.append(where)
        if len(self.seen) - 1 in self.points:
            raise Crash(where)


def fused(cls: type, names: tuple[str, ...], fuse: Fuse) -> Any:
    """Return an instance of `cls` that passes the fuse before and after each of its methods `names`."""

    def method(name: str) -> Any:
        original = getattr(cls, name)

        def act(self: Any, *args: Any, **more: Any) -> Any:
            fuse.pass_by(f"before {name}")
            result = original(self, *args, **more)
            fuse.pass_by(f"after {name}")
            return result

        return act

    return type(f"Fused{cls.__name__}", (cls,), {name: method(name) for name in names})()


def run_with(fuse: Fuse) -> Cloud:
    """Run a small failover, starting whatever was interrupted again, as the state machines do."""
    cloud = Cloud(ledger=fused(MemoryLedger, WRITES, fuse), blobs=fused(MemoryBlobs, ("put",), fuse))
    cloud.interrupt = fuse.pass_by
    cloud.add("orders")
    platform = cloud.platform()
    for _ in range(len(fuse.points) + 1):
        try:
            if _ended(cloud):
                ending.finish(platform, "run-1")  # the machine repeats the function that died, not the run
                break
            cloud.accept(platform, **REQUEST)
            Operator(platform, cloud, approve, thinks_seconds=1, repeated_after=(Crash,)).drive("run-1")
        except Crash:
            continue
        break
    return cloud


def _ended(cloud: Cloud) -> bool:
    try:
        return cloud.ledger.run("run-1").ended_at is not None
    except NotFoundError:
        return False


def assert_same_end(cloud: Cloud, undisturbed: Cloud, where: str) -> None:
    """Compare what users and resources see."""
    run, ledger = cloud.ledger.run("run-1"), cloud.ledger
    assert run.status is RunStatus.SUCCEEDED, where
    assert Counter(cloud.operations()) == Counter(undisturbed.operations()), where
    ends = {a.action_id: a.outcome for a in ledger.actions("run-1")}
    assert ends == {a.action_id: a.outcome for a in undisturbed.ledger.actions("run-1")}, where
    assert ledger.holder(SCOPE) is None, where
    assert all(gate.status is GateStatus.ANSWERED for gate in ledger.gates("run-1")), where
    assert set(report_keys("run-1")) <= set(cloud.blobs.documents), where
    assert {Notice.STARTED, Notice.ENDED} <= {message.notice for message in cloud.notifier.sent}, where


@pytest.fixture(scope="module")
def undisturbed() -> tuple[Cloud, list[str]]:
    """Return a run that nothing interrupts, and the points it passed."""
    fuse = Fuse()
    return run_with(fuse), fuse.seen


def test_run_killed_at_any_single_point_comes_to_the_same_end(undisturbed: tuple[Cloud, list[str]]) -> None:
    # Given every point at which the process can die: before and after each write and each call
    cloud, points = undisturbed
    assert {"before promote", "after promote", "after save_action", "after unlock"} <= set(points)
    # When it dies there, Then
    for number, where in enumerate(points):
        assert_same_end(run_with(Fuse(number)), cloud, f"killed at {number}: {where}")


@settings(max_examples=25)
@given(st.sets(st.integers(0, 200), min_size=2, max_size=2))
def test_run_killed_twice_comes_to_the_same_end(undisturbed: tuple[Cloud, list[str]], points: set[int]) -> None:
    # A third death right before the same call would exhaust what may be tried without a person
    assert_same_end(run_with(Fuse(*points)), undisturbed[0], f"killed at {sorted(points)}")
