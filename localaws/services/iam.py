"""IAM: what moto lacks or does not check. Policies are stored by moto and enforced by `localaws.authorization`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.iam import (
    Caller,
    Context,
    Decision,
    Effect,
    Policies,
    Policy,
    PolicyError,
    PolicyKind,
    Request,
    decide,
    parse_policy,
)
from localaws.managed_policies import load_managed_policy
from localaws.role_policies import identity_of
from localaws.service import AwsError, Principal, Service, operation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localaws.service import Call, Reply

SHORTEST_ROLE_SESSION_SECONDS = 3600
LONGEST_ROLE_SESSION_SECONDS = 43200


class IamService(Service):
    """AWS Identity and Access Management."""

    name = "iam"

    @operation("CreateRole")
    def create_role(self, call: Call) -> Reply:
        """Check the trust policy and the session length, then let moto make the role."""
        _check_document(call.params["AssumeRolePolicyDocument"], PolicyKind.TRUST)
        _check_session_length(call.params)
        return self.world.moto(call)

    @operation("UpdateRole")
    def update_role(self, call: Call) -> Reply:
        """Check the session length, then let moto change the role."""
        _check_session_length(call.params)
        return self.world.moto(call)

    @operation("UpdateAssumeRolePolicy")
    def update_assume_role_policy(self, call: Call) -> Reply:
        """Check the trust policy, then let moto store it."""
        _check_document(call.params["PolicyDocument"], PolicyKind.TRUST)
        return self.world.moto(call)

    @operation("PutRolePolicy")
    def put_role_policy(self, call: Call) -> Reply:
        """Check the inline policy, then let moto store it."""
        _check_document(call.params["PolicyDocument"], PolicyKind.IDENTITY)
        return self.world.moto(call)

    @operation("CreatePolicy")
    def create_policy(self, call: Call) -> Reply:
        """Check the managed policy, then let moto store it."""
        _check_document(call.params["PolicyDocument"], PolicyKind.IDENTITY)
        return self.world.moto(call)

    @operation("CreatePolicyVersion")
    def create_policy_version(self, call: Call) -> Reply:
        """Check the managed policy, then let moto store it."""
        _check_document(call.params["PolicyDocument"], PolicyKind.IDENTITY)
        return self.world.moto(call)

    @operation("AttachRolePolicy")
    def attach_role_policy(self, call: Call) -> Reply:
        """Make an AWS managed policy known to moto, then let moto attach it."""
        load_managed_policy(self.world, call.account, call.params["PolicyArn"])
        return self.world.moto(call)

    @operation("AttachUserPolicy")
    def attach_user_policy(self, call: Call) -> Reply:
        """Make an AWS managed policy known to moto, then let moto attach it."""
        load_managed_policy(self.world, call.account, call.params["PolicyArn"])
        return self.world.moto(call)

    @operation("SimulatePrincipalPolicy")
    def simulate_principal_policy(self, call: Call) -> Reply:
        """Say what a role or user of this account may do, by the same evaluator that enforces."""
        principal = self._named(call, str(call.params["PolicySourceArn"]))
        identity = identity_of(self.world, principal)
        extra = tuple(parse_policy(text) for text in call.params.get("PolicyInputList") or [])
        policies = Policies((*identity.policies.identity, *extra), boundary=identity.policies.boundary)
        return _simulate(identity.caller, policies, call.params)

    @operation("SimulateCustomPolicy")
    def simulate_custom_policy(self, call: Call) -> Reply:
        """Say what a list of policies would allow."""
        documents = tuple(_parsed(text) for text in call.params["PolicyInputList"])
        caller = Caller(call.account, str(call.params.get("CallerArn") or call.principal.arn))
        return _simulate(caller, Policies(documents), call.params)

    def _named(self, call: Call, arn: str) -> Principal:
        kind, _, path = arn.split(":", 5)[-1].partition("/")
        name = path.rpartition("/")[2]
        iam = self.world.backend("iam", call.account, call.region)
        known = {"role": iam.roles, "user": iam.users}.get(kind, {})
        if not any(str(item.arn) == arn for item in known.values()):
            raise AwsError("NoSuchEntity", f"The entity with ARN {arn} cannot be found.", 404)
        if kind == "user":
            return Principal(call.account, arn)
        session = f"arn:aws:sts::{call.account}:assumed-role/{name}/simulation"
        return Principal(call.account, session, role_name=name, session_name="simulation")


def _check_document(text: str, kind: PolicyKind) -> None:
    try:
        parse_policy(text, kind)
    except PolicyError as error:
        raise AwsError("MalformedPolicyDocument", str(error)) from error


def _parsed(text: str) -> Policy:
    try:
        return parse_policy(text)
    except PolicyError as error:
        raise AwsError("InvalidInput", str(error)) from error


def _check_session_length(params: Mapping[str, Any]) -> None:
    seconds = params.get("MaxSessionDuration")
    if seconds is None or SHORTEST_ROLE_SESSION_SECONDS <= int(seconds) <= LONGEST_ROLE_SESSION_SECONDS:
        return
    rule = f"value between {SHORTEST_ROLE_SESSION_SECONDS} and {LONGEST_ROLE_SESSION_SECONDS}"
    message = f"Value '{seconds}' at 'maxSessionDuration' failed to satisfy constraint: Member must have {rule}"
    raise AwsError("ValidationError", f"1 validation error detected: {message}")


def _simulate(caller: Caller, policies: Policies, params: Mapping[str, Any]) -> Reply:
    context = Context({entry["ContextKeyName"]: _entry_values(entry) for entry in params.get("ContextEntries") or []})
    results = [
        _result(action, resource, _decide(Request(caller, action, resource, context), policies))
        for action in params["ActionNames"]
        for resource in params.get("ResourceArns") or ["*"]
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _entry_values(entry: Mapping[str, Any]) -> str | list[str]:
    values = list(entry.get("ContextKeyValues") or [])
    return values if str(entry.get("ContextKeyType", "")).endswith("List") else str(values[0])


def _decide(request: Request, policies: Policies) -> Decision:
    try:
        return decide(request, policies)
    except PolicyError as error:
        raise AwsError("PolicyEvaluation", str(error), 500) from error


def _result(action: str, resource: str, decision: Decision) -> dict[str, Any]:
    matched = [] if decision.effect is Effect.IMPLICIT_DENY else [{"SourcePolicyId": decision.sid or "PolicyInputList"}]
    return {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": decision.effect.value,
        "MatchedStatements": matched,
        "MissingContextValues": [],
    }
