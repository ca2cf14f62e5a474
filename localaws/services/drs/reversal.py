"""ReverseReplication: protect a recovery instance by replicating it back to where it came from.

For a recovery instance in the target Region a source server with direction FAILBACK appears in the origin
Region. For an instance failed back to the origin Region, the original source server replicates again from it.
"""

from __future__ import annotations

from localaws.service import AwsError
from localaws.services.drs import prepared
from localaws.services.drs.models import LAUNCH_DEFAULTS, Direction, RecoveryInstance, RegionState, SourceServer, new_id
from localaws.services.drs.replication import Replication
from localaws.services.ec2 import Ec2Service
from localaws.world import World


class Reversal:
    """Starts replication in the other direction."""

    def __init__(self, world: World, replication: Replication) -> None:
        self.world = world
        self.replication = replication

    def reverse(self, here: RegionState, origin: RegionState, instance: RecoveryInstance) -> SourceServer:
        """Return the source server, in the origin Region, that now protects the recovery instance.

        Raises: ValidationException (not from EC2), ConflictException (reversed already, not running),
            UninitializedAccountException (DRS never set up in the origin Region).
        """
        server = here.server(instance.server_id)
        self._check(server, origin, instance)
        protector = self._existing(server, origin) or self._new(server, origin, instance)
        protector.instance_id = instance.id
        protector.origin_account, protector.origin_region = instance.account, instance.region
        protector.reversed_arn, server.reversed_arn = server.arn, protector.arn
        instance.reversed_arn = protector.arn
        self.replication.begin(protector)
        return protector

    def _check(self, server: SourceServer, origin: RegionState, instance: RecoveryInstance) -> None:
        if server.on_premises:
            raise AwsError("ValidationException", f"{instance.id} did not originate in EC2: use the failback client.")
        if instance.reversed_arn in {s.arn for s in origin.servers.values()}:
            raise AwsError(
                "ConflictException",
                f"Replication of {instance.id} is already reversed by {instance.reversed_arn}.",
                409,
                resourceId=instance.id,
                resourceType="AWS::DRS::RecoveryInstance",
            )
        self._check_origin(origin)
        state = self._ec2().state(instance.account, instance.region, instance.id)
        if state != "running":
            raise AwsError("ConflictException", f"Recovery instance {instance.id} is {state}, expected running.", 409)

    def _ec2(self) -> Ec2Service:
        ec2 = self.world.service("ec2")
        assert isinstance(ec2, Ec2Service)
        return ec2

    def _check_origin(self, origin: RegionState) -> None:
        if self.replication.is_dark(origin.region):
            raise AwsError("InternalServerException", f"DRS in {origin.region} does not answer.", 500)
        if not origin.initialized:
            raise AwsError(
                "UninitializedAccountException", f"DRS is not initialized in account {origin.account}, {origin.region}."
            )
        if not origin.replication_templates:
            raise AwsError(
                "ConflictException",
                f"{origin.region} has no replication configuration template to replicate with.",
                409,
            )

    def _existing(self, server: SourceServer, origin: RegionState) -> SourceServer | None:
        """Return the server on the other side that this one was reversed from, when it still exists."""
        return next((s for s in origin.servers.values() if s.arn == server.reversed_arn), None)

    def _new(self, server: SourceServer, origin: RegionState, instance: RecoveryInstance) -> SourceServer:
        back = Direction.FAILBACK if server.direction is Direction.FAILOVER else Direction.FAILOVER
        defaults = next(iter(origin.launch_templates.values()), None)
        launch = {} if defaults is None else {k: v for k, v in defaults.settings.items() if k != "exportBucketArn"}
        into_source = launch.pop("launchIntoSourceInstance", False)
        template = next(iter(origin.replication_templates.values()))
        created = SourceServer(
            id=new_id("s-"),
            account=origin.account,
            region=origin.region,
            hostname=server.hostname,
            instance_id=instance.id,
            origin_account=instance.account,
            origin_region=instance.region,
            added_at=self.world.clock.now(),
            direction=back,
            disks=server.disks,
            instance_type=server.instance_type,
            os=server.os,
            boot_mode=server.boot_mode,
            launch={"name": server.hostname, **launch},
            replication={"name": server.hostname, **template.settings},
        )
        if into_source:
            self._launch_into_source(created, server.instance_id)
        origin.servers[created.id] = created
        return created

    def _launch_into_source(self, created: SourceServer, source: str) -> None:
        """Name the original instance in the new server's launch settings; it must be fit for that now, or nothing is made."""
        if any({**LAUNCH_DEFAULTS, **created.launch}[key] for key in ("copyTags", "copyPrivateIp")):
            text = "Launching into the source instance needs copyTags and copyPrivateIp off in the launch settings."
            raise AwsError("ValidationException", text, reason="other")
        prepared.check_tag(self._ec2(), created.account, created.region, source)
        prepared.check_settings(self._ec2(), created, source)
        created.launch["launchIntoInstanceProperties"] = {"launchIntoEC2InstanceID": source}
