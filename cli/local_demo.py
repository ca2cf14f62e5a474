"""The main job, shown: a planned failover of the demo shop in the embedded AWS, with an approver who answers the gates."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live

from cli import show
from cli.hub import HubRegion, enter
from cli.local_hub import LocalHub
from cli.local_served import not_served
from cli.options import say
from cli.run_commands import SUCCESS, new_run_id, payload
from cli.waiting import pause
from orchestrator.clock import SystemClock
from orchestrator.errors import DrError, NotFoundError
from orchestrator.report import Report, report_keys
from orchestrator.request import parse
from orchestrator.words import RunStatus

APPROVER = "operations-lead@example.com"
REFRESH_SECONDS = 0.5
REQUEST = {
    "Customer": "CustomerX",
    "Environment": "production",
    "Operation": "failover",
    "PrimaryRegion": "us-east-1",
    "DRRegion": "us-west-2",
    "ApprovalMode": "required",
    "Reason": "make demo",
    "Requester": "operator@example.com",
}


def run_demo(local: LocalHub, folder: Path) -> Report:
    """Run the failover, answer its gates as an approver would, write the report; raise `DrError` unless all is served."""
    request = parse(REQUEST)
    os.environ.update(local.environment(request.target_region))
    hub = enter(request.target_region)
    run_id = new_run_id(request, hub.clock.now())
    wall = SystemClock()
    began = wall.now()
    execution = hub.start(run_id, payload(request))
    say(f"started {execution}")
    follow(hub, run_id, execution, approver=APPROVER)
    watched = f"{show.clock((wall.now() - began).total_seconds())}, the embedded AWS's clock runs {local.rate:g} times as fast"
    report = keep_report(hub, run_id, folder)
    summarise(report, folder, watched)
    if report.run.status not in SUCCESS:
        raise DrError(f"the run ended {report.run.status}: {report.run.failure}", f"read {folder / 'report.html'}")
    plan = hub.plan(run_id)
    missing = not_served(local, plan) if plan else ["there is no plan"]
    if missing:
        raise DrError(
            f"not served from {request.target_region}: {'; '.join(missing)}", f"read {folder / 'report.html'}"
        )
    say(f"every resource is served from {request.target_region}")
    return report


def follow(hub: HubRegion, run_id: str, execution: str, approver: str) -> None:
    """Show progress until the run ends, approving every gate through SendTaskSuccess."""
    _wait_for_acceptance(hub, run_id, execution)
    answered: set[str] = set()
    console = Console(stderr=True, highlight=False)
    with Live(show.status(hub.view(run_id)), console=console, refresh_per_second=4) as live:
        while hub.execution_runs(execution):
            view = hub.view(run_id)
            live.update(show.status(view))
            for gate in view.open_gates:
                if gate.gate_id not in answered:
                    answered |= _approve(hub, run_id, gate.gate_id, approver)
            pause(REFRESH_SECONDS)
        live.update(show.status(hub.view(run_id)))
    if not RunStatus(hub.view(run_id).status).ended:
        failure = hub.execution_failure(execution) or "it ended and left the run open"
        raise DrError(
            f"the execution died: {failure}", f"aws stepfunctions get-execution-history --execution-arn {execution}"
        )


def _wait_for_acceptance(hub: HubRegion, run_id: str, execution: str) -> None:
    while True:
        try:
            hub.ledger.run(run_id)
        except NotFoundError:
            failure = hub.execution_failure(execution)
            if failure:
                raise DrError(failure) from None
            pause(REFRESH_SECONDS)
        else:
            return


def _approve(hub: HubRegion, run_id: str, gate_id: str, approver: str) -> set[str]:
    """Answer as a person with the token from the notification would; a failure gate is left to a person."""
    gate = hub.ledger.gate(run_id, gate_id)
    if gate.token is None:
        return set()
    if "approve" not in gate.choices:
        hub.order("answer_gate", {"GateId": gate_id, "Choice": "abort", "Reason": "a demo does not repair"})
        return {gate_id}
    output = json.dumps({"approved": True, "approver": approver})
    hub.hub.client("stepfunctions").send_task_success(taskToken=gate.token, output=output)
    return {gate_id}


def keep_report(hub: HubRegion, run_id: str, folder: Path) -> Report:
    """Write report.json and report.html into `folder` and return the report."""
    folder.mkdir(parents=True, exist_ok=True)
    json_key, html_key = report_keys(run_id)
    body = hub.blobs.get(json_key)
    (folder / "report.json").write_bytes(body)
    (folder / "report.html").write_bytes(hub.blobs.get(html_key))
    return Report.model_validate_json(body)


def summarise(report: Report, folder: Path, watched: str) -> None:
    """Print the few figures people ask for first."""
    split = report.recovery_time_seconds
    lines: list[tuple[str, Any]] = [
        ("run", report.run.run_id),
        ("outcome", report.run.status),
        ("resource actions", ", ".join(f"{count} {outcome}" for outcome, count in report.outcomes.items())),
        (
            "recovery time",
            f"{show.clock(split.total)} (people {show.clock(split.human_wait)}, machine {show.clock(split.machine)}, "
            f"health settle {show.clock(split.health_settle)})",
        ),
        ("you waited", watched),
        ("report", f"{folder / 'report.json'}, {folder / 'report.html'}"),
    ]
    console = show.console()
    for name, value in lines:
        console.print(f"[bold]{name:>17}[/bold]  {value}")
