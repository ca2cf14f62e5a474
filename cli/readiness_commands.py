"""`dr readiness`: could a scope be moved now, and since when not?"""

from __future__ import annotations

import json
import sys

import click
from rich.table import Table
from rich.text import Text

from cli import show
from cli.hub import enter
from cli.options import Exit, foreseen, output_option, region_option, say
from orchestrator.errors import NotFoundError, ValidationError
from orchestrator.ledger.records import ReadinessRecord, Scope
from orchestrator.words import Readiness

COLOURS = {
    Readiness.READY: "green",
    Readiness.DRAFT: "bright_black",
    Readiness.STALE: "yellow",
    Readiness.NEEDS_ATTENTION: "bold red",
}


@click.command()
@click.option("--customer", help="Value of the tag Customer; all scopes when absent.")
@click.option("--environment", default="production", show_default=True)
@region_option
@click.option("--history", is_flag=True, help="Show how the scope stood before, newest first.")
@click.option("--fresh/--cached", default=False, help="Judge now (a move into --region), or show the last verdict.")
@output_option
@foreseen
def readiness(customer: str | None, environment: str, region: str, history: bool, fresh: bool, output: str) -> None:
    """Show whether scopes could be moved: draft, ready, needs_attention or stale. Exit code 1 when one is not ready."""
    hub = enter(region)
    scope = Scope(customer=customer, environment=environment) if customer else None
    if (history or fresh) and scope is None:
        raise ValidationError("the scope is missing.", "name --customer (and --environment).")
    if fresh and scope is not None:
        hub.ask("judge_scopes", {"Customer": scope.customer, "Environment": scope.environment})
    if history and scope is not None:
        verdicts = hub.ledger.readiness_of(scope)
    else:
        verdicts = [each for each in hub.ledger.newest_readiness() if scope in {None, each.scope}]
    if not verdicts:
        raise NotFoundError(
            f"nothing was judged yet{f' of {scope}' if scope else ''}.", "look with --customer and --fresh."
        )
    if output == "json":
        click.echo(json.dumps([each.model_dump(mode="json") for each in verdicts], indent=1))
    else:
        _show(verdicts, with_findings=not history)
    if not history and any(each.state is not Readiness.READY for each in verdicts):
        sys.exit(Exit.FAILED)


def _show(verdicts: list[ReadinessRecord], *, with_findings: bool) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("scope", "into", "state", "since", "judged", "resources", "why"):
        table.add_column(name)
    for each in verdicts:
        state = Text(each.state, style=COLOURS[each.state])
        times = (f"{at:%Y-%m-%d %H:%M}" for at in (each.since, each.at))
        table.add_row(each.scope.key, each.region, state, *times, str(each.resources), each.reason)
    show.console().print(table)
    for each in verdicts if with_findings else ():
        for finding in each.findings:
            say(f"{finding.severity}: {finding.resource_id}: {finding.message} {finding.remedy}".rstrip())
