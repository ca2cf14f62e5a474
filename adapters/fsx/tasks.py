"""The steps of Lustre's data repositories: exports, imports, and the wait for S3's own replication. Pure."""

from __future__ import annotations

from adapters.fsx.lustre_models import Task
from adapters.fsx.spec import (
    BUSY_TASK,
    FAILED_TASK,
    QUIET_DATAPOINTS,
    REPLICATION_BOUND_SECONDS,
)
from adapters.fsx.view_lustre import EXPORT, LustreSide, LustreView
from adapters.reading import tag_list
from orchestrator.contract import Call, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.errors import UpstreamError
from orchestrator.words import Effect, Side

TOKEN = "ClientRequestToken"  # noqa: S105  a parameter's name


def task(name: str, kind: str, side_of: LustreSide, there: Task | None, side: Side, run: RunContext) -> Step:
    """Return the step that exports to S3, or imports from it; one task runs in a file system at a time."""
    identifier = side_of.there.FileSystemId if side_of.there else ""
    params: dict[str, Param] = {
        "Type": kind,
        "FileSystemId": identifier,
        "Report": {"Enabled": False},
        "Tags": tag_list(run.tags),
    }
    call = Call("fsx", "CreateDataRepositoryTask", params, side, keep={"id": "DataRepositoryTask.TaskId"}, token=TOKEN)
    effect = Effect.REVERSIBLE if kind == EXPORT else Effect.COMPENSABLE
    if there is None:
        running = [each.TaskId for each in side_of.tasks if each.Lifecycle in BUSY_TASK]
        if running:
            return busy(name, f"another task runs: {', '.join(running)}", effect=effect, call=call)
        return todo(name, call, effect, f"{identifier}: not done yet")
    shown = f"{there.TaskId} is {there.Lifecycle}"
    lost = there.Status.FailedCount if there.Status else None
    if there.Lifecycle in FAILED_TASK or (there.Lifecycle == "SUCCEEDED" and lost):
        why = there.FailureDetails.Message if there.FailureDetails else f"{lost or 0} file(s) failed"
        return failed(name, f"{shown}: {why}", "correct the cause (permissions on the bucket, names), then retry.")
    if there.Lifecycle == "SUCCEEDED":
        return done(name, shown, effect=effect)
    if there.Lifecycle not in BUSY_TASK:
        raise UpstreamError(f"{shown}: this state is not known.", "report this to the platform's maintainers.")
    return busy(name, shown, effect=effect, call=call)


def replicated(name: str, side_of: LustreSide, exported: Task | None, run: RunContext, *, already: bool) -> Step:
    """Return the wait until S3 has replicated what was exported."""
    ended = exported.EndTime if exported else None
    if already:
        return done(name, "it was imported on the other side")
    seen = [point.value for point in side_of.pending if ended is not None and point.at >= ended]
    shown = ", ".join(f"{value:.0f}" for value in seen[:QUIET_DATAPOINTS]) or "no datapoint"
    if len(seen) >= QUIET_DATAPOINTS and not any(seen[:QUIET_DATAPOINTS]):
        return done(name, f"no object waits to be replicated, {QUIET_DATAPOINTS} datapoints in a row")
    why = f"objects that wait to be replicated (newest first): {shown}, expected 0 three times"
    if ended is None or (run.now - max(ended, run.started_at)).total_seconds() < REPLICATION_BOUND_SECONDS:
        return busy(name, why)
    return blocked(name, why, "look at the bucket's replication rule and its failed objects, then retry.")


def leads_back(view: LustreView) -> bool:
    """Say whether S3 replicates every bucket of the target to one that the source is linked to."""
    homes = {each.bucket for each in view.source.links}
    ways = {bucket for bucket, rule in view.target.rules if rule.bucket in homes}
    return bool(view.target.links) and all(each.bucket in ways for each in view.target.links)
