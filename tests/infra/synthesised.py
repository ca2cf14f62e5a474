"""What `cdk synth` wrote, with the questions the tests ask of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.config import Config
from orchestrator.names import Machine, function

Json = dict[str, Any]


@dataclass(frozen=True)
class Template:
    """One synthesised stack."""

    name: str
    region: str
    body: Json

    def of_type(self, kind: str) -> dict[str, Json]:
        """Return the resources of a type by logical id, Properties only."""
        return {
            logical: each.get("Properties", {})
            for logical, each in self.body["Resources"].items()
            if each["Type"] == kind
        }

    def one(self, kind: str, **wanted: Any) -> Json:
        """Return the only resource of a type with these properties."""
        found = [p for p in self.of_type(kind).values() if all(p.get(k) == v for k, v in wanted.items())]
        assert len(found) == 1, f"{self.name}: {len(found)} resources {kind} with {wanted}"
        return found[0]

    def statements_of(self, role: str) -> list[Json]:
        """Return every statement that a role (by logical id) holds, inline and attached."""
        inline = self.of_type("AWS::IAM::Role")[role].get("Policies", [])
        attached = [p for p in self.of_type("AWS::IAM::Policy").values() if {"Ref": role} in p["Roles"]]
        return [s for policy in [*inline, *attached] for s in policy["PolicyDocument"]["Statement"]]

    def function(self, verb: str) -> Json:
        """Return a verb's function."""
        return self.one("AWS::Lambda::Function", FunctionName=function(verb))

    def statements_of_verb(self, verb: str) -> list[Json]:
        """Return every statement of a verb's role."""
        return self.statements_of(self.function(verb)["Role"]["Fn::GetAtt"][0])

    def machine(self, machine: Machine) -> Json:
        """Return a state machine."""
        return self.one("AWS::StepFunctions::StateMachine", StateMachineName=machine.value)


@dataclass(frozen=True)
class Assembly:
    """Everything `cdk synth` wrote."""

    directory: Path
    config: Config

    def template(self, stack: str, region: str) -> Template:
        """Return a stack's template."""
        return Template(stack, region, json.loads((self.directory / f"{stack}.template.json").read_bytes()))

    @cached_property
    def hubs(self) -> tuple[Template, Template]:
        """Return the hub of both Regions, home first."""
        home, peer = self.config.hub.regions
        return self.template(f"DrHub-{home}", home), self.template(f"DrHub-{peer}", peer)

    @cached_property
    def keys(self) -> tuple[Template, Template]:
        """Return the keys stacks of both Regions, home first."""
        home, peer = self.config.hub.regions
        return self.template(f"DrHubKeys-{home}", home), self.template(f"DrHubKeys-{peer}", peer)

    @cached_property
    def data(self) -> Template:
        """Return the ledger."""
        return self.template("DrHubData", self.config.hub.home_region)

    @cached_property
    def spokes(self) -> Template:
        """Return the spoke roll-out."""
        return self.template("DrSpokes", self.config.hub.home_region)

    @property
    def all(self) -> list[Template]:
        """Return every template."""
        return [*self.keys, self.data, *self.hubs, self.spokes]


def actions_of(statements: list[Json]) -> set[str]:
    """Return all actions of statements."""
    return {action for s in statements for action in as_list(s["Action"])}


def as_list(value: Any) -> list[Any]:
    """Return a value that IAM accepts alone or in a list as a list."""
    return value if isinstance(value, list) else [value]


def text(value: Any) -> str:
    """Return a template value with pseudo parameters written as <AWS::Region> and joins joined."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(text(part) for part in parts)
    if isinstance(value, dict) and "Ref" in value:
        return f"<{value['Ref']}>"
    return json.dumps(value, sort_keys=True)
