"""Every part of the hub is watched, logged and complete in its own Region."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.constructs.machines import Binding, check_tokens
from infra.verbs import BY_NAME, VERBS
from lambdas.settings import Settings
from orchestrator import names
from orchestrator.names import Machine, Table, drill_schedule
from orchestrator.request import parse
from orchestrator.words import Mode
from statemachines import definitions
from tests.infra.synthesised import Assembly, Template, as_list, text

ROOT = Path(__file__).resolve().parent.parent.parent
BAD_ENDS = {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"}


def test_verbs_are_exactly_the_handlers_there_are() -> None:
    # Given the modules that offer a handler
    handlers = {p.stem for p in (ROOT / "lambdas").glob("*.py") if "def handler(" in p.read_text(encoding="utf-8")}
    # Then each is deployed and none is deployed without a module
    assert {verb.name for verb in VERBS} == handlers


def test_function_runs_its_handler_traced_with_a_log_group_that_forgets(assembly: Assembly, verb_name: str) -> None:
    for hub in assembly.hubs:
        made = hub.function(verb_name)
        assert made["Handler"] == f"lambdas.{verb_name}.handler"
        assert (made["Runtime"], made["Architectures"]) == ("python3.14", ["arm64"])
        assert made["TracingConfig"] == {"Mode": "Active"}
        assert "ReservedConcurrentExecutions" not in made
        group = hub.one("AWS::Logs::LogGroup", LogGroupName=f"/aws/lambda/{names.function(verb_name)}")
        assert group["RetentionInDays"] == assembly.config.hub.log_retention_days
        assert "KmsKeyId" in group
        assert made["LoggingConfig"]["LogGroup"]["Ref"] in hub.body["Resources"]


def test_function_environment_is_complete_and_of_its_own_region(assembly: Assembly, verb_name: str) -> None:
    needed = {f"DR_{name.upper()}" for name, field in Settings.model_fields.items() if field.is_required()}
    for hub in assembly.hubs:
        variables = hub.function(verb_name)["Environment"]["Variables"]
        assert needed <= set(variables)
        assert variables["DR_HUB_REGION"] == hub.region
        assert variables["DR_PEER_REGION"] == assembly.config.hub.other(hub.region)
        assert variables["DR_SCOPES"] == "CustomerX/production"
        assert variables["DR_BUCKET"] == names.bucket(assembly.config.hub.account, hub.region)


def test_function_that_fails_or_is_throttled_raises_an_alarm(assembly: Assembly, verb_name: str) -> None:
    for hub in assembly.hubs:
        for metric, kind in (("Errors", "errors"), ("Throttles", "throttles")):
            alarm = hub.one("AWS::CloudWatch::Alarm", AlarmName=f"{names.function(verb_name)}-{kind}")
            assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", metric)
            assert alarm["Threshold"] == 1


def test_function_called_without_a_waiting_caller_has_a_dead_letter_queue(assembly: Assembly, verb_name: str) -> None:
    for hub in assembly.hubs:
        assert ("DeadLetterConfig" in hub.function(verb_name)) == BY_NAME[verb_name].asynchronous


@pytest.mark.parametrize("machine", list(Machine))
def test_machine_is_logged_in_full_traced_and_watched(assembly: Assembly, machine: Machine) -> None:
    for hub in assembly.hubs:
        made = hub.machine(machine)
        assert made["LoggingConfiguration"]["Level"] == "ALL"
        assert made["LoggingConfiguration"]["IncludeExecutionData"] is True
        assert made["TracingConfiguration"] == {"Enabled": True}
        failures = hub.one("AWS::CloudWatch::Alarm", AlarmName=f"dr-{machine.value}-failures")
        watched = {m["MetricStat"]["Metric"]["MetricName"] for m in failures["Metrics"] if "MetricStat" in m}
        assert watched == BAD_ENDS
        throttled = hub.one("AWS::CloudWatch::Alarm", AlarmName=f"dr-{machine.value}-throttled-transitions")
        assert throttled["MetricName"] == "ExecutionThrottled"


def test_every_alarm_reaches_people(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        (topic,) = hub.of_type("AWS::SNS::Topic")
        for alarm in hub.of_type("AWS::CloudWatch::Alarm").values():
            assert alarm["AlarmActions"] == [{"Ref": topic}], alarm["AlarmName"]
            assert alarm["AlarmDescription"]


def test_tables_and_dead_letters_are_watched_in_both_regions(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        alarms = {a["AlarmName"] for a in hub.of_type("AWS::CloudWatch::Alarm").values()}
        assert {f"{table.value}-throttles" for table in Table} | {"dr-dead-letters-depth"} <= alarms


@pytest.mark.parametrize("machine", list(Machine))
def test_every_token_of_a_machine_is_bound(assembly: Assembly, machine: Machine) -> None:
    for hub in assembly.hubs:
        made = hub.machine(machine)
        definition = made["DefinitionString"]
        assert isinstance(definition, str)
        assert set(made["DefinitionSubstitutions"]) == definitions.tokens(definition)


def test_token_without_binding_and_binding_without_token_fail_synth() -> None:
    # Given a definition that wants two tokens, and bindings that know one of them and a third
    bindings = {"AFunctionArn": Binding("a", ()), "CFunctionArn": Binding("c", ())}
    # When they are compared, then both mistakes are named
    with pytest.raises(ValueError, match=r"BFunctionArn.*CFunctionArn") as refusal:
        check_tokens(Machine.WAVE, frozenset({"AFunctionArn", "BFunctionArn"}), bindings)
    assert "wave.asl.json" in str(refusal.value)


def test_machine_waits_longer_for_a_function_than_it_may_run(assembly: Assembly) -> None:
    hub = assembly.hubs[0]
    limits = {definitions.function_token(v.name): hub.function(v.name)["Timeout"] for v in VERBS}
    for machine in definitions.MachineName:
        for state in _tasks(definitions.load(machine)):
            name = str(state["Arguments"].get("FunctionName", ""))
            if name and "waitForTaskToken" not in state["Resource"]:
                assert state["TimeoutSeconds"] > limits[name.strip("${}")], name


def test_nothing_that_runs_names_the_other_region(assembly: Assembly) -> None:
    # Given the hub of each Region, whose machines, functions, rules and schedules must work when the other is gone
    kinds = {
        "AWS::Events::Rule",
        "AWS::Lambda::Function",
        "AWS::Scheduler::Schedule",
        "AWS::StepFunctions::StateMachine",
    }
    for hub in assembly.hubs:
        other = assembly.config.hub.other(hub.region)
        for logical, resource in hub.body["Resources"].items():
            if resource["Type"] in kinds:
                properties = json.loads(json.dumps(resource["Properties"]))
                variables = properties.get("Environment", {}).get("Variables", {})
                for typed in ("DR_PEER_REGION", "DR_EXPLORER_VIEW_ARN"):
                    variables.pop(typed, None)
                if text(properties.get("Name", "")).startswith("dr-drill-"):
                    properties["Target"].pop("Input")  # a drill says from where to where
                # Then nothing but the fields meant for it knows the other Region
                assert other not in json.dumps(properties), f"{hub.name}.{logical}"


def test_document_names_no_resource_of_the_other_region(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        other = assembly.config.hub.other(hub.region)
        for document in hub.of_type("AWS::SSM::Document").values():
            # Given a document, whose words may give either Region as an example, then its ARNs may not
            assert f":{other}:" not in json.dumps(document["Content"]), document["Name"]


def test_no_stack_reads_an_output_of_another_region(assembly: Assembly) -> None:
    for template in assembly.all:
        kinds = {each["Type"] for each in template.body["Resources"].values()}
        assert not {kind for kind in kinds if kind.startswith(("Custom::", "AWS::CloudFormation::CustomResource"))}


def test_execution_that_ends_badly_reaches_the_hub(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        rule = hub.one("AWS::Events::Rule", Name="dr-execution-ended")
        pattern = rule["EventPattern"]
        assert pattern["source"] == ["aws.states"]
        assert set(pattern["detail"]["status"]) == {"FAILED", "TIMED_OUT", "ABORTED"}
        watched = {text(arn).rpartition(":")[2] for arn in pattern["detail"]["stateMachineArn"]}
        assert watched == {machine.value for machine in Machine}
        (target,) = rule["Targets"]
        assert _function_of(hub, target["Arn"]) == "dr-on-execution-ended"
        assert "DeadLetterConfig" in target


def test_inventory_is_refreshed_and_readiness_judged_every_half_hour(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        for name in ("dr-refresh-inventory", "dr-judge-scopes"):
            schedule = hub.one("AWS::Scheduler::Schedule", Name=name)
            assert schedule["ScheduleExpression"] == "rate(30 minutes)"
            assert _function_of(hub, schedule["Target"]["Arn"]) == name


def test_scheduled_drill_asks_the_function_that_knows_which_way_the_customer_stands_in_both_regions(
    assembly: Assembly,
) -> None:
    for drill in assembly.config.customers[0].drills:
        # Given a drill of the configuration, and its schedules in the hubs of its two Regions
        name, told = drill_schedule("CustomerX", drill.environment, drill.name), []
        for hub in assembly.hubs:
            schedule = hub.one("AWS::Scheduler::Schedule", Name=name)
            assert (schedule["ScheduleExpression"], schedule["ScheduleExpressionTimezone"]) == (
                drill.schedule,
                drill.time_zone,
            )
            # Then each hands the function an input that a run accepts, and the time it was meant for
            target = schedule["Target"]
            assert _function_of(hub, target["Arn"]) == "dr-start-drill"
            due = json.loads(target["Input"])
            assert (due["Schedule"], due["Drill"], due["At"]) == (name, drill.name, "<aws.scheduler.scheduled-time>")
            told.append(due["Request"])
            request = parse(due["Request"])
            assert (request.mode, request.Requester) == (Mode.DRILL, f"schedule {drill.name}")
            assert (request.LeaseMinutes, request.CostCeilingUSD) == (drill.lease_minutes, drill.cost_ceiling_usd)
            # And its role may invoke that and tell what it could not start, no more
            role = hub.body["Resources"][target["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
            statements = [s for p in role["Policies"] for s in p["PolicyDocument"]["Statement"]]
            assert {a for s in statements for a in as_list(s["Action"])} == {
                "lambda:InvokeFunction",
                "sqs:SendMessage",
                "kms:Decrypt",
                "kms:GenerateDataKey",
            }
            assert "DeadLetterConfig" in target
        assert told[0] == told[1]


def test_watchdog_looks_every_five_minutes_at_its_own_region_only(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        schedule = hub.one("AWS::Scheduler::Schedule", Name="dr-watchdog")
        assert schedule["ScheduleExpression"] == "rate(5 minutes)"
        assert _function_of(hub, schedule["Target"]["Arn"]) == "dr-watchdog"
        asked = [s for s in hub.statements_of_verb("watchdog") if s["Action"] == "states:DescribeExecution"]
        assert [":states:<AWS::Region>:" in text(each["Resource"]) for each in asked] == [True]


def test_scope_that_is_not_ready_raises_an_alarm_and_shows_on_the_dashboard(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        alarm = hub.one("AWS::CloudWatch::Alarm", AlarmName="dr-scopes-not-ready")
        assert {d["Name"]: text(d["Value"]) for d in alarm["Dimensions"]}["service"] == "dr-judge-scopes"
        assert alarm["AlarmActions"]
    home, _ = assembly.hubs
    body = text(home.one("AWS::CloudWatch::Dashboard", DashboardName="DR-Orchestrator")["DashboardBody"])
    assert "ScopeReady" in body


def test_dashboard_exists_once_and_shows_both_regions(assembly: Assembly) -> None:
    home, peer = assembly.hubs
    body = text(home.one("AWS::CloudWatch::Dashboard", DashboardName="DR-Orchestrator")["DashboardBody"])
    for region in assembly.config.hub.regions:
        assert f'"region":"{region}"' in body
    assert not peer.of_type("AWS::CloudWatch::Dashboard")


def test_every_document_file_is_deployed_in_both_regions(assembly: Assembly) -> None:
    files = {path.stem for path in (ROOT / "ssm_documents").glob("*.yaml")}
    for hub in assembly.hubs:
        assert {d["Name"] for d in hub.of_type("AWS::SSM::Document").values()} == files


def _function_of(hub: Template, arn: Any) -> str:
    logical = arn["Fn::GetAtt"][0]
    return str(hub.body["Resources"][logical]["Properties"]["FunctionName"])


def _tasks(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [task for each in node for task in _tasks(each)]
    if not isinstance(node, dict):
        return []
    mine = [node] if node.get("Type") == "Task" else []
    return mine + [task for each in node.values() for task in _tasks(each)]
