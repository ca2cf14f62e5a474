"""The service authorization data in `actions.json`: actions, their resource types, ARN templates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

PATH = Path(__file__).with_name("actions.json")

# botocore service name -> IAM prefix, where they differ.
PREFIXES = {
    "efs": "elasticfilesystem",
    "opensearch": "es",
    "elbv2": "elasticloadbalancing",
    "elb": "elasticloadbalancing",
    "service-quotas": "servicequotas",
    "resourcegroupstaggingapi": "tag",
    "stepfunctions": "states",
    "apigatewayv2": "apigateway",
}

# Operations too recent for the published data; names and types taken as equal to the operation's.
RECENT: dict[str, tuple[str, ...]] = {
    "drs:CancelRecoveryPlanExecution": ("!RecoveryPlanExecutionResource",),
    "drs:CreateRecoveryPlan": (),
    "drs:CreateRecoveryPlanStep": ("!RecoveryPlanResource",),
    "drs:DeleteRecoveryPlan": ("!RecoveryPlanResource",),
    "drs:GetRecoveryPlan": ("!RecoveryPlanResource",),
    "drs:GetRecoveryPlanExecution": ("!RecoveryPlanExecutionResource",),
    "drs:GetRecoveryPlanExecutionStep": ("!RecoveryPlanExecutionResource",),
    "drs:ListRecoveryPlanExecutionSteps": ("!RecoveryPlanExecutionResource",),
    "drs:ListRecoveryPlanExecutions": ("!RecoveryPlanResource",),
    "drs:ListRecoveryPlanSteps": ("!RecoveryPlanResource",),
    "drs:ListRecoveryPlans": (),
    "drs:RetryRecoveryPlanExecutionStep": ("!RecoveryPlanExecutionResource",),
    "drs:StartRecoveryPlanExecution": ("!RecoveryPlanResource",),
    "drs:UpdateRecoveryPlanExecutionStep": ("!RecoveryPlanExecutionResource",),
    "es:AddReplicationPeer": ("!domain",),
    "es:DescribeDomainReplication": ("!domain",),
    "es:FailoverReplication": ("!domain",),
    "es:RemoveReplicationPeer": ("!domain",),
    "es:SwitchoverReplication": ("!domain",),
    "resource-explorer-2:ListResources": ("!view",),
    "route53:CreateResourceRecordSetProtections": ("!hostedzone",),
    "route53:DeleteResourceRecordSetProtections": ("!hostedzone",),
    "route53:ListResourceRecordSetProtections": ("!hostedzone",),
}

# Resource types of those (service authorization reference, Elastic Disaster Recovery): template, and whether it carries tags.
RECENT_TYPES: dict[str, tuple[str, str]] = {
    kind: ("drs", f"arn:${{Partition}}:drs:${{Region}}:${{Account}}:{path}/${{{kind}ID}}")
    for kind, path in (
        ("RecoveryPlanResource", "recovery-plan"),
        ("RecoveryPlanExecutionResource", "recovery-plan-execution"),
    )
}

# Where the published data names more types than AWS judges the call on.
NARROWED: dict[str, tuple[str, ...]] = {"ssm:StartAutomationExecution": ("!automation-definition",)}


@dataclass(frozen=True)
class ResourceType:
    """A resource type of an action. `tagged`: requests on it carry `aws:ResourceTag`."""

    name: str
    template: str
    tagged: bool
    required: bool = False

    def arn(self, name: str, account: str, region: str) -> str:
        """Return the ARN of the resource called `name`; the template's other blanks become `*`."""
        text = self.template.replace("${Partition}", "aws").replace("${Region}", region)
        text = text.replace("${Account}", account)
        head, _, rest = text.rpartition("${")
        blank = rest.partition("}")[2]
        while "${" in head:
            start, _, tail = head.partition("${")
            head = start + "*" + tail.partition("}")[2]
        return head + name + blank


def prefix_of(service: str) -> str:
    """Return the IAM prefix of a botocore service."""
    return PREFIXES.get(service, service)


@lru_cache
def _table() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(PATH.read_text())
    for kind, (prefix, template) in RECENT_TYPES.items():
        data[prefix]["resources"][kind] = [template, True]
    for action, types in {**RECENT, **NARROWED}.items():
        prefix, _, name = action.partition(":")
        data[prefix]["actions"][name] = list(types)
    return data


@lru_cache(maxsize=4096)
def resource_types(action: str) -> tuple[ResourceType, ...] | None:
    """Return the resource types of an action, the required ones first; None when the action is not known."""
    prefix, _, name = action.partition(":")
    service = _table().get(prefix)
    if service is None or name not in service["actions"]:
        return None
    found = [(text.removeprefix("!"), text.startswith("!")) for text in service["actions"][name]]
    resources = service["resources"]
    return tuple(
        ResourceType(kind, resources[kind][0], resources[kind][1], required)
        for kind, required in found
        if kind in resources
    )


def actions_of(prefix: str) -> tuple[str, ...]:
    """Return the names of a service's actions; empty for a service the data lacks."""
    return tuple(_table().get(prefix, {"actions": {}})["actions"])
