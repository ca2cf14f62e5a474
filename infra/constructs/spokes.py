"""Rolls the spoke roles out to every workload account: one stack set, one Region, because IAM is global."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import Aws, CfnStackSet, CfnTag, aws_s3_assets
from constructs import Construct

from infra.config import Config, Spokes, StackSetModel
from infra.verbs import SPOKE_VERBS
from orchestrator.names import SPOKE_STACK_SET, function_role

INLINE_LIMIT = 51_200
"""Bytes CloudFormation takes as a template body; beyond it the template must lie in S3."""


class SpokeStackSet(Construct):
    """The stack set `dr-spokes`."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config, template: Path) -> None:
        super().__init__(scope, construct_id)
        spokes, region = config.spokes, config.hub.home_region
        managed = spokes.deployment is StackSetModel.SERVICE_MANAGED
        percent = CfnStackSet.OperationPreferencesProperty(
            max_concurrent_percentage=spokes.max_concurrent_percent,
            failure_tolerance_percentage=spokes.failure_tolerance_percent,
            region_concurrency_type="PARALLEL",
        )
        self.stack_set = CfnStackSet(
            self,
            "StackSet",
            stack_set_name=SPOKE_STACK_SET,
            description="Roles that the disaster-recovery hub assumes in workload accounts",
            permission_model="SERVICE_MANAGED" if managed else "SELF_MANAGED",
            capabilities=["CAPABILITY_NAMED_IAM"],
            managed_execution={"Active": True},
            operation_preferences=percent,
            parameters=[
                CfnStackSet.ParameterProperty(parameter_key=name, parameter_value=value)
                for name, value in parameters(config).items()
            ],
            stack_instances_group=[
                CfnStackSet.StackInstancesProperty(deployment_targets=_targets(spokes, managed), regions=[region])
            ],
            tags=[CfnTag(key="dr:component", value="spoke")],
        )
        self._choose_model(spokes, managed, config.hub.account)
        self._choose_template(template)

    def _choose_model(self, spokes: Spokes, managed: bool, account: str) -> None:
        if managed:
            self.stack_set.auto_deployment = CfnStackSet.AutoDeploymentProperty(
                enabled=True, retain_stacks_on_account_removal=False
            )
            self.stack_set.call_as = "DELEGATED_ADMIN" if spokes.delegated_administrator else "SELF"
        else:
            self.stack_set.administration_role_arn = (
                f"arn:{Aws.PARTITION}:iam::{account}:role/{spokes.administration_role}"
            )
            self.stack_set.execution_role_name = spokes.execution_role

    def _choose_template(self, template: Path) -> None:
        body = json.dumps(json.loads(template.read_text(encoding="utf-8")), separators=(",", ":"))
        if len(body.encode()) <= INLINE_LIMIT:
            self.stack_set.template_body = body
        else:
            self.stack_set.template_url = aws_s3_assets.Asset(self, "Template", path=str(template)).http_url


def parameters(config: Config) -> Mapping[str, str]:
    """Return the parameters of the spoke template."""
    return {
        "ExternalId": config.hub.external_id,
        "HubAccount": config.hub.account,
        "HubRoleArns": ",".join(hub_roles(config)),
        "OrganizationId": config.organization.id,
        "PermissionsBoundary": config.spokes.permissions_boundary,
    }


def hub_roles(config: Config) -> Sequence[str]:
    """Return the ARNs of the functions' roles that may enter spokes, of both hub Regions."""
    return [
        f"arn:{Aws.PARTITION}:iam::{config.hub.account}:role/{function_role(verb, region)}"
        for region in config.hub.regions
        for verb in SPOKE_VERBS
    ]


def _targets(spokes: Spokes, managed: bool) -> CfnStackSet.DeploymentTargetsProperty:
    if managed:
        return CfnStackSet.DeploymentTargetsProperty(organizational_unit_ids=list(spokes.organizational_units))
    return CfnStackSet.DeploymentTargetsProperty(accounts=list(spokes.accounts))
