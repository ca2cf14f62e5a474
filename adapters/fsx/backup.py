"""FSx by backups: what the source holds is backed up, copied to the target Region, and restored there as a new file system.

instantiate  planned: without any copy in the target Region, fsx.CreateBackup and fsx.CopyBackup (the last copy is then only
             a difference); drill: fsx.CreateFileSystemFromBackup of the newest copy
activate     planned: fence the source (see `adapters.fsx.source`), fsx.CreateBackup there, fsx.CopyBackup here, then, as in an
             emergency from the newest copy: fsx.CreateFileSystemFromBackup, fsx.UpdateVolume (OpenZFS: writable again),
             fsx.AssociateFileSystemAliases (Windows)
cleanup      the fence if it is not there yet, fsx.UntagResource (dr:enabled of the old file system); drill: fsx.DeleteFileSystem
replicate    fsx.CreateBackup of the new file system, fsx.CopyBackup into the source Region
decommission fsx.DeleteFileSystem of the old file system with a final backup

Clients cannot write from the fence to the end of the restore: an hour or hours. Nothing of the old side is deleted otherwise; a
rollback leaves the restored file system behind, out of the scope, for a person to delete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.fsx import drill
from adapters.fsx import source as source_side
from adapters.fsx.after import drill_copy, foreseen
from adapters.fsx.copies import back_up, copy, copy_of, first_available, mine, standing_tags
from adapters.fsx.discovery import discover
from adapters.fsx.models import Backup, FileSystem
from adapters.fsx.readiness import age_of, findings
from adapters.fsx.restore import claim, deletion, leave, named, opened, restore, two_stand
from adapters.fsx.spec import PORTS, SPEC
from adapters.fsx.view_backup import BackupView, look, meant_read_only
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
    busy,
    done,
    failed,
    skip,
    todo,
)
from orchestrator.tags import ENABLED
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class BackupCopy(Adapter[BackupView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> BackupView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: BackupView, run: RunContext) -> list[Finding]:
        """Judge source, copies and the place of the restore."""
        return findings(view, run)

    def loss(self, view: BackupView, run: RunContext) -> list[Loss]:
        """Report the age of the newest copy."""
        me, newest = view.member.resource_id, first_available(view.copies)
        if view.target is not None and view.source is None and run.mode is not Mode.DRILL:
            return [Loss(me, 0.0, f"{view.target.FileSystemId} serves on the target side already")]
        if newest is None:
            return [Loss(me, None, f"no backup has arrived in {view.member.target.region}: everything would be lost")]
        return [Loss(me, age_of(view, newest, run), f"age of {newest.BackupId}, the newest copy")]

    def instantiate(self, view: BackupView, run: RunContext) -> list[Step]:
        """See that a copy is there for the last one to build on; in a drill, restore it."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.target is not None or view.source is None:
            return skip("there is a file system on the target side already" if view.target else "there is no source")
        known = first_available(view.copies)
        own = mine(view.backups, run)
        if known is not None and not own and not mine(view.copies, run):
            return skip(f"{known.BackupId} is there; the last backup is taken in ACTIVATE, behind the fence")
        base = (first_available(view.backups) if not own else None) or (own[-1] if own else None)
        tags = standing_tags(view.member, run, _restore_facts(view))
        why = f"{view.source.FileSystemId} has no backup"
        taken = back_up("base-backup", base, view.source.FileSystemId, tags, Side.SOURCE, why)
        return [taken, self._copy_here("base-copy", view, run, base)]

    def activate(self, view: BackupView, run: RunContext) -> list[Step]:
        """Restore the newest copy; in a planned run one that was taken behind the fence."""
        if run.mode is Mode.DRILL:
            return skip("a drill switches nothing; its copy is writable from birth")
        if view.target is not None and view.source_read and view.source is None:
            return skip(f"{view.target.FileSystemId} serves on the target side already")
        if view.target is not None and not view.restored(run):
            return [two_stand(view, view.target)]
        if run.mode is Mode.EMERGENCY:
            return self._restored(view, run, first_available(view.copies), expected=False)
        if view.source is None:
            why = f"there is no file system {view.member.source.id} in {view.member.source.region}"
            return [failed("fence", why, "if the Region is lost, start again with Emergency.")]
        last = self._last(view, run)
        copied = copy_of(view.copies, last, run)
        return [
            *source_side.fence(view, view.source, run),
            *(
                []
                if view.kind == "OPENZFS"
                else [source_side.quiet(view.member.source.id, view.fenced_at, view.writes, run)]
            ),
            *self._last_steps(view, view.source, run, last),
            *self._restored(view, run, copied, expected=True),
        ]

    def _last(self, view: BackupView, run: RunContext) -> Backup | None:
        fenced = view.fenced_at
        return next((b for b in mine(view.backups, run) if fenced is not None and b.CreationTime >= fenced), None)

    def _last_steps(self, view: BackupView, source: FileSystem, run: RunContext, last: Backup | None) -> list[Step]:
        if view.target is not None:
            there = f"{view.target.FileSystemId} was restored from it"
            return [done("last-backup", there), done("last-copy", there), *self._guard(view)]
        tags = standing_tags(view.member, run, _restore_facts(view))
        why = f"{source.FileSystemId} was not backed up since it is fenced"
        return [
            back_up("last-backup", last, source.FileSystemId, tags, Side.SOURCE, why),
            self._copy_here("last-copy", view, run, last),
            *self._guard(view),
        ]

    def _guard(self, view: BackupView) -> list[Step]:
        if view.kind == "OPENZFS":
            return []
        written = 0.0 if view.target is not None else view.written_since_backup
        return [source_side.still_quiet(view.member.source.id, written, "the last backup")]

    def _copy_here(self, name: str, view: BackupView, run: RunContext, of: Backup | None) -> Step:
        found = copy_of(view.copies, of, run)
        tags = standing_tags(view.member, run, _restore_facts(view))
        region, key = view.member.source.region, view.landing.key
        return copy(name, found, of, region, key, tags, Side.TARGET, copying=view.copying)

    def _restored(self, view: BackupView, run: RunContext, of: Backup | None, *, expected: bool) -> list[Step]:
        own = view.member.source.facts.get("own")
        tags = standing_tags(view.member, run, own if isinstance(own, dict) else {})
        return [restore(view, of, tags, expected=expected), *opened(view, run), *named(view)]

    def cleanup(self, view: BackupView, run: RunContext) -> list[Step]:
        """Fence the old file system and take it out of the scope; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view.drill)
        if view.source is None:
            return skip("no file system is left on the source side")
        if view.target is None or view.target.Lifecycle != "AVAILABLE":
            seen = f"{view.target.FileSystemId} is {view.target.Lifecycle}" if view.target else "nothing is restored"
            why = f"{seen} on the target side: {view.source.FileSystemId} stays in service"
            return [blocked("fence", why, "run ACTIVATE first.")]
        fence = source_side.fence(view, view.source, run) if ENABLED in view.source.tags else []
        return [*fence, source_side.release(view, view.source)]

    def replicate(self, view: BackupView, run: RunContext) -> list[Step]:
        """Back the new file system up and copy that to the source Region."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves backups as they are")
        if view.target is None:
            return [blocked("back-backup", "no file system serves on the target side", "run ACTIVATE first.")]
        known = first_available(view.back_copies)
        own = mine(view.back_backups, run)
        if known is not None and not own:
            return [done("back-copy", f"{known.BackupId} of {view.target.FileSystemId} is there")]
        facts = view.member.source.facts.get("own")
        landing = facts if isinstance(facts, dict) else {}
        tags, key = standing_tags(view.member, run, landing), landing.get("key")
        last = own[0] if own else None
        why = f"{view.target.FileSystemId} is copied nowhere"
        region, there = view.member.target.region, copy_of(view.back_copies, last, run)
        return [
            back_up("back-backup", last, view.target.FileSystemId, tags, Side.TARGET, why),
            copy("back-copy", there, last, region, str(key) if key else None, tags, Side.SOURCE),
        ]

    def decommission(self, view: BackupView, run: RunContext) -> list[Step]:
        """Delete the old file system, with a final backup, when its successor is copied back."""
        name, source = "delete-old", view.source
        if source is None and view.member.source.id.startswith("fs-"):
            return [done(name, f"{view.member.source.id} is gone", effect=Effect.IRREVERSIBLE)]
        if source is None:
            return skip("no file system is left on the source side")
        call = deletion(source, Side.SOURCE, backed_up=True)
        if source.Lifecycle == "DELETING":
            return [busy(name, f"{source.FileSystemId} is DELETING", effect=Effect.IRREVERSIBLE, call=call)]
        wrong = _not_yet(view, source)
        if wrong:
            return [
                blocked(name, f"{wrong}: {source.FileSystemId} is kept", "run CLEANUP and REPLICATE first.", call=call)
            ]
        if source.Lifecycle == "FAILED":
            return [failed(name, f"{source.FileSystemId} is FAILED{source.trouble}", "delete it in the console.")]
        return [
            todo(name, call, Effect.IRREVERSIBLE, f"{source.FileSystemId} is {source.Lifecycle} and out of the scope")
        ]

    def rollback(self, phase: Phase, view: BackupView, run: RunContext) -> list[Step]:
        """Give the source back to its clients while nobody wrote to the restored file system."""
        if run.mode is Mode.DRILL:
            return drill.delete(view.drill)
        if phase is Phase.CLEANUP and view.source is not None:
            return [claim(view.source)]
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        target = view.target if view.is_mine(run) else None
        if target is not None and view.written_to_target:
            why = f"clients wrote {view.written_to_target:.0f} bytes to {target.FileSystemId} already"
            return [blocked("unfence", why, "later: dr start --operation failback")]
        left = leave(target) if target is not None else []
        return [*left, *(source_side.reopen(view, view.source, run) if view.source else [])] or skip(
            "nothing was restored"
        )

    def health(self, view: BackupView, run: RunContext) -> list[Check]:
        """Check that the restored file system is up, writable, and after REPLICATE copied back; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, target = view.member.resource_id, view.target
        life = (
            f"{target.FileSystemId} is {target.Lifecycle} at {target.DNSName}" if target else "no file system is there"
        )
        up = target is not None and target.Lifecycle == "AVAILABLE"
        closed = [
            each.path for each in view.target_volumes if each.read_only and each.path not in meant_read_only(view)
        ]
        checks = [
            Check(me, "file-system", CheckState.HEALTHY if up else CheckState.SETTLING, life),
            Check(
                me,
                "role",
                CheckState.UNHEALTHY if closed or target is None else CheckState.HEALTHY,
                f"read-only: {', '.join(closed)}" if closed else "it takes writes" if up else "it does not serve",
            ),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        back = first_available(view.back_copies)
        detail = f"{back.BackupId} is in {view.member.source.region}" if back else "no copy is in the source Region"
        return [*checks, Check(me, "protection", CheckState.HEALTHY if back else CheckState.SETTLING, detail)]

    def endpoints(self, view: BackupView, run: RunContext) -> list[Endpoint]:
        """Return where clients mount it."""
        found = view.drill if run.mode is Mode.DRILL else view.target
        if found is None or not found.DNSName:
            return []
        return [Endpoint(view.member.resource_id, found.DNSName, PORTS[found.FileSystemType])]

    def after(self, phase: Phase, view: BackupView, run: RunContext) -> BackupView:
        """Foresee the restored file system, the fence and the copies."""
        if run.mode is Mode.DRILL:
            return replace(view, drill=None if phase is Phase.CLEANUP else drill_copy(view))
        return foreseen(phase, view, run)


def _restore_facts(view: BackupView) -> dict[str, JsonValue]:
    """Return where the target side is, for the tags of what is copied there."""
    landing = view.landing
    return {
        "subnets": list(landing.subnets),
        "security_groups": list(landing.security_groups),
        "key": landing.key,
        "directory": landing.directory,
    }


def _not_yet(view: BackupView, source: FileSystem) -> str:
    """Return what still forbids the deletion of the old file system, or nothing."""
    if view.target is None or view.target.Lifecycle != "AVAILABLE":
        return "no file system serves on the target side"
    if first_available(view.back_copies) is None:
        return f"no backup of {view.target.FileSystemId} has arrived in {view.member.source.region}"
    if ENABLED in source.tags or view.fenced_at is None:
        return f"{source.FileSystemId} is not fenced and released"
    return ""
