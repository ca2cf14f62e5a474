"""Manifests: what a customer's stack consists of and in which order it moves, written down in Git instead of in tags.

Format (REQUIREMENTS D5), published as `docs/manifest.schema.json`: layers with priorities and dependencies become waves,
every resource names an action (`AuroraMySQL`, `ECSService`, ...) that stands for an adapter. Pure; nothing is read here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic import ValidationError as ModelError

from orchestrator.contract import Adapter
from orchestrator.errors import ValidationError
from orchestrator.references import REFERENCE, malformed
from orchestrator.request import CustomerName, Environment, closest
from orchestrator.words import LIFECYCLE, Phase, Priority

VERSIONS = ("1.0",)
PROBLEMS_SHOWN = 50
Name = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^\S(.*\S)?$")]
Arn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+$")]
RecoveryPhase = Literal["INSTANTIATE", "ACTIVATE", "CLEANUP", "REPLICATE"]


def actions_of(adapters: Iterable[Adapter[Any]]) -> dict[str, str]:
    """Return manifest action -> key of the adapter that it stands for."""
    return {action: each.spec.key for each in adapters for action in each.spec.manifest_actions}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ManifestResource(_Part):
    """One resource. It is the tagged one of that name, or, with ARNs, exactly the objects named."""

    resourceId: Name = Field(description="Name of the resource, the same on both sides, or its id in the inventory.")
    action: Name = Field(description="What kind of resource it is, such as AuroraMySQL; stands for an adapter.")
    config: Mapping[str, JsonValue] = Field(
        default_factory=dict,
        description="Settings of the adapter. Strings may hold {{ssm:/name}} or {{cfn:Stack.Output}}, optionally with "
        "account and Region: {{ssm:222222222222/us-west-2:/name}}.",
    )
    arns: tuple[Arn, ...] = Field(default=(), max_length=2, description="Both sides, where tags do not tell.")
    priority: Priority | None = Field(default=None, description="Order inside the layer; the tag's when absent.")
    optional: bool | None = Field(
        default=None, description="Its failure never stops the run; the tag dr:optional when absent."
    )
    strategy: Name | None = Field(default=None, description="Recovery strategy; the tag's, else what AWS shows.")
    dependsOn: tuple[Name, ...] = Field(default=(), description="resourceIds that must be through first.")


class Layer(_Part):
    """Resources that move together."""

    layerId: Name
    priority: int = Field(ge=1, le=1000, description="Lower layers move first; equal ones together.")
    dependsOn: tuple[Name, ...] = Field(default=(), description="layerIds that must be through first.")
    resources: tuple[ManifestResource, ...] = Field(min_length=1)


class Manifest(_Part):
    """A whole stack."""

    schema_: str = Field(default="", alias="$schema", description="Where an editor finds this schema.")
    manifestVersion: Literal["1.0"]
    customer: CustomerName = Field(min_length=1, max_length=128)
    environment: Environment
    phases: tuple[RecoveryPhase, ...] = Field(default=("INSTANTIATE", "ACTIVATE", "CLEANUP", "REPLICATE"), min_length=1)
    layers: tuple[Layer, ...] = Field(min_length=1)

    @property
    def run_phases(self) -> tuple[Phase, ...]:
        """Return the phases in their order."""
        return tuple(phase for phase in LIFECYCLE if phase.value in self.phases)

    @property
    def waves(self) -> dict[str, int]:
        """Return layerId -> wave: after everything it depends on, and after every layer of a lower priority."""
        turn: dict[str, tuple[int, int]] = {}
        graph = {layer.layerId: set(layer.dependsOn) for layer in self.layers}
        by_id = {layer.layerId: layer for layer in self.layers}
        for name in TopologicalSorter(graph).static_order():
            needed = [turn[each] for each in graph[name]]
            priority = max([by_id[name].priority, *(each[0] for each in needed)])
            depth = max([each[1] + 1 for each in needed if each[0] == priority], default=0)
            turn[name] = (priority, depth)
        numbers = {key: number for number, key in enumerate(sorted(set(turn.values())), start=1)}
        return {name: numbers[key] for name, key in turn.items()}


@dataclass(frozen=True)
class Problem:
    """What is wrong where, and what to do."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.where}: {self.what}" + (f" ({self.remedy})" if self.remedy else "")


