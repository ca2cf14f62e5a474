"""`dr manifest`: check, show, compare and publish manifests. All but `publish` work without AWS, in CI too."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from rich.tree import Tree

from adapters.registry import adapters
from cli import show
from cli.hub import enter
from cli.options import Exit, foreseen, output_option, say
from orchestrator.errors import ValidationError
from orchestrator.ledger.records import Scope
from orchestrator.manifest import Manifest, actions_of, parse, schema
from orchestrator.manifest import check as check_text
from orchestrator.manifest_diff import differences
from orchestrator.stocktaking import manifest_key

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def manifest() -> None:
    """Manifests: a stack written down as layers, for Git and CI."""


@manifest.command()
@click.argument("files", type=FILE, nargs=-1, required=True)
@output_option
@foreseen
def check(files: tuple[Path, ...], output: str) -> None:
    """Name every problem in manifests. Exit code 2 when there is one."""
    found = {str(path): check_text(path.read_bytes(), actions_of(adapters()))[1] for path in files}
    if output == "json":
        plain = {name: [vars(problem) for problem in problems] for name, problems in found.items()}
        click.echo(json.dumps(plain, indent=1))
    else:
        for name, problems in found.items():
            click.echo(f"{name}: {'good' if not problems else f'{len(problems)} problem(s)'}")
            for problem in problems:
                click.echo(f"  {problem}")
    if any(found.values()):
        sys.exit(Exit.USAGE)


@manifest.command(name="show")
@click.argument("file", type=FILE)
@output_option
@foreseen
def show_(file: Path, output: str) -> None:
    """Show a manifest as the waves it stands for."""
    read = _read(file)
    if output == "json":
        click.echo(read.model_dump_json(indent=1))
        return
    waves = read.waves
    tree = Tree(f"[bold]{read.customer}/{read.environment}[/bold]  {', '.join(read.phases)}")
    for number in sorted(set(waves.values())):
        branch = tree.add(f"wave {number}")
        for layer in (each for each in read.layers if waves[each.layerId] == number):
            needs = f" after {', '.join(layer.dependsOn)}" if layer.dependsOn else ""
            twig = branch.add(f"layer {layer.layerId} (priority {layer.priority}{needs})")
            for resource in layer.resources:
                after = f" after {', '.join(resource.dependsOn)}" if resource.dependsOn else ""
                twig.add(f"{resource.resourceId}  {resource.action} {resource.priority or ''}{after}".rstrip())
    show.console().print(tree)


@manifest.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@foreseen
def diff(old: Path, new: Path) -> None:
    """Tell what NEW would do otherwise than OLD. Exit code 1 when there is something."""
    lines = differences(_read(old), _read(new))
    click.echo("\n".join(lines) if lines else "no difference")
    if lines:
        sys.exit(Exit.FAILED)


@manifest.command(name="schema")
def schema_() -> None:
    """Print the JSON Schema, for an editor's completion."""
    click.echo(json.dumps(schema(), indent=1))


@manifest.command()
@click.argument("file", type=FILE)
@click.option("--region", "regions", multiple=True, required=True, help="A hub Region; name both.")
@foreseen
def publish(file: Path, regions: tuple[str, ...]) -> None:
    """Put a manifest that is good into the hub's bucket of each Region, where runs and the inventory find it."""
    read = _read(file)
    key = manifest_key(Scope(customer=read.customer, environment=read.environment.value))
    if len(set(regions)) < 2:
        say("only one hub Region was named: a run in the other one would not find this version")
    for region in regions:
        hub = enter(region)
        hub.blobs.put(key, file.read_bytes())
        _, version = hub.blobs.get_version(key)
        click.echo(f"{region}: s3://{hub.blobs.bucket}/{key} version {version}")


def _read(file: Path) -> Manifest:
    try:
        return parse(file.read_bytes(), actions_of(adapters()))
    except ValidationError as err:
        raise ValidationError(f"{file}: {err.message}", f"dr manifest check {file}", code=err.code) from err
