"""The steps that take a snapshot of a database and copy it to the other Region, of an instance and of a cluster alike. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adapters.databases.shared import Database, base_name, not_yet, unknown
from adapters.databases.spec import SNAPSHOT_FAILED, SNAPSHOT_PASSING
from orchestrator.contract import Call, Later, Member, Param, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side


class Taken(Protocol):
    """A snapshot of either kind, or a copy of one."""

    @property
    def name(self) -> str:
        """Return its name."""

    @property
    def arn(self) -> str:
        """Return its ARN."""

    @property
    def Status(self) -> str:  # noqa: N802  as AWS spells it
        """Return its status."""

    @property
    def at(self) -> datetime | None:
        """Return when the data was as it is in here."""


@dataclass(frozen=True)
class SnapshotKind:
    """How a kind of snapshot is called, taken, copied and deleted."""

    create: str
    copy: str
    identifier: str
    delete: str


INSTANCE_SNAPSHOT = SnapshotKind(
    "CreateDBSnapshot",
    "CopyDBSnapshot",
    "DBSnapshotIdentifier",
    "delete-db-snapshot --db-snapshot-identifier",
)
CLUSTER_SNAPSHOT = SnapshotKind(
    "CreateDBClusterSnapshot",
    "CopyDBClusterSnapshot",
    "DBClusterSnapshotIdentifier",
    "delete-db-cluster-snapshot --db-cluster-snapshot-identifier",
)


def base_snapshot(member: Member, run: RunContext) -> str:
    """Return the name of the snapshot that is copied before the switch, so that the last copy is only a difference."""
    return f"{base_name(member.source.id)}-base-{run.short_id}"


def back_snapshot(member: Member, run: RunContext) -> str:
    """Return the name of the snapshot that is copied back."""
    return f"{base_name(member.source.id)}-back-{run.short_id}"


def last_snapshot(member: Member, run: RunContext, restarted_at: datetime | None) -> str | None:
    """Return the name of the snapshot behind the fence: of the restart that it follows, so that no older one passes for it."""
    if restarted_at is None:
        return None
    return f"{base_name(member.source.id)}-last-{run.short_id}-{restarted_at:%Y%m%d%H%M%S}"


def take(
    name: str,
    kind: SnapshotKind,
    found: Taken | None,
    called: str | None,
    of: Database,
    tags: Sequence[Param],
    side: Side,
) -> Step:
    """Return the step that snapshots a database under the name `called`."""
    params: dict[str, Param] = {
        of.kind.identifier: of.name,
        kind.identifier: called or Later("a name with the time of the restart"),
        "Tags": tags,
    }
    call = Call("rds", kind.create, params, side)
    if found is not None:
        return snapped(name, kind, found, call)
    if of.status != "available":
        return not_yet(name, of.name, of.status, of.kind, effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, f"{of.name} is in no snapshot {called or 'of this run'}")


def copy(
    name: str,
    kind: SnapshotKind,
    found: Taken | None,
    of: Taken | None,
    called: str | None,
    more: Mapping[str, Param],
    member: Member,
    to: Side,
    waits: str = "",
) -> Step:
    """Return the step that copies a snapshot to the Region of the side `to`; `waits` says why it cannot be begun yet."""
    origin, place = (member.source, member.target) if to is Side.TARGET else (member.target, member.source)
    key = place.facts.get("kms_key")
    params: dict[str, Param] = {
        f"Source{kind.identifier}": of.arn if of else Later("ARN of the snapshot"),
        f"Target{kind.identifier}": called or Later("a name with the time of the restart"),
        "SourceRegion": origin.region,
        **({"KmsKeyId": key} if key else {}),
        **more,
    }
    call = Call("rds", kind.copy, params, to)
    if found is not None:
        return snapped(name, kind, found, call)
    if waits:
        return busy(name, waits, effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, f"{called or 'the snapshot'} is not in {place.region}")


def snapped(name: str, kind: SnapshotKind, snapshot: Taken, call: Call) -> Step:
    """Judge a snapshot, or a copy of one, that is there."""
    observed = f"{snapshot.name} is {snapshot.Status}"
    if snapshot.Status == "available":
        return done(name, observed, effect=Effect.REVERSIBLE)
    if snapshot.Status in SNAPSHOT_FAILED:
        return failed(name, f"{observed}, expected available", f"aws rds {kind.delete} {snapshot.name}; then retry.")
    if snapshot.Status not in SNAPSHOT_PASSING:
        raise unknown(snapshot.name, snapshot.Status)
    return busy(name, f"{observed}, expected available", effect=Effect.REVERSIBLE, call=call)
