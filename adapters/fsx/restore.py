"""The steps that make a file system of a backup, and judge it. Pure."""

from __future__ import annotations

from pydantic import JsonValue

from adapters.fsx import source as source_side
from adapters.fsx.models import Backup, FileSystem
from adapters.fsx.spec import BUSY_FILE_SYSTEM, FAILED_FILE_SYSTEM
from adapters.fsx.view_backup import BackupView, meant_read_only
from adapters.fsx.view_landing import Landing
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.errors import UpstreamError
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side


def state_of(name: str, there: FileSystem, effect: Effect, call: Call | None = None) -> Step:
    """Judge a file system that is there."""
    shown = f"{there.FileSystemId} is {there.Lifecycle}{there.trouble}"
    if there.Lifecycle == "AVAILABLE":
        return done(name, f"{shown}, at {there.DNSName}", effect=effect)
    if there.Lifecycle in FAILED_FILE_SYSTEM:
        remedy = "read its failure details in the console; answer rollback, correct the cause, and start again."
        return failed(name, f"{shown}, expected AVAILABLE", remedy)
    if there.Lifecycle not in BUSY_FILE_SYSTEM:
        raise UpstreamError(f"{shown}: this state is not known.", "report this to the platform's maintainers.")
    return busy(name, shown, effect=effect, call=call)


def restore_call(backup: Backup | None, like: FileSystem | None, landing: Landing, tags: list[JsonValue]) -> Call:
    """Return the call that restores a backup; without a configuration of its own FSx would choose SINGLE_AZ_1."""
    params: dict[str, Param] = {
        "BackupId": backup.BackupId if backup else Later("id of the copied backup"),
        "SubnetIds": list(landing.subnets),
        **({"SecurityGroupIds": list(landing.security_groups)} if landing.security_groups else {}),
        **({"KmsKeyId": landing.key} if landing.key else {}),
        **({"StorageType": like.StorageType} if like else {}),
        "Tags": tags,
    }
    if like is not None and like.WindowsConfiguration is not None:
        directory = {"ActiveDirectoryId": landing.directory} if landing.directory else {}
        params["WindowsConfiguration"] = {**_size(like, landing), **directory}
    if like is not None and like.OpenZFSConfiguration is not None:
        params["OpenZFSConfiguration"] = _size(like, landing)
    keep = {"id": "FileSystem.FileSystemId"}
    return Call("fsx", "CreateFileSystemFromBackup", params, Side.TARGET, keep=keep, token="ClientRequestToken")


def _size(like: FileSystem, landing: Landing) -> dict[str, Param]:
    settings = like.configuration
    spread = settings.DeploymentType.startswith("MULTI_AZ")
    preferred = landing.subnets[:1]
    return {
        **({"DeploymentType": settings.DeploymentType} if settings.DeploymentType else {}),
        **({"ThroughputCapacity": settings.ThroughputCapacity} if settings.ThroughputCapacity else {}),
        **({"PreferredSubnetId": preferred[0]} if spread and preferred else {}),
    }


def restore(view: BackupView, backup: Backup | None, tags: list[JsonValue], *, expected: bool) -> Step:
    """Return the step that restores the backup on the target side; `expected`: an earlier step will reveal it."""
    name, landing = "restore", view.landing
    call = restore_call(backup, view.source or (backup.FileSystem if backup else None), landing, tags)
    if view.target is not None:
        return state_of(name, view.target, Effect.COMPENSABLE, call)
    if not landing.subnets:
        why = f"nothing says in which subnets of {view.member.target.region} {view.member.name} is to be restored"
        return blocked(name, why, tell_landing(view), call=call)
    if backup is None and not expected:
        why = f"no backup of {view.member.name} has arrived in {view.member.target.region}"
        return blocked(name, why, "if another Region holds a copy, restore it by hand.", call=call)
    shown = backup.BackupId if backup else "the last backup"
    return todo(name, call, Effect.COMPENSABLE, f"{shown} is not restored yet")


def two_stand(view: BackupView, target: FileSystem) -> Step:
    """Refuse to choose between two file systems that both are in the scope."""
    source = view.source.FileSystemId if view.source else view.member.source.id
    why = (
        f"{target.FileSystemId} stands in {view.member.target.region} since before {source} was fenced: "
        "only a person can tell which of the two is current"
    )
    remedy = (
        f"if {target.FileSystemId} is current: dr start with Phases CLEANUP,REPLICATE. If {source} is: aws fsx untag-resource "
        f"--resource-arn {target.ResourceARN} --tag-keys {ENABLED}, then start again."
    )
    return blocked("restore", why, remedy)


