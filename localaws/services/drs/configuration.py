"""Handlers for settings: launch and replication configuration, their templates, tags, initialisation."""

from __future__ import annotations

from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.drs import prepared, shapes
from localaws.services.drs.base import DrsBase, page
from localaws.services.drs.models import LAUNCH_DEFAULTS, RegionState, SourceServer, Tagged, Template, new_id
from localaws.services.ec2 import Ec2Service

LAUNCH_FIELDS = (*LAUNCH_DEFAULTS, "name", "launchIntoInstanceProperties", "recoveryMode")
LAUNCH_TEMPLATE_FIELDS = (*LAUNCH_DEFAULTS, "exportBucketArn", "launchIntoSourceInstance", "recoveryMode")
PIT_POLICY = [
    {"ruleID": 1, "units": "MINUTE", "interval": 10, "retentionDuration": 60, "enabled": True},
    {"ruleID": 2, "units": "HOUR", "interval": 1, "retentionDuration": 24, "enabled": True},
    {"ruleID": 3, "units": "DAY", "interval": 1, "retentionDuration": 7, "enabled": True},
]
REPLICATION_DEFAULTS: dict[str, Any] = {
    "associateDefaultSecurityGroup": True,
    "replicationServersSecurityGroupsIDs": [],
    "replicationServerInstanceType": "t3.small",
    "useDedicatedReplicationServer": False,
    "defaultLargeStagingDiskType": "GP3",
    "ebsEncryption": "DEFAULT",
    "bandwidthThrottling": 0,
    "dataPlaneRouting": "PRIVATE_IP",
    "createPublicIP": False,
    "stagingAreaTags": {},
    "pitPolicy": PIT_POLICY,
    "autoReplicateNewDisks": True,
}
REPLICATION_FIELDS = (*REPLICATION_DEFAULTS, "stagingAreaSubnetId", "ebsEncryptionKeyArn", "internetProtocol")


