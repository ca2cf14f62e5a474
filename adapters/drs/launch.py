"""Judge a DRS launch job, of a recovery and of a drill alike: one call for the batch, one outcome per server.

Each function takes the servers still in the race and returns its steps and the servers that go on. COMPLETED does not
mean success: every server's own launchStatus counts, and the job's log says why. StartRecovery takes no token, and a
second launch of a server replaces its recovery instance, so whatever carries this run's tag is adopted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.drs import prepared
from adapters.drs.spec import (
    ACTIVE_JOBS_LIMIT,
    DRAIN_SECONDS,
    FAILURE_EVENTS,
    OLD_DATA_EVENT,
    SERVERS_IN_JOBS_LIMIT,
    SNAPSHOT_TAKEN_EVENTS,
)
from adapters.drs.view_server import DrsView, ServerView
from orchestrator.contract import Call, Later, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Mode, Side

Servers = Sequence[ServerView]
Judged = tuple[list[Step], list[ServerView]]
Judge = Callable[[Servers], Judged]

INTO_REMEDY = "tag the server dr:recovery-strategy=drs-launch-into, or take the instance out of its launch settings in DRS, then: dr plan"
_LOG = "look at the job's log in the DRS console of the target Region, correct the cause, then retry."


def chain(servers: Servers, *judges: Judge) -> list[Step]:
    """Return the steps of all judges, each given the servers that the one before let through."""
    steps: list[Step] = []
    for judge in judges:
        more, left = judge(servers)
        steps, servers = [*steps, *more], left
    return steps


def unobstructed(servers: Servers, run: RunContext) -> Judged:
    """Refuse servers that are gone, and those whose launch would destroy an instance that may be in use."""
    steps: list[Step] = []
    left: list[ServerView] = []
    for view in servers:
        why = _obstacle(view, run)
        remedy = "if it is in use, leave it; if it is a leftover, terminate it in DRS, then retry."
        if not why and needs_launch(view, run):
            if view.into is None:  # the end of a drill, or a rollback, would terminate that instance
                why, remedy = launches_into(view), INTO_REMEDY
            else:
                why, remedy = "; ".join(text for _, text in prepared.objections(view)), prepared.REMEDY
        if why:
            steps.append(blocked(f"unobstructed-{view.member.name}", why, remedy, members=(view.id,)))
        else:
            left.append(view)
    return steps, left


def launches_into(view: ServerView) -> str:
    """Say that DRS would launch into an existing instance, unforeseen; empty when not, or when that was not read."""
    if view.into is not None or view.launch is None or not view.launch.into:
        return ""
    return (
        f"{view.member.target.id} is set to launch into {view.launch.into}: its volumes would be replaced, and a rollback or "
        "the end of a drill would terminate it; expected a launch of a new instance"
    )


def _obstacle(view: ServerView, run: RunContext) -> str:
    if view.server is None:
        return f"source server {view.member.target.id} does not exist in {view.member.target.region}"
    if not needs_launch(view, run):
        return ""
    for other in view.others:
        if view.into and other.recoveryInstanceID == view.into:
            continue  # judged with the prepared instance itself
        # A launch terminates the server's earlier recovery instance: a drill must never, a recovery not while it runs.
        if not other.isDrill and (run.mode is Mode.DRILL or other.runs):
            seen = f"{other.recoveryInstanceID} of job {other.jobID} is {other.ec2InstanceState}"
            return f"launching again would terminate the recovery instance {seen}, which may be serving"
    return ""


def needs_launch(view: ServerView, run: RunContext) -> bool:
    """Say whether the server has no launch of this run, or only one that failed or was undone before this attempt."""
    if view.job is None:
        return True
    earlier = view.job.creationDateTime < run.began
    undone = view.launch_state == "launched" and (view.own is None or view.returned)
    return earlier and (view.launch_state == "failed" or undone)


def drained(servers: Servers, run: RunContext) -> Judged:
    """Wait until nothing is left to copy of the servers that are not launched yet; a limit ends the wait for each."""
    behind = [v for v in servers if v.server and needs_launch(v, run) and not v.server.dataReplicationInfo.drained]
    waited = (run.now - run.started_at).total_seconds()
    name = "backlog-drained"
    if behind and waited > DRAIN_SECONDS:
        remedy = "stop the application on the source, find out why replication lags, then retry."
        steps = [
            failed(f"{name}-{v.member.name}", f"{_lag(v)} after {waited:.0f} s", remedy, members=(v.id,))
            for v in behind
        ]
        return steps, [v for v in servers if v not in behind]
    if behind:
        seen = "; ".join(f"{v.member.name}: {_lag(v)}" for v in behind[:5])
        return [busy(name, f"{len(behind)} server(s) not drained: {seen}")], list(servers)
    return [done(name, "backlog 0, no lag")], list(servers)


def _lag(view: ServerView) -> str:
    assert view.server is not None
    info = view.server.dataReplicationInfo
    return f"{info.dataReplicationState}, lag {info.lag_seconds:.0f} s, backlog {info.backlog_bytes} bytes"


def started(servers: Servers, view: DrsView, run: RunContext, name: str) -> Judged:
    """Launch every server that needs it, in one call."""
    waiting = [v for v in servers if needs_launch(v, run)]
    if not waiting:
        jobs = ", ".join(sorted({v.job.jobID for v in servers if v.job}))
        return [done(name, jobs or "no server is left to launch", effect=Effect.COMPENSABLE)], list(servers)
    call = Call(
        "drs",
        "StartRecovery",
        {
            "sourceServers": [{"sourceServerID": v.member.target.id} for v in waiting],
            "isDrill": run.mode is Mode.DRILL,
            "tags": dict(run.tags),
        },
        Side.TARGET,
        keep={"job": "job.jobID"},
    )
    held = sorted({v.other_job for v in waiting if v.other_job})
    if held:
        return [busy(name, f"held by another job: {', '.join(held)}", call=call)], list(servers)
    if full := crowded(view, len(waiting)):
        return [busy(name, full, call=call)], list(servers)
    reason = f"{len(waiting)} server(s) without a launch of this run"
    return [todo(name, call, Effect.COMPENSABLE, reason, members=tuple(v.id for v in waiting))], list(servers)


def crowded(view: DrsView, servers: int) -> str:
    """Say that AWS would refuse one more job, of so many servers, until others have ended; empty when it would not."""
    if view.active_jobs >= ACTIVE_JOBS_LIMIT:
        return (
            f"{view.active_jobs} jobs are active, expected fewer than {ACTIVE_JOBS_LIMIT}: waiting until one has ended"
        )
    if view.servers_in_jobs + servers > SERVERS_IN_JOBS_LIMIT:
        told = f"{view.servers_in_jobs} servers are in jobs, at most {SERVERS_IN_JOBS_LIMIT} with these {servers}"
        return f"{told}: waiting until a job has ended"
    return ""


def snapshot_taken(servers: Servers, run: RunContext) -> Judged:
    """Wait until the launch has its own snapshot of each server; older data is a loss that no planned run accepts."""
    steps: list[Step] = []
    old = [v for v in servers if _launched_now(v, run) and v.happened(OLD_DATA_EVENT)]
    for view in old:
        reason = f"DRS launches from an earlier snapshot ({OLD_DATA_EVENT}): the newest data is missing"
        remedy = "roll back: the new instance is terminated, the source goes on; then find out why replication broke."
        steps.append(failed(f"snapshot-{view.member.name}", reason, remedy, members=(view.id,)))
    left = [v for v in servers if v not in old]
    ended = [v for v in left if _launched_now(v, run) and _snapshot_over(v)]
    if len(ended) < len(left):
        steps.append(busy("snapshots-taken", f"{len(ended)} of {len(left)} servers"))
    else:
        steps.append(done("snapshots-taken", f"{len(ended)} servers"))
    return steps, left


def _launched_now(view: ServerView, run: RunContext) -> bool:
    return view.job is not None and not needs_launch(view, run)


def _snapshot_over(view: ServerView) -> bool:
    return view.happened(*SNAPSHOT_TAKEN_EVENTS) or view.launch_state in {"launched", "failed"}


def launched(servers: Servers, run: RunContext) -> Judged:
    """Wait for every server's own launch status; a server that failed leaves the race with the log's reason."""
    bad = [v for v in servers if _launched_now(v, run) and v.launch_state == "failed"]
    steps = [
        failed(
            f"launched-{v.member.name}", f"launch {v.launch_status}: {v.errors() or _events(v)}", _LOG, members=(v.id,)
        )
        for v in bad
    ]
    left = [v for v in servers if v not in bad]
    up = [v for v in left if v.launch_state == "launched" and v.own is not None]
    state = done if len(up) == len(left) else busy
    return [*steps, state("launched", f"{len(up)} of {len(left)} servers")], left


def _events(view: ServerView) -> str:
    return ", ".join(i.event for i in view.events if i.event in FAILURE_EVENTS) or "the log gives no reason"


def serving(servers: Servers) -> Judged:
    """Start what was launched stopped; wait until every recovery instance runs and passes both status checks."""
    stopped = [v.own.recoveryInstanceID for v in servers if v.own and v.own.ec2InstanceState == "STOPPED"]
    steps: list[Step] = []
    if stopped:
        call = Call("ec2", "StartInstances", {"InstanceIds": list(stopped)}, Side.TARGET)
        steps.append(todo("start-instances", call, Effect.REVERSIBLE, f"{len(stopped)} launched but stopped"))
    bad = [v for v in servers if v.own and _broken(v)]
    for view in bad:
        remedy = "look at its console output and status checks; roll back, or repair it and retry."
        steps.append(
            failed(
                f"serving-{view.member.name}", f"{_machine(view)}, expected running and ok", remedy, members=(view.id,)
            )
        )
    left = [v for v in servers if v not in bad]
    up = [v for v in left if is_serving(v)]
    waiting = "; ".join(f"{v.member.name}: {_machine(v)}" for v in left if v not in up)
    state = done if len(up) == len(left) else busy
    return [
        *steps,
        state("serving", f"{len(up)} of {len(left)} servers run and pass their checks. {waiting}".strip()),
    ], left


def _broken(view: ServerView) -> bool:
    assert view.own is not None
    gone = view.own.ec2InstanceState in {"TERMINATED", "NOT_FOUND"}
    return gone or (view.status is not None and "impaired" in view.status.checks)


def is_serving(view: ServerView) -> bool:
    """Say whether the server's recovery instance runs and passes its checks; for a prepared one, whether it is that."""
    if view.into and view.recovered and view.recovered.recoveryInstanceID != view.into:
        return False
    return bool(view.recovered and view.recovered.runs and view.status and view.status.checks == {"ok"})


