"""The ledger in DynamoDB: four tables with pk and sk, optimistic locking by conditional writes.

Items carry the record's fields as DynamoDB attributes, so that `aws dynamodb query` is readable. One run has one writer
Region, so the last-writer-wins of global tables never decides between two Regions.

runs       RUN#<id>/RUN · RUN#<id>/STAGE#<nn> · RUN#<id>/GATE#<id> · LOCK#<scope>/LOCK · READY#<scope>/AT#<time>#<region> and
           /NEWEST#<region> · LEASE#<run>/LEASE; index by-scope: SCOPE#<scope>, GATE#<id>, READY, LOCKS and LEASES (those held)
actions    RUN#<id>/<action id>
events     RUN#<id>/<time>#<sequence>
inventory  SCOPE#<scope>/AT#<time> (head, with the number of resources) · SNAP#<scope>#<time>/<resource id>,
           and /!notes#<n> (what could not be read, where sources disagree)
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from orchestrator.aws_errors import translate
from orchestrator.errors import NotFoundError, StaleRecordError, ThrottledError
from orchestrator.inventory import Resource, Snapshot
from orchestrator.ledger.items import Item, from_item, key_of, strings_of, to_item
from orchestrator.ledger.memory import held_by_another
from orchestrator.ledger.records import Action, Event, Gate, Lock, ReadinessRecord, Record, Run, Scope, Stage
from orchestrator.ledger.store import Ledger

BATCH = 25
"""Items per BatchWriteItem."""
MAX_RETURNED = 10
"""Batches in a row that may come back with unwritten items before the caller is told to try again later."""
NOTES = "!notes#"
"""What the sort keys of a snapshot's other items begin with; a resource id begins with its technology."""
NOTES_PART = 90_000
"""Characters of notes in an item: at most 4 bytes each, below the 400 KB that DynamoDB takes."""
SNAPSHOTS = 5
"""How many snapshots back are looked at for a complete one."""
BY_SCOPE = "by-scope"
LOCKS, LEASES = "LOCKS", "LEASES"

R = TypeVar("R", bound=Record)
_sequence = itertools.count()


@dataclass(frozen=True)
class Tables:
    """The names of the four tables."""

    runs: str
    actions: str
    inventory: str
    events: str


