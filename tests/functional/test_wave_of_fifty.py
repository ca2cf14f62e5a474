"""A wave of fifty servers of which three fail, once for everything that can be said beforehand about a failure."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orchestrator.words import ActionStatus, GateKind, OnFailure, Outcome, RunStatus
from tests.functional.world import EAST, WEST, Running, Shop, World

pytestmark = pytest.mark.functional

FAILING = ("07", "23", "41")
BEFOREHAND = "OnFailure of the request"


@dataclass(frozen=True)
class Fifty:
    """Fifty servers of one wave under way to us-west-2, and the three whose launch DRS cannot do."""

    shop: Shop
    run: Running
    lost: frozenset[str]

    @property
    def everybody(self) -> set[str]:
        """Return the servers' names."""
        return {f"{self.shop.slug}-orders-app-1-{number:02}" for number in range(1, 51)}

    def serving(self, region: str) -> set[str]:
        """Return the servers that run in a Region, as EC2 tells."""
        ec2 = self.shop.world.client("ec2", region)
        mine = [
            {"Name": "tag:Customer", "Values": [self.shop.customer]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
        pages = ec2.get_paginator("describe_instances").paginate(Filters=mine)
        found = [instance for page in pages for each in page["Reservations"] for instance in each["Instances"]]
        return {tag["Value"] for instance in found for tag in instance["Tags"] if tag["Key"] == "Name"}

    def outcomes(self) -> dict[Outcome, set[str]]:
        """Return how ACTIVATE ended for each server, by the ledger."""
        found: dict[Outcome, set[str]] = {}
        for action in self.run.hub.ledger.actions(self.run.run_id):
            if action.phase == "ACTIVATE" and action.status is ActionStatus.ENDED:
                for resource, outcome in action.member_outcomes.items():
                    found.setdefault(outcome, set()).add(resource.removeprefix("drs/"))
        return found

    def decided_beforehand(self) -> list[str]:
        """Return the decisions that nobody was asked for."""
        return [e.message.split()[0] for e in self.run.events() if e.kind == "decision" and e.actor == BEFOREHAND]


def fifty(world: World, customer: str, on_failure: OnFailure) -> Fifty:
    """Start the move of a wave of fifty servers; DRS cannot take the snapshots of three."""
    shop = world.shop(customer, ["drs-server"], {"drs-server": {"tags": {"dr:wave": "1"}}}, copies=50)
    lost = frozenset(f"{shop.slug}-orders-app-1-{number}" for number in FAILING)
    servers = world.client("drs", WEST).get_paginator("describe_source_servers").paginate()
    arns = [s["arn"] for page in servers for s in page["items"] if s["tags"].get("Name") in lost]
    assert len(arns) == len(FAILING)
    world.break_things(*({"effect": "fail", "kind": "drs.snapshot", "resource": arn} for arn in arns))
    run = shop.start("failover", OnFailure=on_failure.value, Phases=["ACTIVATE", "CLEANUP"])
    return Fifty(shop, run, lost)


def named(text: str) -> set[str]:
    """Return which of the failing servers' numbers a text names."""
    return {number for number in FAILING if f"orders-app-1-{number}" in text}


def test_three_of_fifty_fail_and_a_person_who_is_asked_has_only_those_done_again(world: World) -> None:
    # Given a wave of fifty of which three fail, and nothing said beforehand about failures
    wave = fifty(world, "FiftyAsk", OnFailure.ASK)
    gate = wave.run.gate(GateKind.FAILURE)
    # Then the question names the three, and the wave stands: 47 moved, three serve where they did
    told = "\n".join(gate.checklist)
    assert "3 failed, 47 succeeded" in told
    assert named(told) == set(FAILING)
    assert wave.serving(WEST) == wave.everybody - wave.lost
    assert wave.serving(EAST) == wave.lost
    shown = world.run_command("dr", "status", wave.run.run_id).out
    assert "47 pending, 3 failed" in shown
    assert f"dr decide {gate.gate_id} retry" in shown
    # When the cause is repaired and that is typed
    world.heal()
    mark = world.mark()
    said = world.run_command("dr", "decide", gate.gate_id, "retry", "--reason", "KMS grant repaired")
    assert said.code == 0, said.err
    ended = wave.run.ended()
    # Then all fifty are moved, and only the three were launched again
    assert ended.status is RunStatus.SUCCEEDED, ended.failure
    assert (wave.serving(WEST), wave.serving(EAST)) == (wave.everybody, set())
    (launch,) = [c for c in world.platform_calls_since(mark) if c.operation == "StartRecovery"]
    assert len(launch.params["sourceServers"]) == len(FAILING)


def test_three_of_fifty_fail_and_the_run_goes_on_without_them_as_it_was_told(world: World) -> None:
    # When three of fifty fail in a run that shall continue
    wave = fifty(world, "FiftyContinue", OnFailure.CONTINUE)
    ended = wave.run.ended()
    # Then 47 are moved and the old side put to sleep; the three are left alone and serve where they did
    assert ended.status is RunStatus.SUCCEEDED_WITH_WARNINGS, ended.failure
    assert (wave.serving(WEST), wave.serving(EAST)) == (wave.everybody - wave.lost, set(wave.lost))
    assert wave.outcomes() == {
        Outcome.SUCCEEDED: wave.everybody - wave.lost,
        Outcome.FAILED_IGNORED: set(wave.lost),
    }
    # And nobody was asked, but told what was decided; the report names the three
    assert wave.decided_beforehand() == ["continue"]
    notices = world.told(wave.run.run_id)
    assert "approval-needed" not in notices
    assert "decision" in notices
    report = world.run_command("dr", "report", wave.run.run_id).json()
    assert report["outcomes"]["failed_ignored"] == len(FAILING)
    assert named("\n".join(a["detail"] for a in report["actions"])) == set(FAILING)


def test_three_of_fifty_fail_and_the_47_are_taken_back_as_it_was_told(world: World) -> None:
    # When three of fifty fail in a run that shall roll back
    wave = fifty(world, "FiftyRollback", OnFailure.ROLLBACK)
    ended = wave.run.ended()
    # Then all fifty serve where they did, and nothing is left in us-west-2
    assert ended.status is RunStatus.FAILED
    assert "rolled back" in str(ended.failure)
    assert (wave.serving(WEST), wave.serving(EAST)) == (set(), wave.everybody)
    assert wave.outcomes() == {Outcome.ROLLED_BACK: wave.everybody}
    # And nobody was asked; the reason is in the trail, the scope is free
    assert wave.decided_beforehand() == ["rollback"]
    failures = [e.message for e in wave.run.events() if e.kind == "outcome" and "failed" in e.message]
    assert named("\n".join(failures)) == set(FAILING)
    assert wave.run.hub.ledger.holder(ended.scope) is None


def test_three_of_fifty_fail_and_the_run_ends_where_it_stands_as_it_was_told(world: World) -> None:
    # When three of fifty fail in a run that shall abort
    wave = fifty(world, "FiftyAbort", OnFailure.ABORT)
    ended = wave.run.ended()
    # Then it ends at once: 47 serve from us-west-2, three where they did, and CLEANUP did not begin
    assert ended.status is RunStatus.FAILED
    assert f"aborted by {BEFOREHAND} after 01-ACTIVATE-w1 failed" in str(ended.failure)
    assert (wave.serving(WEST), wave.serving(EAST)) == (wave.everybody - wave.lost, set(wave.lost))
    assert wave.outcomes() == {Outcome.SUCCEEDED: wave.everybody - wave.lost, Outcome.FAILED: set(wave.lost)}
    assert {s.status for s in wave.run.hub.ledger.stages(wave.run.run_id)} == {"failed", "pending"}
    # And the last message names the three with what to do, and the scope is free
    assert wave.decided_beforehand() == ["abort"]
    shown = world.run_command("dr", "status", wave.run.run_id).out
    assert named(shown) == set(FAILING)
    assert "then retry" in " ".join(shown.split())
    assert wave.run.hub.ledger.holder(ended.scope) is None
