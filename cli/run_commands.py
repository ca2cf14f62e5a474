"""The commands about runs."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.live import Live

from cli import show
from cli.hub import HubRegion, enter
from cli.options import Exit, confirm, foreseen, output_option, region_option, request_input, request_options, say
from cli.waiting import pause
from orchestrator.errors import DrError, NotFoundError, ValidationError
from orchestrator.linked import filled
from orchestrator.plan import Plan, script_key
from orchestrator.plan_diff import differences
from orchestrator.report import build_report, report_keys
from orchestrator.request import Request, parse
from orchestrator.words import Mode, RunStatus

REFRESH_SECONDS = 1.0
PLAN_LIMIT_SECONDS = 900


@click.command()
@request_options
@click.option("--diff", is_flag=True, help="Show what would be done otherwise than by the scope's last plan.")
@click.option(
    "--export-script",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the break-glass script there: the plan as AWS CLI commands, for when the platform is gone.",
)
@output_option
@foreseen
def plan(diff: bool, export_script: Path | None, output: str, region: str | None, **given: Any) -> None:
    """Build and show the plan: every call, its effect, the line of no return. Changes nothing."""
    raw = {
        **request_input(**given),
        "DryRun": True,
        "ApprovalMode": "automatic",
        "AcceptDataLoss": given["emergency"] or None,
    }
    request, hub = _asked(raw, region)
    run_id = new_run_id(request, hub.clock.now())
    execution = hub.start(run_id, {**payload(request), "Requester": hub.caller})
    say(f"planning {run_id} ...")
    failure = _until_ended(hub, run_id, execution, PLAN_LIMIT_SECONDS)
    frozen = hub.plan(run_id)
    if frozen is None:
        raise DrError(failure or "the run ended without a plan.", f"dr status {run_id} --region {hub.region}")
    if export_script is not None:
        export_script.write_bytes(hub.blobs.get(script_key(run_id)))
        export_script.chmod(0o755)
        say(f"break-glass script written to {export_script}")
    if diff:
        _show_diff(hub, frozen, run_id)
    elif output == "json":
        click.echo(frozen.model_dump_json(indent=1))
    else:
        terminal = show.console()
        terminal.print(show.plan(frozen))
        for told in show.undoing(frozen):
            terminal.print(told, soft_wrap=True)
        for finding in (each for each in hub.ledger.run(run_id).findings if each not in frozen.undoing):
            say(f"{finding.severity}: {finding.resource_id}: {finding.message} {finding.remedy}".rstrip())
    if failure:
        say(f"not ready: {failure}")
        sys.exit(Exit.FAILED)


def _show_diff(hub: HubRegion, frozen: Plan, run_id: str) -> None:
    """Compare with the scope's last plan of the same mode and direction."""
    for earlier in hub.ledger.runs_of(frozen.scope):
        alike = (earlier.mode, earlier.target_region) == (frozen.mode, frozen.target_region)
        same = alike and not earlier.removes_copies
        before = hub.plan(earlier.run_id) if same and earlier.plan_hash and earlier.run_id != run_id else None
        if before is not None:
            lines = differences(before, frozen)
            say(f"compared with the plan of {earlier.run_id}, {earlier.created_at:%Y-%m-%d %H:%M} UTC")
            click.echo("\n".join(lines) if lines else "no difference")
            return
    click.echo(f"there is no earlier plan of {frozen.scope} to compare with")


