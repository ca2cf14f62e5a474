"""Snapshots: take, copy within the Region, export to a bucket of the Region, find what to restore from."""

from __future__ import annotations

from dataclasses import replace

from localaws.service import Call, Reply, operation
from localaws.services.elasticache import errors
from localaws.services.elasticache.responses import ElastiCacheViews
from localaws.services.elasticache.state import Blueprint, Group, Seconds, Snapshot, Status
from localaws.services.exports import keys_of, sources_asked
from localaws.services.timed import Change, Paging

PAGES = Paging("Marker", "MaxRecords", "InvalidParameterValue")


class ElastiCacheSnapshots(ElastiCacheViews):
    """Operations on snapshots. A secondary of a global datastore can be snapshotted like any other group."""

    @operation("CreateSnapshot")
    def create_snapshot(self, call: Call) -> Reply:
        """Take a snapshot of a replication group, which is `snapshotting` meanwhile."""
        params = call.params
        if not params.get("ReplicationGroupId"):
            return self.world.moto(call)
        group = self.group(call, params["ReplicationGroupId"])
        self.require_free_snapshot(call, params["SnapshotName"])
        self.require_available(group)
        snapshot = self.take_snapshot(group, params["SnapshotName"], params.get("KmsKeyId"))
        self.walk(group, "snapshot-replication-group", Seconds.SNAPSHOT, Status.SNAPSHOTTING)
        self.tag_on_creation(call, snapshot.arn)
        return {"Snapshot": self.show_snapshot(snapshot)}

    def take_snapshot(self, group: Group, name: str, kms_key_id: str | None = None) -> Snapshot:
        """Start a snapshot: `creating`, then `available`, or `failed`."""
        snapshot = Snapshot(
            status=Status.CREATING,
            account=group.account,
            region=group.region,
            name=name,
            group_id=group.id,
            description=group.description,
            blueprint=group.blueprint,
            subnet_group=group.subnet_group,
            port=group.port,
            created=self.world.clock.now(),
            replicas=len(group.shards[0].nodes) - 1,
            kms_key_id=kms_key_id or group.kms_key_id,
        )
        self.backend(group.account, group.region).snapshots[name] = snapshot
        self._lead_snapshot(snapshot, "create-snapshot", Seconds.SNAPSHOT, Status.CREATING)
        return snapshot

    @operation("CopySnapshot")
    def copy_snapshot(self, call: Call) -> Reply:
        """Copy a snapshot within the Region, or export it to a bucket of the same Region (`<target>-0001.rdb` ...).

        The source is `exporting` meanwhile; an exported copy is no snapshot and is not listed.
        """
        params = call.params
        source = self.snapshot(call, params["SourceSnapshotName"])
        if source.status != Status.AVAILABLE:
            raise errors.snapshot_state(f"Snapshot {source.name} is {source.status}, expected available.")
        target = params["TargetSnapshotName"]
        if bucket := params.get("TargetBucket"):
            self.require_bucket(call, bucket)
            return self._export(call, source, target, bucket)
        self.require_free_snapshot(call, target)
        copy = replace(source, name=target, status=Status.COPYING, created=self.world.clock.now(), source="manual")
        copy.kms_key_id = params.get("KmsKeyId") or source.kms_key_id
        self.backend_of(call).snapshots[target] = copy
        self._lead_snapshot(copy, "copy-snapshot", Seconds.COPY_SNAPSHOT, Status.COPYING)
        self.tag_on_creation(call, copy.arn)
        return {"Snapshot": self.show_snapshot(copy)}

    def _export(self, call: Call, source: Snapshot, target: str, bucket: str) -> Reply:
        keys = keys_of(target, source.blueprint.shard_count)
        change = Change(
            "elasticache.export-snapshot",
            source.arn,
            Seconds.EXPORT_SNAPSHOT,
            Status.EXPORTING,
            Status.AVAILABLE,
            Status.AVAILABLE,
        )
        content = {"engine": source.blueprint.engine, "group": source.group_id}
        self.export(call, source, change, bucket, keys, content)
        return {"Snapshot": {**self.show_snapshot(source), "SnapshotName": target}}

    @operation("DescribeSnapshots")
    def describe_snapshots(self, call: Call) -> Reply:
        """List snapshots; raise `SnapshotNotFoundFault` for an unknown name."""
        params = call.params
        if name := params.get("SnapshotName"):
            return {"Snapshots": [self.show_snapshot(self.snapshot(call, name))]}
        source = sources_asked(params.get("SnapshotSource"))
        found = [
            self.show_snapshot(one)
            for one in self.backend_of(call).snapshots.values()
            if isinstance(one, Snapshot)
            and params.get("ReplicationGroupId", one.group_id) == one.group_id
            and (source is None or one.source == source)
        ]
        return PAGES.page(call, found, "Snapshots")

    @operation("DeleteSnapshot")
    def delete_snapshot(self, call: Call) -> Reply:
        """Delete a snapshot that is not in use."""
        snapshot = self.snapshot(call, call.params["SnapshotName"])
        if snapshot.status not in (Status.AVAILABLE, Status.FAILED):
            raise errors.snapshot_state(f"Snapshot {snapshot.name} is {snapshot.status}, expected available.")
        del self.backend_of(call).snapshots[snapshot.name]
        return {"Snapshot": {**self.show_snapshot(snapshot), "SnapshotStatus": str(Status.DELETING)}}

    # --- restoring

    def blueprint_of_restore(self, call: Call) -> Blueprint | None:
        """Return what a snapshot named by the request determines; None when none is named.

        Objects of a bucket determine nothing but must exist, in a bucket of the Region.
        """
        params = call.params
        self.require_objects(call)
        if name := params.get("SnapshotName"):
            snapshot = self.snapshot(call, name)
            if snapshot.status != Status.AVAILABLE:
                raise errors.snapshot_state(f"Snapshot {name} is {snapshot.status}, expected available.")
            return snapshot.blueprint
        return None

    def _lead_snapshot(self, snapshot: Snapshot, what: str, seconds: float, during: str) -> None:
        self.lead(
            snapshot,
            Change(f"elasticache.{what}", snapshot.arn, seconds, during, Status.AVAILABLE, Status.FAILED),
        )
