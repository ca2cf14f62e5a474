"""FSx for Lustre by S3: what the source holds is exported to its bucket, S3 replicates it, and the target imports it.

instantiate  nothing: readiness verifies the standing file system and its links
activate     planned: fsx.TagResource (dr:fenced on the source: it is being left), wait until clients write nothing,
             fsx.CreateDataRepositoryTask (export) on the source, wait until S3 has replicated; then, as in an emergency:
             fsx.CreateDataRepositoryTask (import) on the target, fsx.UntagResource (dr:fenced there); planned:
             fsx.TagResource (dr:fenced on the source: it was left)
cleanup      the note that the source is left, after an emergency
replicate    export on the target, wait until S3 has replicated back, import on the source

The source becomes the standby and is never deleted. Nothing makes a Lustre file system read-only: DataWriteBytes must show
silence (Lustre user guide, "Amazon FSx for Lustre metrics and dimensions"). S3's rules in both directions, with metrics, are
the customer's; so are the buckets. Export tasks and automatic export exclude each other (Lustre user guide, "Exporting
changes to the data repository"): a source that exports by itself is refused. Files deleted on the source are not deleted by
an import. No link is made here and a drill makes nothing: linking needs iam:CreateServiceLinkedRole, iam:AttachRolePolicy and
iam:PutRolePolicy (Lustre user guide, "Adding permissions to use data repositories in Amazon S3"), which spoke roles never have.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.fsx import source as source_side
from adapters.fsx import tasks
from adapters.fsx.discovery import discover
from adapters.fsx.lustre_models import Task
from adapters.fsx.lustre_readiness import exported_age, findings
from adapters.fsx.models import FileSystem
from adapters.fsx.restore import state_of
from adapters.fsx.spec import FENCED_TAG, PORTS, SPEC
from adapters.fsx.view_lustre import EXPORT, IMPORT, MOVED, LustreView, look
from adapters.reading import KeyValue
from orchestrator.contract import (
    Adapter,
    Call,
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
    done,
    failed,
    skip,
    todo,
)
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class LustreS3(Adapter[LustreView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.fsx.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> LustreView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: LustreView, run: RunContext) -> list[Finding]:
        """Judge file systems, links and the replication of their buckets."""
        return findings(view, run)

    def loss(self, view: LustreView, run: RunContext) -> list[Loss]:
        """Report the age of the last export; what S3 had not replicated comes on top."""
        me = view.member.resource_id
        if view.moved:
            return [Loss(me, 0.0, "the target side serves already")]
        age = exported_age(view, run)
        return [
            Loss(
                me,
                age,
                "age of the last export" if age is not None else "no export is known: everything since the link",
            )
        ]

    def instantiate(self, view: LustreView, run: RunContext) -> list[Step]:
        """Verify what stands."""
        broken = None if run.mode is Mode.DRILL or view.moved else _standing(view)
        if broken:
            return [broken]
        return skip(f"{view.member.target.id} and its links are looked at, not changed")

    def activate(self, view: LustreView, run: RunContext) -> list[Step]:
        """Import what was exported; in a planned run everything that was written."""
        if run.mode is Mode.DRILL:
            return skip("a drill switches nothing; it looks at the standing file system and its links")
        broken = _standing(view)
        if broken:
            return [broken]
        assert view.target.there is not None
        imported = view.target.newest(IMPORT, run, None)
        if view.moved and imported is None:
            return skip("the target side serves already")
        unmarked = source_side.forget("forget-fence", view.target.there, Side.TARGET)
        import_step = tasks.task("import", IMPORT, view.target, imported, Side.TARGET, run)
        if run.mode is Mode.EMERGENCY:
            return [import_step, unmarked]
        if view.source.there is None:
            why = f"there is no file system {view.member.source.id} in {view.member.source.region}"
            return [failed("export", why, "if the Region is lost, start again with Emergency.")]
        began, who = view.source.fenced_at, view.member.source.id
        exported = view.source.newest(EXPORT, run, began)
        written = 0.0 if imported is not None else view.written_since_export
        return [
            source_side.remember(view.source.there, [], run),
            *([] if exported else [source_side.quiet(who, began, view.writes, run)]),
            tasks.task("export", EXPORT, view.source, exported, Side.SOURCE, run),
            tasks.replicated("replicated", view.source, exported, run, already=imported is not None),
            source_side.still_quiet(who, written, "the export"),
            import_step,
            unmarked,
            _left(view, view.source.there, run),
        ]

    def cleanup(self, view: LustreView, run: RunContext) -> list[Step]:
        """Note that the source was left."""
        if run.mode is Mode.DRILL:
            return skip("the drill made nothing")
        if view.source.there is None:
            return skip("no file system is left on the source side")
        if not view.moved and not view.taken_over:
            why = f"{view.member.target.id} does not serve: {view.member.source.id} stays in service"
            return [blocked("note-left", why, "run ACTIVATE first.")]
        return [_left(view, view.source.there, run)]

    def replicate(self, view: LustreView, run: RunContext) -> list[Step]:
        """Bring the source up to what the target holds."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        if not view.moved:
            why = f"{view.member.source.id} was not left for {view.member.target.id}"
            return [blocked("back-export", why, "run ACTIVATE and CLEANUP first.")]
        kept = back_import(view)
        mine = view.source.newest(IMPORT, run, view.source.fenced_at)
        if kept is not None and mine is None:
            return [done("back-import", f"{kept.TaskId} brought {view.member.source.id} up to the target side")]
        if not tasks.leads_back(view):
            why = "S3 does not replicate the target side's bucket to the source side's"
            return [blocked("back-export", why, "add the replication rule, with metrics, then retry.")]
        exported = view.target.newest(EXPORT, run, view.source.fenced_at)
        return [
            tasks.task("back-export", EXPORT, view.target, exported, Side.TARGET, run),
            tasks.replicated("back-replicated", view.target, exported, run, already=mine is not None),
            tasks.task("back-import", IMPORT, view.source, mine, Side.SOURCE, run),
        ]

    def rollback(self, phase: Phase, view: LustreView, run: RunContext) -> list[Step]:
        """Return to the source while nobody wrote to the target."""
        if phase is not Phase.ACTIVATE or run.mode is Mode.DRILL:
            return skip(f"{phase} changed nothing that must be undone")
        if view.written_to_target:
            why = f"clients wrote {view.written_to_target:.0f} bytes to {view.member.target.id} already"
            return [blocked("forget-fence", why, "later: dr start --operation failback")]
        if view.source.there is None:
            return skip("nothing was done to the source side")
        return [source_side.forget("forget-fence", view.source.there, Side.SOURCE)]

    def health(self, view: LustreView, run: RunContext) -> list[Check]:
        """Check that the target is up, linked, and not the side that was left; after REPLICATE that the source follows."""
        me, there = view.member.resource_id, view.target.there
        life = there.Lifecycle if there else "not there"
        up = CheckState.HEALTHY if life == "AVAILABLE" else CheckState.SETTLING
        left = there is None or (view.target.fenced_at is not None and run.mode is not Mode.DRILL)
        bad = [each.FileSystemPath for each in view.target.links if each.Lifecycle != "AVAILABLE"]
        checks = [
            Check(me, "file-system", up, f"{view.member.target.id} is {life}"),
            Check(
                me,
                "role",
                CheckState.UNHEALTHY if left else CheckState.HEALTHY,
                "it is noted as left" if left else "it can serve",
            ),
            Check(
                me,
                "links",
                CheckState.SETTLING if bad or not view.target.links else CheckState.HEALTHY,
                f"not available: {', '.join(bad)}" if bad else f"{len(view.target.links)} link(s) available",
            ),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        follows = back_import(view)
        state = CheckState.HEALTHY if follows else CheckState.SETTLING
        return [*checks, Check(me, "protection", state, "the source side follows" if follows else "nothing came back")]

    def endpoints(self, view: LustreView, run: RunContext) -> list[Endpoint]:
        """Return where clients mount it."""
        found = view.target.there
        if found is None or not found.DNSName:
            return []
        return [Endpoint(view.member.resource_id, found.DNSName, PORTS["LUSTRE"])]

    def after(self, phase: Phase, view: LustreView, run: RunContext) -> LustreView:
        """Foresee which side was left."""
        if phase is Phase.ACTIVATE and not view.moved and run.mode is not Mode.DRILL:
            return _activated(view, run)
        return view


def back_import(view: LustreView) -> Task | None:
    """Return the import that brought the source up to the target since it was left."""
    left = view.source.fenced_at
    return next(
        (
            each
            for each in view.source.tasks
            if each.Type == IMPORT and each.Lifecycle == "SUCCEEDED" and left is not None and each.CreationTime >= left
        ),
        None,
    )


def _left(view: LustreView, source: FileSystem, run: RunContext) -> Step:
    """Return the step that notes on the source that the target took over."""
    name, began = "note-left", view.source.fenced_at or run.now
    value = f"{began.isoformat(timespec='seconds')} {MOVED}"
    tags: list[JsonValue] = [{"Key": FENCED_TAG, "Value": value}]
    call = Call("fsx", "TagResource", {"ResourceARN": source.ResourceARN, "Tags": tags}, Side.SOURCE)
    if view.source.was_left:
        return done(name, f"{source.FileSystemId} was left at {began:%H:%M:%S} UTC", effect=Effect.REVERSIBLE)
    return todo(name, call, Effect.REVERSIBLE, f"{FENCED_TAG} of {source.FileSystemId} does not say {MOVED}")


def _standing(view: LustreView) -> Step | None:
    there = view.target.there
    if there is None:
        why = f"there is no file system {view.member.target.id} in {view.member.target.region}"
        return failed("standing", why, "create it, then: dr plan")
    return state_of("standing", there, Effect.NONE) if there.Lifecycle not in {"AVAILABLE", "UPDATING"} else None


def _activated(view: LustreView, run: RunContext) -> LustreView:
    target = view.target
    if target.there is not None:
        kept = [tag for tag in target.there.Tags if tag.Key != FENCED_TAG]
        target = replace(target, there=target.there.model_copy(update={"Tags": kept}))
    source = view.source
    if source.there is not None and run.mode is Mode.PLANNED:
        others = [tag for tag in source.there.Tags if tag.Key != FENCED_TAG]
        noted = [*others, KeyValue(Key=FENCED_TAG, Value=f"{run.now.isoformat(timespec='seconds')} {MOVED}")]
        source = replace(source, there=source.there.model_copy(update={"Tags": noted}))
    return replace(view, source=source, target=target)