class Configuration(DrsBase):
    """Settings of the service, of templates and of servers."""

    @operation("InitializeService")
    def initialize_service(self, call: Call) -> Reply:
        """Make DRS usable in this account and Region; harmless when it is already."""
        self.state(call).initialized = True
        return {}

    @operation("GetLaunchConfiguration")
    def get_launch_configuration(self, call: Call) -> Reply:
        """Return a server's launch settings."""
        return _launch(self.ready(call).server(call.params["sourceServerID"]))

    @operation("UpdateLaunchConfiguration")
    def update_launch_configuration(self, call: Call) -> Reply:
        """Change a server's launch settings; refused while a job holds the server."""
        state = self.ready(call)
        server = state.server(call.params["sourceServerID"])
        self.refuse_in_job(state, server)
        changes = {key: call.params[key] for key in LAUNCH_FIELDS if key in call.params}
        self._check_launch_into(server, changes)
        server.launch |= changes
        return _launch(server)

    def _check_launch_into(self, server: SourceServer, changes: dict[str, Any]) -> None:
        settings = {**LAUNCH_DEFAULTS, **server.launch, **changes}
        into = settings.get("launchIntoInstanceProperties", {}).get("launchIntoEC2InstanceID")
        if not into:
            return
        if settings["copyTags"] or settings["copyPrivateIp"]:
            raise AwsError(
                "ValidationException",
                "Launching into an instance needs copyTags and copyPrivateIp off.",
                reason="other",
            )
        if "launchIntoInstanceProperties" in changes:
            ec2 = self.world.service("ec2")
            assert isinstance(ec2, Ec2Service)
            prepared.check_settings(ec2, server, str(into))

    @operation("GetReplicationConfiguration")
    def get_replication_configuration(self, call: Call) -> Reply:
        """Return a server's replication settings."""
        return _replication(self.ready(call).server(call.params["sourceServerID"]))

    @operation("UpdateReplicationConfiguration")
    def update_replication_configuration(self, call: Call) -> Reply:
        """Change a server's replication settings."""
        server = self.ready(call).server(call.params["sourceServerID"])
        server.replication |= {key: call.params[key] for key in ("name", *REPLICATION_FIELDS) if key in call.params}
        return _replication(server)

    @operation("CreateLaunchConfigurationTemplate")
    def create_launch_configuration_template(self, call: Call) -> Reply:
        """Create the Region's launch defaults; one template per account and Region."""
        state = self.ready(call)
        if state.launch_templates:
            raise AwsError("ServiceQuotaExceededException", "A launch configuration template exists already.", 402)
        template = _template(call, "lct-", "launch-configuration-template", LAUNCH_DEFAULTS, LAUNCH_TEMPLATE_FIELDS)
        state.launch_templates[template.id] = template
        return {"launchConfigurationTemplate": shapes.launch_template(template)}

    @operation("DescribeLaunchConfigurationTemplates")
    def describe_launch_configuration_templates(self, call: Call) -> Reply:
        """List the launch configuration templates."""
        found = _chosen(self.ready(call).launch_templates, call.params.get("launchConfigurationTemplateIDs"))
        return page(call, [shapes.launch_template(t) for t in found])

    @operation("UpdateLaunchConfigurationTemplate")
    def update_launch_configuration_template(self, call: Call) -> Reply:
        """Change the launch defaults; servers that exist keep theirs."""
        template = _chosen(self.ready(call).launch_templates, [call.params["launchConfigurationTemplateID"]])[0]
        template.settings |= {key: call.params[key] for key in LAUNCH_TEMPLATE_FIELDS if key in call.params}
        return {"launchConfigurationTemplate": shapes.launch_template(template)}

    @operation("CreateReplicationConfigurationTemplate")
    def create_replication_configuration_template(self, call: Call) -> Reply:
        """Create the Region's replication defaults; one template per account and Region."""
        state = self.ready(call)
        if state.replication_templates:
            raise AwsError("ServiceQuotaExceededException", "A replication configuration template exists already.", 402)
        kind = "replication-configuration-template"
        template = _template(call, "rct-", kind, REPLICATION_DEFAULTS, REPLICATION_FIELDS)
        state.replication_templates[template.id] = template
        return shapes.replication_template(template)

    @operation("DescribeReplicationConfigurationTemplates")
    def describe_replication_configuration_templates(self, call: Call) -> Reply:
        """List the replication configuration templates: empty until DRS has been set up in the Region."""
        wanted = call.params.get("replicationConfigurationTemplateIDs")
        found = _chosen(self.ready(call).replication_templates, wanted)
        return page(call, [shapes.replication_template(t) for t in found])

    @operation("UpdateReplicationConfigurationTemplate")
    def update_replication_configuration_template(self, call: Call) -> Reply:
        """Change the replication defaults."""
        wanted = [call.params["replicationConfigurationTemplateID"]]
        template = _chosen(self.ready(call).replication_templates, wanted)[0]
        template.settings |= {key: call.params[key] for key in REPLICATION_FIELDS if key in call.params}
        return shapes.replication_template(template)

    @operation("TagResource")
    def tag_resource(self, call: Call) -> Reply:
        """Add or replace tags."""
        _tagged(self.state(call), call).tags.update(call.params["tags"])
        return {}

    @operation("UntagResource")
    def untag_resource(self, call: Call) -> Reply:
        """Remove tags; absent keys are ignored."""
        tags = _tagged(self.state(call), call).tags
        for key in call.params["tagKeys"]:
            tags.pop(key, None)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call) -> Reply:
        """Return an object's tags."""
        return {"tags": dict(_tagged(self.state(call), call).tags)}


def _launch(server: SourceServer) -> dict[str, Any]:
    return {"sourceServerID": server.id, **LAUNCH_DEFAULTS, **server.launch}


def _replication(server: SourceServer) -> dict[str, Any]:
    disks = [
        {"deviceName": disk.device, "isBootDisk": index == 0, "stagingDiskType": "AUTO"}
        for index, disk in enumerate(server.disks)
    ]
    return {"sourceServerID": server.id, **REPLICATION_DEFAULTS, **server.replication, "replicatedDisks": disks}


def _template(call: Call, prefix: str, kind: str, defaults: dict[str, Any], fields: tuple[str, ...]) -> Template:
    template_id = new_id(prefix)
    settings = {**defaults, **{key: call.params[key] for key in fields if key in call.params}}
    arn = f"arn:aws:drs:{call.region}:{call.account}:{kind}/{template_id}"
    return Template(template_id, arn, settings, dict(call.params.get("tags", {})))


def _chosen(templates: dict[str, Template], wanted: list[str] | None) -> list[Template]:
    for template_id in wanted or []:
        if template_id not in templates:
            raise AwsError("ResourceNotFoundException", f"Template {template_id} was not found.", 404)
    return [t for t in templates.values() if not wanted or t.id in wanted]


def _tagged(state: RegionState, call: Call) -> Tagged:
    arn = call.params["resourceArn"]
    for item in state.tagged():
        if item.arn == arn:
            return item
    raise AwsError("ResourceNotFoundException", f"{arn} was not found.", 404, resourceId=arn)
