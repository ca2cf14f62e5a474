"""IAM enforced on calls: what a role session may do, and the words in which it is refused."""

from __future__ import annotations

import time

import pytest

from localaws import acting, authorization
from localaws.service import AwsError, Call
from tests.localaws.hub_and_spoke import EAST, HUB, SPOKE, WEST, Cloud, allow, deny, policy, trust


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_administrator_may_do_everything(cloud: Cloud) -> None:
    arn = cloud.database("orders")
    reply = cloud.call(cloud.admin(SPOKE), "rds", "DescribeDBInstances", DBInstanceIdentifier="orders")
    assert reply["DBInstances"][0]["DBInstanceArn"] == arn


@pytest.mark.parametrize(
    ("service", "operation", "params", "code", "action", "resource"),
    [
        (
            "rds",
            "StopDBInstance",
            {"DBInstanceIdentifier": "o"},
            "AccessDenied",
            "rds:StopDBInstance",
            f"arn:aws:rds:{WEST}:{SPOKE}:db:o",
        ),
        ("ecs", "ListClusters", {}, "AccessDeniedException", "ecs:ListClusters", "*"),
        ("ec2", "DescribeInstances", {}, "UnauthorizedOperation", "ec2:DescribeInstances", "*"),
        ("s3", "HeadObject", {"Bucket": "b", "Key": "k"}, "AccessDenied", "s3:GetObject", "arn:aws:s3:::b/k"),
        ("lambda", "ListFunctions", {}, "AccessDeniedException", "lambda:ListFunctions", "*"),
        ("sns", "ListTopics", {}, "AuthorizationError", "sns:ListTopics", "*"),
        ("drs", "DescribeJobs", {}, "AccessDeniedException", "drs:DescribeJobs", "*"),
    ],
)
def test_session_without_permission_is_refused_in_the_words_of_the_service(
    cloud: Cloud, service: str, operation: str, params: dict[str, str], code: str, action: str, resource: str
) -> None:
    nobody = cloud.operator()
    error = cloud.refused(nobody, service, operation, **params)
    who = f"arn:aws:sts::{SPOKE}:assumed-role/operator/operator"
    sentence = (
        f"User: {who} is not authorized to perform: {action} on resource: {resource} "
        f"because no identity-based policy allows the {action} action"
    )
    assert error.code == code
    assert error.message.endswith(sentence)
    # and the refusal is in the call log
    assert (cloud.local.call_log[-1].operation, cloud.local.call_log[-1].error) == (operation, code)


def test_boto3_sees_the_refusal_as_the_services_error(cloud: Cloud) -> None:
    arn = cloud.role(SPOKE, "reader", trust({"Service": "lambda.amazonaws.com"}))
    keys = cloud.local.service("sts").session_for_role(arn, "fn", "lambda.amazonaws.com")
    ecs = cloud.client("ecs", WEST, keys.access_key_id, keys.secret_access_key, keys.session_token)
    with pytest.raises(ecs.exceptions.AccessDeniedException, match="ecs:ListClusters on resource: \\*"):
        ecs.list_clusters()


def test_tag_condition_follows_the_tags_the_resource_has_now(cloud: Cloud) -> None:
    # Given a role that may stop databases tagged for recovery, and two databases
    tagged, plain = cloud.database("orders", dr__enabled="true"), cloud.database("other")
    condition = {"aws:ResourceTag/dr:enabled": "true"}
    operator = cloud.operator(allow("rds:StopDBInstance", StringEquals=condition))
    # Then it may stop the tagged one only
    assert cloud.refused(operator, "rds", "StopDBInstance", DBInstanceIdentifier="other").code == "AccessDenied"
    cloud.call(operator, "rds", "StopDBInstance", DBInstanceIdentifier="orders")
    # When the tag goes, so does the permission
    cloud.call(cloud.admin(SPOKE), "rds", "RemoveTagsFromResource", ResourceName=tagged, TagKeys=["dr:enabled"])
    assert cloud.refused(operator, "rds", "StopDBInstance", DBInstanceIdentifier="orders").code == "AccessDenied"
    assert plain.endswith(":db:other")


def test_tag_condition_never_holds_on_a_type_that_does_not_carry_tags(cloud: Cloud) -> None:
    # Route 53 does not support aws:ResourceTag: a policy that relies on it allows nothing, as in AWS.
    zone = cloud.call(cloud.admin(SPOKE), "route53", "CreateHostedZone", EAST, Name="x.example", CallerReference="1")
    zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
    tag = [{"Key": "dr:enabled", "Value": "true"}]
    admin = cloud.admin(SPOKE)
    cloud.call(
        admin, "route53", "ChangeTagsForResource", EAST, ResourceType="hostedzone", ResourceId=zone_id, AddTags=tag
    )
    operator = cloud.operator(allow("route53:*", StringEquals={"aws:ResourceTag/dr:enabled": "true"}))
    assert cloud.refused(operator, "route53", "GetHostedZone", EAST, Id=zone_id).code == "AccessDenied"


