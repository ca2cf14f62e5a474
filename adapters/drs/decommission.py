"""The end of the old side of a DRS batch: stopped source instances are terminated, once nobody can need them again.

Each server is guarded for itself, at every look: its recovery instance serves, replication back of that very instance is
CONTINUOUS, the source is stopped and fenced by CLEANUP and not protected against termination. An instance that DRS is to
launch into (its tag, the reverse source server's launch settings, or the Region's launchIntoSourceInstance) is kept: the
way back needs it. One call per server, so that a refusal of one does not keep the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.drs import launch as job
from adapters.drs.view_server import ServerView
from orchestrator.contract import Call, Step, blocked, busy, done, skip, todo
from orchestrator.words import Effect, Side

GONE = ("terminated", "shutting-down")


def deleted(servers: Sequence[ServerView]) -> list[Step]:
    """Terminate the source instances that are replaced, replicated back, and not to be launched into."""
    kept = [v for v in servers if v.kept_for and not _gone(v)]
    left = [v for v in servers if v not in kept]
    why = "; ".join(f"{_id(v)} of {v.member.name} stays: {v.kept_for}" for v in kept[:5])
    if kept and not left:
        return skip(why)
    steps = [done("kept-sources", why)] if kept else []
    return steps + job.chain(left, _guarded, _terminate, _terminated)


def _id(each: ServerView) -> str:
    return each.source.InstanceId if each.source else "no source instance"


def _gone(each: ServerView) -> bool:
    return each.source is None or each.source.State.Name in GONE


def _guarded(servers: job.Servers) -> job.Judged:
    """Refuse, each for itself, the servers whose source may still be needed."""
    steps: list[Step] = []
    left: list[ServerView] = []
    for view in servers:
        why, remedy = ("", "") if _gone(view) else _objection(view)
        if why:
            reason = f"{_id(view)} in {view.member.source.region} is not terminated: {why}"
            steps.append(blocked(f"replicated-back-{view.member.name}", reason, remedy, members=(view.id,)))
        else:
            left.append(view)
    return steps, left


def _objection(view: ServerView) -> tuple[str, str]:
    assert view.source is not None
    info = view.reverse.dataReplicationInfo if view.reverse else None
    if not job.is_serving(view):
        return f"{job.machine(view)}, expected RUNNING, checks ok", "repair the recovery instance, then retry."
    if info is None or info.dataReplicationState != "CONTINUOUS" or info.error:
        seen = "not set up" if info is None else f"{info.dataReplicationState} {info.error}".strip()
        return f"replication back is {seen}, expected CONTINUOUS", "wait until REPLICATE is healthy, then retry."
    if view.source.State.Name != "stopped" or not view.source.fenced:
        mark = "with" if view.source.fenced else "without"
        return f"it is {view.source.State.Name} {mark} dr:fenced, expected stopped and fenced", "run CLEANUP first."
    if view.locked:
        return "its termination protection is on", "turn its termination protection off in EC2, then retry."
    return "", ""


def _terminate(servers: job.Servers) -> job.Judged:
    steps = []
    for view in servers:
        name = f"terminate-source-{view.member.name}"
        call = Call("ec2", "TerminateInstances", {"InstanceIds": [_id(view)]}, Side.SOURCE)
        if _gone(view):
            state = view.source.State.Name if view.source else "gone"
            steps.append(done(name, f"its source instance is {state}", effect=Effect.IRREVERSIBLE))
        else:
            reason = f"{_id(view)} is stopped, and {job.machine(view)}, replicated back"
            steps.append(todo(name, call, Effect.IRREVERSIBLE, reason, members=(view.id,)))
    return steps, list(servers)


def _terminated(servers: job.Servers) -> job.Judged:
    up = [v for v in servers if v.source and v.source.State.Name != "terminated"]
    seen = "; ".join(f"{_id(v)} of {v.member.name} is {v.source.State.Name}" for v in up[:5] if v.source)
    name = "sources-terminated"
    return [busy(name, f"{seen}, expected terminated") if up else done(name, "all are terminated")], list(servers)
