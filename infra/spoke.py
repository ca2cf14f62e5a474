"""The spoke template, generated from what the adapters declare: `python -m infra.spoke [--check]`.

One role per technology, `dr-spoke-<key>`, `dr-spoke-discovery` and `dr-spoke-probe`. Each trusts exactly the hub's functions that enter
spokes, with the external ID and the organisation id. Permissions are `Spec.permissions` and nothing else; here
placeholders are wide ({region} and {name} become `*`), a run's session policy narrows them.
The template is checked in as `stacksets/spoke.template.json`; a test fails when it differs from the declarations.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.registry import adapters
from orchestrator.names import PROBE, SPOKE_ROLE_PREFIX
from orchestrator.spec import Permission, Spec
from orchestrator.words import Use

PATH = Path(__file__).resolve().parent.parent / "stacksets" / "spoke.template.json"

INLINE_LIMIT = 10_240
"""Characters without white space of all inline policies of a role (IAM and STS quotas)."""
MANAGED_LIMIT = 6_144
"""Characters without white space of one managed policy."""
MANAGED_PER_ROLE = 10
SESSION_SECONDS = 3600
"""The least an IAM role can be set to; the hub asks for 900 s."""

READ_VERBS = ("BatchGet", "Describe", "ESHttpGet", "Get", "Head", "List", "Lookup", "Search", "Select", "Test")

DISCOVERY = (
    Permission(
        actions=(
            "resource-explorer-2:GetDefaultView",
            "resource-explorer-2:GetIndex",
            "resource-explorer-2:GetView",
            "resource-explorer-2:ListIndexes",
            "resource-explorer-2:ListResources",
            "resource-explorer-2:ListViews",
            "resource-explorer-2:Search",
            "tag:GetResources",
            "tag:GetTagKeys",
            "tag:GetTagValues",
        ),
        uses=frozenset({Use.DISCOVER}),
    ),
    Permission(
        actions=("ssm:GetParameter",),
        uses=frozenset({Use.DISCOVER}),
        resources=("arn:{partition}:ssm:{region}:{account}:parameter/*",),
    ),
    Permission(
        actions=("cloudformation:DescribeStacks",),
        uses=frozenset({Use.DISCOVER}),
        resources=("arn:{partition}:cloudformation:{region}:{account}:stack/*",),
    ),
    Permission(
        actions=("codepipeline:GetPipelineState", "codepipeline:ListPipelineExecutions"),
        uses=frozenset({Use.DISCOVER}),
        resources=("arn:{partition}:codepipeline:{region}:{account}:*",),
    ),
    Permission(
        actions=("events:DescribeRule", "events:ListTargetsByRule"),
        uses=frozenset({Use.DISCOVER}),
        resources=("arn:{partition}:events:{region}:{account}:rule/*",),
    ),
    Permission(actions=("scheduler:ListSchedules",), uses=frozenset({Use.DISCOVER})),
    Permission(
        actions=("codedeploy:BatchGetDeployments", "codedeploy:GetDeploymentGroup", "codedeploy:ListDeployments"),
        uses=frozenset({Use.DISCOVER}),
        resources=("arn:{partition}:codedeploy:{region}:{account}:deploymentgroup:*",),
    ),
)
"""What finding tagged resources needs, whatever they are; what a manifest's references point to; and what may undo a run."""

ASKING = (
    Permission(
        actions=("lambda:InvokeFunction",),
        uses=frozenset({Use.OBSERVE}),
        resources=(f"arn:{{partition}}:lambda:{{region}}:{{account}}:function:{PROBE}",),
    ),
)

Json = dict[str, Any]


