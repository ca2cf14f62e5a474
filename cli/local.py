"""`dr local`: the whole product on this machine, in the embedded AWS."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cli.hub import enter
from cli.local_demo import run_demo
from cli.local_hub import REGIONS, ROOT, LocalHub
from cli.options import foreseen, say

STATE = Path(".local")
ESTATES = Path("localaws/estates")


@click.group()
def local() -> None:
    """Run the embedded AWS with a deployed hub on this machine."""


def _hub(port: int, dns_port: int, speed: float, rate: float) -> LocalHub:
    return LocalHub(ROOT / STATE, port, dns_port, speed, rate)


def _server_options(command: click.decorators.FC) -> click.decorators.FC:
    for option in (
        click.option("--port", default=4566, show_default=True, help="Where the AWS API answers."),
        click.option("--dns-port", default=10053, show_default=True, help="Where DNS answers."),
        click.option("--speed", default=240.0, show_default=True, help="AWS seconds per second."),
        click.option("--rate", default=15.0, show_default=True, help="Seconds of the world's clock per second."),
        click.option("--estate", default="demo", show_default=True, help="demo, small, or a YAML file."),
    ):
        command = option(command)
    return command


@local.command()
@_server_options
@click.option("--scenario", type=click.Path(exists=True, path_type=Path), help="YAML with faults.")
@foreseen
def up(port: int, dns_port: int, speed: float, rate: float, estate: str, scenario: Path | None) -> None:
    """Start the embedded AWS, deploy the hub, load an estate; it keeps running until `dr local down`."""
    hub = _hub(port, dns_port, speed, rate)
    bring_up(hub, estate, scenario)
    say('Use it from this shell with: eval "$(dr local env)"')


def bring_up(hub: LocalHub, estate: str, scenario: Path | None = None) -> None:
    """Start, deploy and fill the embedded AWS, telling what happens."""
    shipped = ROOT / ESTATES / f"{estate}.yaml"
    path = shipped if shipped.exists() else Path(estate).resolve()
    say(f"starting the embedded AWS at {hub.endpoint_url} with estate {estate} ...")
    hub.start(path, scenario)
    say("bootstrapping and deploying the hub to us-east-1 and us-west-2 by CDK ...")
    hub.deploy(path)
    hub.deploy_functions(path)
    say("taking the first inventory ...")
    for region in REGIONS:
        os.environ.update(hub.environment(region))
        for taken in enter(region).ask("refresh_inventory", {})["Scopes"]:
            missing = f", unreadable: {taken['Missing']}" if taken["Missing"] else ""
            say(f"  {region}: {taken['Scope']}: {taken['Resources']} resources{missing}")


@local.command()
@_server_options
@foreseen
def down(port: int, dns_port: int, speed: float, rate: float, estate: str) -> None:
    """Stop the embedded AWS; everything in it is gone."""
    say("stopped" if _hub(port, dns_port, speed, rate).stop() else "nothing was running")


@local.command()
@_server_options
@click.option("--region", default=REGIONS[1], show_default=True)
@click.option("--account", default=None, help="Account id; the hub's when absent.")
def env(port: int, dns_port: int, speed: float, rate: float, estate: str, region: str, account: str | None) -> None:
    """Print the variables that point AWS tools at the embedded AWS; use with eval."""
    for name, value in _hub(port, dns_port, speed, rate).environment(region, account).items():
        click.echo(f"export {name}={value}")


@local.command()
@_server_options
@click.option("--keep", is_flag=True, help="Leave the embedded AWS running afterwards.")
@foreseen
def demo(port: int, dns_port: int, speed: float, rate: float, estate: str, keep: bool) -> None:
    """Move the demo shop from us-east-1 to us-west-2 and write .demo/report.json and .demo/report.html."""
    hub = _hub(port, dns_port, speed, rate)
    try:
        bring_up(hub, estate)
        run_demo(hub, ROOT / ".demo")
    finally:
        if not keep:
            hub.stop()
