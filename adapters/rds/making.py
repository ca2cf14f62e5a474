"""What RDS instances and snapshots are made of, and how far they are. Pure."""

from __future__ import annotations

from adapters.databases import shared as databases
from adapters.databases.shared import INSTANCE, LOOK
from adapters.rds.models import Backup, Instance, Snapshot
from adapters.rds.spec import BACKUPS
from adapters.rds.view import RdsView
from orchestrator.contract import Call, Later, Param, Step
from orchestrator.words import Effect, Side


def not_yet(
    name: str, instance: Instance, *, effect: Effect = Effect.NONE, call: Call | None = None, remedy: str = LOOK
) -> Step:
    """Return the step of an instance that is not available: a wait or a failure; raise for a status nobody documents."""
    identifier, status = instance.DBInstanceIdentifier, instance.DBInstanceStatus
    return databases.not_yet(name, identifier, status, INSTANCE, effect=effect, call=call, remedy=remedy)


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