def template(specs: Sequence[Spec]) -> Json:
    """Return the CloudFormation template of a spoke account. Pure; raise ValueError when a role cannot be built."""
    resources: Json = {}
    for spec in sorted(specs, key=lambda each: each.key):
        resources.update(_role(spec.key, f"Recovers {spec.title}", spec.permissions))
    resources.update(_role("probe", "Asks the probe function in a VPC of this account, where there is one", ASKING))
    resources.update(_role("discovery", "Finds tagged resources; reads only", _discovery(specs)))
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Disaster-recovery orchestrator: roles that the hub assumes in this account. Generated.",
        "Parameters": PARAMETERS,
        "Conditions": {"HasPermissionsBoundary": {"Fn::Not": [{"Fn::Equals": [{"Ref": "PermissionsBoundary"}, ""]}]}},
        "Resources": resources,
        "Outputs": {
            "RoleNames": {
                "Description": "The roles the hub assumes here",
                "Value": ",".join(
                    [
                        *sorted(f"{SPOKE_ROLE_PREFIX}{s.key}" for s in specs),
                        f"{SPOKE_ROLE_PREFIX}discovery",
                        f"{SPOKE_ROLE_PREFIX}probe",
                    ]
                ),
            }
        },
    }


PARAMETERS: Json = {
    "ExternalId": {
        "Type": "String",
        "Description": "What the hub must present to assume a role here",
        "MinLength": 16,
        "MaxLength": 1224,
        "AllowedPattern": r"[\w+=,.@:/-]+",
    },
    "HubAccount": {"Type": "String", "Description": "Account of the hub", "AllowedPattern": r"\d{12}"},
    "HubRoleArns": {
        "Type": "CommaDelimitedList",
        "Description": "ARNs of the hub functions' roles that may enter, of both hub Regions",
    },
    "OrganizationId": {
        "Type": "String",
        "Description": "AWS Organization that the hub must belong to",
        "AllowedPattern": "o-[a-z0-9]{10,32}",
    },
    "PermissionsBoundary": {
        "Type": "String",
        "Default": "",
        "Description": "Name of a managed policy in this account that bounds every role; empty for none",
        "AllowedPattern": r"[\w+=,.@/-]*",
    },
}


def render(document: Mapping[str, Any]) -> str:
    """Return the file form: sorted, indented, newline at the end."""
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def statements(permissions: Iterable[Permission]) -> list[Json]:
    """Return IAM statements: actions that share resources and conditions stand together."""
    grouped: dict[tuple[tuple[str, ...], str], set[str]] = {}
    for permission in permissions:
        resources = tuple(sorted({_filled(pattern) for pattern in permission.resources}))
        conditions = _wide(json.dumps(permission.conditions, sort_keys=True, default=_plain))
        grouped.setdefault((resources, conditions), set()).update(permission.actions)
    return [
        _statement(sorted(actions), resources, json.loads(conditions))
        for (resources, conditions), actions in sorted(grouped.items())
    ]


def _discovery(specs: Iterable[Spec]) -> list[Permission]:
    """Return what discovery may do; raise ValueError when an adapter declares a change as discovery."""
    wanted = [p for spec in specs for p in spec.permissions if Use.DISCOVER in p.uses]
    changing = sorted({action for p in wanted for action in p.actions if not _reads(action)})
    if changing:
        raise ValueError(f"declared with Use.DISCOVER but not a read: {', '.join(changing)}; declare them apart")
    return [*DISCOVERY, *wanted]


def _reads(action: str) -> bool:
    return action.partition(":")[2].startswith(READ_VERBS)


def _role(key: str, description: str, permissions: Iterable[Permission]) -> Json:
    name = f"{SPOKE_ROLE_PREFIX}{key}"
    logical = "".join(part.capitalize() for part in key.replace("_", "-").split("-"))
    wanted = statements(permissions)
    properties: Json = {
        "RoleName": name,
        "Description": f"{description}; assumed by the disaster-recovery hub only",
        "MaxSessionDuration": SESSION_SECONDS,
        "AssumeRolePolicyDocument": TRUST,
        "PermissionsBoundary": BOUNDARY,
        "Tags": [{"Key": "dr:component", "Value": "spoke"}, {"Key": "dr:technology", "Value": key}],
    }
    role: Json = {"Type": "AWS::IAM::Role", "Properties": properties}
    if _size(wanted) <= INLINE_LIMIT:
        properties["Policies"] = [{"PolicyName": name, "PolicyDocument": _document(wanted)}]
        return {f"{logical}Role": role}
    parts = _split(name, wanted)
    policies = {
        f"{logical}Policy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": f"{name}-{number}",
                "Description": f"{description} ({number} of {len(parts)})",
                "PolicyDocument": _document(part),
            },
        }
        for number, part in enumerate(parts, start=1)
    }
    properties["ManagedPolicyArns"] = [{"Ref": policy} for policy in policies]
    return {**policies, f"{logical}Role": role}


