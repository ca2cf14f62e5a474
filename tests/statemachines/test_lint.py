"""Each lint rule catches the fault it is for, and leaves our machines alone.

Every mutation starts from one small sound machine, or from one of ours, and breaks exactly one thing.
"""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from statemachines.definitions import MachineName, load
from statemachines.lint import RULES, Machine, check

ROOT = Path(__file__).parents[2]
Json = dict[str, Any]
Mutation = Callable[[Json], None]


def sound() -> Json:
    """Return our wave machine: it has a callback-free task, a choice, a wait, a loop and a Distributed Map."""
    return load("wave")


def lifecycle() -> Json:
    return load("lifecycle")


def put(*path: str | int, value: Any) -> Mutation:
    """Return a mutation that sets one field."""

    def mutate(definition: Json) -> None:
        _at(definition, path[:-1])[path[-1]] = value

    return mutate


def drop(*path: str | int) -> Mutation:
    """Return a mutation that removes one field."""

    def mutate(definition: Json) -> None:
        del _at(definition, path[:-1])[path[-1]]

    return mutate


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


CHILD = ("States", "Run Group", "ItemProcessor", "States")
RETRY = {"IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3, "MaxDelaySeconds": 9, "JitterStrategy": "FULL"}
SDK = "arn:aws:states:::aws-sdk:"

# rule, the machine to break, the fault, the state named, a word of the message
FAULTS: list[tuple[str, Callable[[], Json], Mutation, str, str]] = [
    ("comment_missing", sound, drop("Comment"), "machine", "no Comment"),
    ("timeout_missing", sound, drop("TimeoutSeconds"), "machine", "None"),
    ("query_language_other", sound, drop("QueryLanguage"), "machine", "JSONata"),
    ("query_language_other", sound, put("States", "Check Health", "ResultPath", value="$.x"), "Check Health", "Result"),
    ("query_language_other", sound, put("States", "Close Stage", "Arguments", "a.$", value="$.a"), "Close Stage", "a.$"),
    ("definition_too_large", sound, put("Comment", value="x" * 1_048_577), "machine", "bytes"),
    ("token_undeclared", sound, put("States", "Stage Closed", "Comment", value="${Nobody}"), "${Nobody}", "declared"),
    ("token_undeclared", sound, put("States", "Stage Closed", "Output", value={"${AdvanceFunctionArn}": 1}),
     "${AdvanceFunctionArn}", "key"),
    ("token_unused", sound, put(*CHILD, "Advance", "Arguments", "FunctionName", value="x"), "${AdvanceFunctionArn}",
     "not used"),
    ("arn_hard_wired", sound,
     put("States", "Check Health", "Arguments", "FunctionName", value="arn:aws:lambda:eu-west-1:111122223333:function:f"),
     "Check Health", "eu-west-1"),
    ("arn_hard_wired", sound, put("States", "Check Health", "Arguments", "Region", value="us-east-1"), "Check Health",
     "us-east-1"),
    ("error_name_unknown", sound, put("States", "Check Health", "Catch", 0, "ErrorEquals", value=["Retryable"]),
     "Check Health", "Retryable"),
    ("error_name_unknown", lifecycle, put("States", "Unknown Move", "Error", value="Oops"), "Unknown Move", "Oops"),
    ("target_dangling", sound, put("StartAt", value="Nowhere"), "StartAt", "Nowhere"),
    ("target_dangling", sound, put("States", "Check Health", "Next", value="Setled?"), "Check Health", "Setled?"),
    ("target_dangling", sound, put("States", "Check Health", "Catch", 0, "Next", value="Gone"), "Check Health", "Gone"),
    ("target_dangling", sound, put("States", "Settled?", "Choices", 0, "Next", value="Gone"), "Settled?", "Gone"),
    ("target_dangling", sound, put("States", "Settled?", "Default", value="Advance"), "Settled?", "Advance"),
    ("target_dangling", sound, put(*CHILD, "Advance", "Next", value="Close Stage"), "Advance", "Close Stage"),
    ("state_unreachable", sound, put("States", "Island", value={"Type": "Succeed"}), "Island", "no path"),
    ("choice_default_wrong", sound, drop("States", "More Groups?", "Default"), "More Groups?", "no Default"),
    ("choice_default_wrong", sound, put("States", "Settled?", "Default", value="Stage Closed"), "Settled?", "Succeed"),
    ("choice_default_wrong", sound, drop(*CHILD, "Note Lost Action", "Output"), "Action Ended?", "Succeed"),
    ("cycle_without_wait", sound, put("States", "Settled?", "Choices", 0, "Next", value="Check Health"),
     "Check Health", "never waits"),
    ("cycle_without_wait", lifecycle, put("States", "Which Move?", "Choices", 2, "Next", value="Remind"),
     "Next Move", "never waits"),
    ("cycle_without_exit", sound,
     put("States", "Wait For Health", "Next", value="Wait For Health"), "Wait For Health", "nothing leads out"),
    ("state_type_unknown", sound, put("States", "Wait For Health", "Type", value="Sleep"), "Wait For Health", "Sleep"),
    ("integration_unknown", sound, put("States", "Check Health", "Resource", value="arn:aws:states:::sqs:sendMessage"),
     "Check Health", "sqs:sendMessage"),
    ("integration_unknown", sound, put("States", "Check Health", "Resource", value=SDK + "rds:promoteEverything"),
     "Check Health", "promoteEverything"),
    ("integration_unknown", sound, put("States", "Check Health", "Resource", value=SDK + "rdz:describeDBClusters"),
     "Check Health", "rdz"),
    ("integration_unknown", sound, put("States", "Check Health", "Resource", value="${CheckHealthFunctionArn}"),
     "Check Health", "does not begin"),
    ("integration_unknown", sound,
     put("States", "Run Group", "ItemReader", "Resource", value="arn:aws:states:::s3:listObjectsV2"), "Run Group", "s3"),
    ("sync_on_sdk_integration", sound, put("States", "Check Health", "Resource", value=SDK + "drs:startRecovery.sync"),
     "Check Health", "do not wait"),
    ("task_without_timeout", sound, drop(*CHILD, "Advance", "TimeoutSeconds"), "Advance", "TimeoutSeconds"),
    ("task_without_retry", sound, drop("States", "Start Stage", "Retry"), "Start Stage", "does not retry"),
    ("task_without_retry", sound,
     put("States", "Start Stage", "Retry", 0, "ErrorEquals", value=["RetryableError"]), "Start Stage", "Lambda."),
    ("task_without_retry", sound, drop("States", "Start Stage", "Retry", 0, "MaxDelaySeconds"), "Start Stage",
     "MaxDelaySeconds"),
    ("task_without_retry", sound, put("States", "Start Stage", "Retry", 0, "JitterStrategy", value="NONE"),
     "Start Stage", "jitter"),
    ("task_without_retry", lifecycle,
     put("States", "Run Stage", "Retry", 0, "ErrorEquals", 0, value="States.TaskFailed"), "Run Stage", "twice"),
    ("task_without_retry", lifecycle, put("States", "Run Stage", "Retry", value=[]), "Run Stage", "StepFunctions."),
    ("task_without_retry", lifecycle, put("States", "Ask", "Retry", 1, "ErrorEquals", value=["States.Timeout",
     "Lambda.Unknown", "Sandbox.Timedout"]), "Ask", "unanswered"),
    ("task_without_catch", sound, drop("States", "Close Stage", "Catch"), "Close Stage", "States.ALL"),
    ("task_without_catch", sound, put("States", "Run Group", "Catch", 0, "ErrorEquals", value=["States.Timeout"]),
     "Run Group", "States.ALL"),
    ("states_all_misplaced", sound,
     put("States", "Check Health", "Catch", 0, "ErrorEquals", value=["States.ALL", "States.Timeout"]), "Check Health",
     "alone"),
    ("states_all_misplaced", lifecycle, put("States", "Ask", "Catch", 0, "ErrorEquals", value=["States.ALL"]), "Ask",
     "last"),
    ("states_all_misplaced", sound, put("States", "Check Health", "Retry", 0, "ErrorEquals", value=["States.ALL"]),
     "Check Health", "Retry"),
    ("callback_without_token", lifecycle, drop("States", "Ask", "Arguments", "Payload", "TaskToken"), "Ask", "token"),
    ("callback_without_timeout", lifecycle, drop("States", "Ask", "TimeoutSeconds"), "Ask", "for ever"),
    ("heartbeat_above_timeout", lifecycle, put("States", "Ask", "HeartbeatSeconds", value=1800), "Ask", "1800"),
    ("child_start_untraceable", lifecycle, drop("States", "Run Stage", "Arguments", "Name"), "Run Stage", "Name"),
    ("child_start_untraceable", lifecycle,
     drop("States", "Run Stage", "Arguments", "Input", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"), "Run Stage",
     "STARTED_BY"),
    ("map_without_max_concurrency", sound, drop("States", "Run Group", "MaxConcurrency"), "Run Group", "MaxConc"),
    ("map_inline_over_list", sound,
     put("States", "Run Group", "ItemProcessor", "ProcessorConfig", "Mode", value="INLINE"), "Run Group", "history"),
    ("map_child_failure_spreads", sound, drop("States", "Run Group", "ToleratedFailurePercentage"), "Run Group",
     "neighbours"),
    ("map_result_kept", sound, drop("States", "Run Group", "Output"), "Run Group", "results"),
    ("map_result_kept", sound, put("States", "Run Group", "Output", value="{% $states.result %}"), "Run Group",
     "results"),
    ("expression_invalid", sound, put("States", "Settled?", "Choices", 0, "Condition", value="{% $waited < %}"),
     "Settled?", "parse"),
    ("expression_invalid", sound, put("States", "Stage Closed", "Output", value="{% 1"), "Stage Closed", "half"),
    ("expression_invalid", sound, put("States", "Stage Closed", "Output", value="at {% 1 %}"), "Stage Closed", "half"),
    ("expression_invalid", sound, put("States", "Stage Closed", "Output", value="{% $eval('1') %}"), "Stage Closed",
     "$eval"),
    ("variable_undefined", sound, put("States", "Settled?", "Choices", 0, "Condition", value="{% $wated < 9 %}"),
     "Settled?", "$wated, which nothing assigns"),
    ("variable_undefined", sound, drop("States", "Begin Stage", "Assign", "waited"), "Check Health", "not every path"),
    ("variable_undefined", sound, put("States", "Close Stage", "Output", value="{% $count($groups) %}"), "Close Stage",
     "not every path"),
    ("variable_undefined", sound, put(*CHILD, "Advance", "Arguments", "Payload", "RunId", value="{% $runId %}"),
     "Advance", "Distributed Map"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "machine", "mutate", "state", "word"), FAULTS)
def test_lint_faulty_machine_names_rule_state_and_remedy(
    rule: str, machine: Callable[[], Json], mutate: Mutation, state: str, word: str
) -> None:
    # Given one of our machines with one fault in it
    definition = machine()
    declared = Machine.named("wave" if machine is sound else "lifecycle").declared
    mutate(definition)

    # When it is linted
    findings = check(Machine.of("mutant", definition, declared))

    # Then the rule for this fault names the state, says what it saw and what to do
    caught = [finding for finding in findings if finding.rule == rule and finding.state == state]
    assert caught, f"{rule} missed it; found: {[str(finding) for finding in findings]}"
    assert any(word in finding.message for finding in caught)
    assert all(finding.remedy.endswith((".", ")")) for finding in caught)


def test_lint_every_rule_has_a_fault_it_catches() -> None:
    assert {rule.__name__ for rule in RULES} == {rule for rule, *_ in FAULTS}


def test_lint_every_rule_is_in_the_readme() -> None:
    readme = (ROOT / "statemachines" / "README.md").read_text(encoding="utf-8")
    assert [rule.__name__ for rule in RULES if rule.__name__ not in readme] == []
    assert f"runs {len(RULES)} rules" in readme


@pytest.mark.parametrize("name", MachineName)
def test_lint_our_machine_has_no_findings(name: str) -> None:
    assert check(Machine.named(name)) == []


def test_lint_machine_too_long_to_read_is_refused() -> None:
    # Given our wave machine, written over more than 250 lines
    wave = Machine.named("wave")
    long = Machine("long", wave.text + "\n" * 250, wave.definition, wave.declared)

    # When it is linted, then only its length is complained about
    (finding,) = check(long)
    assert (finding.rule, "250 lines" in finding.message) == ("definition_too_large", True)


def test_lint_sdk_integration_that_exists_is_accepted() -> None:
    # Given a machine that calls an SDK action by the spelling of Step Functions
    definition = sound()
    definition["States"]["Check Health"]["Resource"] = SDK + "cloudwatchlogs:describeLogGroups"

    # When it is linted
    findings = check(Machine.of("mutant", definition))

    # Then the integration is not complained about
    assert [finding for finding in findings if finding.rule == "integration_unknown"] == []


def test_lint_variable_of_inline_map_seen_inside_is_accepted() -> None:
    # Given an inline Map (a fixed list) whose child reads a variable of outside
    definition = copy.deepcopy(sound())
    definition["States"]["Run Group"]["ItemProcessor"]["ProcessorConfig"] = {"Mode": "INLINE"}
    definition["States"]["Run Group"]["Items"] = [1, 2]
    payload = definition["States"]["Run Group"]["ItemProcessor"]["States"]["Advance"]["Arguments"]["Payload"]
    payload["RunId"] = "{% $runId %}"

    # When it is linted
    rules = {finding.rule for finding in check(Machine.of("mutant", definition))}

    # Then neither the variable nor the Map is complained about
    assert not rules & {"variable_undefined", "map_inline_over_list"}


def test_lint_names_bound_inside_an_expression_are_not_variables() -> None:
    definition = sound()
    definition["States"]["Stage Closed"]["Output"] = "{% ($x := [1, 2]; $map($x, function($v) { $v + $count($x) })) %}"
    assert check(Machine.of("mutant", definition)) == []


def test_lint_command_line_sound_tree_exits_zero() -> None:
    # When a person runs the lint by hand
    result = subprocess.run(
        [sys.executable, "-m", "statemachines.lint"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    # Then it says what it checked, and that all is well
    assert result.returncode == 0, result.stdout + result.stderr
    assert "3 state machines" in result.stdout
    assert "0 findings" in result.stdout


def test_lint_finding_reads_as_one_line_with_the_next_step() -> None:
    definition = sound()
    definition["States"]["Settled?"]["Default"] = "Gone"
    lines = [str(finding) for finding in check(Machine.of("mutant", definition))]
    assert any(
        line.startswith("mutant: Settled?: leads to 'Gone'") and "Try: correct the state name." in line
        for line in lines
    ), json.dumps(lines)