def _machine(view: ServerView) -> str:
    if view.recovered is None:
        return "no recovery instance"
    checks = "/".join(sorted(view.status.checks)) if view.status else "unknown"
    return f"{view.recovered.recoveryInstanceID} is {view.recovered.ec2InstanceState}, checks {checks}"


def machine(view: ServerView) -> str:
    """Return what is seen of the server's recovery instance."""
    return _machine(view)


def terminated(servers: Servers, view: DrsView, name: str) -> list[Step]:
    """Terminate what this run launched, nothing else."""
    launching = [v for v in servers if v.launch_state == "busy"]
    mine = [v for v in servers if v.own is not None and not v.landed]
    ids = [v.own.recoveryInstanceID or Later("id of the recovery instance") for v in mine if v.own]
    call = Call("drs", "TerminateRecoveryInstances", {"recoveryInstanceIDs": ids}, Side.TARGET)
    if launching:
        return [busy(name, f"{len(launching)} server(s) are still being launched", call=call)]
    held = [v.other_job for v in mine if v.other_job]
    if held:
        return [busy(name, f"job {held[0]} is under way", call=call)]
    if mine and (full := crowded(view, len(mine))):
        return [busy(name, full, call=call)]
    if mine:
        return [todo(name, call, Effect.COMPENSABLE, f"{len(mine)} recovery instance(s) of this run")]
    leaving = [f"{v.launched_id} is {v.leaving}" for v in servers if v.leaving]
    if leaving:
        return [busy(name, f"{'; '.join(leaving[:5])}, expected terminated")]
    return [done(name, "no recovery instance of this run is left", effect=Effect.COMPENSABLE)]
