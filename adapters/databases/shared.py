"""What RDS instances and Aurora clusters share: names of retired ones, tags, statuses, how they are changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.databases.spec import CLUSTER_FAILED, CLUSTER_PASSING, INSTANCE_FAILED, INSTANCE_PASSING, NAME_LIMIT
from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.reading import tag_list
from orchestrator.contract import Call, Member, Param, RunContext, Step, busy, failed
from orchestrator.errors import UpstreamError
from orchestrator.tags import CUSTOMER, ENVIRONMENT
from orchestrator.words import Effect, Side

PLATFORM_TAGS = (FENCED_TAG, "dr:execution-id", "dr:drill-id")
_RETIRED = re.compile(r"-retired-[0-9a-f]{8}$")
LOOK = "look at its events in the console, then retry."


@dataclass(frozen=True)
class Kind:
    """How a kind of database is called, changed and started, and what its statuses mean."""

    noun: str
    modify: str
    identifier: str
    new_identifier: str
    start: str
    delete: str
    failed: tuple[str, ...]
    passing: tuple[str, ...]


INSTANCE = Kind(
    "DB instance",
    "ModifyDBInstance",
    "DBInstanceIdentifier",
    "NewDBInstanceIdentifier",
    "start-db-instance --db-instance-identifier",
    "delete-db-instance --db-instance-identifier",
    INSTANCE_FAILED,
    INSTANCE_PASSING,
)
CLUSTER = Kind(
    "DB cluster",
    "ModifyDBCluster",
    "DBClusterIdentifier",
    "NewDBClusterIdentifier",
    "start-db-cluster --db-cluster-identifier",
    "delete-db-cluster --db-cluster-identifier",
    CLUSTER_FAILED,
    CLUSTER_PASSING,
)


@dataclass(frozen=True)
class Database:
    """An instance or a cluster, as far as it is fenced, renamed and released."""

    kind: Kind
    name: str
    arn: str
    status: str
    vpc_id: str
    groups: tuple[str, ...]
    """The security groups in force."""
    settled: bool
    """Whether no security group is being added or removed."""
    tags: Mapping[str, str]
    being_renamed: bool = False

    @property
    def own_groups(self) -> tuple[str, ...]:
        """Return the security groups it has when it is not fenced."""
        return own_groups(self.tags, self.groups)

    def modify(self, side: Side, **change: Param) -> Call:
        """Return the call that changes it at once."""
        params: dict[str, Param] = {self.kind.identifier: self.name, "ApplyImmediately": True, **change}
        return Call("rds", self.kind.modify, params, side)


def own_groups(tags: Mapping[str, str], groups: tuple[str, ...]) -> tuple[str, ...]:
    """Return the security groups of a database when it is not fenced: those that its tag remembers, else those in force."""
    return tuple(sorted(tags.get(FENCED_TAG, "").split())) or groups


def is_fenced(groups: tuple[str, ...], fence: SecurityGroup | None) -> bool:
    """Say whether a database with these groups is behind a fence that lets nobody in."""
    return fence is not None and not fence.IpPermissions and groups == (fence.GroupId,)


def base_name(identifier: str) -> str:
    """Return a database's name without the suffix of a retired one."""
    return _RETIRED.sub("", identifier)


def retired_name(member: Member, run: RunContext) -> str:
    """Return what the old primary is called when its name is freed; a run resumed by another keeps the first name."""
    if _RETIRED.search(member.source.id):
        return member.source.id
    suffix = f"-retired-{run.short_id}"
    return f"{member.source.id[: NAME_LIMIT - len(suffix)].rstrip('-')}{suffix}"


def is_retired(identifier: str, tags: Mapping[str, str], member: Member) -> bool:
    """Say whether a database is what a run of this resource has retired; the tags tell whose it is."""
    base = base_name(member.source.id)
    mine = all(tags.get(key) == member.tags.get(key) for key in (CUSTOMER, ENVIRONMENT))
    kept = base[: NAME_LIMIT - len("-retired-12345678")].rstrip("-")
    return mine and FENCED_TAG in tags and identifier != base_name(identifier) == kept


def final_name(identifier: str) -> str:
    """Return the name of the last snapshot of a database."""
    return f"{identifier}-final"


def own_tags(member: Member) -> dict[str, str]:
    """Return the tags that belong to the database, without those that a run has put on it."""
    return {k: v for k, v in member.tags.items() if k not in PLATFORM_TAGS and not k.startswith("aws:")}


def content_tags(member: Member, run: RunContext) -> list[Param]:
    """Return the tags of a snapshot or backup: whose it is, and which run made it."""
    whose = {key: member.tags[key] for key in (CUSTOMER, ENVIRONMENT) if key in member.tags}
    return [*tag_list({**whose, **run.tags})]


def not_yet(  # noqa: PLR0913  a step has many parts
    name: str,
    what: str,
    status: str,
    kind: Kind,
    *,
    effect: Effect = Effect.NONE,
    call: Call | None = None,
    remedy: str = LOOK,
) -> Step:
    """Return the step of a database that is not available: a wait or a failure; raise for a status nobody documents."""
    observed = f"{what} is {status}, expected available"
    if status in kind.failed:
        return failed(name, observed, remedy)
    if status == "stopped":
        return failed(name, observed, f"aws rds {kind.start} {what}; then retry.")
    if status not in kind.passing:
        raise unknown(what, status)
    return busy(name, observed, effect=effect, call=call)


def unknown(what: str, status: str) -> UpstreamError:
    """Return the error for a status that AWS documents nowhere."""
    return UpstreamError(
        f"{what} is {status!r}, which this adapter does not know.",
        "look at it in the console; retry when it is available.",
    )