def tell_landing(view: BackupView) -> str:
    """Return the command that says where to restore."""
    arn = view.source.ResourceARN if view.source else view.member.source.arn
    return (
        f"aws fsx tag-resource --resource-arn {arn} --tags 'Key=dr:restore-subnets,Value=subnet-...' "
        "'Key=dr:restore-security-groups,Value=sg-...' 'Key=dr:restore-key,Value=arn:aws:kms:...' (ids of the target Region), "
        "or subnetIds, securityGroupIds and kmsKeyId in the manifest."
    )


def opened(view: BackupView, run: RunContext) -> list[Step]:
    """Return the steps that make restored volumes writable again, except those that never were."""
    if view.kind != "OPENZFS":
        return []
    normal = meant_read_only(view)
    if view.target is not None:
        return [
            source_side.make_read_only(
                each, run, side=Side.TARGET, wanted=False, prefix="open", effect=Effect.COMPENSABLE
            )
            for each in view.target_volumes
            if each.path not in normal
        ]
    if not view.source_volumes:
        return []
    return [
        todo(
            f"open-{source_side.slug(each)}",
            Call(
                "fsx",
                "UpdateVolume",
                {"VolumeId": Later(f"restored {each.path}"), "OpenZFSConfiguration": {"ReadOnly": False}},
                Side.TARGET,
                token="ClientRequestToken",
            ),
            Effect.COMPENSABLE,
            f"{each.path} was backed up read-only",
        )
        for each in view.source_volumes
        if each.path not in normal and (view.fenced_at is not None or not each.read_only)
    ]


def named(view: BackupView) -> list[Step]:
    """Return the step that gives the restored Windows file system the old one's aliases."""
    kept = view.member.source.facts.get("aliases")
    wanted = view.remembered or tuple(str(each) for each in (kept if isinstance(kept, list | tuple) else ()))
    if view.kind != "WINDOWS" or not wanted:
        return []
    owner = view.target
    params: dict[str, Param] = {
        "FileSystemId": owner.FileSystemId if owner else Later("id of the restored file system"),
        "Aliases": list(wanted),
    }
    call = Call("fsx", "AssociateFileSystemAliases", params, Side.TARGET, token="ClientRequestToken")
    return [source_side.aliases_on("aliases-on", owner, wanted, Side.TARGET, call)]


def claim(source: FileSystem) -> Step:
    """Return the step that puts the old file system back into the scope."""
    name = "claim-old"
    tags: list[JsonValue] = [{"Key": ENABLED, "Value": "true"}]
    call = Call("fsx", "TagResource", {"ResourceARN": source.ResourceARN, "Tags": tags}, Side.SOURCE)
    if ENABLED in source.tags:
        return done(name, f"{source.FileSystemId} is in the scope", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, f"{source.FileSystemId} is out of the scope")


def leave(target: FileSystem) -> list[Step]:
    """Return the steps that take this run's restored file system out of the scope; deleting it is for a person."""
    if ENABLED not in target.tags:
        return []
    call = Call("fsx", "UntagResource", {"ResourceARN": target.ResourceARN, "TagKeys": [ENABLED]}, Side.TARGET)
    off = [source_side.aliases_off("aliases-off", target, Side.TARGET)] if target.FileSystemType == "WINDOWS" else []
    why = f"{target.FileSystemId} was restored and is not needed"
    return [*off, todo("release-restored", call, Effect.REVERSIBLE, why)]


_CONFIGURATIONS = {
    "WINDOWS": "WindowsConfiguration",
    "LUSTRE": "LustreConfiguration",
    "OPENZFS": "OpenZFSConfiguration",
}


def deletion(doomed: FileSystem | None, side: Side, *, backed_up: bool) -> Call:
    """Return the call that deletes a file system, after a final backup unless it is a drill's."""
    params: dict[str, Param] = {"FileSystemId": doomed.FileSystemId if doomed else ""}
    if doomed is not None:
        options: dict[str, Param] = {"SkipFinalBackup": not backed_up}
        if doomed.FileSystemType == "OPENZFS":
            options["Options"] = ["DELETE_CHILD_VOLUMES_AND_SNAPSHOTS"]
        params[_CONFIGURATIONS[doomed.FileSystemType]] = options
    return Call("fsx", "DeleteFileSystem", params, side, token="ClientRequestToken")
