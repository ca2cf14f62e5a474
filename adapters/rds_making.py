"""What RDS instances and snapshots are made of, and how far they are. Pure."""

from __future__ import annotations

from adapters.reading import tag_list
from adapters.specs.rds import (
    BACKUPS,
    FAILED_STATUSES,
    PASSING_STATUSES,
    PLATFORM_TAGS,
    SNAPSHOT_FAILED,
    SNAPSHOT_PASSING,
)
from adapters.views.rds import RdsView
from adapters.views.rds_models import Backup, Instance, Snapshot
from orchestrator.contract import Call, Later, Member, Param, RunContext, Step, busy, done, failed
from orchestrator.errors import UpstreamError
from orchestrator.tags import CUSTOMER, ENVIRONMENT
from orchestrator.words import Effect, Side

_LOOK = "look at its events in the console, then retry."


def not_yet(
    name: str, instance: Instance, *, effect: Effect = Effect.NONE, call: Call | None = None, remedy: str = _LOOK
) -> Step:
    """Return the step of an instance that is not available: a wait or a failure; raise for a status nobody documents."""
    identifier, status = instance.DBInstanceIdentifier, instance.DBInstanceStatus
    observed = f"{identifier} is {status}, expected available"
    if status in FAILED_STATUSES:
        return failed(name, observed, remedy)
    if status == "stopped":
        return failed(name, observed, f"aws rds start-db-instance --db-instance-identifier {identifier}; then retry.")
    if status not in PASSING_STATUSES:
        raise unknown(identifier, status)
    return busy(name, observed, effect=effect, call=call)


def unknown(what: str, status: str) -> UpstreamError:
    """Return the error for a status that AWS documents nowhere."""
    return UpstreamError(
        f"{what} is {status!r}, which this adapter does not know.",
        "look at it in the console; retry when it is available.",
    )


def snapped(name: str, snapshot: Snapshot, call: Call) -> Step:
    """Judge a snapshot, or a copy of one, that is there."""
    identifier, status = snapshot.DBSnapshotIdentifier, snapshot.Status
    observed = f"{identifier} is {status}"
    if status == "available":
        return done(name, observed, effect=Effect.REVERSIBLE)
    if status in SNAPSHOT_FAILED:
        remedy = f"aws rds delete-db-snapshot --db-snapshot-identifier {identifier}; then retry."
        return failed(name, f"{observed}, expected available", remedy)
    if status not in SNAPSHOT_PASSING:
        raise unknown(identifier, status)
    return busy(name, f"{observed}, expected available", effect=Effect.REVERSIBLE, call=call)


def own_tags(member: Member) -> dict[str, str]:
    """Return the tags that belong to the database, without those that a run has put on it."""
    return {k: v for k, v in member.tags.items() if k not in PLATFORM_TAGS and not k.startswith("aws:")}


def content_tags(member: Member, run: RunContext) -> list[Param]:
    """Return the tags of a snapshot or backup: whose it is, and which run made it."""
    whose = {key: member.tags[key] for key in (CUSTOMER, ENVIRONMENT) if key in member.tags}
    return [*tag_list({**whose, **run.tags})]


def restore_call(name: str, view: RdsView, of: Snapshot | Backup | None, other: dict[str, Param]) -> Call:
    """Return the call that restores on the target side: from a snapshot or from backups, by the strategy."""
    params = {**_like_the_source(view), **other}
    if view.strategy == BACKUPS:
        arn = of.DBInstanceAutomatedBackupsArn if isinstance(of, Backup) else Later("ARN of the replicated backups")
        origin: dict[str, Param] = {
            "SourceDBInstanceAutomatedBackupsArn": arn,
            "TargetDBInstanceIdentifier": name,
            "UseLatestRestorableTime": True,
        }
        return Call("rds", "RestoreDBInstanceToPointInTime", {**origin, **params}, Side.TARGET)
    copied = of.DBSnapshotIdentifier if isinstance(of, Snapshot) else Later("name of the copied snapshot")
    origin = {"DBInstanceIdentifier": name, "DBSnapshotIdentifier": copied}
    return Call("rds", "RestoreDBInstanceFromDBSnapshot", {**origin, **params}, Side.TARGET)


def _like_the_source(view: RdsView) -> dict[str, Param]:
    """Return the size of the source and the surroundings of the target: AWS restores neither."""
    facts, place, settings = view.member.source.facts, view.member.target.facts, view.member.settings
    groups = place.get("security_groups")
    known: dict[str, Param] = {
        "DBInstanceClass": settings.get("instanceClass") or facts.get("class"),
        "DBSubnetGroupName": place.get("subnet_group"),
        "DBParameterGroupName": facts.get("parameter_group"),
        "OptionGroupName": facts.get("option_group"),
        "VpcSecurityGroupIds": list(groups) if isinstance(groups, list | tuple) else None,
    }
    return {
        **{key: value for key, value in known.items() if value},
        "MultiAZ": bool(settings.get("multiAz", facts.get("multi_az"))),
        "PubliclyAccessible": bool(facts.get("public")),
        "DeletionProtection": bool(facts.get("deletion_protection")),
    }
