"""The steps that end an EFS replication so that the replica takes writes, and that replicate the other way. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from adapters.efs.fence import still_writing, tag, when_available
from adapters.efs.models import Guard, Sync
from adapters.efs.spec import (
    DRAIN_BOUND_SECONDS,
    ENDING_BOUND_SECONDS,
    EXECUTION_ID,
    LOCAL_AFTER_SECONDS,
    POLICY_SECONDS,
    TROUBLED,
)
from adapters.efs.view_replication import ReplicationView
from orchestrator.contract import Call, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Mode, Side

ENDING, LOCALLY, ORPHAN = "end-replication", "end-replication-locally", "end-orphan"
LOCAL_ONLY = {"DeletionMode": "LOCAL_CONFIGURATION_ONLY"}
SETTLE_SECONDS = 180
"""How long a deletion on one side may stay without visible effect before it is asked for again."""


def drain(view: ReplicationView, run: RunContext) -> Step:
    """Return the wait for a sync that covers the moment from which nobody wrote any more."""
    name, held, source = "drain", view.target.replication, view.source
    if not view.replicates or held is None:
        return done(name, f"{view.target.id} does not replicate from {source.id}")
    if view.lossless:
        return done(name, f"{source.id} is noted as drained")
    shown = f"the last completed sync is of {_shown(held.to.LastReplicatedTimestamp)}, the replication is {held.shown}"
    if held.to.Status in TROUBLED:
        remedy = (
            "repair what the message names, then retry; or answer rollback to open the source again. If the source is lost, "
            "start again with Emergency and AcceptDataLoss."
        )
        return failed(name, f"{shown}, expected ENABLED", remedy)
    silent = source.silent_from(view.writes)
    if silent is None or source.fenced_at is None:
        return busy(name, f"{source.id} is not fenced yet")
    synced = held.to.LastReplicatedTimestamp
    if synced is not None and silent <= synced and run.now >= silent + timedelta(seconds=POLICY_SECONDS):
        return done(
            name, f"the sync of {synced:%H:%M:%S} UTC covers {silent:%H:%M:%S} UTC, when {source.id} fell silent"
        )
    waited = (run.now - max(source.fenced_at, run.started_at)).total_seconds()
    asked = still_writing(name, source, view.writes, run)
    if asked is not None:
        return asked
    why = f"{shown}; {silent:%H:%M:%S} UTC must be covered"
    if waited > DRAIN_BOUND_SECONDS:
        return blocked(name, why, "look at TimeSinceLastSync of the source in CloudWatch; retry, or answer rollback.")
    return busy(name, why)


def end(view: ReplicationView, run: RunContext) -> list[Step]:
    """Return the steps that end the replication: on both sides, in an emergency at last on the target side alone."""
    if run.mode is Mode.EMERGENCY:
        return _end_without_source(view, run)
    return [_end_on_both(view, run)]


def _call(view: ReplicationView, side: Side, *, local: bool) -> Call:
    params: dict[str, Param] = {"SourceFileSystemId": view.member.source.id, **(LOCAL_ONLY if local else {})}
    return Call("efs", "DeleteReplicationConfiguration", params, side)


def _ended(view: ReplicationView, name: str, run: RunContext) -> Step | None:
    """Judge a target side that is no replica of the source; None while it is one."""
    held, target = view.target.replication, view.target
    if view.reversed:
        return done(name, f"{target.id} replicates to {view.member.source.id}", effect=Effect.IRREVERSIBLE)
    if held is not None and not view.replicates:
        why = f"{target.id} is in a replication from {held.SourceFileSystemId} to {held.to.FileSystemId}"
        return blocked(name, f"{why}, expected from {view.member.source.id}", "correct the dr:* tags, then: dr plan")
    if held is not None:
        return None
    if view.activated or _asked_for(run):
        return done(name, f"{target.id} replicates from nobody", effect=Effect.IRREVERSIBLE)
    unknown = f"{target.id} replicates from nobody, and nothing tells that it ever did: what it holds is unknown"
    if run.mode is Mode.EMERGENCY:  # whoever asks for an emergency has no better side left
        return done(name, "replicates from nobody", effect=Effect.IRREVERSIBLE, warning=unknown)
    return blocked(name, unknown, vouch(view))


def _asked_for(run: RunContext) -> bool:
    """Say whether this very action asked for the end of the replication."""
    return not {ENDING, LOCALLY}.isdisjoint(run.called_at)


def vouch(view: ReplicationView) -> str:
    """Return how a person says that a target side which replicates from nobody is the current one."""
    place = view.target.place
    tags = f"Key={EXECUTION_ID},Value=by-hand"
    return (
        f"if {place.id} is the current one: aws efs tag-resource --region {place.region} --resource-id {place.id} "
        f"--tags {tags}; then retry. If it is not, replicate {view.member.source.id} to it first."
    )


def _end_on_both(view: ReplicationView, run: RunContext) -> Step:
    name, held = ENDING, view.target.replication
    ended = _ended(view, name, run)
    if ended is not None or held is None:
        return ended or done(name, "no replication", effect=Effect.IRREVERSIBLE)
    call = _call(view, Side.TARGET, local=False)
    why = f"{view.target.id} is a read-only replica of {view.member.source.id}: {held.shown}"
    waited = run.seconds_since(name)
    late = waited is not None and waited > ENDING_BOUND_SECONDS
    if late or (name in run.called_at and held.to.Status is Sync.ERROR):
        remedy = (
            "read the message; if the other side cannot be reached: aws efs delete-replication-configuration --region "
            f"{view.target.place.region} --source-file-system-id {view.member.source.id} "
            "--deletion-mode LOCAL_CONFIGURATION_ONLY, then retry."
        )
        return failed(name, f"{why}, expected the replication to end", remedy)
    if held.to.Status is Sync.DELETING:
        return busy(name, why, effect=Effect.IRREVERSIBLE, call=call)
    return todo(name, call, Effect.IRREVERSIBLE, why)


def _end_without_source(view: ReplicationView, run: RunContext) -> list[Step]:
    held = view.target.replication
    ended = _ended(view, ENDING, run)
    if ended is not None or held is None:
        return [ended or done(ENDING, "no replication"), done(LOCALLY, "not needed", effect=Effect.IRREVERSIBLE)]
    on_both, local = _call(view, Side.TARGET, local=False), _call(view, Side.TARGET, local=True)
    why = f"{view.target.id} is a read-only replica of {view.member.source.id}: {held.shown}"
    called, begun = run.seconds_since(ENDING), (run.now - run.started_at).total_seconds()
    waited = called if called is not None else begun
    # Before it is DELETING the call may never have reached AWS, and is simply made again.
    stuck = held.to.Status is Sync.DELETING and waited > LOCAL_AFTER_SECONDS
    given_up = stuck or (called is not None and held.to.Status is Sync.ERROR)
    if not given_up:
        first = (
            busy(ENDING, why, effect=Effect.IRREVERSIBLE, call=on_both)
            if held.to.Status is Sync.DELETING
            else todo(ENDING, on_both, Effect.IRREVERSIBLE, why)
        )
        unless = f"only if the deletion on both sides shows no effect for {LOCAL_AFTER_SECONDS // 60} min"
        return [first, todo(LOCALLY, local, Effect.IRREVERSIBLE, unless)]
    first = done(ENDING, f"without effect for {waited:.0f} s: given up", effect=Effect.IRREVERSIBLE)
    return [first, _locally(LOCALLY, local, why, run, Effect.IRREVERSIBLE)]


def _locally(name: str, call: Call, why: str, run: RunContext, effect: Effect) -> Step:
    waited = run.seconds_since(name)
    if waited is not None and waited > ENDING_BOUND_SECONDS:
        return failed(name, f"{why}, {waited / 60:.0f} min after the call", "open a support case with AWS.")
    if waited is not None and waited < SETTLE_SECONDS:
        return busy(name, why, effect=effect, call=call)
    return todo(name, call, effect, why)


def orphan(view: ReplicationView, run: RunContext) -> Step:
    """Return the step that removes what the source side still holds of a replication that the other side has ended."""
    if not view.orphaned or view.source.replication is None:
        return done(
            ORPHAN, f"{view.source.id} holds no configuration of an ended replication", effect=Effect.COMPENSABLE
        )
    why = f"{view.source.id} still holds the configuration of the ended replication: {view.source.replication.shown}"
    return _locally(ORPHAN, _call(view, Side.SOURCE, local=True), why, run, Effect.COMPENSABLE)


def writable(view: ReplicationView) -> Step:
    """Return the wait until the target side takes writes."""
    name, side = "writable", view.target
    if view.serving:
        return done(name, f"{side.id} takes writes")
    if side.fs is None:
        return failed(name, f"there is no file system {side.id}", "restore it from a recovery point.")
    shown = f"the overwrite protection of {side.id} is {side.fs.guard}, expected ENABLED"
    if side.fs.guard is Guard.DISABLED:
        fix = f"aws efs update-file-system-protection --region {side.place.region} --file-system-id {side.id}"
        return blocked(name, shown, f"{fix} --replication-overwrite-protection ENABLED, then retry.")
    return busy(name, shown)


def mark(view: ReplicationView, run: RunContext) -> Step:
    """Return the step that notes on the target side that a run made it the serving one; no other trace may be left."""
    name, side = "mark-serving", view.target
    if side.marked or view.reversed:
        return done(name, f"{side.id} is noted as serving", effect=Effect.REVERSIBLE)
    if side.replication is None and not view.activated and not _asked_for(run):
        return done(name, f"left to a person who knows what {side.id} holds", effect=Effect.REVERSIBLE)
    return todo(name, tag(side, run.tags, Side.TARGET), Effect.REVERSIBLE, f"{side.id} is not noted as serving")


def back(view: ReplicationView, run: RunContext) -> list[Step]:
    """Return the steps that make the old side the replica of the new one."""
    return [_allow(view), _create(view), _in_sync(view)]


def _allow(view: ReplicationView) -> Step:
    """Let the old side be overwritten, only when nothing on it would be lost with that."""
    name, side = "allow-overwrite", view.source
    params = {"FileSystemId": side.id, "ReplicationOverwriteProtection": "DISABLED"}
    call = Call("efs", "UpdateFileSystemProtection", params, Side.SOURCE)
    if view.reversed:
        return done(name, f"{side.id} is the replica", effect=Effect.REVERSIBLE)
    if side.fs is not None and side.fs.guard is Guard.DISABLED:
        return done(name, f"{side.id} may be overwritten", effect=Effect.REVERSIBLE)
    if view.lossless or view.kept_by_backup:
        return when_available(name, side, call, f"{side.id} is protected from being overwritten")
    why = f"what {side.id} holds may be missing in {view.target.id}: no sync and no backup covers its last writes"
    remedy = (
        f"keep it: aws backup start-backup-job --region {side.place.region} --backup-vault-name VAULT --resource-arn "
        f"{side.place.arn} --iam-role-arn ROLE, then retry when it is COMPLETED. Or give it up: aws efs "
        f"update-file-system-protection --region {side.place.region} --file-system-id {side.id} "
        "--replication-overwrite-protection DISABLED, then retry."
    )
    return blocked(name, why, remedy, call=call)


def _create(view: ReplicationView) -> Step:
    name, source, target = "replicate-back", view.source, view.target
    across = source.place.account != target.place.account
    role = view.member.settings.get("replicationRoleArn")
    destination: dict[str, Param] = {
        "FileSystemId": source.place.arn if across else source.id,
        "Region": source.place.region,
        **({"RoleArn": str(role)} if role else {}),
    }
    params: dict[str, Param] = {"SourceFileSystemId": target.id, "Destinations": [destination]}
    call = Call("efs", "CreateReplicationConfiguration", params, Side.TARGET)
    effect = Effect.COMPENSABLE if view.lossless else Effect.IRREVERSIBLE
    if view.reversed:
        return done(name, f"{target.id} replicates to {source.id}", effect=effect)
    if across and not role:
        why = f"{source.id} and {target.id} are in two accounts: the replication needs a role"
        return blocked(name, why, "name it in the manifest (config replicationRoleArn), then: dr plan", call=call)
    return when_available(
        name, target, call, f"{target.id} is not replicated; {source.id} is overwritten by it", effect
    )


def _in_sync(view: ReplicationView) -> Step:
    name, held = "in-sync", view.target.replication
    if not view.reversed or held is None:
        return busy(name, "the replication does not exist yet")
    if held.to.Status in TROUBLED:
        remedy = "repair what the message names; then delete the replication and retry: it is made again."
        return failed(name, f"{held.to.FileSystemId} is {held.shown}, expected ENABLED", remedy)
    if held.to.Status is Sync.ENABLED and held.to.LastReplicatedTimestamp is not None:
        return done(name, f"{held.to.FileSystemId} holds everything of {held.to.LastReplicatedTimestamp:%H:%M:%S} UTC")
    return busy(name, f"{held.to.FileSystemId} is {held.shown}, expected ENABLED: the first sync compares all files")


def _shown(at: datetime | None) -> str:
    return f"{at:%H:%M:%S} UTC" if at else "never"