def parse(text: str | bytes, actions: Mapping[str, str]) -> Manifest:
    """Return the manifest; raise `ValidationError` naming every problem with its place.

    `actions` maps the action names that adapters know to their keys.
    """
    manifest, problems = check(text, actions)
    if manifest is None or problems:
        raise complaint(problems)
    return manifest


def complaint(problems: Sequence[Problem]) -> ValidationError:
    """Return the error that tells every problem."""
    shown = "\n".join(f"  - {problem}" for problem in problems[:PROBLEMS_SHOWN])
    more = f"\n  ... and {len(problems) - PROBLEMS_SHOWN} more" if len(problems) > PROBLEMS_SHOWN else ""
    return ValidationError(
        f"the manifest has {len(problems)} problem(s):\n{shown}{more}",
        "correct it, then: dr manifest check FILE",
        code="BadManifest",
    )


def check(text: str | bytes, actions: Mapping[str, str]) -> tuple[Manifest | None, list[Problem]]:
    """Return the manifest, as far as it can be read, and every problem in it."""
    try:
        raw = json.loads(text, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as err:
        told = str(err) if isinstance(err, _Double) else f"not JSON: {getattr(err, 'msg', err)}"
        return None, [Problem(_line(err), told, "check keys, brackets, quotes and commas")]
    if not isinstance(raw, dict):
        return None, [Problem("$", f"is {_kind(raw)}, expected an object", "see docs/manifest.schema.json")]
    version = raw.get("manifestVersion")
    if "manifestVersion" in raw and version not in VERSIONS:
        told = f"is {json.dumps(version)[:40]}, expected {' or '.join(VERSIONS)}"
        return None, [
            Problem("manifestVersion", told, "this platform reads no other; update it, or write that version")
        ]
    try:
        manifest = Manifest.model_validate(raw)
    except ModelError as err:
        errors = err.errors()
        inner = {each["loc"][:depth] for each in errors for depth in range(len(each["loc"]))}
        return None, [_problem(dict(each)) for each in errors if each["loc"] not in inner or each["type"] == "missing"]
    disorder = _layers(manifest)
    waves = {} if disorder else manifest.waves
    rest = (*_unknown_actions(manifest, actions), *_resources(manifest, waves), *_references(manifest))
    return manifest, [*disorder, *rest]


class _Double(ValueError):
    def __init__(self, key: str) -> None:
        super().__init__(f'the key "{key}" stands twice in one object')


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Double(next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1))
    return found


def _line(err: Exception) -> str:
    return f"line {err.lineno} column {err.colno}" if isinstance(err, json.JSONDecodeError) else "$"


def _kind(value: object) -> str:
    return {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}.get(
        type(value), "null"
    )


def _problem(error: Mapping[str, Any]) -> Problem:
    where, last = _path(error["loc"]), str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        known = {name for part in (Manifest, Layer, ManifestResource) for name in part.model_fields}
        return Problem(where, f"unknown field{closest(last, known)}", "remove it")
    if error["type"] == "missing":
        return Problem(where, "is missing", "see docs/manifest.schema.json")
    given = json.dumps(error.get("input"), default=str)[:60]
    told = str(error["msg"]).removeprefix("Value error, ")
    return Problem(where, f"is {given}: {told[:1].lower()}{told[1:]}", "see docs/manifest.schema.json")


def _path(loc: Sequence[str | int]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc]
    return "".join(parts).removeprefix(".") or "$"