TRUST: Json = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${HubAccount}:root"}},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            "Condition": {
                "StringEquals": {
                    "sts:ExternalId": {"Ref": "ExternalId"},
                    "aws:PrincipalOrgID": {"Ref": "OrganizationId"},
                },
                "ArnEquals": {"aws:PrincipalArn": {"Ref": "HubRoleArns"}},
            },
        }
    ],
}

BOUNDARY: Json = {
    "Fn::If": [
        "HasPermissionsBoundary",
        {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:policy/${PermissionsBoundary}"},
        {"Ref": "AWS::NoValue"},
    ]
}


def _filled(pattern: str) -> str:
    """Fill a resource pattern's placeholders; IAM policy variables such as ${aws:PrincipalTag/x} are left alone."""
    for placeholder, value in (
        ("{partition}", "${AWS::Partition}"),
        ("{account}", "${AWS::AccountId}"),
        ("{region}", "*"),
        ("{name}", "*"),
    ):
        pattern = pattern.replace(placeholder, value)
    return pattern


def _wide(conditions: str) -> str:
    """Fill the placeholders of ARN patterns among a condition's values."""
    for placeholder in ("{partition}", "{account}", "{region}", "{name}"):
        conditions = conditions.replace(placeholder, "*")
    return conditions


def _statement(actions: list[str], resources: Sequence[str], conditions: Json) -> Json:
    wide = "*" if list(resources) == ["*"] else [_substituted(resource) for resource in resources]
    statement: Json = {"Effect": "Allow", "Action": actions, "Resource": wide}
    return {**statement, "Condition": conditions} if conditions else statement


def _substituted(resource: str) -> Any:
    return {"Fn::Sub": resource.replace("${aws:", "${!aws:")} if "${AWS::" in resource else resource


def _document(wanted: Sequence[Json]) -> Json:
    return {"Version": "2012-10-17", "Statement": list(wanted)}


def _size(wanted: Sequence[Json]) -> int:
    """Return what IAM counts, an account number standing for each placeholder: never less than the real size."""
    return len(json.dumps(_document(wanted), separators=(",", ":")))


def _split(name: str, wanted: Sequence[Json]) -> list[list[Json]]:
    """Spread statements over managed policies; a statement too big for one is cut by its actions."""
    pieces = [piece for statement in wanted for piece in _cut(statement)]
    parts: list[list[Json]] = [[]]
    for piece in pieces:
        if parts[-1] and _size([*parts[-1], piece]) > MANAGED_LIMIT:
            parts.append([])
        parts[-1].append(piece)
    if len(parts) > MANAGED_PER_ROLE:
        raise ValueError(f"{name} needs {len(parts)} managed policies, IAM allows {MANAGED_PER_ROLE}; narrow its spec")
    return parts


def _cut(statement: Json) -> list[Json]:
    actions = statement["Action"]
    if _size([statement]) <= MANAGED_LIMIT or len(actions) == 1:
        return [statement]
    middle = len(actions) // 2
    halves = ({**statement, "Action": actions[:middle]}, {**statement, "Action": actions[middle:]})
    return [piece for half in halves for piece in _cut(half)]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{value!r} has no place in an IAM condition")


def main(arguments: list[str] | None = None) -> int:
    """Write the template, or with --check say whether the checked-in one is current."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.spoke", description="Generate stacksets/spoke.template.json."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is not current")
    options = parser.parse_args(arguments)
    fresh = render(template([each.spec for each in adapters()]))
    if not options.check:
        PATH.write_text(fresh, encoding="utf-8")
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == fresh:
        return 0
    sys.stderr.write(f"{PATH} differs from what the adapters declare. Try: python -m infra.spoke\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
