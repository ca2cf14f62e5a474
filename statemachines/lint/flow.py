"""Rules about the way through a machine: targets, reachability, choices, cycles."""

from __future__ import annotations

from collections.abc import Collection

from statemachines.lint.model import INTERRUPTED, Finding, Machine, Scope, State


def target_dangling(machine: Machine) -> list[Finding]:
    """Find StartAt, Next, Default, Choices and Catch targets that do not exist in their own scope."""
    found = []
    for scope in machine.scopes():
        if scope.start_at not in scope.states:
            found.append(_dangling(machine, "StartAt", scope.start_at, scope))
        for state in scope.states.values():
            missing = {edge.target for edge in state.edges()} - set(scope.states)
            found.extend(_dangling(machine, state.name, target, scope) for target in sorted(missing))
    return found


def state_unreachable(machine: Machine) -> list[Finding]:
    """Find states no path from StartAt leads to."""
    return [
        machine.finding("state_unreachable", name, "no path leads to this state.", "remove it, or route to it.")
        for scope in machine.scopes()
        for name in sorted(set(scope.states) - _reachable(scope, scope.start_at))
    ]


def choice_default_wrong(machine: Machine) -> list[Finding]:
    """Find a Choice without Default, or whose Default counts the unforeseen as a success."""
    found = []
    for scope in machine.scopes():
        for state in scope.states.values():
            if state.type != "Choice":
                continue
            default = state.body.get("Default")
            if default is None:
                problem = "has no Default: an unforeseen value ends in States.NoChoiceMatched."
            elif _succeeds_at_once(scope, default):
                problem = f"its Default {default!r} leads to Succeed: an unforeseen value would count as done."
            else:
                continue
            remedy = "let Default lead to a Fail state, or to a state that judges by the ledger."
            found.append(machine.finding("choice_default_wrong", state.name, problem, remedy))
    return found


def cycle_without_wait(machine: Machine) -> list[Finding]:
    """Find cycles that do not pass a Wait, a bounded callback, a nested run, a Distributed Map or a redrive: hot loops."""
    found: list[Finding] = []
    for scope in machine.scopes():
        hot = {name for name, state in scope.states.items() if not _waits(state)}
        found.extend(
            machine.finding(
                "cycle_without_wait",
                min(cycle),
                f"the cycle {sorted(cycle)} never waits: it would burn events and calls.",
                "put a Wait, or a task that waits with TimeoutSeconds, into the cycle.",
            )
            for cycle in _cycles(scope, hot)
        )
    return found


def cycle_without_exit(machine: Machine) -> list[Finding]:
    """Find cycles no state of which leads out: the run could only end by its timeout."""
    found = []
    for scope in machine.scopes():
        for cycle in _cycles(scope, set(scope.states)):
            leaves = any(edge.target not in cycle for name in cycle for edge in scope.states[name].edges())
            ends = any(scope.states[name].body.get("End") for name in cycle)
            if not leaves and not ends:
                message = f"nothing leads out of the cycle {sorted(cycle)}."
                remedy = "add a way out for success and one for failure."
                found.append(machine.finding("cycle_without_exit", min(cycle), message, remedy))
    return found


def _dangling(machine: Machine, state: str, target: str, scope: Scope) -> Finding:
    known = ", ".join(sorted(scope.states))
    return machine.finding(
        "target_dangling", state, f"leads to {target!r}, which is not among: {known}.", "correct the state name."
    )


def _waits(state: State) -> bool:
    if state.type == "Wait" or state.is_distributed_map or state.name == INTERRUPTED:
        return True
    pattern = state.resource.partition(".")[2]
    return state.is_task and pattern != "" and "TimeoutSeconds" in state.body


def _succeeds_at_once(scope: Scope, name: str) -> bool:
    """Follow Pass states from `name`; return whether they end in success with nothing done or noted."""
    seen: set[str] = set()
    while name in scope.states and name not in seen:
        seen.add(name)
        state = scope.states[name]
        if state.type == "Succeed" or (state.type == "Pass" and state.body.get("End")):
            return True
        if state.type != "Pass" or _notes_loss(state):
            return False
        name = str(state.body.get("Next", ""))
    return False


def _notes_loss(state: State) -> bool:
    """Return whether a Pass marks its child execution as lost: the ledger then judges, not the child's success."""
    output = state.body.get("Output")
    return isinstance(output, dict) and output.get("Lost") is True


def _reachable(scope: Scope, start: str, within: Collection[str] | None = None) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name in seen or name not in scope.states or (within is not None and name not in within):
            continue
        seen.add(name)
        todo.extend(edge.target for edge in scope.states[name].edges())
    return seen


def _cycles(scope: Scope, within: Collection[str]) -> list[frozenset[str]]:
    """Return the strongly connected parts of the states `within` that contain a cycle."""
    ahead = {
        name: {
            reached
            for edge in scope.states[name].edges()
            if edge.target in within
            for reached in _reachable(scope, edge.target, within)
        }
        for name in within
    }
    parts = {frozenset(other for other in within if other in ahead[name] and name in ahead[other]) for name in within}
    return sorted((part for part in parts if part), key=min)