def test_session_policy_cuts_the_role_down_and_says_so(cloud: Cloud) -> None:
    # Given a spoke role that may do anything in RDS, assumed with a policy for one database, reads only
    cloud.database("orders")
    role = cloud.role(SPOKE, "dr-rds", trust({"AWS": SPOKE}), allow("rds:*"))
    narrow = policy(allow("rds:Describe*", "arn:aws:rds:*:*:db:orders"), deny("rds:Delete*"))
    session = cloud.assume(cloud.admin(SPOKE), role, Policy=narrow)
    # Then only that is left
    cloud.call(session, "rds", "DescribeDBInstances", DBInstanceIdentifier="orders")
    stop = cloud.refused(session, "rds", "StopDBInstance", DBInstanceIdentifier="orders")
    assert stop.message.endswith("because no session policy allows the rds:StopDBInstance action")
    delete = cloud.refused(session, "rds", "DeleteDBInstance", DBInstanceIdentifier="orders")
    assert delete.message.endswith("with an explicit deny in a session policy")


def test_permissions_boundary_limits_the_role(cloud: Cloud) -> None:
    admin = cloud.admin(SPOKE)
    made = cloud.call(admin, "iam", "CreatePolicy", PolicyName="fence", PolicyDocument=policy(allow("ecs:*")))
    boundary = made["Policy"]["Arn"]
    role = cloud.role(SPOKE, "fenced", trust({"AWS": SPOKE}), allow("*"), PermissionsBoundary=boundary)
    session = cloud.assume(admin, role)
    cloud.call(session, "ecs", "ListClusters")
    error = cloud.refused(session, "rds", "DescribeDBInstances")
    assert error.message.endswith("because no permissions boundary allows the rds:DescribeDBInstances action")


def test_change_of_a_role_counts_from_the_next_call(cloud: Cloud) -> None:
    operator = cloud.operator(allow("ecs:ListClusters"))
    cloud.call(operator, "ecs", "ListClusters")
    admin = cloud.admin(SPOKE)
    cloud.call(
        admin, "iam", "PutRolePolicy", RoleName="operator", PolicyName="no", PolicyDocument=policy(deny("ecs:*"))
    )
    error = cloud.refused(operator, "ecs", "ListClusters")
    assert error.message.endswith("with an explicit deny in an identity-based policy")


def test_aws_managed_policy_works_when_attached(cloud: Cloud) -> None:
    operator = cloud.operator()
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    cloud.call(cloud.admin(SPOKE), "iam", "AttachRolePolicy", RoleName="operator", PolicyArn=arn)
    cloud.call(operator, "rds", "DescribeDBInstances")
    assert cloud.refused(operator, "rds", "StopDBInstance", DBInstanceIdentifier="x").code == "AccessDenied"


def test_passing_a_role_needs_permission_for_that_role_and_service(cloud: Cloud) -> None:
    # Given an operator who may register task definitions and pass roles to ECS tasks only
    to_tasks = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    task_role, other = f"arn:aws:iam::{SPOKE}:role/task", f"arn:aws:iam::{SPOKE}:role/admin"
    operator = cloud.operator(
        allow("ecs:RegisterTaskDefinition"), allow("iam:PassRole", task_role, StringEquals=to_tasks), allow("events:*")
    )
    containers = [{"name": "web", "image": "web", "memory": 64}]
    definition = {"family": "web", "containerDefinitions": containers}
    # Then it may hand over that role, no other, and not to another service
    cloud.call(operator, "ecs", "RegisterTaskDefinition", **definition, taskRoleArn=task_role)
    error = cloud.refused(operator, "ecs", "RegisterTaskDefinition", **definition, taskRoleArn=other)
    assert f"iam:PassRole on resource: {other}" in error.message
    error = cloud.refused(operator, "events", "PutRule", Name="r", ScheduleExpression="rate(1 day)", RoleArn=task_role)
    assert f"iam:PassRole on resource: {task_role}" in error.message


def test_running_a_task_passes_the_roles_of_its_definition(cloud: Cloud) -> None:
    admin, role = cloud.admin(SPOKE), f"arn:aws:iam::{SPOKE}:role/task"
    containers = [{"name": "web", "image": "web", "memory": 64}]
    definition = {"family": "web", "containerDefinitions": containers, "taskRoleArn": role}
    cloud.call(admin, "ecs", "RegisterTaskDefinition", **definition)
    operator = cloud.operator(allow("ecs:*"))
    error = cloud.refused(operator, "ecs", "RunTask", taskDefinition="web:1")
    assert f"iam:PassRole on resource: {role}" in error.message


