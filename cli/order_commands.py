"""The commands to a run under way: answers to its gates, pause, resume, cancel. Each carries a proof of who gives it."""

from __future__ import annotations

import click
from pydantic import BaseModel, JsonValue

from cli.hub import enter
from cli.options import confirm, foreseen, region_option, say
from cli.run_commands import locate, new_run_id, payload
from orchestrator.errors import ValidationError
from orchestrator.linked import filled
from orchestrator.request import parse
from orchestrator.words import Choice

ANSWERS = [choice.value for choice in Choice]


@click.command()
@click.argument("gate")
@region_option
@click.option("--reason", default="")
@foreseen
def approve(gate: str, region: str, reason: str) -> None:
    """Approve an open gate."""
    _answer(gate, Choice.APPROVE, region, reason)


@click.command()
@click.argument("gate")
@region_option
@click.option("--reason", default="")
@foreseen
def reject(gate: str, region: str, reason: str) -> None:
    """Reject an open gate; the run ends."""
    _answer(gate, Choice.REJECT, region, reason)


@click.command()
@click.argument("gate")
@click.argument("choice", required=False, type=click.Choice(ANSWERS))
@click.option("--choice", "chosen", type=click.Choice(ANSWERS), help="The answer, when not given as an argument.")
@click.option("--resource", "resources", multiple=True, help="With skip: leave only this one alone (repeatable).")
@region_option
@click.option("--reason", default="")
@foreseen
def decide(
    gate: str, choice: str | None, chosen: str | None, resources: tuple[str, ...], region: str, reason: str
) -> None:
    """Answer an open gate with one of its options."""
    answer = choice or chosen
    if answer is None or (choice and chosen and choice != chosen):
        raise ValidationError(f"one answer is needed, of {', '.join(ANSWERS)}.", f"dr decide {gate} ANSWER")
    _answer(gate, Choice(answer), region, reason, resources)


def _answer(gate: str, choice: Choice, region: str, reason: str, resources: tuple[str, ...] = ()) -> None:
    hub = enter(region)
    said: dict[str, JsonValue] = {"GateId": gate, "Choice": choice.value, "Reason": reason, "Resources": [*resources]}
    reply = hub.order("answer_gate", said)
    click.echo(f"{choice} sent to run {reply['RunId']} as {reply['By']}")


@click.command()
@click.argument("run")
@region_option
@click.option("--reason", default="")
@foreseen
def pause(run: str, region: str, reason: str) -> None:
    """Pause a run after the steps in flight."""
    run_id, region = locate(run, region)
    reply = enter(region).order("pause_run", {"RunId": run_id, "Reason": reason})
    click.echo(f"run {run_id} pauses after the steps in flight, as {reply['By']} wants it")
    say(f"go on with: dr resume {run} --region {region}")


@click.command()
@click.argument("run")
@region_option
@click.option("--reason", default="")
@foreseen
def resume(run: str, region: str, reason: str) -> None:
    """Resume a paused run; the stage before is looked at again first."""
    run_id, region = locate(run, region)
    reply = enter(region).order("resume_run", {"RunId": run_id, "Reason": reason})
    click.echo(f"run {run_id} goes on, as {reply['By']} wants it")


@click.command()
@click.argument("run")
@region_option
@click.option("--minutes", type=int, required=True, help="How much longer the copies may stay.")
@click.option("--reason", default="")
@foreseen
def extend(run: str, region: str, minutes: int, reason: str) -> None:
    """Extend the lease of a drill."""
    run_id, region = locate(run, region)
    reply = enter(region).order("extend_lease", {"RunId": run_id, "Minutes": minutes, "Reason": reason})
    click.echo(f"the copies of drill {run_id} may stay until {reply['Until']}, as {reply['By']} wants it")


@click.command()
@click.argument("run")
@region_option
@click.option("--reason", default="")
@click.option("--yes", is_flag=True, help="Do not ask.")
@foreseen
def cancel(run: str, region: str, reason: str, yes: bool) -> None:
    """Stop a run after its current steps."""
    run_id, region = locate(run, region)
    gone = "a drill's copies are then removed at once, unless it was given more time before: dr extend"
    confirm(f"Cancel run {run_id}? What is under way is finished first; {gone}.", yes=yes)
    hub = enter(region)
    done = hub.order("cancel_run", {"RunId": run_id, "Reason": reason})
    click.echo(f"run {run_id} stops after its current steps")
    for told in Cancelled.model_validate(done).Copies:
        say(told)


class Cancelled(BaseModel):
    """What the function answers; `Copies` says what becomes of a drill's."""

    Copies: tuple[str, ...] = ()


@click.command()
@click.argument("run")
@region_option
@click.option("--reason", default="")
@click.option(
    "--accept-data-loss",
    is_flag=True,
    help="Of a run without approvals: losing unreplicated writes is accepted; else the emergency asks at a gate.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@foreseen
def escalate(run: str, region: str, reason: str, accept_data_loss: bool, yes: bool) -> None:
    """Let a planned run go on as an emergency, because its source Region died midway."""
    run_id, region = locate(run, region)
    confirm(f"Treat the source Region of run {run_id} as lost, and go on without it?", yes=yes)
    hub = enter(region)
    ordered: dict[str, JsonValue] = {"RunId": run_id, "Reason": reason, "AcceptDataLoss": accept_data_loss}
    hub.order("escalate_run", ordered)
    said = {"Escalate": run_id, **({"Reason": reason} if reason else {})}
    request = parse(filled(hub.ledger, said))
    click.echo(hub.start(new_run_id(request, hub.clock.now()), payload(request)))
    say(f"run {run_id} begins nothing new; the emergency goes on with what it did.")
    say("follow it with: dr status THE-ARN-ABOVE --watch; what would be lost is shown at its gate.")
