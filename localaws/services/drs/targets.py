"""The EC2 side of a launch: the calls DRS makes in the target account and Region, with its caller's rights.

A caller without the EC2 permissions gets a job, and the job fails: the call itself succeeds, as in AWS.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from localaws import authorization
from localaws.service import Reply
from localaws.services.drs import prepared
from localaws.services.drs.models import Job, SourceServer
from localaws.services.ec2 import Ec2Service
from localaws.world import World

if TYPE_CHECKING:
    from localaws.dispatcher import LocalAws

IGNORED_STATES = {"not-found", "terminated", "shutting-down"}


class Targets:
    """Launches and terminates the EC2 instances behind recovery instances."""

    def __init__(self, world: World) -> None:
        self.world = world

    def launch(self, job: Job, server: SourceServer) -> str:
        """Run the recovery instance, new or into a prepared one; return its id. Raises EC2's `AwsError`."""
        started = server.launch.get("launchDisposition", "STARTED") == "STARTED"
        if into := prepared.named(server):
            as_caller = partial(self._as_caller, job)
            return prepared.launch(self._ec2(), server, into, as_caller, started=started)
        data = self._template_data(job, server)
        parameters: dict[str, Any] = {
            "ImageId": data.get("ImageId") or self._image(job),
            "InstanceType": data.get("InstanceType", server.instance_type),
            "MinCount": 1,
            "MaxCount": 1,
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": key, "Value": value} for key, value in self._ec2_tags(job, server).items()],
                }
            ],
        }
        parameters |= _network(data)
        instance_id = str(self._as_caller(job, "RunInstances", parameters)["Instances"][0]["InstanceId"])
        if not started:
            self._as_caller(job, "StopInstances", {"InstanceIds": [instance_id]})
        return instance_id

    def terminate(self, job: Job, instance_id: str) -> None:
        """Terminate the EC2 instance unless it is gone already."""
        if self._ec2().state(job.account, job.region, instance_id) not in IGNORED_STATES:
            self._as_caller(job, "TerminateInstances", {"InstanceIds": [instance_id]})

    def tags(self, job: Job, server: SourceServer) -> dict[str, str]:
        """Return the tags of a recovery instance: the server's when tags are copied, and the job's."""
        copied = server.tags if server.launch.get("copyTags", True) else {}
        return {**copied, **job.tags}

    def _ec2_tags(self, job: Job, server: SourceServer) -> dict[str, str]:
        return {
            **self.tags(job, server),
            "Name": server.tags.get("Name", server.hostname),
            "AWSElasticDisasterRecoverySourceServerID": server.id,
        }

    def _template_data(self, job: Job, server: SourceServer) -> dict[str, Any]:
        template_id = server.launch.get("ec2LaunchTemplateID")
        if not template_id:
            return {}
        reply = self._as_caller(
            job, "DescribeLaunchTemplateVersions", {"LaunchTemplateId": template_id, "Versions": ["$Default"]}
        )
        return dict(reply["LaunchTemplateVersions"][0]["LaunchTemplateData"])

    def _image(self, job: Job) -> str:
        return str(next(iter(self.world.backend("ec2", job.account, job.region).amis)))

    def _as_caller(self, job: Job, operation: str, params: dict[str, Any]) -> Reply:
        """Make an EC2 call with the rights of whoever started the job, as DRS does (forward access session)."""
        return authorization.call_as(
            cast("LocalAws", self.world), job.principal, "drs.amazonaws.com", "ec2", operation, job.region, **params
        )

    def _ec2(self) -> Ec2Service:
        ec2 = self.world.service("ec2")
        assert isinstance(ec2, Ec2Service)
        return ec2


def _network(data: dict[str, Any]) -> dict[str, Any]:
    """Take subnet and groups from a launch template, which keeps them on its first network interface."""
    cards: list[dict[str, Any]] = data.get("NetworkInterfaces", [])
    card = cards[0] if cards else {}
    wanted = {
        "SubnetId": card.get("SubnetId"),
        "SecurityGroupIds": card.get("Groups") or data.get("SecurityGroupIds"),
        "IamInstanceProfile": data.get("IamInstanceProfile"),
    }
    return {key: value for key, value in wanted.items() if value}
