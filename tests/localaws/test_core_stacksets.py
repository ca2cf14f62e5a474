"""StackSets reach the member accounts of an organisation, and follow accounts that move."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.services.organizations import OrganizationsService, Unit

HUB, FIRST, SECOND, LATE = "111111111111", "222222222222", "333333333333", "444444444444"
EAST, WEST = "us-east-1", "us-west-2"
WORKLOADS, SANDBOX = "ou-abcd-11111111", "ou-abcd-22222222"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": HUB}, "Action": "sts:AssumeRole"}],
}
SPOKE = {
    "Parameters": {"RoleName": {"Type": "String"}},
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": {"Fn::Sub": "${RoleName}-${AWS::Region}"}, "AssumeRolePolicyDocument": TRUST},
        }
    },
}


@pytest.fixture(scope="module")
def world() -> LocalAws:
    accounts = {HUB: "hub", FIRST: "first", SECOND: "second", LATE: "late"}
    return LocalAws(accounts, clock=ManualClock())


@pytest.fixture
def local(world: LocalAws) -> Iterator[LocalAws]:
    organizations = cast("OrganizationsService", world.service("organizations"))
    inner = Unit("Production", None, (SECOND,))
    units = (Unit("Workloads", WORKLOADS, (FIRST,), (inner,)), Unit("Sandbox", SANDBOX, (LATE,)))
    organizations.seed(HUB, units, "o-abcdefghij", "r-abcd")
    yield world
    world.reset()


@pytest.fixture
def stack_sets(local: LocalAws) -> Any:
    return local.session(HUB, EAST).client("cloudformation")


def create(stack_sets: Any, **more: Any) -> None:
    stack_sets.create_stack_set(
        StackSetName="spoke",
        TemplateBody=json.dumps(SPOKE),
        Parameters=[{"ParameterKey": "RoleName", "ParameterValue": "dr"}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        **more,
    )


def roles(local: LocalAws, account: str) -> list[str]:
    found = local.session(account, EAST).client("iam").list_roles()["Roles"]
    return sorted(role["RoleName"] for role in found if role["RoleName"].startswith("dr-"))


def finish(local: LocalAws) -> None:
    cast("ManualClock", local.clock).advance(300)


def test_service_managed_stack_set_makes_its_roles_in_every_account_of_the_unit(
    local: LocalAws, stack_sets: Any
) -> None:
    # Given a service-managed stack set
    create(stack_sets, PermissionModel="SERVICE_MANAGED", AutoDeployment={"Enabled": False})

    # When instances are created for a unit, which has another unit below it
    targets = {"OrganizationalUnitIds": [WORKLOADS]}
    operation = stack_sets.create_stack_instances(StackSetName="spoke", DeploymentTargets=targets, Regions=[EAST, WEST])
    where = {"StackSetName": "spoke", "OperationId": operation["OperationId"]}
    running = stack_sets.describe_stack_set_operation(**where)["StackSetOperation"]
    early = roles(local, FIRST)
    finish(local)
    ended = stack_sets.describe_stack_set_operation(**where)["StackSetOperation"]

    # Then the operation first runs, then succeeds, and the roles are in both accounts and nowhere else
    assert (running["Status"], early) == ("RUNNING", [])
    assert ended["Status"] == "SUCCEEDED"
    assert roles(local, FIRST) == roles(local, SECOND) == ["dr-us-east-1", "dr-us-west-2"]
    assert roles(local, LATE) == roles(local, HUB) == []
    instances = stack_sets.list_stack_instances(StackSetName="spoke")["Summaries"]
    assert {(i["Account"], i["Region"], i["Status"]) for i in instances} == {
        (account, region, "CURRENT") for account in (FIRST, SECOND) for region in (EAST, WEST)
    }


def test_second_operation_while_one_runs_is_refused(stack_sets: Any) -> None:
    # Given an operation under way
    create(stack_sets, PermissionModel="SERVICE_MANAGED", AutoDeployment={"Enabled": False})
    targets = {"OrganizationalUnitIds": [WORKLOADS]}
    stack_sets.create_stack_instances(StackSetName="spoke", DeploymentTargets=targets, Regions=[EAST])

    # When another is started, then it is refused
    with pytest.raises(stack_sets.exceptions.OperationInProgressException):
        stack_sets.create_stack_instances(StackSetName="spoke", DeploymentTargets=targets, Regions=[WEST])


def test_account_that_joins_a_unit_gets_the_stack_and_loses_it_when_it_leaves(local: LocalAws, stack_sets: Any) -> None:
    # Given a stack set that deploys automatically
    automatic = {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    create(stack_sets, PermissionModel="SERVICE_MANAGED", AutoDeployment=automatic)
    targets = {"OrganizationalUnitIds": [WORKLOADS]}
    stack_sets.create_stack_instances(StackSetName="spoke", DeploymentTargets=targets, Regions=[EAST])
    finish(local)
    organizations = local.session(HUB, EAST).client("organizations")

    # When an account moves in and later out again
    organizations.move_account(AccountId=LATE, SourceParentId=SANDBOX, DestinationParentId=WORKLOADS)
    finish(local)
    inside = roles(local, LATE)
    organizations.move_account(AccountId=LATE, SourceParentId=WORKLOADS, DestinationParentId=SANDBOX)
    finish(local)

    # Then it had the role only meanwhile
    assert inside == ["dr-us-east-1"]
    assert roles(local, LATE) == []


def allow_self_management(local: LocalAws) -> None:
    """Create the roles that self-managed permissions need, as the guide tells."""
    policy = json.dumps(TRUST)
    wanted = {HUB: "Administration", FIRST: "Execution", SECOND: "Execution", LATE: "Execution"}
    for account, kind in wanted.items():
        local.session(account, EAST).client("iam").create_role(
            RoleName=f"AWSCloudFormationStackSet{kind}Role", AssumeRolePolicyDocument=policy
        )


def test_self_managed_stack_set_without_execution_role_fails_and_names_it(local: LocalAws, stack_sets: Any) -> None:
    # Given accounts that nobody prepared
    create(stack_sets)

    # When the stack set is deployed to one
    stack_sets.create_stack_instances(StackSetName="spoke", Accounts=[FIRST], Regions=[EAST])
    finish(local)

    # Then the instance says which role is missing
    instance = stack_sets.list_stack_instances(StackSetName="spoke")["Summaries"][0]
    assert instance["Status"] == "OUTDATED"
    assert "AWSCloudFormationStackSetAdministrationRole" in instance["StatusReason"]


def test_service_managed_stack_set_of_a_member_account_needs_delegation(local: LocalAws) -> None:
    # Given a member account that administers nothing
    member = local.session(FIRST, EAST).client("cloudformation")

    # When it wants to deploy to the organisation, then it is refused until it is a delegated administrator
    wanted = {"PermissionModel": "SERVICE_MANAGED", "AutoDeployment": {"Enabled": False}, "CallAs": "DELEGATED_ADMIN"}
    with pytest.raises(ClientError, match="delegated admin"):
        create(member, **wanted)
    principal = "member.org.stacksets.cloudformation.amazonaws.com"
    organizations = local.session(HUB, EAST).client("organizations")
    organizations.register_delegated_administrator(AccountId=FIRST, ServicePrincipal=principal)
    create(member, **wanted)


def test_self_managed_stack_set_updates_and_empties_listed_accounts(local: LocalAws, stack_sets: Any) -> None:
    # Given a self-managed stack set with two accounts
    allow_self_management(local)
    create(stack_sets)
    both = {"Accounts": [FIRST, LATE], "Regions": [EAST]}
    stack_sets.create_stack_instances(StackSetName="spoke", **both)
    finish(local)
    first_name = (roles(local, FIRST), roles(local, LATE))

    # When the parameter changes, and then the instances are deleted
    changed = [{"ParameterKey": "RoleName", "ParameterValue": "dr-new"}]
    stack_sets.update_stack_set(
        StackSetName="spoke", UsePreviousTemplate=True, Parameters=changed, Capabilities=["CAPABILITY_NAMED_IAM"]
    )
    finish(local)
    second_name = (roles(local, FIRST), roles(local, LATE))
    with pytest.raises(stack_sets.exceptions.StackSetNotEmptyException):
        stack_sets.delete_stack_set(StackSetName="spoke")
    stack_sets.delete_stack_instances(StackSetName="spoke", RetainStacks=False, **both)
    finish(local)
    stack_sets.delete_stack_set(StackSetName="spoke")

    # Then each step was seen in the accounts
    assert first_name == (["dr-us-east-1"], ["dr-us-east-1"])
    assert second_name == (["dr-new-us-east-1"], ["dr-new-us-east-1"])
    assert (roles(local, FIRST), roles(local, LATE)) == ([], [])


def test_stack_set_in_a_template_is_complete_when_its_roles_are_there(local: LocalAws, stack_sets: Any) -> None:
    # Given a template with a stack set
    properties = {
        "StackSetName": "spoke",
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False},
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "TemplateBody": json.dumps(SPOKE),
        "Parameters": [{"ParameterKey": "RoleName", "ParameterValue": "dr"}],
        "StackInstancesGroup": [{"DeploymentTargets": {"OrganizationalUnitIds": [WORKLOADS]}, "Regions": [EAST]}],
    }
    template = {"Resources": {"Spokes": {"Type": "AWS::CloudFormation::StackSet", "Properties": properties}}}

    # When its stack is created, and later deleted
    stack_sets.create_stack(StackName="hub", TemplateBody=json.dumps(template))
    status = stack_sets.describe_stacks(StackName="hub")["Stacks"][0]["StackStatus"]
    made = (roles(local, FIRST), roles(local, SECOND))
    stack_sets.delete_stack(StackName="hub")

    # Then the roles were there as soon as the stack was complete, and are gone with it
    assert status == "CREATE_COMPLETE"
    assert made == (["dr-us-east-1"], ["dr-us-east-1"])
    assert (roles(local, FIRST), roles(local, SECOND)) == ([], [])


def test_failing_template_is_told_per_account(local: LocalAws, stack_sets: Any) -> None:
    # Given a role of the same name already in one account
    allow_self_management(local)
    policy = json.dumps(TRUST)
    local.session(FIRST, EAST).client("iam").create_role(RoleName="dr-us-east-1", AssumeRolePolicyDocument=policy)
    create(stack_sets)

    # When the stack set is deployed to two accounts
    operation = stack_sets.create_stack_instances(StackSetName="spoke", Accounts=[FIRST, SECOND], Regions=[EAST])
    finish(local)

    # Then the operation failed for one and succeeded for the other
    where = {"StackSetName": "spoke", "OperationId": operation["OperationId"]}
    results = stack_sets.list_stack_set_operation_results(**where)["Summaries"]
    assert {line["Account"]: line["Status"] for line in results} == {FIRST: "FAILED", SECOND: "SUCCEEDED"}
    assert stack_sets.describe_stack_set_operation(**where)["StackSetOperation"]["Status"] == "FAILED"
    instance = stack_sets.describe_stack_instance(
        StackSetName="spoke", StackInstanceAccount=FIRST, StackInstanceRegion=EAST
    )["StackInstance"]
    assert instance["Status"] == "OUTDATED"
    assert "dr-us-east-1" in instance["StatusReason"]


def test_organization_answers_from_its_members_and_lists_accounts_by_unit(local: LocalAws) -> None:
    # Given the seeded organisation
    member = local.session(FIRST, EAST).client("organizations")
    management = local.session(HUB, EAST).client("organizations")

    # When a member and the management account ask
    seen = member.describe_organization()["Organization"]
    listed = management.list_accounts_for_parent(ParentId=WORKLOADS)["Accounts"]

    # Then both answers have the declared ids
    assert (seen["Id"], seen["MasterAccountId"]) == ("o-abcdefghij", HUB)
    assert [account["Id"] for account in listed] == [FIRST]
    organizations = cast("OrganizationsService", local.service("organizations"))
    assert organizations.organization_id(SECOND) == "o-abcdefghij"
    path = organizations.path_of(SECOND)
    assert path is not None
    assert path.startswith(f"o-abcdefghij/r-abcd/{WORKLOADS}/ou-")


def test_unit_that_does_not_exist_is_refused(stack_sets: Any) -> None:
    # Given a service-managed stack set
    create(stack_sets, PermissionModel="SERVICE_MANAGED", AutoDeployment={"Enabled": False})

    # When it is deployed to a unit that the organisation does not have, then the unit is named
    with pytest.raises(ClientError, match="ou-abcd-99999999"):
        stack_sets.create_stack_instances(
            StackSetName="spoke", DeploymentTargets={"OrganizationalUnitIds": ["ou-abcd-99999999"]}, Regions=[EAST]
        )
