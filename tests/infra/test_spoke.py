"""The spoke roles hold what the adapters declare, and open only to this hub."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.registry import MODULES, adapter
from infra import config as configuration
from infra import spoke
from infra.constructs.spokes import INLINE_LIMIT
from infra.verbs import SPOKE_VERBS
from orchestrator.names import function_role
from orchestrator.spec import Permission, Spec
from orchestrator.words import Use
from tests.infra.synthesised import Assembly, Json, as_list

LOOK = frozenset({Use.DISCOVER, Use.OBSERVE, Use.PLAN})
ACT = frozenset({Use.ACTIVATE})
CHECKED_IN: Json = json.loads(spoke.PATH.read_bytes())


def spec(*permissions: Permission, key: str = "queue") -> Spec:
    """Return a technology that does not exist."""
    return Spec(key, "Queues", ("sqs:queue",), ("Queue",), (), permissions, "https://docs.example.com")


def role_of(template: Json, name: str) -> Json:
    """Return a role's properties by its physical name."""
    roles = [r["Properties"] for r in template["Resources"].values() if r["Type"] == "AWS::IAM::Role"]
    (found,) = [role for role in roles if role["RoleName"] == name]
    return dict(found)


def statements_of(template: Json, name: str) -> list[Json]:
    """Return all statements of a role, inline and managed."""
    role = role_of(template, name)
    documents = [policy["PolicyDocument"] for policy in role.get("Policies", [])]
    for reference in role.get("ManagedPolicyArns", []):
        documents.append(template["Resources"][reference["Ref"]]["Properties"]["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


def actions_in(statements: list[Json]) -> set[str]:
    """Return all actions of statements."""
    return {action for statement in statements for action in as_list(statement["Action"])}


def test_template_checked_in_is_what_the_adapters_declare() -> None:
    fresh = spoke.render(spoke.template([adapter(key).spec for key in MODULES]))
    assert spoke.PATH.read_text(encoding="utf-8") == fresh, "Try: python -m infra.spoke"


@pytest.mark.parametrize("key", sorted(MODULES))
def test_role_of_a_technology_may_do_what_its_spec_says_and_nothing_more(key: str) -> None:
    declared = {action for permission in adapter(key).spec.permissions for action in permission.actions}
    assert actions_in(statements_of(CHECKED_IN, f"dr-spoke-{key}")) == declared


@pytest.mark.parametrize("role", [*sorted(MODULES), "discovery", "probe"])
def test_role_opens_only_with_external_id_to_the_hub_of_the_organisation(role: str) -> None:
    # Given the trust policy of a role in a workload account
    (statement,) = role_of(CHECKED_IN, f"dr-spoke-{role}")["AssumeRolePolicyDocument"]["Statement"]
    # Then all three locks are on it
    assert statement["Condition"]["StringEquals"]["sts:ExternalId"] == {"Ref": "ExternalId"}
    assert statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"] == {"Ref": "OrganizationId"}
    assert statement["Condition"]["ArnEquals"]["aws:PrincipalArn"] == {"Ref": "HubRoleArns"}
    assert statement["Principal"] == {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${HubAccount}:root"}}


def test_no_role_is_an_administrator_or_may_go_on_to_other_roles() -> None:
    for resource in CHECKED_IN["Resources"].values():
        if resource["Type"] != "AWS::IAM::Role":
            continue
        name = resource["Properties"]["RoleName"]
        for action in actions_in(statements_of(CHECKED_IN, name)):
            service, _, operation = action.partition(":")
            assert "*" not in service, f"{name}: {action}"
            assert not operation.startswith("*"), f"{name}: {action}"
            assert service not in {"sts", "organizations"}, f"{name}: {action}"
            assert service != "iam" or operation in {"PassRole", "GetRole", "GetInstanceProfile"}, f"{name}: {action}"


def test_role_that_passes_roles_says_to_which_service() -> None:
    for resource in CHECKED_IN["Resources"].values():
        if resource["Type"] == "AWS::IAM::Role":
            name = resource["Properties"]["RoleName"]
            for statement in statements_of(CHECKED_IN, name):
                if "iam:PassRole" in as_list(statement["Action"]):
                    assert "iam:PassedToService" in json.dumps(statement.get("Condition", {})), name


def test_discovery_only_reads() -> None:
    for action in actions_in(statements_of(CHECKED_IN, "dr-spoke-discovery")):
        assert action.partition(":")[2].startswith(spoke.READ_VERBS), action


def test_every_role_fits_what_iam_accepts() -> None:
    for resource in CHECKED_IN["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            inline = "".join(
                json.dumps(p["PolicyDocument"], separators=(",", ":")) for p in properties.get("Policies", [])
            )
            assert len(inline) <= 10_240, properties["RoleName"]
            assert len(properties.get("ManagedPolicyArns", [])) <= 10, properties["RoleName"]
            assert properties["MaxSessionDuration"] == 3600
        else:
            document = json.dumps(properties["PolicyDocument"], separators=(",", ":"))
            assert len(document) <= 6_144, properties["ManagedPolicyName"]


def test_placeholders_of_a_resource_become_wide_in_the_role() -> None:
    # Given a permission with every placeholder and a policy variable
    resource = "arn:{partition}:sqs:{region}:{account}:${aws:PrincipalTag/Customer}-{name}"
    wanted = spec(Permission(("sqs:SendMessage",), ACT, (resource,)))
    # When the role is generated
    (statement,) = statements_of(spoke.template([wanted]), "dr-spoke-queue")
    # Then CloudFormation fills partition and account, and leaves the variable to IAM
    filled = "arn:${AWS::Partition}:sqs:*:${AWS::AccountId}:${!aws:PrincipalTag/Customer}-*"
    assert statement["Resource"] == [{"Fn::Sub": filled}]


def test_permissions_with_equal_resources_and_conditions_share_a_statement() -> None:
    tagged = {"StringEquals": {"aws:ResourceTag/dr:enabled": ["true"]}}
    wanted = spec(
        Permission(("sqs:GetQueueUrl",), LOOK),
        Permission(("sqs:ListQueues", "sqs:GetQueueUrl"), LOOK),
        Permission(("sqs:PurgeQueue",), ACT, conditions=tagged),
    )
    made = statements_of(spoke.template([wanted]), "dr-spoke-queue")
    bound, free = sorted(made, key=lambda statement: "Condition" not in statement)
    assert free == {"Effect": "Allow", "Action": ["sqs:GetQueueUrl", "sqs:ListQueues"], "Resource": "*"}
    assert bound["Condition"] == tagged


def test_role_too_big_for_inline_policies_is_split_without_losing_an_action() -> None:
    # Given a technology with 800 long actions
    actions = tuple(f"sqs:AVeryLongNameOfAnAction{number:04}" for number in range(800))
    template = spoke.template([spec(Permission(actions, ACT))])
    # Then managed policies within their limit hold them all
    assert actions_in(statements_of(template, "dr-spoke-queue")) == set(actions)
    sizes = [
        len(json.dumps(r["Properties"]["PolicyDocument"], separators=(",", ":")))
        for r in template["Resources"].values()
        if r["Type"] == "AWS::IAM::ManagedPolicy"
    ]
    assert len(sizes) > 1
    assert max(sizes) <= 6_144


def test_change_declared_as_discovery_is_refused() -> None:
    wanted = spec(Permission(("sqs:ListQueues", "sqs:DeleteQueue"), LOOK))
    with pytest.raises(ValueError, match="sqs:DeleteQueue"):
        spoke.template([wanted])


def test_same_declarations_in_another_order_give_the_same_file() -> None:
    first = spec(Permission(("sqs:ListQueues",), LOOK), Permission(("sqs:PurgeQueue",), ACT))
    second = spec(Permission(("sns:ListTopics",), LOOK), key="topic")
    again = spec(Permission(("sqs:PurgeQueue",), ACT), Permission(("sqs:ListQueues",), LOOK))
    assert spoke.render(spoke.template([first, second])) == spoke.render(spoke.template([second, again]))


def test_stack_set_hands_every_account_the_hubs_identity(assembly: Assembly) -> None:
    # Given the roll-out of the example configuration
    config = assembly.config
    stack_set = assembly.spokes.one("AWS::CloudFormation::StackSet")
    given: dict[str, Any] = {p["ParameterKey"]: p["ParameterValue"] for p in stack_set["Parameters"]}
    # Then it fills every parameter and trusts exactly the functions that enter spokes, of both Regions
    assert set(given) == set(CHECKED_IN["Parameters"])
    assert given["ExternalId"] == config.hub.external_id
    assert given["OrganizationId"] == config.organization.id
    for region in config.hub.regions:
        for verb in SPOKE_VERBS:
            assert f"role/{function_role(verb, region)}" in json.dumps(given["HubRoleArns"])
    assert json.dumps(given["HubRoleArns"]).count("role/") == 2 * len(SPOKE_VERBS)


def test_stack_set_rolls_out_the_generated_template_once_per_account(assembly: Assembly) -> None:
    stack_set = assembly.spokes.one("AWS::CloudFormation::StackSet")
    assert ("TemplateBody" in stack_set) == (len(json.dumps(CHECKED_IN, separators=(",", ":"))) <= INLINE_LIMIT)
    if "TemplateBody" in stack_set:
        assert json.loads(stack_set["TemplateBody"]) == CHECKED_IN
    (group,) = stack_set["StackInstancesGroup"]
    assert group["Regions"] == [assembly.config.hub.home_region]
    assert group["DeploymentTargets"] == {"OrganizationalUnitIds": list(assembly.config.spokes.organizational_units)}
    assert stack_set["AutoDeployment"]["Enabled"] is True


def test_function_roles_that_spokes_trust_exist_in_the_hub(assembly: Assembly) -> None:
    made = {r.get("RoleName") for hub in assembly.hubs for r in hub.of_type("AWS::IAM::Role").values()}
    assert {function_role(v, region) for v in SPOKE_VERBS for region in assembly.config.hub.regions} <= made


def test_external_id_of_local_and_example_hub_differ() -> None:
    root = spoke.PATH.parent.parent / "config"
    ids = {configuration.load(root / name).hub.external_id for name in ("example.yaml", "local.yaml")}
    assert len(ids) == 2
