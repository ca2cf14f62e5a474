"""Measure what one planned failover costs the hub, in the embedded AWS; prints one JSON object.

    python benchmarks/run_overhead.py [--estate demo] [--speed 240] [--rate 24]

Events and transitions: the histories of all executions of the run, those of the Distributed Maps included. A state
transition is what Step Functions bills: one per state entered. Invocations: of the hub's functions, by verb. API calls:
everything the hub's roles and their spoke sessions called, by service.

Overhead: the run's time minus the critical path of the resources' own transitions, in seconds of the wall. Stages follow one
another, so the path is the sum, over the stages, of the time in which the resource that changes longest is changing by itself.
Besides: the time in which no resource is changing at all. It has two parts: computing (a function of the hub runs) and waiting
(nothing runs: until the next look, or because a rule asks for it, like the five minutes after an NFS fence). AWS's durations are
divided by the speed and waits by the clock by the rate; what the hub computes is not, so that part is this machine's, and shrinks
on AWS where each function has a processor.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.hub import HubRegion, enter
from cli.local_hub import ROOT, LocalHub
from localaws import estate, pace
from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from localaws.dns import DnsServer
from localaws.server import Server
from localaws.world import LoggedCall
from orchestrator.ledger.records import Stage

WEST = "us-west-2"
LIMIT_SECONDS = 900
REQUEST = {
    "Customer": "CustomerX",
    "Environment": "production",
    "Operation": "failover",
    "PrimaryRegion": "us-east-1",
    "DRRegion": WEST,
    "ApprovalMode": "automatic",
    "Requester": "benchmark",
}
Span = tuple[float, float]


def main() -> None:
    """Deploy, run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--estate", default="demo", help="demo, small, or a YAML file")
    parser.add_argument("--speed", type=float, default=240.0, help="AWS seconds per second of the wall")
    parser.add_argument("--rate", type=float, default=24.0, help="seconds of the world's clock per second of the wall")
    options = parser.parse_args()
    shipped = ROOT / "localaws/estates" / f"{options.estate}.yaml"
    path = shipped if shipped.exists() else Path(options.estate).resolve()
    with tempfile.TemporaryDirectory() as state:
        print(json.dumps(measure(path, options.speed, options.rate, Path(state)), indent=2))


def measure(path: Path, speed: float, rate: float, state: Path) -> dict[str, Any]:
    """Return the figures of one run of an estate."""
    pace.keep(pace.at_rate(rate))
    local = LocalAws({}, clock=ScaledClock(speed))
    server, dns_port = Server(local, 0), _free_port()
    names = DnsServer(local, dns_port).start()
    estate.load(local, path)
    server.start()
    hub = LocalHub(state, server.port, dns_port, speed, rate)
    began = time.monotonic()
    hub.deploy(path)
    hub.deploy_functions(path)
    deployed_seconds = time.monotonic() - began
    os.environ.update(hub.environment(WEST))
    region = enter(WEST)
    changes: dict[str, list[Span]] = defaultdict(list)

    def note(_kind: str, resource: str, aws_seconds: float) -> None:
        changes[resource].append(_span(local, aws_seconds))

    local.fates.insert(0, note)  # asked of every change of state; has no say in it
    mark = len(local.call_log)
    wall_seconds = _run(region)
    calls = [c for c in list(local.call_log)[mark:] if "assumed-role/" in c.principal_arn]
    figures = {
        "estate": path.stem,
        "aws_seconds_per_second": speed,
        "clock_seconds_per_second": rate,
        "load_average": os.getloadavg()[0],
        "deployment_seconds": round(deployed_seconds, 1),
        **_of_ledger(region, wall_seconds, rate),
        **_of_time(region, changes, [_computed(call, rate) for call in calls if _invokes(call)], rate),
        **_of_machines(local),
        **_of_calls(calls, len(region.ledger.actions("overhead"))),
    }
    names.stop()
    server.stop()
    return figures


def _run(region: HubRegion) -> float:
    """Run the failover; return its wall time in seconds."""
    began, pause = time.monotonic(), threading.Event()
    execution = region.start("overhead", REQUEST)
    states = region.hub.client("stepfunctions")
    while states.describe_execution(executionArn=execution)["status"] == "RUNNING":
        open_gates = [g for g in _gates(region) if g.token and g.status == "open"]
        if open_gates or time.monotonic() - began > LIMIT_SECONDS:
            raise SystemExit(f"the run does not end by itself: {[g.checklist for g in open_gates]}")
        pause.wait(0.1)
    wall_seconds, run = time.monotonic() - began, region.ledger.run("overhead")
    if not run.status.well:
        raise SystemExit(f"there is nothing to measure, the run ended {run.status}: {run.failure}")
    return wall_seconds


def _gates(region: HubRegion) -> list[Any]:
    return region.ledger.gates("overhead")


