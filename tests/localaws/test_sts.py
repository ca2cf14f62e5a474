"""Sessions: who may assume which role, what the session carries, and when it ends."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.authorization import ORGANIZATION_ID
from localaws.service import AwsError, Principal
from tests.localaws.hub_and_spoke import EAST, HUB, SPOKE, WEST, Cloud, allow, policy, trust

EXTERNAL_ID = "customer-x-2026"
CHAIN = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def hub(cloud: Cloud) -> Principal:
    """The hub's function, which may assume spoke roles."""
    return cloud.function("hub-fn", allow(CHAIN, "arn:aws:iam::*:role/dr-*"))


@pytest.fixture
def spoke_role(cloud: Cloud, hub: Principal) -> str:
    """A spoke role that trusts only the hub's function, inside the organization, with the external id."""
    conditions = {
        "StringEquals": {"sts:ExternalId": EXTERNAL_ID, "aws:PrincipalOrgID": ORGANIZATION_ID},
        "ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{HUB}:role/hub-fn"},
    }
    trusts = trust({"AWS": HUB}, *CHAIN, **conditions)
    return cloud.role(SPOKE, "dr-rds", trusts, allow("rds:Describe*"))


def test_hub_with_the_external_id_gets_a_session_of_the_spoke_role(
    cloud: Cloud, hub: Principal, spoke_role: str
) -> None:
    # When the hub assumes the role for one run
    session = cloud.assume(
        hub,
        spoke_role,
        ExternalId=EXTERNAL_ID,
        DurationSeconds=900,
        SourceIdentity="alice@example.com",
        Tags=[{"Key": "Customer", "Value": "CustomerX"}],
    )
    # Then the session acts in the spoke, says who asked, and carries the tags
    assert cloud.call(session, "sts", "GetCallerIdentity")["Arn"] == f"arn:aws:sts::{SPOKE}:assumed-role/dr-rds/run-1"
    assert (session.source_identity, dict(session.session_tags)) == ("alice@example.com", {"Customer": "CustomerX"})
    cloud.call(session, "rds", "DescribeDBInstances")
    assert cloud.refused(session, "ecs", "ListClusters").code == "AccessDeniedException"


@pytest.mark.parametrize("params", [{}, {"ExternalId": "customer-y-2026"}])
def test_missing_or_wrong_external_id_is_refused(
    cloud: Cloud, hub: Principal, spoke_role: str, params: dict[str, str]
) -> None:
    error = cloud.refused(hub, "sts", "AssumeRole", RoleArn=spoke_role, RoleSessionName="run-1", **params)
    assert (error.code, error.status) == ("AccessDenied", 403)
    who = f"arn:aws:sts::{HUB}:assumed-role/hub-fn/hub-fn"
    assert error.message == f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {spoke_role}"


def test_another_role_of_the_hub_account_is_refused_although_it_knows_the_external_id(
    cloud: Cloud, spoke_role: str
) -> None:
    other = cloud.function("other-fn", allow(CHAIN))
    error = cloud.refused(
        other, "sts", "AssumeRole", RoleArn=spoke_role, RoleSessionName="run-1", ExternalId=EXTERNAL_ID
    )
    assert error.code == "AccessDenied"


def test_trusted_caller_still_needs_its_own_permission(cloud: Cloud) -> None:
    powerless = cloud.function("powerless-fn")
    role = cloud.role(SPOKE, "open", trust({"AWS": f"arn:aws:iam::{HUB}:role/powerless-fn"}))
    assert cloud.refused(powerless, "sts", "AssumeRole", RoleArn=role, RoleSessionName="run").code == "AccessDenied"


def test_role_named_in_a_trust_policy_of_its_own_account_needs_nothing_more(cloud: Cloud) -> None:
    caller = cloud.function("caller-fn", account=SPOKE)
    role = cloud.role(SPOKE, "helper", trust({"AWS": f"arn:aws:iam::{SPOKE}:role/caller-fn"}))
    assert cloud.assume(caller, role).role_name == "helper"


def test_permission_alone_never_assumes_a_role_that_does_not_trust_the_account(cloud: Cloud) -> None:
    mighty = cloud.function("mighty-fn", allow("*"), account=SPOKE)
    role = cloud.role(SPOKE, "for-lambda", trust({"Service": "lambda.amazonaws.com"}))
    for who in (mighty, cloud.admin(SPOKE)):
        error = cloud.refused(who, "sts", "AssumeRole", RoleArn=role, RoleSessionName="run")
        assert error.code == "AccessDenied"


