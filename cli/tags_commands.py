"""`dr tags`: are the tags of a scope fit to move it by?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from adapters.registry import adapter
from cli.hub import HubRegion, enter
from cli.options import Exit, foreseen, output_option, region_option, say
from orchestrator.carrying import gaps
from orchestrator.errors import NotFoundError, ValidationError
from orchestrator.inventory import Snapshot
from orchestrator.ledger.records import Scope
from orchestrator.tag_check import check as check_tags
from orchestrator.words import Severity


@click.group()
def tags() -> None:
    """Tags: the rules that say what moves, when and how."""


@tags.command()
@click.option("--customer", help="Value of the tag Customer.")
@click.option("--environment", default="production", show_default=True)
@click.option("--region", envvar=["DR_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"], help="The hub's Region.")
@click.option("--fresh/--cached", default=True, help="Look now, or take the hub's newest inventory.")
@click.option(
    "--inventory",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check an inventory file instead, as `dr inventory --output json` prints it; without AWS.",
)
@output_option
@foreseen
def check(
    customer: str | None, environment: str, region: str | None, fresh: bool, inventory: Path | None, output: str
) -> None:
    """Name everything that is wrong with a scope's tags. Exit code 2 when something is."""
    snapshot = _snapshot(customer, environment, region, inventory, fresh=fresh)
    regions = sorted({name for each in snapshot.resources for name in each.sides if name != "global"})
    findings = check_tags(snapshot, adapter, regions)
    if output == "json":
        click.echo(json.dumps([each.model_dump(mode="json") for each in findings], indent=1))
    else:
        for each in findings:
            click.echo(f"{each.severity}: {each.resource_id}: {each.message} ({each.remedy})")
        taken = f"taken {snapshot.taken_at:%Y-%m-%d %H:%M} UTC"
        say(f"{len(snapshot.resources)} resource(s) of {snapshot.scope}, {taken}: {len(findings)} finding(s)")
    if any(each.severity is Severity.RED for each in findings):
        sys.exit(Exit.USAGE)


@click.command()
@click.option("--customer", required=True, help="Value of the tag Customer.")
@click.option("--environment", default="production", show_default=True)
@region_option
@click.option("--fresh/--cached", default=False, help="Look now, or take the hub's newest inventory.")
@output_option
@foreseen
def inventory(customer: str, environment: str, region: str, fresh: bool, output: str) -> None:
    """Show what the hub knows of a scope, and how old that is: an emergency lives on it."""
    hub = enter(region)
    snapshot = _newest(hub, Scope(customer=customer, environment=environment), fresh=fresh)
    if output == "json":
        click.echo(snapshot.model_dump_json(indent=1))
        return
    age = hub.clock.now() - snapshot.taken_at
    click.echo(f"{snapshot.scope}: {len(snapshot.resources)} resource(s), {age.total_seconds() / 60:.0f} min old")
    for each in snapshot.resources:
        sides = ", ".join(f"{side.account}/{region}" for region, side in sorted(each.sides.items()))
        click.echo(f"  {each.resource_id}  {each.strategy or 'strategy unknown'}  {sides}")
    for finding in (*gaps(snapshot), *snapshot.findings):
        say(f"{finding.severity}: {finding.resource_id}: {finding.message} {finding.remedy}".rstrip())
    for line in snapshot.remarks:
        say(line)


def _snapshot(
    customer: str | None, environment: str, region: str | None, inventory: Path | None, *, fresh: bool
) -> Snapshot:
    if inventory is not None:
        return Snapshot.model_validate_json(inventory.read_bytes())
    if not customer or not region:
        raise ValidationError("the scope is missing.", "name --customer and --region, or give an --inventory file.")
    return _newest(enter(region), Scope(customer=customer, environment=environment), fresh=fresh)


def _newest(hub: HubRegion, scope: Scope, *, fresh: bool) -> Snapshot:
    if fresh:
        hub.ask("refresh_inventory", {"Customer": scope.customer, "Environment": scope.environment})
    found = hub.ledger.newest_snapshot(scope)
    if found is None:
        raise NotFoundError(
            f"there is no inventory of {scope} in {hub.region}.", "check the spelling; look again with --fresh."
        )
    return found
