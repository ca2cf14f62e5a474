"""EFS by AWS Backup: what the source holds is backed up, copied to the target Region, and restored as a new file system.

instantiate  nothing: everything happens behind the fence; drill: backup.StartRestoreJob of the newest copy, efs.TagResource
activate     planned: fence the source (efs.PutFileSystemPolicy, efs.TagResource), see that clients do not write,
             backup.StartBackupJob and backup.StartCopyJob there; then, as in an emergency from the newest copy:
             backup.StartRestoreJob, efs.TagResource, efs.CreateMountTarget, efs.TagResource with the resource's own tags
cleanup      the fence if it is not there yet; drill: efs.DeleteFileSystem
replicate    backup.StartBackupJob of the new file system, backup.StartCopyJob into the source side's vault,
             efs.UntagResource (dr:enabled of the old file system)
decommission efs.DeleteMountTarget and efs.DeleteFileSystem of the old file system, when its last backup was copied

AWS Backup never restores to the root of a file system, not even of a new one: everything lies in a directory
aws-backup-restore_<datetime> whose name no call tells (developer guide, "Restore an Amazon EFS file system"). Therefore a restore
ends with a warning, and access points are left to the person who moves that directory. A rollback leaves the restored file
system behind, out of the scope, for a person to delete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.efs import drill, jobs
from adapters.efs.after import restored
from adapters.efs.discovery import discover
from adapters.efs.fence import fence, quiet, reopen
from adapters.efs.models import JobState, Life
from adapters.efs.old import delete_old, leave, release, standing_tags
from adapters.efs.readiness import restore_findings
from adapters.efs.spec import NFS_PORT, SPEC
from adapters.efs.standby import mount_targets, throughput
from adapters.efs.view_copy import DrillCopy
from adapters.efs.view_restore import RestoreView, look, restore_token, vault_arn
from adapters.reading import tag_list
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Clients,
    Endpoint,
    Finding,
    Found,
    Later,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    done,
    failed,
    skip,
    todo,
)
from orchestrator.tags import ENABLED
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class BackupRestore(Adapter[RestoreView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.efs.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> RestoreView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: RestoreView, run: RunContext) -> list[Finding]:
        """Judge source, recovery points and the place of the restore."""
        return restore_findings(view, run)

    def loss(self, view: RestoreView, run: RunContext) -> list[Loss]:
        """Report the age of the newest recovery point."""
        me, taken = view.member.resource_id, view.newest_taken
        if view.serving and view.successor:
            return [Loss(me, 0.0, f"{view.target.id} serves on the target side already")]
        if taken is None:
            where = view.member.target.region
            return [Loss(me, None, f"no recovery point has arrived in {where}: everything would be lost")]
        age = (run.now - taken).total_seconds()
        return [Loss(me, age, "age of what the newest copied recovery point holds")]

    def instantiate(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Do nothing; in a drill, restore the newest recovery point."""
        if run.mode is not Mode.DRILL:
            return skip("the file system is restored in ACTIVATE, from a backup taken behind the fence")
        if view.copy.point is None and view.copy.fs is None:
            why = f"no recovery point of {view.member.name} is COMPLETED in {view.member.target.region}"
            return [blocked("drill-restore", why, "let the backup plan copy one there, then start the drill again.")]
        return drill.make(view.member, view.copy, run, view.member.source.facts, view.landing.key)

    def activate(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Restore the newest recovery point; in a planned run one that was taken behind the fence."""
        if run.mode is Mode.DRILL:
            return skip("a drill switches nothing; its copy is writable from birth")
        if view.target.fs is not None and not view.is_mine(run):
            return self._standing(view)
        if run.mode is Mode.EMERGENCY:
            newest = jobs.usable(view.points)
            return self._restored(view, run, newest.arn if newest else None, expected=False)
        if view.source.fs is None:
            why = f"there is no file system {view.member.source.id} in {view.member.source.region}"
            return [failed("fence", why, "if the Region is lost, start again with Emergency.")]
        last = view.last_copy
        arn = last.DestinationRecoveryPointArn if last and last.State is JobState.COMPLETED else None
        return [*self._backed_up(view, run), *self._restored(view, run, arn, expected=True)]

    def _standing(self, view: RestoreView) -> list[Step]:
        if view.successor and (view.source.fs is None or view.source.fenced or not view.source_read):
            return skip(f"{view.target.id} was restored before and serves")
        old = view.source.id if view.source.fs else "the source"
        why = f"{view.target.id} stands on the target side beside {old}: only a person can tell which one is current"
        remedy = (
            f"if {view.target.id} is current: dr start with Phases CLEANUP,REPLICATE. If {old} is: aws efs untag-resource --region "
            f"{view.target.place.region} --resource-id {view.target.id} --tag-keys {ENABLED}, then start again."
        )
        return [blocked("restore", why, remedy)]

    def _backed_up(self, view: RestoreView, run: RunContext) -> list[Step]:
        here, there = view.member.source, view.member.target
        role, backup = jobs.role_of(view.member, here), view.last_backup
        vault, to = vault_arn(here), vault_arn(there, view.points)
        return [
            *fence(view.source, run),
            quiet(view.source, view.writes, run, already=backup is not None),
            jobs.back_up("last-backup", backup, view.source.fs, vault, role, Side.SOURCE, run),
            jobs.copy("last-copy", view.last_copy, backup, vault, to, role, Side.SOURCE, run),
        ]

    def _restored(self, view: RestoreView, run: RunContext, arn: str | None, *, expected: bool) -> list[Step]:
        member, fs = view.member, view.target.fs
        role, facts = jobs.role_of(member, member.target), member.source.facts
        call = jobs.restore_call(arn, member.source.id, restore_token(run, member), facts, view.landing.key, role)
        why = f"{arn or 'the last backup'} is not restored yet"
        start = jobs.restore("restore", call, fs, view.job, run, why)
        if arn is None and not expected and fs is None:
            none = f"no recovery point of {member.name} has arrived in {member.target.region}"
            start = blocked("restore", none, "if another Region holds a copy, restore it by hand.", call=call)
        where = f"everything lies in /aws-backup-restore_<datetime> of {view.target.id}: move it to the root"
        return [
            start,
            self._tagged("mark-restored", view, dict(run.tags)),
            jobs.complete("restored", fs, view.job, warning=f"{where}, then make its access points"),
            *mount_targets(view.target, view.landing),
            *throughput(member, view.target),
            self._tagged("join-scope", view, standing_tags(view.member, run)),
        ]

    def _tagged(self, name: str, view: RestoreView, tags: dict[str, str]) -> Step:
        fs = view.target.fs
        known = fs.FileSystemId if fs and fs.FileSystemId else Later("id of the restored file system")
        call = Call("efs", "TagResource", {"ResourceId": known, "Tags": tag_list(tags)}, Side.TARGET)
        if fs is not None and all(fs.tags.get(key) == value for key, value in tags.items()):
            return done(name, f"{fs.FileSystemId} carries {len(tags)} tag(s)", effect=Effect.REVERSIBLE)
        return todo(name, call, Effect.REVERSIBLE, "the restored file system does not carry its tags")

    def cleanup(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Keep clients away from the old file system; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view.copy, run)
        if view.source.fs is None:
            return skip("no file system is left on the source side")
        if not (view.serving and view.successor):
            why = f"no restored file system serves on the target side: {view.source.id} stays in service"
            return [blocked("fence", why, "run ACTIVATE first.")]
        return fence(view.source, run)

    def replicate(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Back the new file system up, copy that to the source Region, and let go of the old one."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves backups as they are")
        if not (view.serving and view.successor):
            return [blocked("back-backup", "no restored file system serves on the target side", "run ACTIVATE first.")]
        if view.source.fs is not None and not view.source.fenced:
            return [blocked("back-backup", f"clients may still write to {view.source.id}", "run CLEANUP first.")]
        here, there = view.member.target, view.member.source
        role, backup, copied = jobs.role_of(view.member, here), view.back_backup, view.back_copy
        vault, to = vault_arn(here, view.points), vault_arn(there)
        return [
            jobs.back_up("back-backup", backup, view.target.fs, vault, role, Side.TARGET, run),
            jobs.copy("back-copy", copied, backup, vault, to, role, Side.TARGET, run),
            release(view),
        ]

    def decommission(self, view: RestoreView, run: RunContext) -> list[Step]:
        """Delete the old file system, whose last backup exists and whose successor's backup was copied."""
        return delete_old(view)

    def rollback(self, phase: Phase, view: RestoreView, run: RunContext) -> list[Step]:
        """Give the source back to its clients while nobody wrote to the restored file system."""
        if run.mode is Mode.DRILL:
            return drill.delete(view.copy, run)
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone; the old side stays fenced")
        mine = view.target.fs if view.is_mine(run) else None
        if view.written_to_target:
            why = f"clients wrote {view.written_to_target:.0f} bytes to {view.target.id} already"
            return [blocked("open-source", why, "later: dr start --operation failback")]
        left = [leave(mine)] if mine is not None and ENABLED in mine.tags else []
        opened = reopen(view.source, Side.SOURCE, "open-source") if view.source.fs else []
        return [*left, *opened] or skip("nothing was restored into the scope, and nothing was fenced")

    def health(self, view: RestoreView, run: RunContext) -> list[Check]:
        """Check that the restored file system stands and is mounted, and after REPLICATE copied back; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view.member, view.copy)
        me, side = view.member.resource_id, view.target
        life = f"{side.id} is {side.fs.LifeCycleState}" if side.fs else "nothing is restored"
        up = [each for each in side.mounts if each.LifeCycleState is Life.AVAILABLE]
        role = CheckState.HEALTHY if view.serving and view.successor else CheckState.SETTLING
        mounted = CheckState.HEALTHY if up and len(up) == len(side.mounts) else CheckState.SETTLING
        checks = [
            Check(me, "role", role, life),
            Check(me, "mount-targets", mounted, f"{len(up)} of {len(side.mounts)} mount target(s) available"),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        back = view.back_copy
        state = CheckState.HEALTHY if back and back.State is JobState.COMPLETED else CheckState.SETTLING
        seen = f"its copy to {view.member.source.region} is {back.State if back else 'not there'}"
        return [*checks, Check(me, "protection", state, seen)]

    def endpoints(self, view: RestoreView, run: RunContext) -> list[Endpoint]:
        """Return the addresses of the mount targets."""
        me = view.member.resource_id
        return [Endpoint(me, each.IpAddress, NFS_PORT) for each in view.target.mounts if each.IpAddress]

    def after(self, phase: Phase, view: RestoreView, run: RunContext) -> RestoreView:
        """Foresee the restored file system, the fence and the copies."""
        if run.mode is Mode.DRILL:
            there = phase is not Phase.CLEANUP
            return replace(view, copy=drill.foreseen(view.copy, run) if there else DrillCopy(view.copy.point))
        return restored(phase, view, run)
