"""A drill of an FSx backup: the newest copy, restored beside production under a name that no client knows, then deleted.

A file system does nothing by itself: it has no alias, and nobody mounts it. A Windows copy joins the Active Directory as a
new computer. The copy's backup is not touched.
"""

from __future__ import annotations

from adapters.fsx.models import FileSystem
from adapters.fsx.restore import deletion, restore_call, state_of, tell_landing
from adapters.fsx.view_backup import BackupView
from adapters.judging import gone
from adapters.reading import drill_name, tag_list
from orchestrator.contract import Check, RunContext, Step, blocked, todo
from orchestrator.words import CheckState, Effect, Side

_UNDER_WAY = ("DELETING", "CREATING", "UPDATING")


def make(view: BackupView, run: RunContext) -> list[Step]:
    """Return the step that restores the newest copy."""
    name = "drill-file-system"
    usable = [each for each in view.copies if each.Lifecycle == "AVAILABLE"]
    if not usable:
        why = f"no backup of {view.member.name} is AVAILABLE in {view.member.target.region}"
        return [blocked(name, why, "let the backup plan copy one there, then start the drill again.")]
    if not view.landing.subnets:
        why = f"nothing says in which subnets of {view.member.target.region} to restore"
        return [blocked(name, why, tell_landing(view))]
    tags = tag_list({"Name": drill_name(run, view.member.name), **run.tags})
    call = restore_call(usable[0], usable[0].FileSystem, view.landing, tags)
    if view.drill is not None:
        return [state_of(name, view.drill, Effect.REVERSIBLE, call)]
    return [todo(name, call, Effect.REVERSIBLE, f"{usable[0].BackupId} is not restored yet")]


def delete(drill: FileSystem | None) -> list[Step]:
    """Return the step that deletes the copy; only what carries this drill's tag is ever seen as it."""
    call = deletion(drill, Side.TARGET, backed_up=False)
    return [gone("drill-file-system", drill.Lifecycle if drill else "", call, leaving=_UNDER_WAY)]


def health(view: BackupView) -> list[Check]:
    """Check the copy."""
    life = view.drill.Lifecycle if view.drill else "not there"
    state = CheckState.HEALTHY if life == "AVAILABLE" else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-copy", state, f"the restored file system is {life}")]
