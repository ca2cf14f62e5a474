"""The ledger, once in memory and once in DynamoDB: the same stories, the same ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from orchestrator import names
from orchestrator.errors import NotFoundError, RefusedError, StaleRecordError, ThrottledError
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.ledger.dynamo import DynamoLedger, Tables
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.records import CheckRecord, Event, FindingRecord, ReadinessRecord, Scope
from orchestrator.ledger.store import Ledger
from orchestrator.words import (
    ActionStatus,
    CheckState,
    Choice,
    GateStatus,
    Outcome,
    Phase,
    Readiness,
    RunStatus,
    Severity,
)
from tests.unit.scripted_platform import SCOPE, START, TARGET, a_gate, a_run, a_stage, an_action

TABLES = Tables(runs="dr-runs", actions="dr-actions", inventory="dr-inventory", events="dr-events")
OTHER = Scope(customer="CustomerY", environment="production")


def tables_in(client: Any) -> None:
    """Create the four tables as the hub's stack does."""
    for table in names.Table:
        index = {
            "IndexName": names.RUNS_BY_SCOPE,
            "KeySchema": [
                {"AttributeName": "gsi1pk", "KeyType": "HASH"},
                {"AttributeName": "gsi1sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        runs = table is names.Table.RUNS
        keys = ["pk", "sk"] + (["gsi1pk", "gsi1sk"] if runs else [])
        client.create_table(
            TableName=table.value,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            BillingMode="PAY_PER_REQUEST",
            **({"GlobalSecondaryIndexes": [index]} if runs else {}),
        )


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[Any]:
    """Return a client of one embedded DynamoDB for all tests here; each test has its own run ids and scopes."""
    with pytest.MonkeyPatch.context() as env, mock_aws():
        env.setenv("AWS_ACCESS_KEY_ID", "testing")
        env.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        client = boto3.client("dynamodb", region_name=TARGET)
        tables_in(client)
        yield client


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """Return an empty ledger of either body."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    client = request.getfixturevalue("dynamodb")
    yield DynamoLedger(client, TABLES)
    for table in names.Table:
        pages = list(client.get_paginator("scan").paginate(TableName=table.value))
        for item in (item for page in pages for item in page["Items"]):
            client.delete_item(TableName=table.value, Key={"pk": item["pk"], "sk": item["sk"]})


def a_resource(number: int, **facts: Any) -> Resource:
    """Return a resource with a long tag, so that some hundred fill more than one page."""
    side = SideRecord(
        account="222222222222",
        region=TARGET,
        id=f"db-{number}",
        arn=f"arn:{number}",
        facts=facts,
        tags={"note": "x" * 200},
    )
    return Resource(
        resource_id=f"database/db-{number:04d}", adapter="database", name=f"db-{number}", sides={TARGET: side}
    )


class TestRuns:
    def test_run_written_twice_by_the_same_execution_stays_as_it_was_first(self, ledger: Ledger) -> None:
        # Given a run that went on after it was written
        ledger.create_run(a_run(reason="outage"))
        ledger.change_run("run-1", lambda r: r.but(status=RunStatus.RUNNING))
        # When the execution repeats its first step
        again = ledger.create_run(a_run(reason="a repetition"))
        # Then nothing is lost
        assert (again.reason, again.status) == ("outage", RunStatus.RUNNING)

    def test_run_saved_from_an_old_copy_is_refused(self, ledger: Ledger) -> None:
        # Given two readers of the same run
        mine = ledger.create_run(a_run())
        theirs = ledger.run("run-1")
        ledger.save_run(mine.but(failure="mine"))
        # When the second saves what it read before
        with pytest.raises(StaleRecordError):
            ledger.save_run(theirs.but(failure="theirs"))
        # Then the first one's words stand
        assert ledger.run("run-1").failure == "mine"

    def test_change_run_against_another_writer_keeps_both_changes(self, ledger: Ledger) -> None:
        # Given somebody who saves between our reading and our saving
        ledger.create_run(a_run())
        intruded: list[str] = []

        def change(run: Any) -> Any:
            if not intruded:
                intruded.append("yes")
                ledger.save_run(ledger.run("run-1").but(cancelled_by="kim"))
            return run.but(failure="ours")

        # When we change the run
        ledger.change_run("run-1", change)
        # Then both changes are there
        run = ledger.run("run-1")
        assert (run.cancelled_by, run.failure) == ("kim", "ours")

    def test_unknown_run_is_named_in_the_error(self, ledger: Ledger) -> None:
        with pytest.raises(NotFoundError, match="run nobody-started"):
            ledger.run("nobody-started")

    def test_saving_a_run_that_was_never_written_is_an_error(self, ledger: Ledger) -> None:
        with pytest.raises(NotFoundError):
            ledger.save_run(a_run("never"))

    def test_runs_of_a_scope_come_newest_first_and_without_strangers(self, ledger: Ledger) -> None:
        # Given three runs of a scope and one of another
        for number in range(3):
            ledger.create_run(a_run(f"run-{number}", created_at=START + timedelta(hours=number)))
        ledger.create_run(a_run("stranger", scope=OTHER))
        # When the two newest are asked for
        found = ledger.runs_of(SCOPE, limit=2)
        # Then
        assert [run.run_id for run in found] == ["run-2", "run-1"]
        assert [run.run_id for run in ledger.runs_of(OTHER)] == ["stranger"]

    def test_run_with_every_field_comes_back_as_it_was(self, ledger: Ledger) -> None:
        # Given
        run = a_run(
            waves=(1, 3),
            phases=(Phase.CLEANUP, Phase.REPLICATE),
            detected_at=START,
            dry_run=True,
            committed=True,
            findings=({"resource_id": "r", "code": "lag", "severity": "red", "message": "9 h"},),
        )
        # When, Then
        ledger.create_run(run)
        assert ledger.run("run-1") == run


class TestLock:
    def test_second_run_on_a_locked_scope_is_told_who_holds_it(self, ledger: Ledger) -> None:
        # Given
        ledger.lock(SCOPE, "run-1", START)
        # When
        with pytest.raises(RefusedError) as refused:
            ledger.lock(SCOPE, "run-2", START)
        # Then
        assert refused.value.code == "ScopeLocked"
        assert "run-1" in refused.value.message
        assert "dr cancel run-1" in refused.value.remedy

    def test_lock_taken_again_by_its_own_run_keeps_its_epoch(self, ledger: Ledger) -> None:
        first = ledger.lock(SCOPE, "run-1", START)
        assert ledger.lock(SCOPE, "run-1", START + timedelta(minutes=1)) == first

    def test_epoch_grows_with_every_new_holder(self, ledger: Ledger) -> None:
        # Given a lock that was held and released
        first = ledger.lock(SCOPE, "run-1", START)
        ledger.unlock(SCOPE, "run-1")
        assert ledger.holder(SCOPE) is None
        # When the next run takes it
        second = ledger.lock(SCOPE, "run-2", START)
        # Then the old holder is told apart by its epoch
        assert second.epoch > first.epoch
        assert ledger.holder(SCOPE) == second

    def test_held_locks_of_all_scopes_are_found_and_released_by_their_epoch_only(self, ledger: Ledger) -> None:
        # Given the lock of one scope that changed hands, another one's, and a third one's that is free again
        ledger.lock(SCOPE, "run-1", START)
        ledger.unlock(SCOPE, "run-1")
        mine, other = ledger.lock(SCOPE, "run-1", START), ledger.lock(OTHER, "run-2", START)
        assert ledger.locks() == sorted([mine, other], key=lambda held: held.scope.key)
        # When somebody releases what was held before, Then nothing changes; with the right epoch it is free
        ledger.unlock(SCOPE, "run-1", epoch=1)
        assert ledger.holder(SCOPE) == mine
        ledger.unlock(SCOPE, "run-1", epoch=2)
        assert ledger.locks() == [other]

    def test_leases_are_listed_until_they_hold_nothing_any_more(self, ledger: Ledger) -> None:
        ledger.mark_lease("run-1", held=True)
        ledger.mark_lease("run-2", held=True)
        ledger.mark_lease("run-2", held=True)
        assert ledger.leases() == ["run-1", "run-2"]
        ledger.mark_lease("run-1", held=False)
        ledger.mark_lease("run-3", held=False)
        assert ledger.leases() == ["run-2"]

    def test_unlock_by_a_run_that_does_not_hold_it_changes_nothing(self, ledger: Ledger) -> None:
        held = ledger.lock(SCOPE, "run-1", START)
        ledger.unlock(SCOPE, "run-2")
        ledger.unlock(OTHER, "run-1")
        assert ledger.holder(SCOPE) == held

    def test_scopes_are_locked_apart(self, ledger: Ledger) -> None:
        ledger.lock(SCOPE, "run-1", START)
        assert ledger.lock(OTHER, "run-2", START).run_id == "run-2"


class TestStagesAndActions:
    def test_stages_and_actions_written_twice_keep_their_progress(self, ledger: Ledger) -> None:
        # Given forty actions, more than one batch, and one of them ended
        actions = [an_action(target_id=f"db-{n:02d}") for n in range(40)]
        ledger.add_stages([a_stage(1), a_stage(2, wave=2)], actions[:30])
        ended = ledger.change_action(
            "run-1", actions[0].action_id, lambda a: a.but(status=ActionStatus.ENDED, outcome=Outcome.SUCCEEDED)
        )
        # When the plan is written again, whole this time
        ledger.add_stages([a_stage(1), a_stage(2, wave=2)], actions)
        # Then
        assert ledger.action("run-1", ended.action_id).outcome is Outcome.SUCCEEDED
        assert [a.action_id for a in ledger.actions("run-1")] == [a.action_id for a in actions]

    def test_stages_come_in_order_and_actions_by_stage(self, ledger: Ledger) -> None:
        ledger.add_stages(
            [a_stage(10), a_stage(2), a_stage(1)], [an_action(), an_action(stage_id="10-ACTIVATE-w1", target_id="web")]
        )
        assert [stage.index for stage in ledger.stages("run-1")] == [1, 2, 10]
        assert [a.target_id for a in ledger.actions("run-1", "10-ACTIVATE-w1")] == ["web"]
        assert ledger.stage("run-1", "02-ACTIVATE-w1").index == 2

    def test_stale_action_and_stage_are_refused(self, ledger: Ledger) -> None:
        # Given
        ledger.add_stages([a_stage()], [an_action()])
        action, stage = ledger.action("run-1", an_action().action_id), ledger.stage("run-1", a_stage().stage_id)
        ledger.save_action(action.but(looks=1))
        ledger.save_stage(stage.but(attempt=1))
        # When, Then
        with pytest.raises(StaleRecordError):
            ledger.save_action(action.but(looks=5))
        with pytest.raises(StaleRecordError):
            ledger.save_stage(stage.but(attempt=5))
        assert ledger.change_stage("run-1", stage.stage_id, lambda s: s.but(attempt=s.attempt + 1)).attempt == 2

    def test_action_with_ids_times_and_numbers_comes_back_as_it_was(self, ledger: Ledger) -> None:
        # Given what calls leave behind, among it numbers, nothing, and nested lists
        kept = {"promote": {"JobId": "j-1", "Count": 3, "Share": 0.25, "Tags": [{"a": None}], "Text": "", "No": None}}
        ledger.add_stages([], [an_action(kept=kept, called_at={"promote": START}, call_counts={"promote": 2})])
        # When
        action = ledger.action("run-1", an_action().action_id)
        # Then
        assert action.kept == kept
        assert (action.called_at, action.calls) == ({"promote": START}, 2)

    def test_stage_with_five_hundred_checks_fits(self, ledger: Ledger) -> None:
        checks = tuple(
            CheckRecord(resource_id=f"database/{n}", name="serves", state=CheckState.HEALTHY, detail="x" * 400)
            for n in range(500)
        )
        ledger.add_stages([a_stage(checks=checks)], [])
        assert len(ledger.stage("run-1", a_stage().stage_id).checks) == 500

    def test_unknown_stage_and_action_are_named(self, ledger: Ledger) -> None:
        with pytest.raises(NotFoundError, match="stage 09-X of run run-1"):
            ledger.stage("run-1", "09-X")
        with pytest.raises(NotFoundError, match="action nothing of run run-1"):
            ledger.action("run-1", "nothing")


class TestGates:
    def test_gate_is_found_by_its_short_id_alone(self, ledger: Ledger) -> None:
        ledger.add_gate(a_gate(gate_id="g-77"))
        assert ledger.find_gate("g-77").run_id == "run-1"
        with pytest.raises(NotFoundError, match="g-00"):
            ledger.find_gate("g-00")
        with pytest.raises(NotFoundError, match="g-00"):
            ledger.gate("run-1", "g-00")

    def test_gate_opened_twice_keeps_its_answer(self, ledger: Ledger) -> None:
        # Given an answered gate
        ledger.add_gate(a_gate())
        ledger.change_gate("run-1", "g-1", lambda g: g.but(status=GateStatus.ANSWERED, choice=Choice.APPROVE))
        # When it is opened again
        again = ledger.add_gate(a_gate())
        # Then
        assert again.choice is Choice.APPROVE
        assert ledger.find_gate("g-1").status is GateStatus.ANSWERED

    def test_gates_of_a_run_come_oldest_first(self, ledger: Ledger) -> None:
        ledger.add_gate(a_gate(gate_id="g-9"))
        ledger.add_gate(a_gate(gate_id="g-1", opened_at=START + timedelta(minutes=5)))
        assert [gate.gate_id for gate in ledger.gates("run-1")] == ["g-9", "g-1"]

    def test_stale_gate_is_refused(self, ledger: Ledger) -> None:
        gate = ledger.add_gate(a_gate())
        ledger.save_gate(gate.but(asks=1))
        with pytest.raises(StaleRecordError):
            ledger.save_gate(gate.but(asks=2))


class TestEvents:
    def test_events_of_one_instant_keep_the_order_they_were_told_in(self, ledger: Ledger) -> None:
        # Given events of the same microsecond, and a later and another run's one
        for number in range(12):
            ledger.record(Event(run_id="run-1", at=START, kind="call", message=f"{number}"))
        ledger.record(Event(run_id="run-1", at=START + timedelta(seconds=1), kind="call", message="last"))
        ledger.record(Event(run_id="run-2", at=START, kind="call", message="stranger"))
        # When, Then
        told = [event.message for event in ledger.events("run-1")]
        assert told == [*(str(n) for n in range(12)), "last"]


class TestInventory:
    def test_partial_snapshot_keeps_its_gaps_and_findings(self, ledger: Ledger) -> None:
        finding = FindingRecord(resource_id="arn", code="ghost", severity=Severity.WARNING, message="x" * 400_000)
        snapshot = Snapshot(
            scope=SCOPE,
            taken_at=START,
            resources=(a_resource(1),),
            missing_accounts={"1/us-east-1": "refused"},
            last_read={"1/us-east-1": START},
            findings=(finding,),
            remarks=("a remark",),
        )
        ledger.save_snapshot(snapshot)
        assert ledger.newest_snapshot(SCOPE) == snapshot

    def test_verdicts_on_readiness_are_kept_and_the_newest_of_each_scope_and_region_is_found(
        self, ledger: Ledger
    ) -> None:
        base = {"scope": SCOPE, "region": TARGET, "since": START, "reason": "", "state": Readiness.READY}
        first = ReadinessRecord(**base, at=START)  # type: ignore[arg-type]
        second = first.but(at=START + timedelta(minutes=30), state=Readiness.STALE)
        other = first.but(scope=OTHER)
        for verdict in (first, second, other):
            ledger.save_readiness(verdict)
        assert ledger.readiness_of(SCOPE) == [second, first]
        assert ledger.readiness_of(SCOPE, limit=1) == [second]
        assert ledger.newest_readiness() == [second, other]

    def test_large_snapshot_comes_back_whole(self, ledger: Ledger) -> None:
        # Given more resources than a batch (25) and, in DynamoDB, more bytes than a page (1 MB)
        resources = tuple(a_resource(n, count=n, ratio=0.5, note="y" * 9_000) for n in range(130))
        # When
        ledger.save_snapshot(Snapshot(scope=SCOPE, taken_at=START, resources=resources))
        # Then
        found = ledger.newest_snapshot(SCOPE)
        assert found is not None
        assert found.resources == resources
        assert found.taken_at == START

    def test_newest_snapshot_wins_whatever_the_order_of_writing(self, ledger: Ledger) -> None:
        later = Snapshot(scope=SCOPE, taken_at=START + timedelta(minutes=30), resources=(a_resource(1), a_resource(2)))
        ledger.save_snapshot(later)
        ledger.save_snapshot(Snapshot(scope=SCOPE, taken_at=START, resources=(a_resource(1),)))
        assert ledger.newest_snapshot(SCOPE) == later

    def test_scope_never_looked_at_has_no_snapshot(self, ledger: Ledger) -> None:
        assert ledger.newest_snapshot(OTHER) is None


class TestDynamoAlone:
    """What only DynamoDB can do to us."""

    def test_snapshot_that_has_not_fully_arrived_gives_way_to_the_one_before(self, dynamodb: Any) -> None:
        # Given two snapshots, the newer one half replicated
        ledger, scope = DynamoLedger(dynamodb, TABLES), Scope(customer="Half", environment="staging")
        first = Snapshot(scope=scope, taken_at=START, resources=(a_resource(1), a_resource(2)))
        ledger.save_snapshot(first)
        newer = START + timedelta(minutes=30)
        ledger.save_snapshot(Snapshot(scope=scope, taken_at=newer, resources=(a_resource(1), a_resource(2))))
        half = f"SNAP#{scope.key}#{newer.isoformat(timespec='microseconds')}"
        dynamodb.delete_item(
            TableName=TABLES.inventory, Key={"pk": {"S": half}, "sk": {"S": a_resource(2).resource_id}}
        )
        # When, Then
        assert ledger.newest_snapshot(scope) == first

    def test_batch_that_never_gets_through_ends_as_throttled_not_in_a_loop(self, dynamodb: Any) -> None:
        # Given a table that returns every item unwritten
        class Full:
            def batch_write_item(self, RequestItems: Any) -> Any:  # noqa: N803
                return {"UnprocessedItems": RequestItems}

        # When, Then
        with pytest.raises(ThrottledError):
            DynamoLedger(Full(), TABLES).save_snapshot(
                Snapshot(scope=SCOPE, taken_at=START, resources=(a_resource(1),))
            )

    def test_service_errors_arrive_as_ours(self, dynamodb: Any) -> None:
        # Given a DynamoDB that asks to slow down, whatever it is asked
        class Busy:
            def __getattr__(self, name: str) -> Any:
                def refuse(**_params: Any) -> Any:
                    error = {"Error": {"Code": "ProvisionedThroughputExceededException", "Message": "slow down"}}
                    raise ClientError(error, name)  # type: ignore[arg-type]

                return refuse

        ledger = DynamoLedger(Busy(), TABLES)
        # When, Then
        for act in (
            lambda: ledger.run("run-1"),
            lambda: ledger.create_run(a_run()),
            lambda: ledger.save_run(a_run()),
            lambda: ledger.lock(SCOPE, "run-1", START),
            lambda: ledger.unlock(SCOPE, "run-1"),
            lambda: ledger.add_gate(a_gate()),
        ):
            with pytest.raises(ThrottledError):
                act()