def test_dns_permission_is_pinned_to_record_names_types_and_actions(cloud: Cloud) -> None:
    admin = cloud.admin(SPOKE)
    zone = cloud.call(admin, "route53", "CreateHostedZone", EAST, Name="shop.example", CallerReference="1")
    zone_id = zone["HostedZone"]["Id"]
    prefix = "route53:ChangeResourceRecordSets"
    pinned = {
        f"{prefix}NormalizedRecordNames": ["app.shop.example"],
        f"{prefix}RecordTypes": ["CNAME"],
        f"{prefix}Actions": ["UPSERT"],
    }
    operator = cloud.operator(allow("route53:ChangeResourceRecordSets", ForAllValues__StringEquals=pinned))

    def batch(action: str, name: str, kind: str = "CNAME") -> dict[str, object]:
        record = {"Name": name, "Type": kind, "TTL": 60, "ResourceRecords": [{"Value": "lb.example"}]}
        return {"HostedZoneId": zone_id, "ChangeBatch": {"Changes": [{"Action": action, "ResourceRecordSet": record}]}}

    cloud.call(operator, "route53", "ChangeResourceRecordSets", EAST, **batch("UPSERT", "App.shop.example."))
    for bad in (
        batch("UPSERT", "shop.example."),
        batch("DELETE", "app.shop.example."),
        batch("UPSERT", "app.shop.example.", "TXT"),
    ):
        assert cloud.refused(operator, "route53", "ChangeResourceRecordSets", EAST, **bad).code == "AccessDenied"


def test_ecs_listing_is_scoped_by_cluster_key(cloud: Cloud) -> None:
    mine = f"arn:aws:ecs:{WEST}:{SPOKE}:cluster/shop"
    cloud.call(cloud.admin(SPOKE), "ecs", "CreateCluster", clusterName="shop")
    operator = cloud.operator(allow("ecs:ListServices", ArnEquals={"ecs:cluster": mine}))
    cloud.call(operator, "ecs", "ListServices", cluster="shop")
    assert cloud.refused(operator, "ecs", "ListServices", cluster="other").code == "AccessDeniedException"


def test_tagging_what_is_created_needs_its_own_permission(cloud: Cloud) -> None:
    operator = cloud.operator(
        allow("lambda:CreateFunction"),
        allow("dynamodb:CreateTable"),
        allow("dynamodb:TagResource", ForAllValues__StringEquals={"aws:TagKeys": ["dr:execution-id"]}),
    )
    table = {
        "TableName": "runs",
        "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
    }
    error = cloud.refused(operator, "dynamodb", "CreateTable", **table, Tags=[{"Key": "owner", "Value": "me"}])
    assert "dynamodb:TagResource" in error.message
    cloud.call(operator, "dynamodb", "CreateTable", **table, Tags=[{"Key": "dr:execution-id", "Value": "run-1"}])


def test_service_acting_for_its_caller_is_judged_by_the_callers_rights_and_seen_in_called_via(cloud: Cloud) -> None:
    # Given an operator who may describe instances only through DRS
    operator = cloud.operator(
        allow("ec2:DescribeInstances", ForAnyValue__StringEquals={"aws:CalledVia": "drs.amazonaws.com"})
    )
    # When DRS asks for it, it is allowed; the operator itself and another service are not
    reply = authorization.call_as(cloud.local, operator, "drs.amazonaws.com", "ec2", "DescribeInstances", WEST)
    assert reply["Reservations"] == []
    assert cloud.refused(operator, "ec2", "DescribeInstances").code == "UnauthorizedOperation"
    with pytest.raises(AwsError, match="ec2:DescribeInstances"):
        authorization.call_as(cloud.local, operator, "backup.amazonaws.com", "ec2", "DescribeInstances", WEST)


def test_bucket_policy_denies_even_those_who_may_everything_and_gives_to_those_it_names(cloud: Cloud) -> None:
    admin = cloud.admin(SPOKE)
    cloud.call(admin, "s3", "CreateBucket", EAST, Bucket="evidence")
    cloud.call(admin, "s3", "PutObject", EAST, Bucket="evidence", Key="k", Body=b"x")
    writer, reader = cloud.operator(allow("s3:*")), cloud.function("reader", account=SPOKE)
    keep = deny("s3:DeleteObject", "arn:aws:s3:::evidence/*") | {"Principal": "*"}
    give = allow("s3:GetObject", "arn:aws:s3:::evidence/*") | {
        "Principal": {"AWS": f"arn:aws:iam::{SPOKE}:role/reader"}
    }
    cloud.call(admin, "s3", "PutBucketPolicy", EAST, Bucket="evidence", Policy=policy(keep, give))
    error = cloud.refused(writer, "s3", "DeleteObject", EAST, Bucket="evidence", Key="k")
    assert error.message.endswith("with an explicit deny in a resource-based policy")
    cloud.call(reader, "s3", "GetObject", EAST, Bucket="evidence", Key="k")


