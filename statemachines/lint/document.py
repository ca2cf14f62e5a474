"""Rules about a definition as a whole: comment, timeout, size, tokens, ARNs, error names."""

from __future__ import annotations

import re

from statemachines.definitions import TOKEN, tokens
from statemachines.lint.model import Finding, Machine, keys, strings

MAX_BYTES = 1_048_576
MAX_LINES = 250
INTEGRATION_PREFIX = "arn:aws:states:::"
ARN = re.compile(r"arn:[a-z-]*:[^\s\"']*")
REGION = re.compile(r"\b(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?-[a-z]+-\d\b")
JSONPATH_FIELDS = frozenset(
    {"InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector", "ItemsPath", "SecondsPath"}
    | {"TimestampPath", "TimeoutSecondsPath", "HeartbeatSecondsPath", "ErrorPath", "CausePath", "MaxConcurrencyPath"}
)

STATES_ERRORS = frozenset(
    f"States.{name}"
    for name in (
        "ALL",
        "DataLimitExceeded",
        "ExceedToleratedFailureThreshold",
        "HeartbeatTimeout",
        "ItemReaderFailed",
        "NoChoiceMatched",
        "Permissions",
        "QueryEvaluationError",
        "ResultWriterFailed",
        "Runtime",
        "TaskFailed",
        "Timeout",
    )
)
LAMBDA_ERRORS = frozenset(
    f"Lambda.{name}"
    for name in (
        "AWSLambdaException",
        "ClientExecutionTimeoutException",
        "SdkClientException",
        "ServiceException",
        "TooManyRequestsException",
        "Unknown",
    )
)
START_ERRORS = frozenset(
    f"StepFunctions.{name}"
    for name in (
        "AWSStepFunctionsException",
        "ExecutionLimitExceeded",
        "ExecutionLimitExceededException",
        "SdkClientException",
        "ServiceException",
    )
)
OWN_ERRORS = frozenset({"RetryableError", "TerminalError"})
ALLOWED_ERRORS = STATES_ERRORS | LAMBDA_ERRORS | START_ERRORS | OWN_ERRORS | {"Sandbox.Timedout"}
FAILURES = frozenset({"RequestRefused", "RunFailed", "RunCancelled", "RunRejected", "UnknownMove"})
"""What our own Fail states may be called; they are what an operator sees in describe-execution."""


def comment_missing(machine: Machine) -> list[Finding]:
    """Find a machine that does not say what it is for."""
    if str(machine.definition.get("Comment", "")).strip():
        return []
    return [machine.finding("comment_missing", "machine", "has no Comment.", "say in one sentence what it does.")]


def timeout_missing(machine: Machine) -> list[Finding]:
    """Find a machine that may run for ever (a year)."""
    timeout = machine.definition.get("TimeoutSeconds")
    if isinstance(timeout, int) and timeout > 0:
        return []
    message = f"TimeoutSeconds is {timeout!r}, expected a positive number of seconds."
    return [machine.finding("timeout_missing", "machine", message, "set TimeoutSeconds of the machine.")]


def query_language_other(machine: Machine) -> list[Finding]:
    """Find anything that is not JSONata: another QueryLanguage, or fields of the JSONPath era."""
    found = []
    if machine.definition.get("QueryLanguage") != "JSONata":
        message = f"QueryLanguage is {machine.definition.get('QueryLanguage')!r}, expected 'JSONata'."
        remedy = "write the machine in JSONata."
        found.append(machine.finding("query_language_other", "machine", message, remedy))
    for state in machine.states():
        old = sorted(set(state.own) & JSONPATH_FIELDS)
        old += sorted(key for key in keys(state.own) if key.endswith(".$"))
        if state.body.get("QueryLanguage", "JSONata") != "JSONata":
            old.append("QueryLanguage")
        if old:
            message = f"uses JSONPath: {', '.join(old)}."
            remedy = "use Arguments, Assign and Output with {% %} expressions."
            found.append(machine.finding("query_language_other", state.name, message, remedy))
    return found


def definition_too_large(machine: Machine) -> list[Finding]:
    """Find a definition over the service's 1 MB, or too long to read in an incident."""
    size, lines = len(machine.text.encode()), machine.text.count("\n") + 1
    if size <= MAX_BYTES and lines <= MAX_LINES:
        return []
    message = f"{size} bytes in {lines} lines, expected at most {MAX_BYTES} bytes and {MAX_LINES} lines."
    return [machine.finding("definition_too_large", "machine", message, "move work into a nested machine.")]


def token_undeclared(machine: Machine) -> list[Finding]:
    """Find tokens nobody will replace, and tokens outside string values."""
    undeclared = tokens(machine.text) - machine.declared
    in_keys = {name for key in keys(machine.definition) for name in TOKEN.findall(key)}
    found = [
        machine.finding("token_undeclared", f"${{{name}}}", "is not a declared token.", "declare it, or correct it.")
        for name in sorted(undeclared)
    ]
    found += [
        machine.finding("token_undeclared", f"${{{name}}}", "stands in a key.", "use tokens in string values only.")
        for name in sorted(in_keys)
    ]
    return found


def token_unused(machine: Machine) -> list[Finding]:
    """Find declared tokens the machine does not use: a permission would be granted for nothing."""
    return [
        machine.finding("token_unused", f"${{{name}}}", "is declared but not used.", "remove the declaration.")
        for name in sorted(machine.declared - tokens(machine.text))
    ]


def arn_hard_wired(machine: Machine) -> list[Finding]:
    """Find ARNs other than integrations, and Region names: the hub runs unchanged in both Regions."""
    found = []
    for state in machine.states():
        for value in strings(state.own):
            arns = [arn for arn in ARN.findall(value) if not arn.startswith(INTEGRATION_PREFIX)]
            for literal in dict.fromkeys(arns or REGION.findall(value)):
                message = f"{literal!r} is hard-wired; the machine must run in any account and Region."
                found.append(machine.finding("arn_hard_wired", state.name, message, "use a ${Token}."))
    return found


def error_name_unknown(machine: Machine) -> list[Finding]:
    """Find error names that never occur: two of ours cross the Lambda boundary, the rest are the service's."""
    found = []
    for state in machine.states():
        rules = [*state.body.get("Retry", []), *state.body.get("Catch", [])]
        names = {name for rule in rules for name in rule.get("ErrorEquals", [])} - ALLOWED_ERRORS
        error = state.body.get("Error", "")
        if state.type == "Fail" and not error.startswith("{%") and error not in FAILURES:
            names.add(error)
        for name in sorted(names):
            message = f"knows the error {name!r}, which nothing raises."
            remedy = f"use one of {', '.join(sorted(OWN_ERRORS))}, or a name listed in statemachines/lint/document.py."
            found.append(machine.finding("error_name_unknown", state.name, message, remedy))
    return found
