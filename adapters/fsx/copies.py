"""The steps that take a backup on one side and copy it to the other, with all tags that recovery needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.fsx.models import Backup
from adapters.fsx.spec import BACKUP_COPY, BUSY_BACKUP, COPIES_AT_A_TIME, FAILED_BACKUP, PLATFORM_TAGS, RESTORE_TAGS
from adapters.fsx.view_backup import EXECUTION_ID
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Member, Param, RunContext, Step, busy, done, failed, todo
from orchestrator.errors import UpstreamError
from orchestrator.tags import STRATEGY
from orchestrator.words import Effect, Side

TOKEN = "ClientRequestToken"  # noqa: S105  a parameter's name


def standing_tags(
    member: Member, run: RunContext, restore: Mapping[str, JsonValue], strategy: str = BACKUP_COPY
) -> list[JsonValue]:
    """Return the tags of what stands for the resource from now on; `restore` tells where its other side goes."""
    own = {k: v for k, v in member.tags.items() if k not in PLATFORM_TAGS and not k.startswith("aws:")}
    landing = {
        RESTORE_TAGS[key]: " ".join(str(each) for each in value) if isinstance(value, list | tuple) else str(value)
        for key, value in restore.items()
        if key in RESTORE_TAGS and value
    }
    return tag_list({STRATEGY: strategy, **own, "Name": member.name, **landing, **run.tags})


def mine(backups: Sequence[Backup], run: RunContext) -> list[Backup]:
    """Return the backups that this run made, newest first; of failed ones only those of this attempt."""
    return [
        each
        for each in backups
        if each.tags.get(EXECUTION_ID) == run.run_id
        and (each.Lifecycle not in FAILED_BACKUP or each.CreationTime >= run.began)
    ]


def back_up(name: str, there: Backup | None, file_system_id: str, tags: list[JsonValue], side: Side, why: str) -> Step:
    """Return the step that takes a backup of a file system; `there` is the one it would be."""
    params: dict[str, Param] = {
        "FileSystemId": file_system_id or Later("id of the restored file system"),
        "Tags": tags,
    }
    call = Call("fsx", "CreateBackup", params, side, keep={"id": "Backup.BackupId"}, token=TOKEN)
    return todo(name, call, Effect.REVERSIBLE, why) if there is None else _judged(name, there, call)


def copy(  # noqa: PLR0913  a copy has two ends
    name: str,
    there: Backup | None,
    of: Backup | None,
    source_region: str,
    key: str | None,
    tags: list[JsonValue],
    side: Side,
    *,
    copying: int = 0,
) -> Step:
    """Return the step that copies a backup to another Region; at most five copies run into a Region at a time."""
    params: dict[str, Param] = {
        "SourceBackupId": of.BackupId if of else Later("id of the backup"),
        "SourceRegion": source_region,
        **({"KmsKeyId": key} if key else {}),
        "CopyTags": False,
        "Tags": tags,
    }
    call = Call("fsx", "CopyBackup", params, side, keep={"id": "Backup.BackupId"}, token=TOKEN)
    if there is not None:
        return _judged(name, there, call)
    if copying >= COPIES_AT_A_TIME:
        why = f"{copying} copies run into this Region, at most {COPIES_AT_A_TIME} may: waiting in line"
        return busy(name, why, effect=Effect.REVERSIBLE, call=call)
    return todo(name, call, Effect.REVERSIBLE, f"{of.BackupId if of else 'the backup'} is not there yet")


def _judged(name: str, there: Backup, call: Call) -> Step:
    shown = f"{there.BackupId} is {there.Lifecycle}{there.trouble}"
    if there.Lifecycle == "AVAILABLE":
        return done(name, shown, effect=Effect.REVERSIBLE)
    if there.Lifecycle in FAILED_BACKUP:
        return failed(name, f"{shown}, expected AVAILABLE", "look at it in the console, then retry: a new one is made.")
    if there.Lifecycle not in BUSY_BACKUP:
        raise UpstreamError(f"{shown}: this state is not known.", "report this to the platform's maintainers.")
    return busy(name, shown, effect=Effect.REVERSIBLE, call=call)


def first_available(backups: Sequence[Backup]) -> Backup | None:
    """Return the newest backup that can be restored."""
    return next((each for each in backups if each.Lifecycle == "AVAILABLE"), None)


def copy_of(copies: Sequence[Backup], of: Backup | None, run: RunContext) -> Backup | None:
    """Return the copy of a backup; one that failed before this attempt does not count."""
    found = [each for each in copies if of is not None and each.SourceBackupId == of.BackupId]
    alive = (each for each in found if each.Lifecycle not in FAILED_BACKUP or each.CreationTime >= run.began)
    return min(alive, key=lambda each: each.Lifecycle in FAILED_BACKUP, default=None)
