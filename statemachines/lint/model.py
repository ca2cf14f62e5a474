"""What the rules look at: a machine, its scopes (the top level and each nested processor) and their states."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from statemachines import definitions

Body = Mapping[str, Any]
NESTED_FIELDS = frozenset({"ItemProcessor", "Iterator", "Branches"})
INTERRUPTED = "Interrupted"
"""The Task whose failure is meant to end an execution: uncaught, so that a redrive comes back to it, and left only by one."""


@dataclass(frozen=True)
class Finding:
    """One fault: where, what was observed, and what to do about it."""

    rule: str
    machine: str
    state: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.machine}: {self.state}: {self.message} Try: {self.remedy} [{self.rule}]"


@dataclass(frozen=True)
class Edge:
    """A way from one state to another: `assigns` are the variables set on the way."""

    target: str
    assigns: frozenset[str]


@dataclass(frozen=True)
class State:
    """One state. `own` is its body without the states nested in it."""

    name: str
    body: Body

    @property
    def type(self) -> str:
        """Return the state's Type, "" when it has none."""
        return str(self.body.get("Type", ""))

    @property
    def own(self) -> Body:
        """Return the body without nested machines, so that their strings are not taken for this state's."""
        return {key: value for key, value in self.body.items() if key not in NESTED_FIELDS}

    @property
    def resource(self) -> str:
        """Return the integration without its ARN prefix, e.g. "lambda:invoke.waitForTaskToken"."""
        return str(self.body.get("Resource", "")).removeprefix("arn:aws:states:::")

    @property
    def is_task(self) -> bool:
        """Return whether it is a Task."""
        return self.type == "Task"

    @property
    def is_callback(self) -> bool:
        """Return whether it waits for a task token."""
        return self.is_task and self.resource.endswith(".waitForTaskToken")

    @property
    def is_distributed_map(self) -> bool:
        """Return whether it is a Map whose items each run in a child execution."""
        mode = self.body.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode")
        return self.type == "Map" and mode == "DISTRIBUTED"

    def edges(self) -> list[Edge]:
        """Return every way out of the state, Catch included."""
        found = []
        own = frozenset(self.body.get("Assign", {}))
        for rule in [*self.body.get("Choices", []), *self.body.get("Catch", [])]:
            if "Next" in rule:
                found.append(Edge(rule["Next"], frozenset(rule.get("Assign", {}))))
        found.extend(Edge(self.body[field], own) for field in ("Next", "Default") if field in self.body)
        return found


@dataclass(frozen=True)
class Scope:
    """States that can reach one another. `parent` holds the Map or Parallel they are nested in."""

    start_at: str
    states: Mapping[str, State]
    parent: State | None = None

    @property
    def sees_parent_variables(self) -> bool:
        """Return False inside a Distributed Map: its children are executions of their own."""
        return self.parent is not None and not self.parent.is_distributed_map


@dataclass(frozen=True)
class Machine:
    """A definition under check. `declared` are the tokens it must use."""

    name: str
    text: str
    definition: Body
    declared: frozenset[str]

    @classmethod
    def named(cls, name: str) -> Machine:
        """Return one of our machines as it lies in the tree."""
        return cls(name, definitions.text(name), definitions.load(name), definitions.declared_tokens(name))

    @classmethod
    def of(cls, name: str, definition: Body, declared: frozenset[str] | None = None) -> Machine:
        """Return a machine made from a dict; declared tokens default to those it uses."""
        source = json.dumps(definition)
        return cls(name, source, definition, definitions.tokens(source) if declared is None else declared)

    def scopes(self) -> Iterator[Scope]:
        """Yield the top-level scope, then each nested one, outer before inner."""
        yield from _scopes(self.definition, None)

    def states(self) -> Iterator[State]:
        """Yield every state of every scope."""
        for scope in self.scopes():
            yield from scope.states.values()

    def finding(self, rule: str, state: str, message: str, remedy: str) -> Finding:
        """Return a finding in this machine."""
        return Finding(rule, self.name, state, message, remedy)


def strings(value: Any) -> Iterator[str]:
    """Yield every string value inside a JSON value, keys excluded."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for member in value:
            yield from strings(member)


def keys(value: Any) -> Iterator[str]:
    """Yield every object key inside a JSON value."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield key
            yield from keys(member)
    elif isinstance(value, list):
        for member in value:
            yield from keys(member)


def _scopes(body: Body, parent: State | None) -> Iterator[Scope]:
    scope = Scope(
        str(body.get("StartAt", "")),
        {name: State(name, state) for name, state in body.get("States", {}).items()},
        parent,
    )
    yield scope
    for state in scope.states.values():
        nested = [state.body[field] for field in ("ItemProcessor", "Iterator") if field in state.body]
        for inner in [*nested, *state.body.get("Branches", [])]:
            yield from _scopes(inner, state)
