"""What every part of the ElastiCache module shares: finding resources, requiring statuses, making nodes."""

from __future__ import annotations

from typing import Any, ClassVar

from localaws.service import Call
from localaws.services.elasticache import errors
from localaws.services.elasticache.state import (
    GlobalGroup,
    Group,
    Member,
    Node,
    Shard,
    Snapshot,
    Status,
)
from localaws.services.exports import Errors, ExportingService, slots_of
from localaws.services.timed import Change

ZONES = "abc"


class ElastiCacheBase(ExportingService):
    """Base of the ElastiCache operation groups."""

    name: ClassVar[str] = "elasticache"
    product: ClassVar[str] = "ElastiCache"
    tagger_name: ClassVar[str] = "tagging_service"
    errors: ClassVar[Errors] = errors

    def reset(self) -> None:
        """Forget the global datastores; moto's backend forgets the rest."""
        self.globals: dict[str, dict[str, GlobalGroup]] = {}

    def group(self, call: Call, identifier: str) -> Group:
        """Return a replication group of the call's Region; raise `ReplicationGroupNotFoundFault`."""
        found = self.backend_of(call).replication_groups.get(identifier.lower())
        if found is None:
            raise errors.group_not_found(identifier)
        assert isinstance(found, Group)
        return found

    def snapshot(self, call: Call, name: str) -> Snapshot:
        """Return a snapshot of the call's Region; raise `SnapshotNotFoundFault`."""
        found = self.backend_of(call).snapshots.get(name)
        if found is None:
            raise errors.snapshot_not_found(name)
        assert isinstance(found, Snapshot)
        return found

    def global_groups(self, account: str) -> dict[str, GlobalGroup]:
        """Return an account's global datastores by id."""
        return self.globals.setdefault(account, {})

    def visible_globals(self, call: Call) -> list[GlobalGroup]:
        """Return the global datastores that have a member in the call's Region."""
        everywhere = self.global_groups(call.account).values()
        return [one for one in everywhere if any(member.group.region == call.region for member in one.members)]

    def global_group(self, call: Call, identifier: str) -> GlobalGroup:
        """Return a global datastore seen from the call's Region; raise `GlobalReplicationGroupNotFoundFault`."""
        for one in self.visible_globals(call):
            if one.id == identifier:
                return one
        raise errors.global_not_found(identifier)

    def membership(self, group: Group) -> tuple[GlobalGroup, Member] | None:
        """Return the global datastore a group belongs to, and its membership there."""
        for one in self.global_groups(group.account).values():
            member = one.member_of(group)
            if member is not None:
                return one, member
        return None

    def require_available(self, group: Group) -> None:
        """Refuse with `InvalidReplicationGroupState` unless the group is available."""
        if group.status != Status.AVAILABLE:
            raise errors.group_state(f"Replication group {group.id} is in state {group.status}, expected available.")

    def walk(self, group: Group, what: str, seconds: float, during: str = Status.MODIFYING, **effects: Any) -> None:
        """Lead a group through a change and back to `available`; a failed change leaves it as it was."""
        change = Change(f"elasticache.{what}", group.arn, seconds, during, Status.AVAILABLE, Status.AVAILABLE)
        self.lead(group, change, **effects)

    def writes_arrive(self, group: Group) -> bool:
        """Tell whether clients can reach the group."""
        return group.status != Status.CREATING and not self.is_fenced(
            group.account, group.region, group.security_group_ids
        )

    # --- nodes

    def make_shards(self, group: Group, replicas: int) -> None:
        """Give a new group its shards, each with a primary and `replicas` replicas."""
        count = group.blueprint.shard_count
        for number in range(count):
            shard = Shard(f"{number + 1:04}", slots_of(number, count))
            group.shards.append(shard)
            self.add_nodes(group, shard, replicas + 1)

    def add_nodes(self, group: Group, shard: Shard, total: int) -> None:
        """Add nodes to a shard until it has `total`; they carry the group's tags."""
        backend = self.backend(group.account, group.region)
        tags = backend.tagging_service.list_tags_for_resource(group.arn)["Tags"]
        middle = f"-{shard.id}" if group.blueprint.cluster_enabled else ""
        while len(shard.nodes) < total:
            number = len(shard.nodes) + 1
            name = f"{group.id}{middle}-{number:03}"
            arn = f"arn:aws:elasticache:{group.region}:{group.account}:cluster:{name}"
            zone = f"{group.region}{ZONES[(number - 1) % len(ZONES)]}"
            node = Node(name, arn, zone, self.world.clock.now(), group.id)
            shard.nodes.append(node)
            backend.cache_clusters[name] = node
            backend.tagging_service.tag_resource(arn, tags)

    def forget_group(self, group: Group) -> None:
        """Take a group, its nodes and their tags out of the store."""
        backend = self.backend(group.account, group.region)
        for node in group.nodes:
            backend.cache_clusters.pop(node.id, None)
            backend.tagging_service.delete_all_tags_for_resource(node.arn)
        backend.replication_groups.pop(group.id, None)
        backend.tagging_service.delete_all_tags_for_resource(group.arn)
