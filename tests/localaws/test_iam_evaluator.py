"""The policy evaluator: what is allowed, what is denied, and what is refused because nobody understands it."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.iam import (
    Caller,
    Context,
    Effect,
    Policies,
    PolicyError,
    PolicyKind,
    PolicyType,
    Request,
    decide,
    parse_policy,
)

ACCOUNT, OTHER = "111111111111", "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/dr/hub"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/hub/run-1"
CALLER = Caller(ACCOUNT, SESSION, ROLE)
DB = f"arn:aws:rds:us-west-2:{ACCOUNT}:db:orders"


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


def statement(effect: str = "Allow", **elements: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": "*", "Resource": "*"} | elements


def judged(
    *statements: dict[str, Any],
    action: str = "rds:PromoteReadReplica",
    resource: str = DB,
    keys: dict[str, Any] | None = None,
    version: str = "2012-10-17",
) -> Effect:
    own = parse_policy(document(*statements, version=version))
    return decide(Request(CALLER, action, resource, Context(keys)), Policies((own,))).effect


# --- Action and Resource


@pytest.mark.parametrize(
    ("pattern", "action", "covered"),
    [
        ("*", "rds:PromoteReadReplica", True),
        ("rds:*", "rds:PromoteReadReplica", True),
        ("RDS:promote*", "rds:PromoteReadReplica", True),
        ("rds:Promote?eadReplica", "rds:PromoteReadReplica", True),
        ("rds:Promote", "rds:PromoteReadReplica", False),
        ("rds:*Replica", "rds:PromoteReadReplicaDBCluster", False),
        ("ec2:*", "rds:PromoteReadReplica", False),
    ],
)
def test_action_pattern_covers_the_action_whatever_its_case(pattern: str, action: str, covered: bool) -> None:
    expected = Effect.ALLOW if covered else Effect.IMPLICIT_DENY
    assert judged(statement(Action=pattern), action=action) is expected


@pytest.mark.parametrize(
    ("pattern", "resource", "covered"),
    [
        ("*", "*", True),
        ("*", DB, True),
        (DB, DB, True),
        (DB, "*", False),
        ("arn:aws:rds:*:*:db:*", DB, True),
        ("arn:aws:rds:*:*:db:ord?rs", DB, True),
        ("arn:aws:rds:*:*:db:orders-*", DB, False),
        ("arn:aws:rds:us-east-1:*:db:*", DB, False),
        ("arn:aws:rds", DB, True),
        ("arn:aws:rds:*:orders", DB, False),
        ("arn:aws:rds:*:*:DB:orders", DB, False),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket/a/b", True),
        ("arn:aws:s3:::bucket/*", "arn:aws:s3:::bucket", False),
        ("arn:aws:s3:::*", "arn:aws:s3:::any/key", True),
        ("arn:aws:rds:*:*:db:*", f"arn:aws:rds:us-west-2:{ACCOUNT}:db:*", True),
        ("arn:aws:rds:*:*:db:prod-*", f"arn:aws:rds:us-west-2:{ACCOUNT}:db:*", False),
    ],
)
def test_resource_pattern_matches_each_part_of_the_arn_by_itself(pattern: str, resource: str, covered: bool) -> None:
    expected = Effect.ALLOW if covered else Effect.IMPLICIT_DENY
    assert judged(statement(Resource=pattern), resource=resource) is expected


def test_not_action_and_not_resource_select_everything_else() -> None:
    not_action = {"Effect": "Allow", "NotAction": ["iam:*", "sts:*"], "Resource": "*"}
    not_resource = {"Effect": "Allow", "Action": "rds:*", "NotResource": "arn:aws:rds:*:*:db:prod-*"}
    assert judged(not_action) is Effect.ALLOW
    assert judged(not_action, action="iam:CreateUser") is Effect.IMPLICIT_DENY
    assert judged(not_resource) is Effect.ALLOW
    assert judged(not_resource, resource=f"arn:aws:rds:us-west-2:{ACCOUNT}:db:prod-1") is Effect.IMPLICIT_DENY


def test_explicit_deny_wins_over_any_allow_and_names_its_statement() -> None:
    own = parse_policy(document(statement(), statement("Deny", Sid="NoPromote", Action="rds:Promote*")))
    decision = decide(Request(CALLER, "rds:PromoteReadReplica", DB, Context()), Policies((own,)))
    assert decision.effect is Effect.EXPLICIT_DENY
    assert (decision.policy_type, decision.sid) == (PolicyType.IDENTITY, "NoPromote")


# --- Conditions

CONDITIONS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"StringEquals": {"aws:RequestedRegion": ["us-east-1", "us-west-2"]}}, {"aws:RequestedRegion": "us-west-2"}, True),
    ({"StringEquals": {"aws:RequestedRegion": "US-WEST-2"}}, {"aws:RequestedRegion": "us-west-2"}, False),
    ({"StringEquals": {"AWS:requestedregion": "us-west-2"}}, {"aws:RequestedRegion": "us-west-2"}, True),
    ({"StringEquals": {"aws:RequestedRegion": "us-west-2"}}, {}, False),
    ({"StringEqualsIfExists": {"aws:RequestedRegion": "us-west-2"}}, {}, True),
    ({"StringEqualsIfExists": {"aws:RequestedRegion": "us-west-2"}}, {"aws:RequestedRegion": "eu-west-1"}, False),
    ({"StringNotEquals": {"aws:PrincipalTag/team": ["a", "b"]}}, {"aws:PrincipalTag/team": "b"}, False),
    ({"StringNotEquals": {"aws:PrincipalTag/team": ["a", "b"]}}, {"aws:PrincipalTag/team": "c"}, True),
    ({"StringNotEquals": {"aws:PrincipalTag/team": "a"}}, {}, True),
    ({"StringEqualsIgnoreCase": {"aws:PrincipalTag/team": "DR"}}, {"aws:PrincipalTag/team": "dr"}, True),
    ({"StringNotEqualsIgnoreCase": {"aws:PrincipalTag/team": "DR"}}, {"aws:PrincipalTag/team": "dr"}, False),
    ({"StringLike": {"s3:prefix": ["home/*", ""]}}, {"s3:prefix": "home/x"}, True),
    ({"StringLike": {"s3:prefix": "home/?"}}, {"s3:prefix": "home/xy"}, False),
    ({"StringNotLike": {"s3:prefix": "secret*"}}, {"s3:prefix": "home/x"}, True),
    ({"StringNotLike": {"s3:prefix": "secret*"}}, {"s3:prefix": "secret/x"}, False),
    ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/dr/*"}}, {"aws:PrincipalArn": ROLE}, True),
    ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/dr/*"}}, {"aws:PrincipalArn": ROLE}, True),
    ({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/other"}}, {"aws:PrincipalArn": ROLE}, False),
    ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam:*role/dr/hub"}}, {"aws:PrincipalArn": ROLE}, False),
    ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/break-glass"}}, {"aws:PrincipalArn": ROLE}, True),
    ({"ArnNotEquals": {"aws:PrincipalArn": ROLE}}, {"aws:PrincipalArn": ROLE}, False),
    ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:SecureTransport": "true"}, True),
    ({"Bool": {"aws:SecureTransport": False}}, {"aws:SecureTransport": "true"}, False),
    ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, {}, True),
    ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {}, False),
    ({"Null": {"aws:RequestTag/dr:enabled": "false"}}, {"aws:RequestTag/dr:enabled": "true"}, True),
    ({"Null": {"aws:RequestTag/dr:enabled": "false"}}, {}, False),
    ({"Null": {"aws:RequestTag/dr:enabled": True}}, {}, True),
    ({"NumericLessThanEquals": {"autoscaling:MaxSize": "10"}}, {"autoscaling:MaxSize": "10"}, True),
    ({"NumericLessThan": {"autoscaling:MaxSize": 10}}, {"autoscaling:MaxSize": "10"}, False),
    ({"NumericGreaterThan": {"autoscaling:MaxSize": "9"}}, {"autoscaling:MaxSize": "10"}, True),
    ({"NumericGreaterThanEquals": {"autoscaling:MaxSize": "11"}}, {"autoscaling:MaxSize": "10"}, False),
    ({"NumericEquals": {"autoscaling:MaxSize": "10.0"}}, {"autoscaling:MaxSize": "10"}, True),
    ({"NumericNotEquals": {"autoscaling:MaxSize": "10"}}, {"autoscaling:MaxSize": "10"}, False),
    (
        {"DateLessThan": {"aws:CurrentTime": "2026-02-01T00:00:00Z"}},
        {"aws:CurrentTime": "2026-01-01T03:00:00+00:00"},
        True,
    ),
    ({"DateGreaterThan": {"aws:CurrentTime": "2026-02-01"}}, {"aws:CurrentTime": "2026-01-01T03:00:00+00:00"}, False),
    ({"DateLessThanEquals": {"aws:EpochTime": "1767236400"}}, {"aws:EpochTime": "1767236400"}, True),
    ({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.1"]}}, {"aws:SourceIp": "127.0.0.1"}, True),
    ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "127.0.0.1"}, False),
    ({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {"aws:SourceIp": "127.0.0.1"}, True),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a"]}, True),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["a", "c"]}, False),
    ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
    ({"ForAllValues:StringNotEquals": {"aws:TagKeys": ["admin"]}}, {"aws:TagKeys": ["a", "admin"]}, False),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}}, {"aws:TagKeys": ["c", "b"]}, True),
    ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, {}, False),
    ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, {}, False),
    ({"ForAnyValue:StringNotEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ["a", "b"]}, True),
    ({"ForAnyValue:StringLike": {"aws:CalledVia": "drs.*"}}, {"aws:CalledVia": ["drs.amazonaws.com"]}, True),
    ({"ForAnyValue:StringEqualsIfExists": {"aws:TagKeys": ["a"]}}, {}, True),
    (  # every operator of the block, and every key, must hold
        {
            "StringEquals": {"aws:RequestedRegion": "us-west-2", "aws:PrincipalAccount": ACCOUNT},
            "Bool": {"aws:SecureTransport": "true"},
        },
        {"aws:RequestedRegion": "us-west-2", "aws:PrincipalAccount": ACCOUNT},
        False,
    ),
]


@pytest.mark.parametrize(("condition", "keys", "holds"), CONDITIONS)
def test_condition_holds_exactly_as_iam_documents_it(
    condition: dict[str, Any], keys: dict[str, Any], holds: bool
) -> None:
    expected = Effect.ALLOW if holds else Effect.IMPLICIT_DENY
    assert judged(statement(Condition=condition), keys=keys) is expected


# --- Policy variables


@pytest.mark.parametrize(
    ("pattern", "keys", "covered"),
    [
        ("arn:aws:s3:::data/${aws:PrincipalTag/customer}/*", {"aws:PrincipalTag/customer": "x"}, True),
        ("arn:aws:s3:::data/${aws:PrincipalTag/customer}/*", {"aws:PrincipalTag/customer": "y"}, False),
        ("arn:aws:s3:::data/${aws:PrincipalTag/customer}/*", {}, False),
        ("arn:aws:s3:::data/${aws:PrincipalTag/customer, 'x'}/*", {}, True),
        ("arn:aws:s3:::data/${aws:PrincipalTag/customer}", {"aws:PrincipalTag/customer": "*"}, False),
        ("arn:aws:s3:::data/x/${*}", {}, False),
        ("arn:aws:s3:::data/x/f${?}", {}, False),
    ],
)
def test_variable_in_a_resource_stands_for_its_value_literally(
    pattern: str, keys: dict[str, str], covered: bool
) -> None:
    expected = Effect.ALLOW if covered else Effect.IMPLICIT_DENY
    assert judged(statement(Resource=pattern), resource="arn:aws:s3:::data/x/file", keys=keys) is expected


def test_variable_in_a_condition_compares_two_keys_of_the_request() -> None:
    same_customer = statement(Condition={"StringEquals": {"aws:ResourceTag/Customer": "${aws:PrincipalTag/Customer}"}})
    both = {"aws:ResourceTag/Customer": "x", "aws:PrincipalTag/Customer": "x"}
    assert judged(same_customer, keys=both) is Effect.ALLOW
    assert judged(same_customer, keys={**both, "aws:ResourceTag/Customer": "y"}) is Effect.IMPLICIT_DENY
    assert judged(same_customer, keys={"aws:ResourceTag/Customer": "x"}) is Effect.IMPLICIT_DENY


def test_variable_is_plain_text_in_the_old_policy_version() -> None:
    old = statement(Resource="arn:aws:s3:::data/${aws:PrincipalAccount}")
    keys = {"aws:PrincipalAccount": ACCOUNT}
    assert judged(old, resource=f"arn:aws:s3:::data/{ACCOUNT}", keys=keys, version="2008-10-17") is Effect.IMPLICIT_DENY
    assert judged(old, resource=f"arn:aws:s3:::data/{ACCOUNT}", keys=keys) is Effect.ALLOW


# --- Session policy, boundary, resource policy


def allow_policy(*actions: str) -> Any:
    return parse_policy(document(statement(Action=list(actions))))


@pytest.mark.parametrize(
    ("policies", "effect", "policy_type"),
    [
        (Policies(), Effect.IMPLICIT_DENY, PolicyType.IDENTITY),
        (Policies((allow_policy("rds:*"),)), Effect.ALLOW, PolicyType.IDENTITY),
        (
            Policies((allow_policy("rds:*"),), session=(allow_policy("rds:Promote*"),)),
            Effect.ALLOW,
            PolicyType.IDENTITY,
        ),
        (
            Policies((allow_policy("rds:*"),), session=(allow_policy("ecs:*"),)),
            Effect.IMPLICIT_DENY,
            PolicyType.SESSION,
        ),
        (Policies((), session=(allow_policy("rds:*"),)), Effect.IMPLICIT_DENY, PolicyType.IDENTITY),
        (Policies((allow_policy("rds:*"),), boundary=allow_policy("ecs:*")), Effect.IMPLICIT_DENY, PolicyType.BOUNDARY),
        (Policies((allow_policy("rds:*"),), boundary=allow_policy("rds:*")), Effect.ALLOW, PolicyType.IDENTITY),
    ],
)
def test_session_policy_and_boundary_only_ever_take_away(
    policies: Policies, effect: Effect, policy_type: PolicyType
) -> None:
    decision = decide(Request(CALLER, "rds:PromoteReadReplica", DB, Context()), policies)
    assert (decision.effect, decision.policy_type) == (effect, policy_type)


@pytest.mark.parametrize("where", ["identity", "session", "boundary", "resource"])
def test_deny_in_any_kind_of_policy_denies_and_says_where(where: str) -> None:
    everything = parse_policy(document(statement()))
    denying = parse_policy(document(statement(), statement("Deny", Action="rds:Promote*")))
    resource = document(statement("Deny", Principal="*"))
    policies = {
        "identity": Policies((denying,)),
        "session": Policies((everything,), session=(denying,)),
        "boundary": Policies((everything,), boundary=denying),
        "resource": Policies((everything,), resource=parse_policy(resource, PolicyKind.RESOURCE)),
    }[where]
    decision = decide(Request(CALLER, "rds:PromoteReadReplica", DB, Context()), policies)
    assert decision.effect is Effect.EXPLICIT_DENY
    assert decision.policy_type is not None
    assert where in str(decision.policy_type)


RESOURCE_CASES = [
    # principal named, resource's account, identity allows, session limits -> allowed
    ({"AWS": ACCOUNT}, ACCOUNT, False, False, False),
    ({"AWS": ACCOUNT}, ACCOUNT, True, False, True),
    ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, ACCOUNT, True, False, True),
    ({"AWS": ROLE}, ACCOUNT, False, False, True),
    ({"AWS": ROLE}, ACCOUNT, False, True, False),
    ({"AWS": SESSION}, ACCOUNT, False, True, True),
    ("*", ACCOUNT, False, False, True),
    ({"AWS": "*"}, OTHER, True, False, True),
    ({"AWS": ROLE}, OTHER, False, False, False),
    ({"AWS": ROLE}, OTHER, True, False, True),
    ({"AWS": ROLE}, OTHER, True, True, False),
    ({"AWS": OTHER}, OTHER, True, False, False),
    ({"Service": "lambda.amazonaws.com"}, OTHER, True, False, False),
]


@pytest.mark.parametrize(("principal", "owner", "identity_allows", "session_limits", "allowed"), RESOURCE_CASES)
def test_resource_policy_suffices_within_the_account_and_never_across(
    principal: Any, owner: str, identity_allows: bool, session_limits: bool, allowed: bool
) -> None:
    policies = Policies(
        (allow_policy("rds:*"),) if identity_allows else (),
        session=(allow_policy("ecs:*"),) if session_limits else None,
        resource=parse_policy(document(statement(Principal=principal)), PolicyKind.RESOURCE),
        resource_account=owner,
    )
    assert decide(Request(CALLER, "rds:PromoteReadReplica", DB, Context()), policies).allowed is allowed


def test_required_resource_policy_must_name_the_account_at_least() -> None:
    own = (allow_policy("kms:*"),)
    key = document(statement(Principal={"AWS": OTHER}))
    silent = Policies(own, resource=parse_policy(key, PolicyKind.RESOURCE), resource_required=True)
    key = document(statement(Principal={"AWS": ACCOUNT}))
    naming = Policies(own, resource=parse_policy(key, PolicyKind.RESOURCE), resource_required=True)
    request = Request(CALLER, "kms:Decrypt", "arn:aws:kms:us-west-2:1:key/k", Context())
    assert not decide(request, silent).allowed
    assert decide(request, naming).allowed


def test_not_principal_names_everybody_else() -> None:
    bucket = document(statement("Deny", NotPrincipal={"AWS": ROLE}))
    policies = Policies((allow_policy("s3:*"),), resource=parse_policy(bucket, PolicyKind.RESOURCE))
    mine = Request(CALLER, "s3:GetObject", "arn:aws:s3:::b/k", Context())
    yours = Request(
        Caller(ACCOUNT, "arn:aws:iam::111111111111:user/eve"), "s3:GetObject", "arn:aws:s3:::b/k", Context()
    )
    assert decide(mine, policies).allowed
    assert decide(yours, policies).effect is Effect.EXPLICIT_DENY


def test_service_principal_is_trusted_only_by_its_own_name() -> None:
    trusts = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    policies = Policies(resource=parse_policy(document(trusts), PolicyKind.TRUST))
    for service, allowed in (("states.amazonaws.com", True), ("lambda.amazonaws.com", False)):
        caller = Caller(ACCOUNT, service, service=service)
        assert decide(Request(caller, "sts:AssumeRole", ROLE, Context()), policies).allowed is allowed


# --- What nobody understands is refused

MALFORMED: list[tuple[dict[str, Any], str]] = [
    ({"Version": "2030-01-01", "Statement": statement()}, "Version"),
    ({"Version": "2012-10-17"}, "Statement"),
    ({"Version": "2012-10-17", "Statement": []}, "Statement"),
    ({"Version": "2012-10-17", "Statement": statement(), "Statements": []}, "Statements"),
    (document(statement("Permit")), "Effect"),
    (document(statement(Resources="*")), "Resources"),
    (document(statement(Action=[])), "Action"),
    (document(statement(Resource=[])), "Resource"),
    (document(statement(Action="PromoteReadReplica")), "service:Action"),
    (document(statement(NotAction="iam:*")), "exactly one of Action"),
    (document({"Effect": "Allow", "Action": "*"}), "exactly one of Resource"),
    (document(statement(Resource="orders")), "ARN format"),
    (document(statement(Principal="*")), "Principal"),
    (document(statement(Condition={"StringMatches": {"aws:TagKeys": "a"}})), "StringMatches"),
    (document(statement(Condition={"ForEachValue:StringEquals": {"aws:TagKeys": "a"}})), "ForEachValue"),
    (document(statement(Condition={"StringEquals": "x"})), "StringEquals"),
    (document(statement(Condition={"Null": {"aws:TagKeys": "maybe"}})), "Null"),
    (document(statement(Condition={"StringEquals": {"aws:PrincipalAccount": {"a": 1}}})), "condition value"),
    (document(statement(Resource="arn:aws:s3:::${aws:username")), "variable"),
    (document(statement(Resource="arn:aws:s3:::${aws:username, home}")), "variable"),
    (document(statement(Sid="A"), statement(Sid="A")), "A"),
]


@pytest.mark.parametrize(("content", "said"), MALFORMED)
def test_malformed_policy_is_refused_with_the_part_that_is_wrong(content: dict[str, Any], said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse_policy(content)


@pytest.mark.parametrize(
    ("principal", "said"),
    [
        ({"Role": ROLE}, "Role"),
        ({"AWS": "arn:aws:iam::111111111111:role/*"}, "Invalid principal"),
        ({"AWS": "hub"}, "Invalid principal"),
        ({}, "object"),
        ({"AWS": 1}, "string"),
    ],
)
def test_malformed_principal_is_refused(principal: Any, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        parse_policy(document(statement(Principal=principal)), PolicyKind.RESOURCE)


def test_trust_policy_must_name_somebody_and_no_resource() -> None:
    with pytest.raises(PolicyError, match="Principal"):
        parse_policy(document({"Effect": "Allow", "Action": "sts:AssumeRole"}), PolicyKind.TRUST)
    with pytest.raises(PolicyError, match="Resource"):
        parse_policy(document(statement(Principal="*")), PolicyKind.TRUST)


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:MoonPhase": "full"}},
        {"StringNotEquals": {"rds:DatabaseEngine": "mysql"}},
        {"Null": {"aws:MoonPhase": "true"}},
        {"StringEqualsIfExists": {"aws:MoonPhase": "full"}},
        {"ForAllValues:StringEquals": {"aws:MoonPhase": "full"}},
    ],
)
def test_unknown_condition_key_is_an_error_in_whatever_operator_hides_it(condition: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="not known"):
        judged(statement(Condition=condition))


def test_unknown_key_in_a_statement_about_something_else_does_no_harm() -> None:
    other = statement(Action="s3:*", Condition={"StringEquals": {"aws:MoonPhase": "full"}})
    assert judged(other, statement(Action="rds:*")) is Effect.ALLOW


def test_multi_valued_key_without_a_set_operator_is_an_error() -> None:
    with pytest.raises(PolicyError, match="ForAllValues"):
        judged(statement(Condition={"StringEquals": {"aws:TagKeys": "a"}}), keys={"aws:TagKeys": ["a", "b"]})


def test_value_that_is_no_number_is_an_error() -> None:
    with pytest.raises(PolicyError, match="NumericLessThan"):
        judged(
            statement(Condition={"NumericLessThan": {"autoscaling:MaxSize": "ten"}}), keys={"autoscaling:MaxSize": "9"}
        )


def test_tags_are_read_once_and_only_when_a_policy_asks() -> None:
    # Given a context whose tags are costly to read
    reads: list[str] = []

    def tags() -> dict[str, str]:
        reads.append("read")
        return {"dr:enabled": "true"}

    own = Policies(
        (
            parse_policy(
                document(
                    statement(Action="rds:Stop*", Condition={"StringEquals": {"aws:ResourceTag/dr:enabled": "true"}}),
                    statement(Action="rds:Describe*"),
                )
            ),
        )
    )
    context = Context({}, {"aws:ResourceTag/": tags})
    # When a call is judged that no tag condition concerns, nothing is read; when one is, it is read once
    assert decide(Request(CALLER, "rds:DescribeDBInstances", DB, context), own).allowed
    assert reads == []
    assert decide(Request(CALLER, "rds:StopDBInstance", DB, context), own).allowed
    assert decide(Request(CALLER, "rds:StopDBInstance", DB, context), own).allowed
    assert reads == ["read"]