def test_bucket_of_another_account_needs_both_sides(cloud: Cloud) -> None:
    cloud.call(cloud.admin(HUB), "s3", "CreateBucket", EAST, Bucket="hub-data")
    operator = cloud.operator(allow("s3:*"))
    assert cloud.refused(operator, "s3", "ListObjectsV2", EAST, Bucket="hub-data").code == "AccessDenied"
    give = allow("s3:ListBucket", "arn:aws:s3:::hub-data") | {"Principal": {"AWS": SPOKE}}
    cloud.call(cloud.admin(HUB), "s3", "PutBucketPolicy", EAST, Bucket="hub-data", Policy=policy(give))
    cloud.local.authorizer(Call("s3", "ListObjectsV2", {"Bucket": "hub-data"}, SPOKE, EAST, operator))
    nobody = cloud.function("nobody", account=SPOKE)
    assert cloud.refused(nobody, "s3", "ListObjectsV2", EAST, Bucket="hub-data").code == "AccessDenied"


def test_key_policy_must_admit_the_account_before_iam_counts(cloud: Cloud) -> None:
    admin = cloud.admin(SPOKE)
    key = cloud.call(admin, "kms", "CreateKey")["KeyMetadata"]["KeyId"]
    operator = cloud.operator(allow("kms:DescribeKey"))
    cloud.call(operator, "kms", "DescribeKey", KeyId=key)
    only_other = allow("kms:*") | {"Principal": {"AWS": f"arn:aws:iam::{SPOKE}:role/keeper"}}
    cloud.call(admin, "kms", "PutKeyPolicy", KeyId=key, PolicyName="default", Policy=policy(only_other))
    error = cloud.refused(operator, "kms", "DescribeKey", KeyId=key)
    assert error.message.endswith("because no resource-based policy allows the kms:DescribeKey action")


def test_policy_nobody_understands_denies_and_is_logged(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    # Given a role whose policy rests on a key the embedded AWS does not know
    operator = cloud.operator(allow("rds:*", StringEquals={"rds:DatabaseEngine": "mysql"}))
    error = cloud.refused(operator, "rds", "DescribeDBInstances")
    assert error.code == "AccessDenied"
    assert "rds:DatabaseEngine is not known" in error.message
    assert "rds:DescribeDBInstances" in caplog.text


def test_anonymous_request_gets_nothing_that_no_policy_gives_to_all(cloud: Cloud) -> None:
    nobody = cloud.local.accounts.resolve(None)
    assert cloud.refused(nobody, "s3", "ListBuckets", EAST).code == "AccessDenied"
    with pytest.raises(AwsError, match="missing Authentication Token"):
        cloud.call(nobody, "sts", "AssumeRole", RoleArn=f"arn:aws:iam::{HUB}:role/r", RoleSessionName="run")


def test_action_whose_resources_cannot_be_named_is_listed_as_a_gap(cloud: Cloud) -> None:
    operator = cloud.operator(allow("rds:*"))
    cloud.call(operator, "rds", "DescribeDBProxies")
    assert cloud.local.authorizer.gaps == {"rds:DescribeDBProxies"}


def test_what_is_no_api_call_can_be_checked_by_name(cloud: Cloud) -> None:
    domain = f"arn:aws:es:{WEST}:{SPOKE}:domain/search"
    operator = cloud.operator(allow("es:ESHttpGet", f"{domain}/*"))
    authorizer = authorization.of(cloud.local)
    authorizer.check(operator, "opensearch", "es:ESHttpGet", f"{domain}/_cluster/health", WEST)
    with pytest.raises(AwsError, match="es:ESHttpPut"):
        authorizer.check(operator, "opensearch", "es:ESHttpPut", f"{domain}/_plugins", WEST)


def test_authorization_takes_well_under_a_millisecond(cloud: Cloud) -> None:
    operator = cloud.operator(*(allow(f"rds:Describe{n}*") for n in range(40)), allow("rds:Describe*"))
    call = Call("rds", "DescribeDBInstances", {"DBInstanceIdentifier": "o"}, SPOKE, WEST, operator)
    cloud.local.authorizer(call)
    started = time.thread_time()
    for _ in range(200):
        cloud.local.authorizer(call)
    assert (time.thread_time() - started) / 200 < 0.001


def test_calls_of_a_role_are_logged_with_the_session_that_made_them(cloud: Cloud) -> None:
    operator = cloud.operator(allow("ecs:ListClusters"))
    acting.act(cloud.local, operator, "ecs", "ListClusters", WEST)
    line = cloud.local.call_log[-1]
    assert (line.principal_arn, line.error) == (f"arn:aws:sts::{SPOKE}:assumed-role/operator/operator", None)
