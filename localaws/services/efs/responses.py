"""The EFS service: replication configurations and protection here, life cycles in `lifecycle`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.cloudwatch import CloudWatchService
from localaws.services.efs.clients import Clients
from localaws.services.efs.models import (
    LifeCycle,
    Protection,
    Replication,
    Side,
    already_replicating,
    bad_request,
    file_system_not_found,
    replication_not_found,
    wrong_life_cycle,
)
from localaws.services.efs.replication import Replications

if TYPE_CHECKING:
    from localaws.world import World

PAGE = 100
LOCAL_ONLY = "LOCAL_CONFIGURATION_ONLY"


class EfsService(Clients):
    """Amazon Elastic File System."""

    def __init__(self, world: World) -> None:
        self.replications = Replications(world)
        super().__init__(world)
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/EFS", self._metric)

    def reset(self) -> None:
        """Forget replications and access points that are starting."""
        super().reset()
        self.replications.reset()

    def replication_of(self, account: str, region: str, file_system_id: str) -> Replication | None:
        """Return the replication a file system is part of."""
        return self.replications.of(Side(account, region, file_system_id))

    def replicate_now(
        self, account: str, region: str, file_system_id: str, target_region: str, target_id: str
    ) -> Replication:
        """Put two file systems of an account into a replication that is in sync: an estate starts with it."""
        source, target = Side(account, region, file_system_id), Side(account, target_region, target_id)
        replication = Replication(source, target, self.world.clock.now())
        self.replications.start(replication, at_once=True)
        return replication

    def tags_of(self, arn: str) -> Mapping[str, str] | None:
        """Return the tags that guard a replication's source asked about on the target side: those of its replica.

        DeleteReplicationConfiguration names the source file system on both sides. None for everything else.
        """
        region, account, wanted = *arn.split(":")[3:5], arn.rpartition("/")[2]
        backend = self.world.backend("efs", account, region)
        for replication in self.replications.held_in(account, region):
            if replication.source.file_system_id == wanted and wanted not in backend.file_systems_by_id:
                found: Mapping[str, str] = backend.tagging_service.get_tag_dict_for_resource(
                    replication.target.file_system_id
                )
                return found
        return None

    @operation("CreateReplicationConfiguration")
    def create_replication_configuration(self, call: Call) -> Reply:
        """Replicate to a new or an existing file system, whose content is overwritten.

        Raises: FileSystemNotFound, ReplicationAlreadyExists, IncorrectFileSystemLifeCycleState, BadRequest
            (several destinations, protected or equal destination, no role across accounts), ConflictException.
        """
        source = Side(call.account, call.region, _id(call.params["SourceFileSystemId"]))
        file_system = self._available_at(source)
        wanted = call.params["Destinations"]
        if len(wanted) != 1:
            raise bad_request(f"{len(wanted)} destinations given; exactly one is supported.")
        self._refuse_member(source)
        target = self._target(call, source, file_system, wanted[0])
        replication = Replication(source, target, self.world.clock.now(), wanted[0].get("RoleArn"))
        self.replications.start(replication)
        return replication.shape()

    @operation("DescribeReplicationConfigurations")
    def describe_replication_configurations(self, call: Call) -> Reply:
        """List what this account and Region hold. Raises FileSystemNotFound and ReplicationNotFound for one."""
        asked = call.params.get("FileSystemId")
        if asked:
            side = Side(call.account, call.region, _id(asked))
            found = self.replications.of(side)
            if found is None:
                self._existing_at(side)
                raise replication_not_found(side.file_system_id)
            return {"Replications": [found.shape()]}
        held = [replication.shape() for replication in self.replications.held_in(call.account, call.region)]
        start = int(call.params.get("NextToken") or 0)
        end = start + int(call.params.get("MaxResults") or PAGE)
        reply: dict[str, Any] = {"Replications": held[start:end]}
        return {**reply, "NextToken": str(end)} if end < len(held) else reply

    @operation("DeleteReplicationConfiguration")
    def delete_replication_configuration(self, call: Call) -> Reply:
        """End a replication, asked on either side; the destination becomes writable and protected.

        Raises: ReplicationNotFound, BadRequest (LOCAL_CONFIGURATION_ONLY within one account and Region).
        """
        source_id = _id(call.params["SourceFileSystemId"])
        held = self.replications.held_in(call.account, call.region)
        replication = next((r for r in held if r.source.file_system_id == source_id), None)
        if replication is None:
            raise replication_not_found(source_id)
        if call.params.get("DeletionMode") != LOCAL_ONLY:
            self.replications.delete(replication)
            return {}
        source, target = replication.source, replication.target
        if (source.account, source.region) == (target.account, target.region):
            raise bad_request(f"{LOCAL_ONLY} is not supported within one account and Region.")
        side = replication.held_in(call.account, call.region)
        assert side is not None
        self.replications.delete_on(side, replication)
        return {}

    @operation("UpdateFileSystemProtection")
    def update_file_system_protection(self, call: Call) -> Reply:
        """Allow (DISABLED) or forbid (ENABLED) replication to overwrite the file system.

        Raises: FileSystemNotFound, BadRequest, IncorrectFileSystemLifeCycleState, ReplicationAlreadyExists.
        """
        side = Side(call.account, call.region, _id(call.params["FileSystemId"]))
        file_system = self._available_at(side)
        wanted = call.params.get("ReplicationOverwriteProtection")
        if wanted not in {Protection.ENABLED, Protection.DISABLED}:
            raise bad_request(f"ReplicationOverwriteProtection {wanted} cannot be set: give ENABLED or DISABLED.")
        replication = self.replications.of(side)
        if replication is not None:
            role = "destination" if side == replication.target else "source"
            raise already_replicating(
                f"ReplicationOverwriteProtection cannot be changed while the file system is a replication {role}."
            )
        file_system._protection = Protection(wanted)
        return {"ReplicationOverwriteProtection": str(wanted)}

    def _metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], at: datetime
    ) -> float | None:
        """Compute TimeSinceLastSync (seconds; published on the source side only) and DataWriteIOBytes."""
        if name == "DataWriteIOBytes":
            return self.written(account, region, dimensions, at)
        replication = self.replication_of(account, region, dimensions.get("FileSystemId", ""))
        if name != "TimeSinceLastSync" or replication is None or replication.synced_at is None:
            return None
        is_source = (replication.source.account, replication.source.region) == (account, region)
        is_source = is_source and replication.source.file_system_id == dimensions["FileSystemId"]
        return (at - replication.synced_at).total_seconds() if is_source else None

    def _refuse_member(self, side: Side) -> None:
        if self.replications.of(side) is not None:
            raise already_replicating(
                f"File system {side.file_system_id} is already included in a replication configuration."
            )

    def _target(self, call: Call, source: Side, file_system: Any, wanted: Mapping[str, Any]) -> Side:
        account, region, file_system_id = _destination(call, wanted)
        if self.world.faults.region_is_down(region):
            raise AwsError("InternalServerError", f"{region} does not answer.", 500)
        if file_system_id is None:
            return self._new_target(account, region, source, wanted)
        target = Side(account, region, file_system_id)
        if target == source:
            raise bad_request("The destination file system is the source file system.")
        if account != call.account and not wanted.get("RoleArn"):
            raise bad_request("RoleArn is required for replication to another account.")
        existing = self._available_at(target)
        self._refuse_member(target)
        protection = protection_of(existing)
        if protection is not Protection.DISABLED:
            raise bad_request(
                f"Replication overwrite protection of {file_system_id} is {protection}; it must be DISABLED."
            )
        if file_system.encrypted and not existing.encrypted:
            raise AwsError(
                "ConflictException", "The source file system is encrypted, the destination file system is not.", 409
            )
        return target

    def _new_target(self, account: str, region: str, source: Side, wanted: Mapping[str, Any]) -> Side:
        key = {"KmsKeyId": wanted["KmsKeyId"]} if wanted.get("KmsKeyId") else {}
        zone = {"AvailabilityZoneName": wanted["AvailabilityZoneName"]} if wanted.get("AvailabilityZoneName") else {}
        reply = self.world.call(
            "efs",
            "CreateFileSystem",
            account,
            region,
            CreationToken=f"source-{source.file_system_id}-{self.world.clock.now().timestamp()}",
            Encrypted=True,
            **key,
            **zone,
        )
        return Side(account, region, str(reply["FileSystemId"]))

    def _existing_at(self, side: Side) -> Any:
        found = self.world.backend("efs", side.account, side.region).file_systems_by_id.get(side.file_system_id)
        if found is None:
            raise file_system_not_found(side.file_system_id)
        return found

    def _available_at(self, side: Side) -> Any:
        found = self._existing_at(side)
        if found.life_cycle_state != LifeCycle.AVAILABLE:
            raise wrong_life_cycle(f"File system {side.file_system_id}", found.life_cycle_state)
        return found


def protection_of(file_system: Any) -> Protection:
    """Return the replication overwrite protection of moto's file system."""
    return Protection(getattr(file_system, "_protection", Protection.ENABLED))


def _destination(call: Call, wanted: Mapping[str, Any]) -> tuple[str, str, str | None]:
    """Return account, Region and id (None: a new file system) of a destination."""
    given = str(wanted.get("FileSystemId") or "")
    if given.startswith("arn:"):
        parts = given.split(":")
        return parts[4], parts[3], _id(given)
    region = str(wanted.get("Region") or call.region)
    if zone := wanted.get("AvailabilityZoneName"):
        region = str(wanted.get("Region") or zone[:-1])
    return call.account, region, given or None


def _id(given: str) -> str:
    return given.rpartition("/")[2]
