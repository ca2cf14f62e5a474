"""The two ends of replication: who names whom, who is connected, and what is left when one end goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from localaws.service import AwsError, Call
from localaws.services.rds.engines import replicas_survive_their_source
from localaws.services.rds.errors import moto_errors, too_many_copies
from localaws.services.rds.responses import RdsViews
from localaws.services.rds.state import Seconds, SnapshotState, Status
from localaws.services.rds.walks import Stage


class RdsLinks(RdsViews):
    """Replication links and client connections."""

    def link(self, source: Any, replica: Any) -> None:
        """Make `replica` follow `source`: across Regions they name each other by ARN, else by name."""
        across = source.region != replica.region
        replica.source_db_instance_identifier = source.arn if across else source.db_instance_identifier
        replica.is_replica = True
        name = replica.arn if across else replica.db_instance_identifier
        source.replicas = [*(one for one in source.replicas if one != name), name]

    def forget_links(self, instance: Any, source: Any | None, replicas: list[Any]) -> None:
        """Remove every mention of `instance` from its source and its replicas, before it changes its name."""
        if source is not None:
            self.unlink(source, instance)
        for replica in replicas:
            self.unlink(instance, replica)

    def unlink(self, source: Any | None, replica: Any) -> None:
        """Make `replica` stand alone."""
        if source is not None:
            names = {replica.arn, replica.db_instance_identifier}
            source.replicas = [one for one in source.replicas if one not in names]
        replica.source_db_instance_identifier = None
        replica.is_replica = False

    def orphan(self, source: Any, replica: Any) -> None:
        """Leave a replica whose source was deleted: promoted, or cut off and still a replica."""
        state = self.instance_state(replica)
        if replicas_survive_their_source(replica.engine, source.region == replica.region):
            state.replica_mode = None
            self.note(replica, "Promoted because its source DB instance was deleted", "notification")
            return
        replica.source_db_instance_identifier = source.arn
        replica.is_replica = True
        state.replication_terminated = True
        self.note(replica, "Replication terminated because the source DB instance was deleted", "read replica")

    # --- clients

    def is_fenced(self, resource: Any) -> bool:
        """Tell whether no security group of an instance or cluster admits any client."""
        groups = list(resource.vpc_security_group_ids)
        if not groups:
            return False
        store = self.world.backend("ec2", resource.account_id, resource.region)
        found = [store.get_security_group_from_id(group) for group in groups]
        return all(group is not None and not group.ingress_rules for group in found)

    def clients_reconnect(self, instance: Any) -> None:
        """Cut all connections, as a reboot does; they come back unless the security groups forbid it."""
        self.instance_state(instance).clients_cut = True

    def connections(self, instance: Any) -> int:
        """Return DatabaseConnections. Open connections are tracked: fencing alone does not end them, a reboot does."""
        state = self.instance_state(instance)
        if state.status not in (Status.AVAILABLE, Status.BACKING_UP, Status.MODIFYING):
            return 0
        if not self.is_fenced(instance):
            state.clients_cut = False
        return 0 if state.clients_cut else state.connections

    # --- snapshots of an instance (used by deletion, too)

    def take_snapshot(self, instance: Any, name: str, tags: list[dict[str, str]] | None, kind: str = "manual") -> Any:
        """Start a snapshot: `creating`, then `available`."""
        with moto_errors():
            snapshot = instance.backend.create_db_snapshot(
                instance.db_instance_identifier, name, snapshot_type=kind, tags=tags
            )
        self.walk_snapshot(snapshot, [Stage(Status.CREATING, Seconds.SNAPSHOT)], "create-db-snapshot")
        return snapshot

    def walk_snapshot(self, snapshot: Any, stages: list[Stage], kind: str) -> SnapshotState:
        """Lead a new snapshot to `available`; return its state."""
        state = self.snapshot_state(snapshot)
        state.created = self.world.clock.now()
        self.walk(snapshot, kind, stages)
        return state

    def require_free_copy(self, snapshots: Iterable[Any], limit: int) -> None:
        """Refuse a copy from another Region while as many as are allowed are being made here."""
        states = [self.snapshot_state(one) for one in snapshots]
        under_way = (Status.CREATING, Status.COPYING)
        if sum(one.source_region is not None and one.status in under_way for one in states) >= limit:
            raise too_many_copies(limit)

    def require_free_snapshot_name(self, call: Call, name: str) -> None:
        """Refuse a snapshot name that is taken."""
        if name in self.backend_of(call).database_snapshots:
            raise AwsError("DBSnapshotAlreadyExists", f"Cannot create the snapshot because {name} already exists.")

    def drop_automated_snapshots(self, instance: Any, drop: bool) -> None:
        """Delete the automated snapshots of a deleted instance, and stop shipping its backups."""
        snapshots = instance.backend.database_snapshots
        mine = [one for one in snapshots.values() if one.dbi_resource_id == instance.dbi_resource_id]
        for snapshot in mine:
            if drop and snapshot.snapshot_type == "automated":
                snapshots.pop(snapshot.db_snapshot_identifier)
        for backup in self.backups_of(instance):
            backup.status = "retained"
            backup.frozen_at = self.restorable_until(instance.region)
