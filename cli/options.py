"""Options that several commands share, and how errors end a command."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

import click

from orchestrator.errors import DrError, RefusedError, ValidationError

F = TypeVar("F", bound=Callable[..., Any])


class Exit(IntEnum):
    """Exit codes, documented in `dr --help`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    TIMED_OUT = 4


def request_options(command: F) -> F:
    """Add the options that make up a request."""
    for option in reversed(
        (
            click.option("--customer", default=None, help="Value of the tag Customer."),
            click.option("--environment", default=None, help="production (the default), staging or development."),
            click.option("--operation", default=None, help="failover (the default), failback or test."),
            click.option("--primary-region", default=None, help="The customer's home Region."),
            click.option("--dr-region", default=None, help="The Region that stands by in normal times."),
            click.option(
                "--complete",
                default=None,
                metavar="RUN",
                help="Do what this ended emergency run deferred, or remove the copies that this ended drill left; it says all the rest.",
            ),
            click.option(
                "--region",
                envvar=["DR_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"],
                default=None,
                help="With --complete: the Region of the hub that did that run.",
            ),
            click.option(
                "--mode", "order", default=None, help="wave or lifecycle; chosen from the resources when absent."
            ),
            click.option("--waves", default=None, help="Only these waves, for example 1,2."),
            click.option("--phases", default=None, help="Only these phases, for example ACTIVATE."),
            click.option(
                "--decommission", is_flag=True, help="At the end, delete the old side; asks for an approval of its own."
            ),
            click.option("--manifest", default=None, help="Key of a manifest in the hub's bucket."),
            click.option(
                "--manifest-version", default=None, help="Version id of that manifest; the newest when absent."
            ),
            click.option(
                "--on-failure",
                default=None,
                help="When a stage does not pass: ask (default), continue, rollback, abort.",
            ),
            click.option(
                "--success",
                multiple=True,
                help="How much of a wave must succeed: 2=critical, 3=90%, '*=all' for the others (repeatable).",
            ),
            click.option(
                "--lease-minutes",
                type=int,
                default=None,
                help="Of a drill: how long its copies may stay; then they are removed whatever has become of it.",
            ),
            click.option(
                "--cost-ceiling",
                type=float,
                default=None,
                help="Of a drill: what its copies may cost in the whole lease, in US dollars, by estimate.",
            ),
            click.option("--emergency", is_flag=True, help="The source Region is lost."),
            click.option("--reason", default="", help="Ticket or reason for the audit trail."),
        )
    ):
        command = option(command)
    return command


def request_input(
    *,
    customer: str | None,
    environment: str | None,
    operation: str | None,
    primary_region: str | None,
    dr_region: str | None,
    complete: str | None,
    order: str | None,
    waves: str | None,
    phases: str | None,
    decommission: bool,
    manifest: str | None,
    manifest_version: str | None,
    on_failure: str | None,
    success: tuple[str, ...],
    lease_minutes: int | None,
    cost_ceiling: float | None,
    emergency: bool,
    reason: str,
) -> dict[str, Any]:
    """Return the execution input for the options; nothing is validated here."""
    given: dict[str, Any] = {
        "Customer": customer,
        "Environment": environment or (None if complete else "production"),
        "Operation": operation or (None if complete else "failover"),
        "PrimaryRegion": primary_region,
        "DRRegion": dr_region,
        "Complete": complete,
        "Mode": order,
        "Waves": [int(w) if w.strip().isdigit() else w for w in waves.split(",")] if waves else None,
        "Phases": [p.strip().upper() for p in phases.split(",")] if phases else None,
        "Decommission": decommission or None,
        "Manifest": manifest,
        "ManifestVersion": manifest_version,
        "OnFailure": on_failure,
        "SuccessRules": dict(_rule(each) for each in success) or None,
        "LeaseMinutes": lease_minutes,
        "CostCeilingUSD": cost_ceiling,
        "Emergency": emergency or None,
        "Reason": reason or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _rule(text: str) -> tuple[str, str]:
    wave, _, rule = text.partition("=")
    return wave.strip(), rule.strip()


def region_option(command: F) -> F:
    """Add --region."""
    return click.option(
        "--region", envvar=["DR_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"], required=True, help="The hub's Region."
    )(command)


def output_option(command: F) -> F:
    """Add --output."""
    return click.option("--output", type=click.Choice(["table", "json"]), default="table", show_default=True)(command)


def say(text: str) -> None:
    """Talk to the operator on stderr; stdout is for results."""
    click.echo(text, err=True)


def foreseen(command: F) -> F:
    """End a command on a foreseen error with its message and the next step, without a stack trace."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except DrError as err:
            say(f"Error: {err.message}")
            if err.remedy:
                say(f"Try: {err.remedy}")
            code = Exit.USAGE if isinstance(err, ValidationError) else Exit.FAILED
            sys.exit(Exit.REFUSED if isinstance(err, RefusedError) else code)

    return wrapped  # type: ignore[return-value]  # functools.wraps keeps the signature


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is changed; Enter means no, and without a terminal --yes is needed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise RefusedError("this changes things, and there is no terminal to ask on.", "add --yes")
    if not click.confirm(question, default=False, err=True):
        raise RefusedError("not confirmed; nothing was changed.")