def _of_ledger(region: HubRegion, wall_seconds: float, rate: float) -> dict[str, Any]:
    run, stages = region.ledger.run("overhead"), region.ledger.stages("overhead")
    actions = region.ledger.actions("overhead")
    return {
        "outcome": str(run.status),
        "resources": len({r for action in actions for r in action.resource_ids}),
        "stages": len(stages),
        "actions": len(actions),
        "wall_seconds": round(wall_seconds, 2),
        "looks": sum(action.looks for action in actions),
        "changing_calls": sum(action.calls for action in actions),
        "slowest_actions_seconds": dict(sorted(_times(actions, rate), key=lambda pair: -pair[1])[:8]),
    }


def _of_time(
    region: HubRegion, changes: Mapping[str, list[Span]], computing: list[Span], rate: float
) -> dict[str, Any]:
    """Return what the run's time went to, in seconds of the wall."""
    run, stages = region.ledger.run("overhead"), region.ledger.stages("overhead")
    assert run.ended_at is not None
    window = (run.created_at.timestamp(), run.ended_at.timestamp())
    in_stages = sum(_seconds(stage.started_at, stage.ended_at) for stage in stages)
    run_seconds = window[1] - window[0]
    every = [span for spans in changes.values() for span in spans]
    changing, active = _union(every, window), _union([*every, *computing], window)
    path = sum(_longest(changes, _window(stage)) for stage in stages if stage.started_at and stage.ended_at)
    clock = {
        "run_seconds": run_seconds,
        "critical_path_seconds": path,
        "overhead_seconds": run_seconds - path,
        "overhead_seconds_per_stage": (run_seconds - path) / max(1, len(stages)),
        "resources_changing_seconds": changing,
        "nothing_changes_seconds": run_seconds - changing,
        "nothing_changes_computing_seconds": active - changing,
        "nothing_changes_waiting_seconds": run_seconds - active,
        "outside_stages_seconds": run_seconds - in_stages,
    }
    return {name: round(seconds / rate, 2) for name, seconds in clock.items()}


def _invokes(call: LoggedCall) -> bool:
    return (call.service, call.operation) == ("lambda", "Invoke")


def _computed(call: LoggedCall, rate: float) -> Span:
    """Return when a function ran, on the world's clock; the log measures the duration on the wall."""
    ended = call.at.timestamp()
    return ended - call.duration_ms / 1000 * rate, ended


def _times(actions: Iterable[Any], rate: float) -> Iterable[tuple[str, float]]:
    for action in actions:
        yield action.action_id, round(_seconds(action.started_at, action.ended_at) / rate, 2)


def _of_machines(local: LocalAws) -> dict[str, Any]:
    engine = local.service("stepfunctions").engine  # type: ignore[attr-defined]
    events: Counter[str] = Counter()
    transitions: Counter[str] = Counter()
    longest = 0
    for arn, execution in engine.executions.items():
        history = execution.to_history_output()["events"]
        machine = arn.split(":")[6].partition("/")[0] + (" child" if execution.map_run_arn else "")
        events[machine] += len(history)
        transitions[machine] += sum(1 for event in history if str(event["type"]).endswith("StateEntered"))
        longest = max(longest, len(history))
    return {
        "executions": len(engine.executions),
        "history_events": sum(events.values()),
        "history_events_by_machine": dict(events),
        "longest_history_events": longest,
        "state_transitions": sum(transitions.values()),
        "state_transitions_by_machine": dict(transitions),
    }


def _of_calls(calls: Iterable[LoggedCall], actions: int) -> dict[str, Any]:
    by_service: Counter[str] = Counter()
    verbs: Counter[str] = Counter()
    busy_ms: Counter[str] = Counter()
    for call in calls:
        by_service[call.service] += 1
        if _invokes(call):
            verb = str(call.params["FunctionName"]).rsplit(":function:", 1)[-1].partition(":")[0]
            verbs[verb] += 1
            busy_ms[verb] += round(call.duration_ms)
    return {
        "lambda_invocations": sum(verbs.values()),
        "lambda_invocations_per_action": round(sum(verbs.values()) / max(1, actions), 2),
        "lambda_invocations_by_verb": dict(verbs.most_common()),
        "lambda_seconds_by_verb": {verb: round(ms / 1000, 2) for verb, ms in busy_ms.most_common()},
        "api_calls": sum(by_service.values()),
        "api_calls_by_service": dict(by_service.most_common()),
    }


def _span(local: LocalAws, aws_seconds: float) -> Span:
    now = local.clock.now().timestamp()
    return now, now + local.clock.clock_seconds(aws_seconds)


def _union(spans: Iterable[Span], window: Span) -> float:
    """Return how many seconds of the window lie in at least one span."""
    total, reached = 0.0, window[0]
    for start, end in sorted(spans):
        begins, ends = max(start, reached), min(end, window[1])
        if ends > begins:
            total += ends - begins
            reached = ends
    return total


def _longest(changes: Mapping[str, list[Span]], window: Span) -> float:
    """Return how long the resource that changes longest within the window does."""
    return max((_union(spans, window) for spans in changes.values()), default=0.0)


def _window(stage: Stage) -> Span:
    assert stage.started_at is not None
    assert stage.ended_at is not None
    return stage.started_at.timestamp(), stage.ended_at.timestamp()


def _seconds(start: datetime | None, end: datetime | None) -> float:
    return (end - start).total_seconds() if start and end else 0.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