class DynamoLedger(Ledger):
    """Keeps records in DynamoDB. `client` is a boto3 DynamoDB client of the hub's Region."""

    def __init__(self, client: Any, tables: Tables) -> None:
        self._client = client
        self._tables = tables

    # --- runs --------------------------------------------------------------------------------------------------------

    def create_run(self, run: Run) -> Run:
        """See `Ledger.create_run`."""
        index = {"gsi1pk": f"SCOPE#{run.scope.key}", "gsi1sk": f"{run.created_at.isoformat()}#{run.run_id}"}
        created = self._create(self._tables.runs, _run_pk(run.run_id), "RUN", run, index)
        return run if created else self.run(run.run_id)

    def run(self, run_id: str) -> Run:
        """See `Ledger.run`."""
        return self._get(self._tables.runs, _run_pk(run_id), "RUN", Run, f"run {run_id}")

    def save_run(self, run: Run) -> Run:
        """See `Ledger.save_run`."""
        index = {"gsi1pk": f"SCOPE#{run.scope.key}", "gsi1sk": f"{run.created_at.isoformat()}#{run.run_id}"}
        return self._save(self._tables.runs, _run_pk(run.run_id), "RUN", run, index)

    def runs_of(self, scope: Scope, limit: int = 50) -> list[Run]:
        """See `Ledger.runs_of`."""
        items = self._query(
            self._tables.runs, "gsi1pk", f"SCOPE#{scope.key}", IndexName=BY_SCOPE, ScanIndexForward=False, Limit=limit
        )
        return [from_item(item, Run) for item in itertools.islice(items, limit)]

    # --- lock --------------------------------------------------------------------------------------------------------

    def lock(self, scope: Scope, run_id: str, at: datetime) -> Lock:
        """See `Ledger.lock`. The item stays when released, so that the epoch only grows."""
        values = strings_of({":run": run_id, ":at": at.isoformat(), ":locks": LOCKS, ":scope": scope.key})
        values |= {":one": {"N": "1"}, ":zero": {"N": "0"}}
        try:
            self._client.update_item(
                TableName=self._tables.runs,
                Key=key_of(f"LOCK#{scope.key}", "LOCK"),
                UpdateExpression="SET run_id = :run, taken_at = :at, gsi1pk = :locks, gsi1sk = :scope, "
                "epoch = if_not_exists(epoch, :zero) + :one",
                ConditionExpression="attribute_not_exists(run_id)",
                ExpressionAttributeValues=values,
            )
        except ClientError as err:
            self._only_if_condition(err, "UpdateItem of the lock")
        except BotoCoreError as err:
            raise translate(err, "dynamodb.UpdateItem of the lock") from err
        held = self.holder(scope)
        if held is None:
            raise StaleRecordError(f"the lock of {scope} was released while it was being taken.", "try again.")
        if held.run_id != run_id:
            raise held_by_another(held)
        return held

    def holder(self, scope: Scope) -> Lock | None:
        """See `Ledger.holder`."""
        item = self._read(self._tables.runs, f"LOCK#{scope.key}", "LOCK")
        return None if item is None or "run_id" not in item else _lock(scope, item)

    def locks(self) -> list[Lock]:
        """See `Ledger.locks`. A released lock leaves the index."""
        found = self._query(self._tables.runs, "gsi1pk", LOCKS, IndexName=BY_SCOPE)
        keys = [(item, item["gsi1sk"]["S"].rpartition("/")) for item in found if "run_id" in item]
        return [_lock(Scope(customer=customer, environment=name), item) for item, (customer, _, name) in keys]

    def unlock(self, scope: Scope, run_id: str, epoch: int | None = None) -> None:
        """See `Ledger.unlock`."""
        of_epoch = {} if epoch is None else {":epoch": {"N": str(epoch)}}
        try:
            self._client.update_item(
                TableName=self._tables.runs,
                Key=key_of(f"LOCK#{scope.key}", "LOCK"),
                UpdateExpression="REMOVE run_id, taken_at, gsi1pk, gsi1sk",
                ConditionExpression="run_id = :run" + (" AND epoch = :epoch" if of_epoch else ""),
                ExpressionAttributeValues={":run": {"S": run_id}, **of_epoch},
            )
        except ClientError as err:
            self._only_if_condition(err, "UpdateItem of the lock")
        except BotoCoreError as err:
            raise translate(err, "dynamodb.UpdateItem of the lock") from err

    def mark_lease(self, run_id: str, *, held: bool) -> None:
        """See `Ledger.mark_lease`. The item stays, without its place in the index."""
        index = strings_of({"gsi1pk": LEASES, "gsi1sk": run_id} if held else {})
        self._write(self._tables.runs, [{**key_of(f"LEASE#{run_id}", "LEASE"), **index}])

    def leases(self) -> list[str]:
        """See `Ledger.leases`."""
        return [item["gsi1sk"]["S"] for item in self._query(self._tables.runs, "gsi1pk", LEASES, IndexName=BY_SCOPE)]

    # --- stages and actions ------------------------------------------------------------------------------------------

    def add_stages(self, stages: Sequence[Stage], actions: Sequence[Action]) -> None:
        """See `Ledger.add_stages`. What is there already was written by an interrupted attempt and is the same."""
        run_ids = {stage.run_id for stage in stages} | {action.run_id for action in actions}
        there = {stage.stage_id for run_id in run_ids for stage in self.stages(run_id)}
        known = {action.action_id for run_id in run_ids for action in self.actions(run_id)}
        self._write(
            self._tables.actions,
            [_with_key(a, _run_pk(a.run_id), a.action_id) for a in actions if a.action_id not in known],
        )
        self._write(
            self._tables.runs,
            [_with_key(s, _run_pk(s.run_id), f"STAGE#{s.stage_id}") for s in stages if s.stage_id not in there],
        )

    def stages(self, run_id: str) -> list[Stage]:
        """See `Ledger.stages`."""
        items = self._query(self._tables.runs, "pk", _run_pk(run_id), begins="STAGE#")
        return sorted((from_item(item, Stage) for item in items), key=lambda stage: stage.index)

    def stage(self, run_id: str, stage_id: str) -> Stage:
        """See `Ledger.stage`."""
        what = f"stage {stage_id} of run {run_id}"
        return self._get(self._tables.runs, _run_pk(run_id), f"STAGE#{stage_id}", Stage, what)

    def save_stage(self, stage: Stage) -> Stage:
        """See `Ledger.save_stage`."""
        return self._save(self._tables.runs, _run_pk(stage.run_id), f"STAGE#{stage.stage_id}", stage)

    def actions(self, run_id: str, stage_id: str | None = None) -> list[Action]:
        """See `Ledger.actions`."""
        items = self._query(self._tables.actions, "pk", _run_pk(run_id))
        found = (from_item(item, Action) for item in items)
        return [action for action in found if stage_id in {None, action.stage_id}]

    def action(self, run_id: str, action_id: str) -> Action:
        """See `Ledger.action`."""
        what = f"action {action_id} of run {run_id}"
        return self._get(self._tables.actions, _run_pk(run_id), action_id, Action, what)

    def save_action(self, action: Action) -> Action:
        """See `Ledger.save_action`."""
        return self._save(self._tables.actions, _run_pk(action.run_id), action.action_id, action)

    # --- gates -------------------------------------------------------------------------------------------------------

    def add_gate(self, gate: Gate) -> Gate:
        """See `Ledger.add_gate`."""
        created = self._create(self._tables.runs, _run_pk(gate.run_id), f"GATE#{gate.gate_id}", gate, _gate_index(gate))
        return gate if created else self.gate(gate.run_id, gate.gate_id)

    def gates(self, run_id: str) -> list[Gate]:
        """See `Ledger.gates`."""
        items = self._query(self._tables.runs, "pk", _run_pk(run_id), begins="GATE#")
        return sorted((from_item(item, Gate) for item in items), key=lambda gate: (gate.opened_at, gate.gate_id))

    def gate(self, run_id: str, gate_id: str) -> Gate:
        """See `Ledger.gate`."""
        what = f"gate {gate_id} of run {run_id}"
        return self._get(self._tables.runs, _run_pk(run_id), f"GATE#{gate_id}", Gate, what)

    def find_gate(self, gate_id: str) -> Gate:
        """See `Ledger.find_gate`."""
        for item in self._query(self._tables.runs, "gsi1pk", f"GATE#{gate_id}", IndexName=BY_SCOPE):
            found = from_item(item, Gate)
            return self.gate(found.run_id, found.gate_id)  # the index lags behind the table
        raise NotFoundError(f"there is no gate {gate_id}.", "dr status shows the open gates of a run.")

    def save_gate(self, gate: Gate) -> Gate:
        """See `Ledger.save_gate`."""
        return self._save(self._tables.runs, _run_pk(gate.run_id), f"GATE#{gate.gate_id}", gate, _gate_index(gate))

    # --- events ------------------------------------------------------------------------------------------------------

    def record(self, event: Event) -> None:
        """See `Ledger.record`. Nothing is ever overwritten: a sort key that another process took is not used."""
        at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
        while not self._create(
            self._tables.events, _run_pk(event.run_id), f"{at}#{next(_sequence):08d}#{os.getpid()}", event
        ):
            pass

    def events(self, run_id: str) -> list[Event]:
        """See `Ledger.events`."""
        return [from_item(item, Event) for item in self._query(self._tables.events, "pk", _run_pk(run_id))]

    # --- inventory ---------------------------------------------------------------------------------------------------

    def save_snapshot(self, snapshot: Snapshot) -> None:
        """See `Ledger.save_snapshot`. The head is written last: a half-written snapshot is never the newest."""
        version = snapshot.taken_at.astimezone(UTC).isoformat(timespec="microseconds")
        pk = f"SNAP#{snapshot.scope.key}#{version}"
        notes = snapshot.model_copy(update={"resources": ()}).model_dump_json()
        parts = [notes[start : start + NOTES_PART] for start in range(0, len(notes), NOTES_PART)]
        items = [_with_key(r, pk, r.resource_id) for r in snapshot.resources]
        items += [{**key_of(pk, f"{NOTES}{n:03d}"), "json": {"S": part}} for n, part in enumerate(parts)]
        self._write(self._tables.inventory, items)
        head = {
            **key_of(f"SCOPE#{snapshot.scope.key}", f"AT#{version}"),
            "taken_at": {"S": version},
            "resources": {"N": str(len(snapshot.resources))},
            "notes": {"N": str(len(parts))},
        }
        self._write(self._tables.inventory, [head])

    def newest_snapshot(self, scope: Scope) -> Snapshot | None:
        """See `Ledger.newest_snapshot`. One that has not fully reached this Region yet gives way to the one before."""
        heads = self._query(
            self._tables.inventory, "pk", f"SCOPE#{scope.key}", begins="AT#", ScanIndexForward=False, Limit=SNAPSHOTS
        )
        for head in itertools.islice(heads, SNAPSHOTS):
            version = head["taken_at"]["S"]
            resources: list[Resource] = []
            notes: list[str] = []
            for item in self._query(self._tables.inventory, "pk", f"SNAP#{scope.key}#{version}"):
                if item["sk"]["S"].startswith(NOTES):
                    notes.append(item["json"]["S"])
                else:
                    resources.append(from_item(item, Resource))
            wanted = int(head["resources"]["N"]), int(head.get("notes", {"N": "0"})["N"])
            if (len(resources), len(notes)) == wanted:
                bare = Snapshot(scope=scope, taken_at=datetime.fromisoformat(version), resources=())
                told = Snapshot.model_validate_json("".join(notes)) if notes else bare
                return told.model_copy(update={"resources": tuple(resources)})
        return None

    # --- readiness ---------------------------------------------------------------------------------------------------

    def save_readiness(self, verdict: ReadinessRecord) -> None:
        """See `Ledger.save_readiness`."""
        pk, at = f"READY#{verdict.scope.key}", verdict.at.astimezone(UTC).isoformat(timespec="microseconds")
        index = strings_of({"gsi1pk": "READY", "gsi1sk": f"{verdict.scope.key}#{verdict.region}"})
        newest = {**_with_key(verdict, pk, f"NEWEST#{verdict.region}"), **index}
        self._write(self._tables.runs, [_with_key(verdict, pk, f"AT#{at}#{verdict.region}"), newest])

    def readiness_of(self, scope: Scope, limit: int = 50) -> list[ReadinessRecord]:
        """See `Ledger.readiness_of`."""
        newest_first = {"begins": "AT#", "ScanIndexForward": False, "Limit": limit}
        items = self._query(self._tables.runs, "pk", f"READY#{scope.key}", **newest_first)  # type: ignore[arg-type]
        return [from_item(item, ReadinessRecord) for item in itertools.islice(items, limit)]

    def newest_readiness(self) -> list[ReadinessRecord]:
        """See `Ledger.newest_readiness`."""
        items = self._query(self._tables.runs, "gsi1pk", "READY", IndexName=BY_SCOPE)
        return [from_item(item, ReadinessRecord) for item in items]

    # --- DynamoDB ----------------------------------------------------------------------------------------------------

    def _read(self, table: str, pk: str, sk: str) -> Item | None:
        try:
            reply = self._client.get_item(TableName=table, Key=key_of(pk, sk), ConsistentRead=True)
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"dynamodb.GetItem {table} {pk}/{sk}") from err
        item: Item | None = reply.get("Item")
        return item

    def _get(self, table: str, pk: str, sk: str, model: type[R], what: str) -> R:
        item = self._read(table, pk, sk)
        if item is None:
            raise NotFoundError(f"there is no {what}.")
        return from_item(item, model)

    def _query(self, table: str, key: str, value: str, *, begins: str | None = None, **more: Any) -> Iterator[Item]:
        condition = f"{key} = :pk" + (" AND begins_with(sk, :sk)" if begins else "")
        values = {":pk": {"S": value}, **({":sk": {"S": begins}} if begins else {})}
        consistent = {} if "IndexName" in more else {"ConsistentRead": True}
        pages = self._client.get_paginator("query").paginate(
            TableName=table, KeyConditionExpression=condition, ExpressionAttributeValues=values, **consistent, **more
        )
        try:
            for page in pages:
                yield from page["Items"]
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"dynamodb.Query {table} {value}") from err

    def _create(self, table: str, pk: str, sk: str, record: Record, index: Mapping[str, str] | None = None) -> bool:
        """Write a new item; say False when one is there already."""
        item = {**_with_key(record, pk, sk), **strings_of(index)}
        try:
            self._client.put_item(TableName=table, Item=item, ConditionExpression="attribute_not_exists(pk)")
        except ClientError as err:
            self._only_if_condition(err, f"PutItem {table} {pk}/{sk}")
            return False
        except BotoCoreError as err:
            raise translate(err, f"dynamodb.PutItem {table} {pk}/{sk}") from err
        return True

    def _save(self, table: str, pk: str, sk: str, record: R, index: Mapping[str, str] | None = None) -> R:
        version = record.version  # type: ignore[attr-defined]  # the records saved here all have one
        changed = record.but(version=version + 1)
        item = {**_with_key(changed, pk, sk), **strings_of(index)}
        try:
            self._client.put_item(
                TableName=table,
                Item=item,
                ConditionExpression="#version = :version",
                ExpressionAttributeNames={"#version": "version"},
                ExpressionAttributeValues={":version": {"N": str(version)}},
            )
        except ClientError as err:
            self._only_if_condition(err, f"PutItem {table} {pk}/{sk}")
            if self._read(table, pk, sk) is None:
                raise NotFoundError(f"there is no record {pk}/{sk}.") from err
            raise StaleRecordError(f"record {pk}/{sk} was changed meanwhile.") from err
        except BotoCoreError as err:
            raise translate(err, f"dynamodb.PutItem {table} {pk}/{sk}") from err
        return changed

    def _write(self, table: str, items: Iterable[Item]) -> None:
        waiting = [{"PutRequest": {"Item": item}} for item in items]
        returned = 0
        try:
            while waiting:
                batch, waiting = waiting[:BATCH], waiting[BATCH:]
                reply = self._client.batch_write_item(RequestItems={table: batch})
                unprocessed = reply.get("UnprocessedItems", {}).get(table, [])
                waiting += unprocessed
                returned = returned + 1 if unprocessed else 0
                if returned >= MAX_RETURNED:
                    raise ThrottledError(
                        f"dynamodb.BatchWriteItem {table}: {len(waiting)} item(s) came back unwritten."
                    )
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"dynamodb.BatchWriteItem {table}") from err

    @staticmethod
    def _only_if_condition(err: ClientError, what: str) -> None:
        if err.response.get("Error", {}).get("Code") != "ConditionalCheckFailedException":
            raise translate(err, f"dynamodb.{what}") from err


def _lock(scope: Scope, item: Item) -> Lock:
    at = datetime.fromisoformat(item["taken_at"]["S"])
    return Lock(scope=scope, run_id=item["run_id"]["S"], epoch=int(item["epoch"]["N"]), taken_at=at)


def _run_pk(run_id: str) -> str:
    return f"RUN#{run_id}"


def _with_key(record: Record | Resource, pk: str, sk: str) -> Item:
    return {**key_of(pk, sk), **to_item(record)}


def _gate_index(gate: Gate) -> dict[str, str]:
    return {"gsi1pk": f"GATE#{gate.gate_id}", "gsi1sk": gate.run_id}