def test_account_outside_the_organization_is_refused(cloud: Cloud) -> None:
    # Given an organization without the spoke
    cloud.call(cloud.admin(HUB), "organizations", "CreateOrganization", EAST, FeatureSet="ALL")
    organization = cloud.call(cloud.admin(HUB), "organizations", "DescribeOrganization", EAST)["Organization"]["Id"]
    in_organization = {"aws:PrincipalOrgID": organization}
    role = cloud.role(HUB, "shared", trust("*", StringEquals=in_organization))
    outsider = cloud.function("outsider-fn", allow("sts:AssumeRole"), account=SPOKE)
    insider = cloud.function("insider-fn", allow("sts:AssumeRole"))
    assert cloud.refused(outsider, "sts", "AssumeRole", RoleArn=role, RoleSessionName="run").code == "AccessDenied"
    assert cloud.assume(insider, role).role_name == "shared"


def test_unknown_role_is_refused_in_the_same_words_as_a_forbidden_one(cloud: Cloud, hub: Principal) -> None:
    missing = f"arn:aws:iam::{SPOKE}:role/dr-missing"
    error = cloud.refused(hub, "sts", "AssumeRole", RoleArn=missing, RoleSessionName="run")
    assert error.code == "AccessDenied"
    assert error.message.endswith(f"is not authorized to perform: sts:AssumeRole on resource: {missing}")


def test_root_may_not_assume_roles(cloud: Cloud, spoke_role: str) -> None:
    root = cloud.local.accounts.root(HUB)
    error = cloud.refused(root, "sts", "AssumeRole", RoleArn=spoke_role, RoleSessionName="run")
    assert error.message == "Roles may not be assumed by root accounts."


@pytest.mark.parametrize(
    ("params", "action"),
    [
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "sts:TagSession"),
        ({"SourceIdentity": "alice"}, "sts:SetSourceIdentity"),
    ],
)
def test_tags_and_source_identity_need_the_trust_policys_consent(
    cloud: Cloud, hub: Principal, params: dict[str, Any], action: str
) -> None:
    role = cloud.role(SPOKE, "dr-plain", trust({"AWS": HUB}))
    error = cloud.refused(hub, "sts", "AssumeRole", RoleArn=role, RoleSessionName="run", **params)
    assert (error.code, action in error.message) == ("AccessDenied", True)
    assert cloud.assume(hub, role).role_name == "dr-plain"


def test_trust_policy_can_demand_tags_and_a_source_identity(cloud: Cloud, hub: Principal) -> None:
    conditions = {
        "StringLike": {"sts:SourceIdentity": "*@example.com", "aws:RequestTag/Customer": "*"},
        "ForAllValues__StringEquals": {"aws:TagKeys": ["Customer", "Environment"]},
    }
    role = cloud.role(SPOKE, "dr-strict", trust({"AWS": HUB}, *CHAIN, **conditions))
    good = {"SourceIdentity": "a@example.com", "Tags": [{"Key": "Customer", "Value": "X"}]}
    assert cloud.assume(hub, role, **good).source_identity == "a@example.com"
    for change in (
        {"SourceIdentity": "root"},
        {"Tags": [{"Key": "Customer", "Value": "X"}, {"Key": "admin", "Value": "1"}]},
    ):
        bad = {**good, **change}
        error = cloud.refused(hub, "sts", "AssumeRole", RoleArn=role, RoleSessionName="run", **bad)
        assert error.code == "AccessDenied"


def test_session_tags_reach_policies_as_principal_tags(cloud: Cloud, hub: Principal) -> None:
    # Given a role that may stop what carries the customer of the session
    cloud.database("x-orders", Customer="CustomerX")
    cloud.database("y-orders", Customer="CustomerY")
    same_customer = {"aws:ResourceTag/Customer": "${aws:PrincipalTag/Customer}"}
    role = cloud.role(SPOKE, "dr-stop", trust({"AWS": HUB}, *CHAIN), allow("rds:Stop*", StringEquals=same_customer))
    session = cloud.assume(hub, role, Tags=[{"Key": "Customer", "Value": "CustomerX"}])
    # Then customers stay apart
    cloud.call(session, "rds", "StopDBInstance", DBInstanceIdentifier="x-orders")
    assert cloud.refused(session, "rds", "StopDBInstance", DBInstanceIdentifier="y-orders").code == "AccessDenied"


def test_transitive_tags_and_source_identity_stay_along_the_chain(cloud: Cloud, hub: Principal) -> None:
    # Given a first session with a transitive tag and a source identity
    first = cloud.role(SPOKE, "dr-first", trust({"AWS": HUB}, *CHAIN), allow(CHAIN))
    second = cloud.role(SPOKE, "dr-second", trust({"AWS": SPOKE}, *CHAIN))
    tags = [{"Key": "Customer", "Value": "X"}, {"Key": "Step", "Value": "1"}]
    session = cloud.assume(hub, first, Tags=tags, TransitiveTagKeys=["Customer"], SourceIdentity="alice")
    # When it assumes another role
    chained = cloud.assume(session, second)
    # Then the transitive tag and the identity go along, the plain tag does not
    assert (dict(chained.session_tags), chained.source_identity) == ({"Customer": "X"}, "alice")
    # and neither can be changed
    retag = {"Tags": [{"Key": "customer", "Value": "Y"}]}
    error = cloud.refused(session, "sts", "AssumeRole", RoleArn=second, RoleSessionName="run", **retag)
    assert error.code == "InvalidParameterValue"
    error = cloud.refused(session, "sts", "AssumeRole", RoleArn=second, RoleSessionName="run", SourceIdentity="bob")
    assert error.code == "AccessDenied"


