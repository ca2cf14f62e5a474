"""EFS replication: the standing replica takes writes when the replication is ended, and is then replicated back.

instantiate  what AWS replicates nothing of: efs.CreateMountTarget, efs.CreateAccessPoint, efs.UpdateFileSystem (throughput),
             efs.PutFileSystemPolicy; drill: backup.StartRestoreJob of the newest recovery point here, efs.TagResource
activate     planned: fence the source (efs.PutFileSystemPolicy, efs.TagResource, see `adapters.efs.fence`), wait for a sync that
             covers the last write, note it (efs.TagResource), efs.DeleteReplicationConfiguration sent to the target side; emergency:
             the same deletion at once, after two minutes without effect for the target side alone (LOCAL_CONFIGURATION_ONLY);
             efs.TagResource (dr:execution-id: the serving side)
cleanup      the fence if it is not there yet; efs.DeleteReplicationConfiguration of what an emergency left on the source side;
             drill: efs.DeleteFileSystem
replicate    efs.UpdateFileSystemProtection (the source may be overwritten), efs.CreateReplicationConfiguration back, wait for the
             first sync, then lift the fence from the new replica (efs.DeleteFileSystemPolicy, efs.UntagResource)

It stops no client and deletes no file system. The source's last writes are known to be on the other side (a tag says so, for
any later run), or in a backup, or a person gave them up: before that nothing overwrites it. LastReplicatedTimestamp means that
everything written before it has arrived (EFS API reference, Destination); a DISABLED protection makes read-only (the same,
FileSystemProtectionDescription) but cannot be set on a member of a replication, so it is no fence before the switch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.efs import drill, standby, switch
from adapters.efs.after import activated, cleaned, replicated
from adapters.efs.discovery import discover
from adapters.efs.fence import fence, note_drained, reopen
from adapters.efs.models import Sync
from adapters.efs.readiness import replication_findings
from adapters.efs.spec import EXECUTION_ID, FENCED_TAG, NFS_PORT, SPEC
from adapters.efs.view_copy import DrillCopy
from adapters.efs.view_replication import ReplicationView, look
from orchestrator.contract import (
    Adapter,
    Check,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side

_CLEANUP_FIRST = "dr start with Phases CLEANUP,REPLICATE"


class Replicate(Adapter[ReplicationView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.efs.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> ReplicationView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: ReplicationView, run: RunContext) -> list[Finding]:
        """Judge the replication, the standby's surroundings and the source."""
        return replication_findings(view, run)

    def loss(self, view: ReplicationView, run: RunContext) -> list[Loss]:
        """Report the age of the last completed sync."""
        me, held = view.member.resource_id, view.target.replication
        if view.serving:
            return [Loss(me, 0.0, f"{view.target.id} takes writes already")]
        synced = held.to.LastReplicatedTimestamp if held and view.replicates else None
        if synced is None:
            return [Loss(me, None, "no sync was ever completed: everything would be lost")]
        return [Loss(me, (run.now - synced).total_seconds(), "age of the last completed sync")]

    def instantiate(self, view: ReplicationView, run: RunContext) -> list[Step]:
        """Give the replica what is not replicated; in a drill, restore a recovery point beside it."""
        if run.mode is Mode.DRILL:
            return self._drill(view, run)
        if view.serving:
            return skip(f"{view.target.id} takes writes already")
        return [
            standby.standing(view.target),
            *standby.mount_targets(view.target, view.landing),
            *standby.access_points(view.member, view.target, run),
            *standby.throughput(view.member, view.target),
            *standby.policy(view.source, view.target),
        ]

    def _drill(self, view: ReplicationView, run: RunContext) -> list[Step]:
        if view.copy.point is None and view.copy.fs is None:
            return skip(f"no recovery point lies in {view.member.target.region}: the drill only looks at the replica")
        key = view.target.fs.KmsKeyId if view.target.fs else None
        facts = {"encrypted": view.target.fs.Encrypted if view.target.fs else True}
        return drill.make(view.member, view.copy, run, facts, key)

    def activate(self, view: ReplicationView, run: RunContext) -> list[Step]:
        """End the replication; in a planned run behind the fence, when a sync covers everything."""
        if run.mode is Mode.DRILL:
            return skip("a drill ends no replication; its copy is writable from birth")
        if view.reversed:
            return skip(f"{view.target.id} takes writes and is replicated to {view.source.id} already")
        before: list[Step] = []
        if run.mode is Mode.PLANNED:
            held = view.target.replication
            synced = held.to.LastReplicatedTimestamp if held else None
            noted = note_drained(view.source, synced, needed=view.replicates)
            before = [*fence(view.source, run), switch.drain(view, run), noted]
        ended = [*switch.end(view, run), switch.writable(view), switch.mark(view, run)]
        opened = reopen(view.target, Side.TARGET, "open-target")
        if run.mode is Mode.PLANNED:
            return [*before, *ended, *opened]
        made = standby.mount_targets(view.target, view.landing)
        return [*ended, *opened, *made, *standby.access_points(view.member, view.target, run)]

    def cleanup(self, view: ReplicationView, run: RunContext) -> list[Step]:
        """Keep clients away from the old side, and remove what is left of the replication there; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view.copy, run)
        if view.reversed:
            return skip(f"{view.source.id} is the replica of {view.target.id} already")
        if not view.serving:
            why = f"{view.target.id} does not take writes: {view.source.id} stays in service"
            return [blocked("fence", why, "run ACTIVATE first.")]
        if not view.activated:
            why = f"nothing tells that {view.target.id} took over from {view.source.id}: it stays in service"
            return [blocked("fence", why, switch.vouch(view))]
        return [*fence(view.source, run), switch.orphan(view, run)]

    def replicate(self, view: ReplicationView, run: RunContext) -> list[Step]:
        """Replicate back onto the old side and let readers in again."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        if not view.serving:
            return [blocked("replicate-back", f"{view.target.id} does not take writes", "run ACTIVATE first.")]
        if view.source.fs is None:
            why = f"there is no file system {view.source.id} to replicate back to"
            fix = "replicate to a new one by hand (aws efs create-replication-configuration) and give it the dr:* tags."
            return [blocked("replicate-back", why, fix)]
        if view.orphaned or not (view.reversed or view.source.fenced):
            why = f"clients may still write to {view.source.id}, or it still holds the ended replication"
            return [blocked("replicate-back", why, _CLEANUP_FIRST)]
        let_in = reopen(view.source, Side.SOURCE, "open-replica", keys=(FENCED_TAG, EXECUTION_ID))
        return [*switch.back(view, run), *let_in]

    def rollback(self, phase: Phase, view: ReplicationView, run: RunContext) -> list[Step]:
        """Open the source again while the replication is whole."""
        if run.mode is Mode.DRILL:
            return drill.delete(view.copy, run)
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone; the old side stays fenced")
        held = view.target.replication
        if not view.replicates or (held is not None and held.to.Status is Sync.DELETING):
            why = f"the replication to {view.target.id} is ended: that cannot be undone"
            return [blocked("open-source", why, "later: dr start --operation failback")]
        if run.mode is Mode.EMERGENCY:
            return skip("nothing was ended and nothing was fenced")
        return reopen(view.source, Side.SOURCE, "open-source")

    def health(self, view: ReplicationView, run: RunContext) -> list[Check]:
        """Check that the target side takes writes, is mounted, and after REPLICATE is replicated; in a drill, the copy."""
        me, held = view.member.resource_id, view.target.replication
        if run.mode is Mode.DRILL and (view.copy.fs is not None or view.copy.point is not None):
            return drill.health(view.member, view.copy)
        of, to = (held.SourceFileSystemId, held.to.FileSystemId) if held else ("", "")
        shown = f"in the replication from {of} to {to}" if held else "in no replication"
        guard = view.target.fs.guard if view.target.fs else "not there"
        mounted = _mounted(view)
        if run.mode is Mode.DRILL:
            well = view.replicates and held is not None and held.to.Status is Sync.ENABLED
            state = CheckState.HEALTHY if well else CheckState.UNHEALTHY
            return [Check(me, "replica", state, f"{shown}, {held.shown if held else ''}"), mounted]
        settling = CheckState.UNHEALTHY if view.replicates else CheckState.SETTLING
        role = CheckState.HEALTHY if view.serving else settling
        checks = [Check(me, "role", role, f"{view.target.id} is {shown}, its overwrite protection is {guard}"), mounted]
        if run.phase is not Phase.REPLICATE:
            return checks
        synced = view.reversed and held is not None and held.to.Status is Sync.ENABLED
        detail = f"the replication to {view.source.id} is {held.shown if view.reversed and held else 'not there'}"
        return [*checks, Check(me, "protection", CheckState.HEALTHY if synced else CheckState.SETTLING, detail)]

    def endpoints(self, view: ReplicationView, run: RunContext) -> list[Endpoint]:
        """Return the addresses of the mount targets."""
        me = view.member.resource_id
        return [Endpoint(me, each.IpAddress, NFS_PORT) for each in view.target.mounts if each.IpAddress]

    def after(self, phase: Phase, view: ReplicationView, run: RunContext) -> ReplicationView:
        """Foresee the end of the replication, the fence, and the way back."""
        if run.mode is Mode.DRILL:
            there = view.copy.point is not None
            copy = drill.foreseen(view.copy, run) if there and phase is not Phase.CLEANUP else DrillCopy()
            return replace(view, copy=copy)
        if phase is Phase.ACTIVATE and not view.reversed:
            return activated(view, run)
        if phase is Phase.CLEANUP and not view.reversed:
            return cleaned(view, run)
        return replicated(view, run) if phase is Phase.REPLICATE else view


def _mounted(view: ReplicationView) -> Check:
    up = [each for each in view.target.mounts if each.LifeCycleState == "available"]
    well = bool(up) and len(up) == len(view.target.mounts)
    state = CheckState.HEALTHY if well else CheckState.SETTLING
    return Check(
        view.member.resource_id,
        "mount-targets",
        state,
        f"{len(up)} of {len(view.target.mounts)} mount target(s) available",
    )
