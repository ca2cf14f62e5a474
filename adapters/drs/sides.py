"""The source side of a DRS batch: stopped and fenced when it was replaced, started again, protected in reverse."""

from __future__ import annotations

from pydantic import JsonValue

from adapters.drs import launch as job
from adapters.drs.spec import ENDED, FENCED
from adapters.drs.view_server import ServerView
from orchestrator.contract import Call, Later, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.tags import OWN
from orchestrator.words import Effect, Side

_GONE = {"", "terminated", "shutting-down"}
_BROKEN = ("FAILED_TO_", "SNAPSHOTS_FAILURE")


def replaced(servers: job.Servers) -> job.Judged:
    """Refuse to touch the source side of a server whose recovery instance does not run."""
    lost = [v for v in servers if not (v.recovered and v.recovered.runs)]
    steps = [
        blocked(
            f"replaced-{v.member.name}", f"{job.machine(v)}, expected RUNNING", "run ACTIVATE first.", members=(v.id,)
        )
        for v in lost
    ]
    return steps, [v for v in servers if v not in lost]


def _state(each: ServerView) -> str:
    return each.source.State.Name if each.source else ""


def stop_sources(servers: job.Servers) -> job.Judged:
    """Stop the source instances that run, but for servers whose launch has failed by now: those go on serving."""
    going = [v for v in servers if v.launch_state != "failed"]
    up = [v.source.InstanceId for v in going if v.source and _state(v) in {"running", "pending"}]
    call = Call("ec2", "StopInstances", {"InstanceIds": list(up)}, Side.SOURCE)
    step = done("stop-sources", "no source instance runs", effect=Effect.REVERSIBLE)
    if up:
        step = todo("stop-sources", call, Effect.REVERSIBLE, f"{len(up)} source instance(s) run: {', '.join(up[:5])}")
    return [step], list(servers)


def revived(servers: job.Servers, run: RunContext) -> job.Judged:
    """Start sources again that were stopped for a launch that failed: the next one must drain and have its own snapshot."""
    waiting = [v for v in servers if v.job and job.needs_launch(v, run) and v.source and not v.source.fenced]
    waiting = [v for v in waiting if _state(v) not in {"running", *_GONE}]
    if not waiting:
        return [], list(servers)
    down = [v.source.InstanceId for v in waiting if v.source and _state(v) == "stopped"]
    seen = "; ".join(f"{v.member.name} is {_state(v)}, its launch {v.launch_status}" for v in waiting[:5])
    call = Call("ec2", "StartInstances", {"InstanceIds": list(down)}, Side.SOURCE)
    step = todo("revive-sources", call, Effect.REVERSIBLE, seen) if down else busy("revive-sources", seen)
    return [step], list(servers)


def sources_stopped(servers: job.Servers) -> job.Judged:
    """Wait until they are stopped."""
    up = [v for v in servers if _state(v) not in {"stopped", *_GONE}]
    seen = "; ".join(f"{v.member.name} is {_state(v)}" for v in up[:5])
    step = busy("sources-stopped", f"{seen}, expected stopped") if up else done("sources-stopped", "all are stopped")
    return [step], list(servers)


def fence(servers: job.Servers, run: RunContext) -> job.Judged:
    """Mark the source instances as ones that must stay down."""
    ids = [v.source.InstanceId for v in servers if v.source and _state(v) not in _GONE and not v.source.fenced]
    params: dict[str, JsonValue] = {"Resources": list(ids), "Tags": [{"Key": FENCED, "Value": run.run_id}]}
    step = done("fence-sources", f"all carry {FENCED}", effect=Effect.REVERSIBLE)
    if ids:
        call = Call("ec2", "CreateTags", params, Side.SOURCE)
        step = todo("fence-sources", call, Effect.REVERSIBLE, f"{len(ids)} without {FENCED}")
    return [step], list(servers)


def unfence(servers: job.Servers) -> list[Step]:
    """Take the mark away; the sources stay stopped."""
    ids = [v.source.InstanceId for v in servers if v.source and v.source.fenced]
    if not ids:
        return [done("unfence-sources", f"none carries {FENCED}; they stay stopped while the target side serves")]
    params: dict[str, JsonValue] = {"Resources": list(ids), "Tags": [{"Key": FENCED}]}
    return [todo("unfence-sources", Call("ec2", "DeleteTags", params, Side.SOURCE), Effect.REVERSIBLE, f"{len(ids)}")]