@click.command()
@request_options
@click.option("--approval", default="required", show_default=True, help="required or automatic.")
@click.option(
    "--accept-data-loss",
    is_flag=True,
    help="With --emergency and automatic approval: losing unreplicated writes is accepted.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
@foreseen
def start(approval: str, accept_data_loss: bool, yes: bool, output: str, region: str | None, **given: Any) -> None:
    """Start a run in the Region that is being activated."""
    raw = {**request_input(**given), "ApprovalMode": approval, "AcceptDataLoss": accept_data_loss or None}
    request, hub = _asked(raw, region)
    scope = f"{request.Customer}/{request.Environment}"
    what = _what(request)
    confirm(f"{what} {request.Operation} of {scope}: {request.source_region} -> {request.target_region}. Go?", yes=yes)
    run_id = new_run_id(request, hub.clock.now())
    execution = hub.start(run_id, {**payload(request), "Requester": hub.caller})
    if output == "json":
        click.echo(f'{{"runId": "{run_id}", "executionArn": "{execution}"}}')
    else:
        click.echo(execution)
    say(f"follow it with: dr status {execution} --watch")


def _what(request: Request) -> str:
    if request.Complete is None:
        return str(request.mode)
    if request.mode is Mode.DRILL:
        return f"removal of the copies that {request.Complete} left, a drill"
    return f"completion of {request.Complete}, an emergency"


def _asked(raw: Mapping[str, Any], region: str | None) -> tuple[Request, HubRegion]:
    """Return the validated request and the hub it is for; what a run takes over from another one is looked up there."""
    given = {name: value for name, value in raw.items() if value is not None}
    if "Complete" not in given:
        request = parse(given)
        return request, enter(request.target_region)
    if region is None and not given["Complete"].startswith("arn:"):
        raise ValidationError("--complete needs the Region of the hub that did that run.", "add --region")
    given["Complete"], region = locate(given["Complete"], region or "")
    hub = enter(region)
    request = parse(filled(hub.ledger, given))
    return request, hub if request.target_region == region else enter(request.target_region)


@click.command()
@click.argument("run")
@region_option
@click.option("--watch", is_flag=True, help="Refresh every second until the run ends.")
@output_option
@foreseen
def status(run: str, region: str, watch: bool, output: str) -> None:
    """Show where a run stands. RUN is a run id or an execution ARN."""
    run_id, region = locate(run, region)
    hub = enter(region)
    _accepted(hub, run, run_id)
    view = hub.view(run_id)
    if watch and output == "table":
        with Live(show.status(view), console=show.console(), refresh_per_second=4) as live:
            while not RunStatus(view.status).ended:
                pause(REFRESH_SECONDS)
                view = hub.view(run_id)
                live.update(show.status(view))
    elif output == "json":
        click.echo(view.model_dump_json(indent=1))
    else:
        show.console().print(show.status(view))
    if view.open_gates:
        sys.exit(Exit.REFUSED)
    if RunStatus(view.status).ended and RunStatus(view.status) not in SUCCESS:
        sys.exit(Exit.FAILED)


SUCCESS = {RunStatus.SUCCEEDED, RunStatus.SUCCEEDED_WITH_WARNINGS, RunStatus.PREVIEWED}


@click.command()
@click.argument("run")
@region_option
@click.option("--html", type=click.Path(path_type=Path), help="Write the page with the timeline there.")
@foreseen
def report(run: str, region: str, html: Path | None) -> None:
    """Print a run's report as JSON; of a run that goes on, as it stands now."""
    run_id, region = locate(run, region)
    hub = enter(region)
    _accepted(hub, run, run_id)
    if html is not None:
        html.write_bytes(hub.blobs.get(report_keys(run_id)[1]))
        say(f"page written to {html}")
    click.echo(build_report(hub.ledger, hub.blobs, run_id, hub.clock.now()).model_dump_json(indent=1))


def locate(run: str, region: str) -> tuple[str, str]:
    """Return run id and Region of a run id or an execution ARN."""
    if not run.startswith("arn:"):
        return run, region
    parts = run.split(":")
    if len(parts) < 8 or parts[2] != "states":
        raise ValidationError(f"{run} is not an execution ARN.", "give the ARN that dr start printed, or a run id.")
    return parts[7], parts[3]


def new_run_id(request: Request, now: datetime) -> str:
    """Return a readable id that is unique and fits an execution's name (80 characters)."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    customer = "".join(c if c.isalnum() else "-" for c in request.Customer)[:24]
    return f"{customer}-{request.Environment}-{request.Operation}-{stamp}-{secrets.token_hex(4)}"


def payload(request: Request) -> dict[str, Any]:
    """Return the execution input of a validated request, without what is default."""
    plain: dict[str, Any] = request.model_dump(mode="json", exclude_defaults=True)
    return {**plain, "ApprovalMode": request.ApprovalMode.value}


def _accepted(hub: HubRegion, run: str, run_id: str) -> None:
    """Explain a run that never came to be: its request was refused, or the Region is another."""
    try:
        hub.ledger.run(run_id)
    except NotFoundError as err:
        arn = (
            run
            if run.startswith("arn:")
            else f"{hub.orchestrator_arn.replace(':stateMachine:', ':execution:')}:{run_id}"
        )
        failure = hub.execution_failure(arn)
        raise NotFoundError(failure or f"run {run_id} is not accepted yet.", "look again in a moment.") from err


def _until_ended(hub: HubRegion, run_id: str, execution: str, limit_seconds: float) -> str | None:
    """Wait until a run has ended and return why it failed, or None."""
    waited = 0.0
    while waited < limit_seconds:
        failure = hub.execution_failure(execution)
        try:
            run = hub.ledger.run(run_id)
        except NotFoundError:
            run = None
        if run is not None and run.ended_at is not None:
            return None if run.status in SUCCESS else run.failure or run.status
        if failure:
            return failure
        pause(REFRESH_SECONDS)
        waited += REFRESH_SECONDS
    say(f"still planning after {limit_seconds:.0f} s; look later with: dr status {run_id}")
    sys.exit(Exit.TIMED_OUT)
