"""Snapshots: take, copy within the Region, export to a bucket of the Region, find what to restore from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from localaws.service import Call, Reply, operation
from localaws.services.exports import keys_of, sources_asked
from localaws.services.memorydb import errors
from localaws.services.memorydb.base import PAGES, MemoryDbBase
from localaws.services.memorydb.state import SNAPSHOTS_A_DAY, Cluster, Seconds, Snapshot, Status
from localaws.services.timed import Change


class MemoryDbSnapshots(MemoryDbBase):
    """Operations on snapshots."""

    @operation("CreateSnapshot")
    def create_snapshot(self, call: Call) -> Reply:
        """Take a snapshot of a cluster, which is `snapshotting` meanwhile."""
        params = call.params
        cluster = self.cluster(call, params["ClusterName"])
        self.require_free_snapshot(call, params["SnapshotName"])
        self.require_available(cluster)
        self._require_quota(cluster)
        snapshot = self.take_snapshot(cluster, params["SnapshotName"], params.get("KmsKeyId"))
        change = Change(
            "memorydb.snapshot-cluster",
            cluster.arn,
            Seconds.SNAPSHOT,
            Status.SNAPSHOTTING,
            Status.AVAILABLE,
            Status.AVAILABLE,
        )
        self.lead(cluster, change)
        self.tag_on_creation(call, snapshot.arn)
        return {"Snapshot": self.show_snapshot(snapshot, with_shards=True)}

    def take_snapshot(self, cluster: Cluster, name: str, kms_key_id: str | None = None) -> Snapshot:
        """Start a snapshot: `creating`, then `available`, or `failed`."""
        one = self.multi_region_of(cluster)
        snapshot = Snapshot(
            status=Status.CREATING,
            account=cluster.account,
            region=cluster.region,
            snapshot_name=name,
            cluster_name=cluster.cluster_name,
            cluster=cluster,
            blueprint=cluster.blueprint,
            created=self.world.clock.now(),
            replicas=cluster.replicas,
            multi_region_name=one.name if one is not None else None,
            kms_key_id=kms_key_id or cluster.kms_key_id,
        )
        self.backend(cluster.account, cluster.region).snapshots[name] = snapshot
        self._lead_snapshot(snapshot, "create-snapshot", Seconds.SNAPSHOT, Status.CREATING)
        return snapshot

    @operation("CopySnapshot")
    def copy_snapshot(self, call: Call) -> Reply:
        """Copy a snapshot within the Region, or export it to a bucket of the same Region (`<target>-0001.rdb` ...).

        The source is `copying` during an export; an exported copy is no snapshot and is not listed.
        """
        params = call.params
        source = self.snapshot(call, params["SourceSnapshotName"])
        if source.status != Status.AVAILABLE:
            raise errors.snapshot_state(f"Snapshot {source.snapshot_name} is {source.status}, expected available.")
        target = params["TargetSnapshotName"]
        if bucket := params.get("TargetBucket"):
            taken = self.require_bucket(call, bucket).keys
            return self._export(call, source, target, bucket, taken)
        self.require_free_snapshot(call, target)
        copy = replace(source, snapshot_name=target, status=Status.COPYING, created=self.world.clock.now())
        copy.kms_key_id = params.get("KmsKeyId") or source.kms_key_id
        self.backend_of(call).snapshots[target] = copy
        self._lead_snapshot(copy, "copy-snapshot", Seconds.COPY_SNAPSHOT, Status.COPYING)
        self.tag_on_creation(call, copy.arn)
        return {"Snapshot": self.show_snapshot(copy, with_shards=True)}

    def _export(self, call: Call, source: Snapshot, target: str, bucket: str, taken: Any) -> Reply:
        keys = keys_of(target, source.blueprint.shard_count)
        if present := [key for key in keys if key in taken]:
            raise errors.value(f"The S3 bucket {bucket} already contains an object with key {present[0]}.")

        change = Change(
            "memorydb.export-snapshot",
            source.arn,
            Seconds.COPY_SNAPSHOT,
            Status.COPYING,
            Status.AVAILABLE,
            Status.AVAILABLE,
        )
        content = {"engine": source.blueprint.engine, "cluster": source.cluster_name}
        self.export(call, source, change, bucket, keys, content)
        return {"Snapshot": {**self.show_snapshot(source), "Name": target}}

    @operation("DescribeSnapshots")
    def describe_snapshots(self, call: Call) -> Reply:
        """List snapshots; raise `SnapshotNotFoundFault` for an unknown name."""
        params = call.params
        name = params.get("SnapshotName")
        stored = [self.snapshot(call, name)] if name else list(self.backend_of(call).snapshots.values())
        source = sources_asked(params.get("Source"))
        found = [
            self.show_snapshot(one, with_shards=bool(params.get("ShowDetail")))
            for one in stored
            if params.get("ClusterName", one.cluster_name) == one.cluster_name and source in (None, one.source)
        ]
        return PAGES.page(call, found, "Snapshots")

    @operation("DeleteSnapshot")
    def delete_snapshot(self, call: Call) -> Reply:
        """Delete a snapshot that is not in use."""
        snapshot = self.snapshot(call, call.params["SnapshotName"])
        if snapshot.status not in (Status.AVAILABLE, Status.FAILED):
            raise errors.snapshot_state(f"Snapshot {snapshot.snapshot_name} is {snapshot.status}, expected available.")
        backend = self.backend_of(call)
        del backend.snapshots[snapshot.snapshot_name]
        backend.tagger.delete_all_tags_for_resource(snapshot.arn)
        return {"Snapshot": {**self.show_snapshot(snapshot), "Status": str(Status.DELETING)}}

    # --- restoring

    def snapshot_to_restore(self, call: Call) -> Snapshot | None:
        """Return the snapshot a request names, None when it names none or objects of a bucket, which must exist."""
        params = call.params
        self.require_objects(call)
        if not params.get("SnapshotName"):
            return None
        snapshot = self.snapshot(call, params["SnapshotName"])
        if snapshot.status != Status.AVAILABLE:
            raise errors.value(f"Snapshot {snapshot.snapshot_name} is {snapshot.status}, expected available.")
        return snapshot

    def _require_quota(self, cluster: Cluster) -> None:
        """Refuse more than 20 manual snapshots of a cluster in 24 hours with `SnapshotQuotaExceededFault`."""
        since = self.world.clock.now() - timedelta(hours=24)
        stored = self.backend(cluster.account, cluster.region).snapshots.values()
        recent = [s for s in stored if s.cluster is cluster and s.source == "manual" and s.created > since]
        if len(recent) >= SNAPSHOTS_A_DAY:
            raise errors.snapshot_quota(cluster.cluster_name)

    def _lead_snapshot(self, snapshot: Snapshot, what: str, seconds: float, during: str) -> None:
        change = Change(f"memorydb.{what}", snapshot.arn, seconds, during, Status.AVAILABLE, Status.FAILED)
        self.lead(snapshot, change)