def start_sources(servers: job.Servers) -> list[Step]:
    """Start the source instances again and wait for them."""
    down = [v.source.InstanceId for v in servers if v.source and _state(v) == "stopped"]
    waiting = [v for v in servers if _state(v) not in {"running", *_GONE}]
    call = Call("ec2", "StartInstances", {"InstanceIds": list(down)}, Side.SOURCE)
    stopping = [v for v in waiting if _state(v) == "stopping"]
    if stopping:
        start = busy("start-sources", f"{stopping[0].member.name} is stopping", call=call)
    elif down:
        start = todo("start-sources", call, Effect.REVERSIBLE, f"{len(down)} source instance(s) are stopped")
    else:
        start = done("start-sources", "every source instance was started", effect=Effect.REVERSIBLE)
    seen = "; ".join(f"{v.member.name} is {_state(v)}" for v in waiting[:5])
    return [start, busy("sources-running", seen) if waiting else done("sources-running", "all run")]


def reverse(servers: job.Servers) -> job.Judged:
    """Protect each recovery instance in the Region it came from."""
    steps = []
    for each in servers:
        name = f"reverse-{each.member.name}"
        instance = (each.recovered.recoveryInstanceID if each.recovered else "") or Later("id of the recovery instance")
        call = Call("drs", "ReverseReplication", {"recoveryInstanceID": instance}, Side.TARGET)
        if each.reverse is not None:
            steps.append(done(name, f"{each.reverse.sourceServerID} protects it", effect=Effect.COMPENSABLE))
        else:
            steps.append(todo(name, call, Effect.COMPENSABLE, "nothing protects it", members=(each.id,)))
    return steps, list(servers)


def tag_reverse(servers: job.Servers) -> job.Judged:
    """Give each reverse source server the dr:* tags, so that the failback finds it."""
    steps = []
    for each in servers:
        name = f"tag-{each.member.name}"
        wanted = {k: v for k, v in each.member.tags.items() if k not in OWN and not k.startswith("aws:")}
        wanted["Name"] = each.member.name
        arn = each.reverse.arn if each.reverse else Later("ARN of the reverse source server")
        call = Call("drs", "TagResource", {"resourceArn": arn, "tags": dict(wanted)}, Side.SOURCE)
        if each.reverse is not None and wanted.items() <= each.reverse.tags.items():
            steps.append(done(name, "carries the dr:* tags", effect=Effect.REVERSIBLE))
        else:
            steps.append(todo(name, call, Effect.REVERSIBLE, "lacks the dr:* tags", members=(each.id,)))
    return steps, list(servers)


def in_sync(servers: job.Servers) -> job.Judged:
    """Wait until each reverse source server is CONTINUOUS."""
    steps: list[Step] = []
    broken: dict[str, str] = {}
    for each in servers:
        if error := _broken(each):
            broken[each.id] = error
            remedy = "look at the source server in the DRS console; check network and instance profile; then retry."
            steps.append(
                failed(f"in-sync-{each.member.name}", f"replication back: {error}", remedy, members=(each.id,))
            )
    left = [v for v in servers if v.id not in broken]
    states = {v.member.name: v.reverse.dataReplicationInfo.dataReplicationState for v in left if v.reverse}
    behind = {name: state for name, state in states.items() if state != "CONTINUOUS"}
    if behind or len(states) < len(left):
        seen = "; ".join(f"{name} is {state}" for name, state in list(behind.items())[:5])
        steps.append(busy("in-sync", f"{seen or 'not started'}, expected CONTINUOUS"))
    else:
        steps.append(done("in-sync", f"{len(left)} server(s) replicate back"))
    return steps, left


def _broken(each: ServerView) -> str:
    """Return why replication back does not go on by itself; empty while it does, or has not begun."""
    info = each.reverse.dataReplicationInfo if each.reverse else None
    if info is None:
        return ""
    if info.error.startswith(_BROKEN):
        return info.error
    return f"{info.dataReplicationState} {info.error}".strip() if info.dataReplicationState in ENDED else ""
