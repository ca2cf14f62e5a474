"""The hub's roles reach what their verb declares and no more."""

from __future__ import annotations

import json

from infra.verbs import BY_NAME, Access
from orchestrator.names import Machine, Table
from tests.infra.synthesised import Assembly, actions_of, as_list, text

CHANGES_OF_ITEMS = {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"}


def _may(assembly: Assembly, verb: str, service: str) -> set[str]:
    both = [
        {a for a in actions_of(hub.statements_of_verb(verb)) if a.startswith(f"{service}:")} for hub in assembly.hubs
    ]
    assert both[0] == both[1], "the hubs of both Regions differ"
    return both[0]


def test_function_enters_spokes_only_when_its_verb_does(assembly: Assembly, verb_name: str) -> None:
    wanted = (
        {"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"} if BY_NAME[verb_name].enters_spokes else set()
    )
    assert _may(assembly, verb_name, "sts") == wanted


def test_function_assumes_nothing_but_spoke_roles(assembly: Assembly, verb_name: str) -> None:
    for hub in assembly.hubs:
        for statement in hub.statements_of_verb(verb_name):
            if any(action.startswith("sts:") for action in as_list(statement["Action"])):
                resources = [text(each) for each in as_list(statement["Resource"])]
                assert resources == ["arn:<AWS::Partition>:iam::*:role/dr-spoke-*"]


def test_function_publishes_and_redeems_tokens_only_when_its_verb_does(assembly: Assembly, verb_name: str) -> None:
    verb = BY_NAME[verb_name]
    assert _may(assembly, verb_name, "sns") == ({"sns:Publish"} if verb.publishes else set())
    tokens = {"states:SendTaskFailure", "states:SendTaskSuccess"} if verb.answers_tokens else set()
    looks = {"states:DescribeExecution", "states:SendTaskHeartbeat"} if verb.watches_executions else set()
    starts = {"states:StartExecution"} if verb.starts_runs else set()
    stops = {"states:StopExecution"} if verb.stops_runs else set()
    assert _may(assembly, verb_name, "states") == tokens | looks | starts | stops


def test_audit_trail_can_be_appended_to_but_never_changed(assembly: Assembly, verb_name: str) -> None:
    for hub in assembly.hubs:
        about_events = [
            s
            for s in hub.statements_of_verb(verb_name)
            if any(Table.EVENTS.value in text(each) or text(each) == "*" for each in as_list(s["Resource"]))
        ]
        allowed = actions_of(about_events)
        assert "dynamodb:PutItem" in allowed
        assert not CHANGES_OF_ITEMS & allowed


def test_inventory_is_written_only_by_who_takes_it(assembly: Assembly, verb_name: str) -> None:
    for hub in assembly.hubs:
        about = [s for s in hub.statements_of_verb(verb_name) if Table.INVENTORY.value in json.dumps(s["Resource"])]
        writes = {"dynamodb:PutItem", *CHANGES_OF_ITEMS} & actions_of(about)
        assert bool(writes) == (verb_name in {"take_inventory", "refresh_inventory"})


def test_explorer_is_asked_through_the_configured_view_by_who_takes_the_inventory(
    assembly: Assembly, verb_name: str
) -> None:
    for hub in assembly.hubs:
        views = [
            view
            for s in hub.statements_of_verb(verb_name)
            if "resource-explorer-2:ListResources" in as_list(s["Action"])
            for view in as_list(s["Resource"])
        ]
        wanted = [assembly.config.hub.explorer_views[hub.region]]
        assert views == (wanted if BY_NAME[verb_name].inventory is Access.WRITE else [])


def test_no_role_of_any_stack_is_an_administrator(assembly: Assembly) -> None:
    for template in assembly.all:
        for logical, role in template.of_type("AWS::IAM::Role").items():
            assert not role.get("ManagedPolicyArns"), f"{template.name}.{logical} takes a managed policy"
            for statement in template.statements_of(logical):
                assert "NotAction" not in statement
                assert "NotResource" not in statement
                for action in as_list(statement["Action"]):
                    service, _, name = action.partition(":")
                    assert service != "*", f"{template.name}.{logical}: {action}"
                    assert not name.startswith("*"), f"{template.name}.{logical}: {action}"
                    assert service != "iam", f"{template.name}.{logical}: {action}"


def test_statement_on_everything_holds_only_actions_without_resources(assembly: Assembly) -> None:
    # AWS offers no resource for these
    unbound = {"xray:", "states:SendTask", "logs:", "resource-explorer-2:ListIndexesForMembers"}
    for template in assembly.all:
        for logical in template.of_type("AWS::IAM::Role"):
            for statement in template.statements_of(logical):
                if "*" in as_list(statement["Resource"]):
                    strangers = [a for a in as_list(statement["Action"]) if not a.startswith(tuple(unbound))]
                    assert not strangers, f"{template.name}.{logical}"


def test_machine_may_invoke_exactly_the_functions_its_tokens_name(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        for machine in Machine:
            made = hub.machine(machine)
            bound = {
                json.dumps(value, sort_keys=True)
                for token, value in made["DefinitionSubstitutions"].items()
                if token.endswith("FunctionArn")
            }
            granted = {
                json.dumps(resource, sort_keys=True)
                for s in hub.statements_of(made["RoleArn"]["Fn::GetAtt"][0])
                if "lambda:InvokeFunction" in as_list(s["Action"])
                for resource in as_list(s["Resource"])
            }
            assert granted == bound


def test_machine_starts_only_the_machine_below_it(assembly: Assembly) -> None:
    starts = {
        Machine.ORCHESTRATOR: {Machine.LIFECYCLE},
        Machine.LIFECYCLE: {Machine.WAVE},
        Machine.WAVE: {Machine.WAVE},  # the children of its Distributed Map
    }
    for hub in assembly.hubs:
        for machine, wanted in starts.items():
            role = hub.machine(machine)["RoleArn"]["Fn::GetAtt"][0]
            started = {
                text(resource).rpartition(":")[2]
                for s in hub.statements_of(role)
                if "states:StartExecution" in as_list(s["Action"])
                for resource in as_list(s["Resource"])
            }
            assert started == {each.value for each in wanted}


def test_service_role_of_a_confused_deputy_is_tied_to_the_account(assembly: Assembly) -> None:
    # Given roles that services with customers of their own assume
    for template in assembly.all:
        for logical, role in template.of_type("AWS::IAM::Role").items():
            for statement in role["AssumeRolePolicyDocument"]["Statement"]:
                service = text(statement["Principal"]["Service"])
                if service.split(".")[0] in {"s3", "scheduler", "ssm"}:
                    assert "aws:SourceAccount" in statement["Condition"]["StringEquals"], f"{template.name}.{logical}"