def test_session_expires_after_its_seconds_whatever_the_clock_speed(
    cloud: Cloud, spoke_role: str, hub: Principal
) -> None:
    # Given a fast clock and a session of 900 seconds
    cloud.clock.speed = 60
    reply = cloud.call(
        hub,
        "sts",
        "AssumeRole",
        RoleArn=spoke_role,
        RoleSessionName="run-1",
        ExternalId=EXTERNAL_ID,
        DurationSeconds=900,
    )
    keys = reply["Credentials"]
    sts = cloud.client("sts", WEST, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    # Then it works in every Region until 900 seconds have passed on the wall clock
    cloud.clock.advance(899)
    assert sts.get_caller_identity()["Account"] == SPOKE
    cloud.client("rds", EAST, keys["AccessKeyId"]).describe_db_instances()
    cloud.clock.advance(1)
    with pytest.raises(ClientError, match="ExpiredToken"):
        sts.get_caller_identity()


@pytest.mark.parametrize(
    ("params", "code", "said"),
    [
        ({"DurationSeconds": 600}, "ValidationError", "greater than or equal to 900"),
        ({"DurationSeconds": 43201}, "ValidationError", "less than or equal to 43200"),
        ({"DurationSeconds": 3601}, "ValidationError", "exceeds the MaxSessionDuration"),
        ({"RoleSessionName": "a b"}, "ValidationError", "regular expression"),
        ({"RoleSessionName": "x" * 65}, "ValidationError", "less than or equal to 64"),
        ({"ExternalId": "x"}, "ValidationError", "greater than or equal to 2"),
        ({"Policy": "{"}, "MalformedPolicyDocument", "JSON"),
        (
            {"Policy": '{"Version": "2012-10-17", "Statement": {"Effect": "Maybe"}}'},
            "MalformedPolicyDocument",
            "Effect",
        ),
        ({"Policy": " " * 2049}, "PackedPolicyTooLarge", "101%"),
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue", "Duplicate"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "ValidationError", "aws:"),
        ({"TransitiveTagKeys": ["a"]}, "InvalidParameterValue", "transitive"),
    ],
)
def test_malformed_request_is_refused_with_the_rule_it_breaks(
    cloud: Cloud, params: dict[str, Any], code: str, said: str
) -> None:
    role = cloud.role(SPOKE, "dr-any", trust({"AWS": SPOKE}, *CHAIN))
    request = {"RoleArn": role, "RoleSessionName": "run-1", **params}
    error = cloud.refused(cloud.admin(SPOKE), "sts", "AssumeRole", **request)
    assert (error.code, said in error.message) == (code, True)


def test_role_may_allow_longer_sessions_but_a_chain_ends_after_an_hour(cloud: Cloud, hub: Principal) -> None:
    role = cloud.role(SPOKE, "dr-long", trust({"AWS": [SPOKE, HUB]}), MaxSessionDuration=7200)
    assert cloud.assume(cloud.admin(SPOKE), role, DurationSeconds=7200).role_name == "dr-long"
    error = cloud.refused(hub, "sts", "AssumeRole", RoleArn=role, RoleSessionName="run", DurationSeconds=7200)
    assert "role chaining" in error.message


def test_session_policy_of_2048_characters_fits(cloud: Cloud) -> None:
    role = cloud.role(SPOKE, "dr-any", trust({"AWS": SPOKE}), allow("rds:*"))
    text = policy(allow("rds:Describe*"))
    reply = cloud.call(
        cloud.admin(SPOKE), "sts", "AssumeRole", RoleArn=role, RoleSessionName="run", Policy=text.ljust(2048)
    )
    assert reply["PackedPolicySize"] == 100


def test_managed_session_policy_limits_like_an_inline_one(cloud: Cloud) -> None:
    admin = cloud.admin(SPOKE)
    made = cloud.call(admin, "iam", "CreatePolicy", PolicyName="only-ecs", PolicyDocument=policy(allow("ecs:*")))
    role = cloud.role(SPOKE, "dr-any", trust({"AWS": SPOKE}), allow("*"))
    session = cloud.assume(admin, role, PolicyArns=[{"arn": made["Policy"]["Arn"]}], Policy=policy(allow("sqs:*")))
    cloud.call(session, "ecs", "ListClusters")
    cloud.call(session, "sqs", "ListQueues")
    assert cloud.refused(session, "rds", "DescribeDBInstances").code == "AccessDenied"


def test_service_gets_a_session_only_of_roles_that_trust_it(cloud: Cloud) -> None:
    sts = cloud.local.service("sts")
    role = cloud.role(HUB, "machine", trust({"Service": "states.amazonaws.com"}), allow("lambda:InvokeFunction"))
    session = sts.session_for_role(role, "run-1", "states.amazonaws.com").principal
    assert session.arn == f"arn:aws:sts::{HUB}:assumed-role/machine/run-1"
    with pytest.raises(AwsError, match="lambda.amazonaws.com is unable to assume"):
        sts.session_for_role(role, "run-1", "lambda.amazonaws.com")
    with pytest.raises(AwsError, match="missing"):
        sts.session_for_role(f"arn:aws:iam::{HUB}:role/missing", "run-1", "states.amazonaws.com")


def test_trust_in_a_service_can_be_limited_to_one_source(cloud: Cloud) -> None:
    machine = f"arn:aws:states:{WEST}:{HUB}:stateMachine:orchestrator"
    limited = trust({"Service": "states.amazonaws.com"}, ArnLike={"aws:SourceArn": machine})
    role = cloud.role(HUB, "machine", limited)
    sts = cloud.local.service("sts")
    assert (
        sts.session_for_role(role, "run", "states.amazonaws.com", source_arn=machine).principal.role_name == "machine"
    )
    with pytest.raises(AwsError):
        sts.session_for_role(role, "run", "states.amazonaws.com", source_arn=machine + "-2")


def test_cdk_bootstrap_roles_are_assumed_by_the_account_and_work(cloud: Cloud) -> None:
    # Given the deploy role as the bootstrap template writes it
    account = f"arn:aws:iam::{HUB}:root"
    deploy = cloud.role(
        HUB,
        f"cdk-hnb659fds-deploy-role-{HUB}-{WEST}",
        trust({"AWS": account}),
        allow("cloudformation:*"),
        allow("s3:*", StringNotEquals={"s3:ResourceAccount": HUB}),
    )
    session = cloud.assume(cloud.admin(HUB), deploy)
    cloud.call(session, "cloudformation", "DescribeStacks")
    # Then another account's administrator is not let in
    error = cloud.refused(cloud.admin(SPOKE), "sts", "AssumeRole", RoleArn=deploy, RoleSessionName="run")
    assert error.code == "AccessDenied"


def test_temporary_keys_of_a_user_act_as_the_user(cloud: Cloud) -> None:
    keys = cloud.call(cloud.admin(HUB), "sts", "GetSessionToken")["Credentials"]
    who = cloud.local.accounts.resolve(keys["AccessKeyId"], cloud.clock.now())
    assert who == cloud.admin(HUB)


@pytest.mark.parametrize(
    ("operation", "params", "said"),
    [
        ("CreateRole", {"AssumeRolePolicyDocument": policy(trust({"AWS": "hub"}))}, "Invalid principal"),
        (
            "CreateRole",
            {"AssumeRolePolicyDocument": policy(trust("*", StringIs={"aws:PrincipalArn": "x"}))},
            "StringIs",
        ),
        ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": policy(allow("Describe"))}, "service:Action"),
    ],
)
def test_iam_refuses_policies_nobody_could_evaluate(
    cloud: Cloud, operation: str, params: dict[str, str], said: str
) -> None:
    error = cloud.refused(cloud.admin(SPOKE), "iam", operation, EAST, RoleName="r", **params)
    assert (error.code, said in error.message) == ("MalformedPolicyDocument", True)


def test_simulation_gives_the_same_answer_as_the_call(cloud: Cloud) -> None:
    cloud.operator(allow("rds:Describe*"), allow("rds:Stop*", StringEquals={"aws:ResourceTag/dr:enabled": "true"}))
    source = f"arn:aws:iam::{SPOKE}:role/operator"
    entry = {"ContextKeyName": "aws:ResourceTag/dr:enabled", "ContextKeyValues": ["true"], "ContextKeyType": "string"}
    actions = ["rds:DescribeDBInstances", "rds:StopDBInstance", "rds:DeleteDBInstance"]
    reply = cloud.call(
        cloud.admin(SPOKE),
        "iam",
        "SimulatePrincipalPolicy",
        EAST,
        PolicySourceArn=source,
        ActionNames=actions,
        ContextEntries=[entry],
    )
    decisions = [result["EvalDecision"] for result in reply["EvaluationResults"]]
    assert decisions == ["allowed", "allowed", "implicitDeny"]