def placed(manifest: Manifest) -> Iterator[tuple[str, Layer, ManifestResource]]:
    """Yield every resource with its place in the document and its layer."""
    for number, layer in enumerate(manifest.layers):
        for index, resource in enumerate(layer.resources):
            yield f"layers[{number}].resources[{index}]", layer, resource


def _unknown_actions(manifest: Manifest, actions: Mapping[str, str]) -> list[Problem]:
    remedy = f"use one of: {', '.join(sorted(actions))}"
    return [
        Problem(f"{where}.action", f'"{resource.action}" is not known{closest(resource.action, actions)}', remedy)
        for where, _, resource in placed(manifest)
        if resource.action not in actions
    ]


def _layers(manifest: Manifest) -> list[Problem]:
    names = [layer.layerId for layer in manifest.layers]
    problems = [
        Problem("layers", f'layerId "{name}" stands {times} times', "give each layer a name of its own")
        for name, times in Counter(names).items()
        if times > 1
    ]
    problems += [
        Problem(f"layers[{number}].dependsOn", f'"{needed}" is no layer{closest(needed, names)}', "name a layerId")
        for number, layer in enumerate(manifest.layers)
        for needed in layer.dependsOn
        if needed not in names
    ]
    return problems + _cycle("layers", {layer.layerId: set(layer.dependsOn) & set(names) for layer in manifest.layers})


def _resources(manifest: Manifest, waves: Mapping[str, int]) -> list[Problem]:
    """Return what is wrong with the resources; `waves` is empty when the layers' own order is not sound."""
    homes: dict[str, list[str]] = {}
    for where, _, resource in placed(manifest):
        homes.setdefault(resource.resourceId, []).append(where)
    problems = [
        Problem(
            places[1], f'resourceId "{name}" stands at {", ".join(places)}', "a resource belongs to one layer, once"
        )
        for name, places in homes.items()
        if len(places) > 1
    ]
    wave_of = {resource.resourceId: waves.get(layer.layerId, 0) for _, layer, resource in placed(manifest)}
    for where, layer, resource in placed(manifest):
        for needed in resource.dependsOn:
            if needed not in homes:
                told, remedy = f"is no resource of this manifest{closest(needed, homes)}", "name a resourceId"
            elif wave_of[needed] > waves.get(layer.layerId, 0):
                told, remedy = "moves in a later layer", "move it to this layer or an earlier one"
            else:
                continue
            problems.append(Problem(f"{where}.dependsOn", f'"{needed}" {told}', remedy))
    graph = {r.resourceId: {each for each in r.dependsOn if each in homes} for _, _, r in placed(manifest)}
    return problems + _cycle("resources", graph)


def _cycle(where: str, graph: Mapping[str, set[str]]) -> list[Problem]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as err:
        return [
            Problem(
                where, f"depend on each other in a circle: {' -> '.join(err.args[1])}", "remove one of the dependencies"
            )
        ]
    return []


def _references(manifest: Manifest) -> list[Problem]:
    return [
        Problem(f"{where}.config{inside}", f"{wrong} is not a reference", "write {{ssm:/name}} or {{cfn:Stack.Output}}")
        for where, _, resource in placed(manifest)
        for inside, text in strings(resource.config)
        for wrong in malformed(text)
    ]


def strings(value: JsonValue | Mapping[str, JsonValue], where: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string inside a value with its place."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from strings(each, f"{where}.{key}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from strings(each, f"{where}[{number}]")


def schema() -> dict[str, Any]:
    """Return the published JSON Schema (draft 2020-12)."""
    body = Manifest.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Disaster-recovery manifest",
        **{key: value for key, value in body.items() if key != "title"},
    }


def references_in(manifest: Manifest) -> set[str]:
    """Return every reference that the manifest's config holds, as written."""
    texts: Iterable[str] = (text for _, _, resource in placed(manifest) for _, text in strings(resource.config))
    return {match.group(0) for text in texts for match in REFERENCE.finditer(text)}
