"""Rules about single states: time limits, retries, catches, callbacks, nested runs, maps."""

from __future__ import annotations

from collections.abc import Iterator

from statemachines.lint.document import START_ERRORS
from statemachines.lint.model import INTERRUPTED, Body, Finding, Machine, State, strings

TASK_TOKEN = "$states.context.Task.Token"  # noqa: S105 -- the name of a field, not a secret
STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
LAMBDA_RETRIES = frozenset(
    {
        "RetryableError",
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.TooManyRequestsException",
        "Lambda.Unknown",
        "Sandbox.Timedout",
    }
)
"""A verb may be called again after any of these: all verbs are idempotent."""
CHILD_FAILED = frozenset({"States.ALL", "States.TaskFailed"})
BACK_OFF_FIELDS = ("IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds")


def task_without_timeout(machine: Machine) -> list[Finding]:
    """Find Tasks that may hang for ever."""
    return [
        machine.finding("task_without_timeout", state.name, "has no TimeoutSeconds.", "set TimeoutSeconds.")
        for state in _tasks(machine)
        if "TimeoutSeconds" not in state.body
    ]


def task_without_retry(machine: Machine) -> list[Finding]:
    """Find Tasks without the standard Retry: the passing faults of their kind, with back-off and full jitter."""
    found = []
    for state in _tasks(machine):
        problem = _retry_problem(state)
        if problem:
            remedy = "copy the Retry of a state of the same kind."
            found.append(machine.finding("task_without_retry", state.name, problem, remedy))
    return found


def task_without_catch(machine: Machine) -> list[Finding]:
    """Find Tasks and Maps whose errors would end the run unrecorded."""
    return [
        machine.finding("task_without_catch", state.name, "does not catch States.ALL.", "add a Catch for States.ALL.")
        for state in machine.states()
        if state.name != INTERRUPTED
        and state.type in {"Task", "Map", "Parallel"}
        and "States.ALL" not in _errors(state.body.get("Catch", []))
    ]


def states_all_misplaced(machine: Machine) -> list[Finding]:
    """Find States.ALL together with other names, or before another rule that could then never match."""
    found = []
    for state in machine.states():
        for field in ("Retry", "Catch"):
            rules = state.body.get(field, [])
            for position, rule in enumerate(rules):
                names = rule.get("ErrorEquals", [])
                if "States.ALL" in names and (len(names) > 1 or position < len(rules) - 1):
                    message = f"{field}: States.ALL must stand alone in the last rule."
                    remedy = "move it into a rule of its own at the end."
                    found.append(machine.finding("states_all_misplaced", state.name, message, remedy))
    return found


def callback_without_token(machine: Machine) -> list[Finding]:
    """Find callbacks that do not hand out their token: nobody could ever answer."""
    return [
        machine.finding(
            "callback_without_token",
            state.name,
            "waits for a task token that its Arguments do not contain.",
            f'pass "{{% {TASK_TOKEN} %}}" in the payload.',
        )
        for state in machine.states()
        if state.is_callback and not any(TASK_TOKEN in value for value in strings(state.body.get("Arguments", {})))
    ]


def callback_without_timeout(machine: Machine) -> list[Finding]:
    """Find callbacks without a limit: the default is three years."""
    return [
        machine.finding(
            "callback_without_timeout", state.name, "may wait for ever for its answer.", "set TimeoutSeconds (1800)."
        )
        for state in machine.states()
        if state.is_callback and "TimeoutSeconds" not in state.body
    ]


def heartbeat_above_timeout(machine: Machine) -> list[Finding]:
    """Find heartbeats that cannot be missed before the timeout."""
    found = []
    for state in machine.states():
        heartbeat, timeout = state.body.get("HeartbeatSeconds"), state.body.get("TimeoutSeconds")
        if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
            message = f"HeartbeatSeconds {heartbeat} is not below TimeoutSeconds {timeout}."
            remedy = "make the heartbeat shorter than the timeout."
            found.append(machine.finding("heartbeat_above_timeout", state.name, message, remedy))
    return found


def child_start_untraceable(machine: Machine) -> list[Finding]:
    """Find nested runs without a name of their own, or without the id that links them to their parent."""
    found = []
    for state in machine.states():
        if not state.resource.startswith("states:startExecution"):
            continue
        arguments = state.body.get("Arguments", {})
        missing = [] if "Name" in arguments else ["Name"]
        given = arguments.get("Input", {})
        missing += [] if isinstance(given, dict) and STARTED_BY in given else [f"Input.{STARTED_BY}"]
        if missing:
            message = f"starts a nested run without {' and '.join(missing)}."
            remedy = "give a Name made from run, stage and attempt, and $states.context.Execution.Id."
            found.append(machine.finding("child_start_untraceable", state.name, message, remedy))
    return found


def map_without_max_concurrency(machine: Machine) -> list[Finding]:
    """Find Maps whose width nobody decided."""
    return [
        machine.finding("map_without_max_concurrency", state.name, "has no MaxConcurrency.", "set MaxConcurrency.")
        for state in machine.states()
        if state.type == "Map" and "MaxConcurrency" not in state.body
    ]


def map_inline_over_list(machine: Machine) -> list[Finding]:
    """Find inline Maps over a list of unknown length: 40 at a time, in one shared history of 25,000 events."""
    return [
        machine.finding(
            "map_inline_over_list", state.name, "iterates over data in its own history.", "use Mode DISTRIBUTED."
        )
        for state in machine.states()
        if state.type == "Map" and not state.is_distributed_map and not isinstance(state.body.get("Items"), list)
    ]


def map_child_failure_spreads(machine: Machine) -> list[Finding]:
    """Find Distributed Maps that stop all children when one breaks."""
    return [
        machine.finding(
            "map_child_failure_spreads",
            state.name,
            "one broken child would stop its neighbours in the middle of their work.",
            "set ToleratedFailurePercentage to 100.0.",
        )
        for state in machine.states()
        if state.is_distributed_map and state.body.get("ToleratedFailurePercentage") != 100
    ]


def map_result_kept(machine: Machine) -> list[Finding]:
    """Find Maps that hand on their children's results: payloads carry ids, never data."""
    return [
        machine.finding("map_result_kept", state.name, "hands on its children's results.", 'set "Output": {}.')
        for state in machine.states()
        if state.type == "Map"
        and ("Output" not in state.body or any("$states.result" in value for value in strings(state.body["Output"])))
    ]


def _tasks(machine: Machine) -> Iterator[State]:
    return (state for state in machine.states() if state.is_task)


def _errors(rules: list[Body]) -> frozenset[str]:
    return frozenset(name for rule in rules for name in rule.get("ErrorEquals", []))


def _retry_problem(state: State) -> str:
    rules = state.body.get("Retry", [])
    retried = _errors(rules)
    if state.resource.startswith("states:startExecution"):
        missing = START_ERRORS - retried
        if retried & CHILD_FAILED:
            return "retries a nested run that failed: it would run twice."
    elif state.resource.startswith("lambda:invoke"):
        missing = LAMBDA_RETRIES - retried
        if state.is_callback and "States.Timeout" in retried:
            return "retries an unanswered question: the Catch that reminds would never be reached."
    else:
        missing = frozenset() if rules else frozenset({"anything"})
    if missing:
        return f"does not retry {', '.join(sorted(missing))}."
    if any(field not in rule for rule in rules for field in BACK_OFF_FIELDS):
        return f"a Retry lacks one of {', '.join(BACK_OFF_FIELDS)}."
    if any(rule.get("JitterStrategy") != "FULL" for rule in rules):
        return "a Retry has no full jitter: after an outage all would come back at the same moment."
    return ""
