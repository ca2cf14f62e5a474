"""Rules about JSONata: every expression parses, every variable it reads is set on every path to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonata import Jsonata
from jsonata.jexception import JException
from jsonata.parser import Parser

from statemachines.lint.model import Finding, Machine, Scope, State, strings

OPEN, CLOSE = "{%", "%}"
# Functions Step Functions adds to JSONata's own.
ADDED_FUNCTIONS = frozenset({"partition", "range", "hash", "uuid", "parse"})
RESERVED = frozenset({"states"})
FORBIDDEN = frozenset({"", "$", "eval"})


def expression_invalid(machine: Machine) -> list[Finding]:
    """Find {% %} that do not enclose the whole string, that do not parse, or that use $, $$ or $eval."""
    found = []
    for state in machine.states():
        for value in strings(state.own):
            problem = _problem(value)
            if problem:
                remedy = "correct the expression; {% and %} must enclose the whole string."
                found.append(machine.finding("expression_invalid", state.name, f"{value!r}: {problem}", remedy))
    return found


def variable_undefined(machine: Machine) -> list[Finding]:
    """Find variables read where some path has not assigned them; children of a Distributed Map see none of outside."""
    found: list[Finding] = []
    known_inside: dict[int, frozenset[str]] = {}
    for scope in machine.scopes():
        outer: frozenset[str] = frozenset()
        if scope.parent is not None and scope.sees_parent_variables:
            outer = known_inside[id(scope.parent.body)]
        assigned = _assigned_before(scope, outer)
        for state in scope.states.values():
            known_inside[id(state.body)] = assigned.get(state.name, frozenset())
            if state.name in assigned:
                found.extend(_undefined(machine, scope, state, assigned[state.name]))
    return found


def variables(expression: str) -> frozenset[str]:
    """Return the free variables of a JSONata expression: without functions and names it binds itself."""
    bound: set[str] = set()
    for node in _nodes(Jsonata(expression).ast):
        if node.type == "bind":
            bound.add(str(node.lhs.value))
        elif node.type == "lambda":
            bound.update(str(argument.value) for argument in node.arguments)
    functions = set(Jsonata.static_frame.bindings) | ADDED_FUNCTIONS
    return frozenset(_names(expression) - bound - functions - RESERVED)


def _names(expression: str) -> frozenset[str]:
    """Return every $name of an expression; JException when it does not parse."""
    return frozenset(str(node.value) for node in _nodes(Jsonata(expression).ast) if node.type == "variable")


def _problem(value: str) -> str:
    opens, closes = value.startswith(OPEN), value.endswith(CLOSE)
    if opens != closes or (not opens and (OPEN in value or CLOSE in value)):
        return "is half an expression."
    if not opens:
        return ""
    try:
        names = _names(_inner(value))
    except JException as error:
        return f"does not parse: {error}."
    misused = sorted("$" + name for name in names & FORBIDDEN)
    return f"uses {', '.join(misused)}, which Step Functions refuses." if misused else ""


def _undefined(machine: Machine, scope: Scope, state: State, known: frozenset[str]) -> Iterator[Finding]:
    expressions = [value for value in strings(state.own) if value.startswith(OPEN) and not _problem(value)]
    missing = {name for value in expressions for name in variables(_inner(value))} - known
    assigned_somewhere = {name for other in scope.states.values() for edge in other.edges() for name in edge.assigns}
    for name in sorted(missing):
        if name in assigned_somewhere:
            message = f"reads ${name}, which not every path to it has assigned."
        elif scope.parent is not None and scope.parent.is_distributed_map:
            message = f"reads ${name}; a child of a Distributed Map sees no variables of outside."
        else:
            message = f"reads ${name}, which nothing assigns."
        remedy = "Assign it on every path, or pass it in the input."
        yield machine.finding("variable_undefined", state.name, message, remedy)


def _assigned_before(scope: Scope, outer: frozenset[str]) -> dict[str, frozenset[str]]:
    """Return, per reachable state, the variables that every path to it has assigned."""
    before = {scope.start_at: outer}
    todo = [scope.start_at]
    while todo:
        name = todo.pop()
        if name not in scope.states:
            continue
        for edge in scope.states[name].edges():
            arriving = before[name] | edge.assigns
            merged = before[edge.target] & arriving if edge.target in before else arriving
            if merged != before.get(edge.target):
                before[edge.target] = merged
                todo.append(edge.target)
    return before


def _inner(value: str) -> str:
    return value[len(OPEN) : -len(CLOSE)]


def _nodes(root: Any) -> Iterator[Any]:
    """Yield every node of a parsed expression; the tree may share nodes."""
    seen: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, list | tuple):
            todo.extend(node)
        elif isinstance(node, Parser.Symbol) and id(node) not in seen:
            seen.add(id(node))
            todo.extend(value for key, value in vars(node).items() if key != "_outer_instance")
            yield node
