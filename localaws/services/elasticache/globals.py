"""Global datastores: create, describe, modify, join, disassociate, delete."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.elasticache import errors
from localaws.services.elasticache.snapshots import PAGES, ElastiCacheSnapshots
from localaws.services.elasticache.state import (
    ID_PREFIXES,
    SECONDARIES_LIMIT,
    GlobalGroup,
    GlobalStatus,
    Group,
    Member,
    Membership,
    Role,
    Seconds,
)
from localaws.services.timed import Change, tag_map

SETTLED = (GlobalStatus.AVAILABLE, GlobalStatus.PRIMARY_ONLY)
# What a secondary inherits, and what therefore must not be passed when it is created.
INHERITED = (
    "AtRestEncryptionEnabled",
    "CacheNodeType",
    "CacheParameterGroupName",
    "DataTieringEnabled",
    "Engine",
    "EngineVersion",
    "NodeGroupConfiguration",
    "NumNodeGroups",
    "PrimaryClusterId",
    "SnapshotArns",
    "SnapshotName",
    "TransitEncryptionEnabled",
)


class ElastiCacheGlobals(ElastiCacheSnapshots):
    """Operations on global datastores, apart from promotions. One change at a time."""

    def require_settled(self, one: GlobalGroup) -> None:
        """Refuse with `InvalidGlobalReplicationGroupState` while the global datastore changes."""
        if one.status not in SETTLED:
            raise errors.global_state(
                f"Global replication group {one.id} is in state {one.status}, expected available or primary-only."
            )

    def settle(self, one: GlobalGroup) -> None:
        """Show that nothing is going on."""
        if one.failover is None:
            one.epoch += 1
            one.status = one.settled_status

    @operation("CreateGlobalReplicationGroup")
    def create_global_replication_group(self, call: Call) -> Reply:
        """Create a global datastore around a group of this Region, which becomes its primary."""
        group = self.group(call, call.params["PrimaryReplicationGroupId"])
        name = f"{id_prefix(call.region)}-{call.params['GlobalReplicationGroupIdSuffix']}"
        mine = self.global_groups(call.account)
        if name in mine:
            message = f"The global replication group {name} already exists."
            raise AwsError("GlobalReplicationGroupAlreadyExistsFault", message)
        self.require_available(group)
        if self.membership(group) is not None:
            raise errors.group_state(f"Replication group {group.id} is part of a global replication group already.")
        if group.blueprint.node_type.startswith("cache.t"):
            raise errors.value(f"Node type {group.blueprint.node_type} is not supported for global replication groups.")
        one = GlobalGroup(
            status=GlobalStatus.CREATING,
            account=call.account,
            id=name,
            description=call.params.get("GlobalReplicationGroupDescription", " "),
            members=[Member(group, Role.PRIMARY)],
            tags=tag_map(call.params.get("Tags")),
        )
        mine[name] = one

        def created() -> None:
            one.primary.status = Membership.ASSOCIATED

        def failed() -> None:
            mine.pop(name, None)

        self.walk(group, "prepare-global-primary", Seconds.CREATE_GLOBAL)
        change = self._change(one, "create-global-replication-group", Seconds.CREATE_GLOBAL, GlobalStatus.CREATING)
        self.lead(one, replace(change, end=GlobalStatus.PRIMARY_ONLY), created, failed)
        return {"GlobalReplicationGroup": self.show_global(one)}

    @operation("DescribeGlobalReplicationGroups")
    def describe_global_replication_groups(self, call: Call) -> Reply:
        """List the global datastores with a member in this Region; members with ShowMemberInfo only."""
        wanted = call.params.get("GlobalReplicationGroupId")
        found = [self.global_group(call, wanted)] if wanted else self.visible_globals(call)
        with_members = bool(call.params.get("ShowMemberInfo"))
        shown = [self.show_global(one, with_members=with_members) for one in found]
        return PAGES.page(call, shown, "GlobalReplicationGroups")

    @operation("ModifyGlobalReplicationGroup")
    def modify_global_replication_group(self, call: Call) -> Reply:
        """Change description, node type, engine version, parameter group or automatic failover of all members."""
        params = call.params
        one = self.global_group(call, params["GlobalReplicationGroupId"])
        self.require_settled(one)
        one.description = params.get("GlobalReplicationGroupDescription", one.description)
        plan = one.primary.group.blueprint
        changed = replace(
            plan,
            node_type=params.get("CacheNodeType", plan.node_type),
            engine=params.get("Engine", plan.engine),
            engine_version=params.get("EngineVersion", plan.engine_version),
            parameter_group=params.get("CacheParameterGroupName", plan.parameter_group),
        )

        def modified() -> None:
            for member in one.members:
                member.group.blueprint = changed
                automatic = params.get("AutomaticFailoverEnabled")
                member.group.automatic_failover = member.group.automatic_failover if automatic is None else automatic

        change = self._change(one, "modify-global-replication-group", Seconds.MODIFY_GLOBAL, GlobalStatus.MODIFYING)
        self.lead(one, change, modified)
        return {"GlobalReplicationGroup": self.show_global(one)}

    @operation("DisassociateGlobalReplicationGroup")
    def disassociate_global_replication_group(self, call: Call) -> Reply:
        """Take a secondary out: it becomes a stand-alone, writable group. Works without the primary's Region.

        While a promotion makes no headway, its target may be taken out: the documented fall-back.
        """
        params = call.params
        one = self.global_group(call, params["GlobalReplicationGroupId"])
        member = self.require_member(one, params["ReplicationGroupRegion"], params["ReplicationGroupId"])
        if member.role is Role.PRIMARY:
            raise errors.value(f"Replication group {member.group.id} is the primary and cannot be disassociated.")
        if self.region_is_down(member.group.region):
            raise errors.global_state(f"Replication group {member.group.id} cannot be reached.")
        self._give_up_failover(one, member)
        member.status = Membership.DISASSOCIATING

        def removed() -> None:
            if member in one.members:
                one.members.remove(member)
            self.settle(one)

        def failed() -> None:
            member.status = Membership.ASSOCIATED
            self.settle(one)

        one.epoch += 1
        one.status = GlobalStatus.MODIFYING
        what = "disassociate-global-replication-group"
        self.walk(member.group, what, Seconds.DISASSOCIATE, done=removed, on_failure=failed)
        return {"GlobalReplicationGroup": self.show_global(one)}

    def _give_up_failover(self, one: GlobalGroup, member: Member) -> None:
        if one.failover is None:
            self.require_settled(one)
        elif one.failover.target is not member:
            raise errors.global_state(f"Global replication group {one.id} is in state {one.status}.")
        one.failover = None

    @operation("DeleteGlobalReplicationGroup")
    def delete_global_replication_group(self, call: Call) -> Reply:
        """Delete a global datastore that has only its primary left, which stays as a stand-alone group."""
        one = self.global_group(call, call.params["GlobalReplicationGroupId"])
        self.require_settled(one)
        if len(one.members) > 1:
            raise errors.global_state(f"Global replication group {one.id} still has secondary replication groups.")
        if not call.params["RetainPrimaryReplicationGroup"]:
            raise errors.value("RetainPrimaryReplicationGroup must be true: the primary is never deleted with it.")

        def deleted() -> None:
            self.global_groups(call.account).pop(one.id, None)

        change = self._change(one, "delete-global-replication-group", Seconds.DELETE_GLOBAL, GlobalStatus.DELETING)
        self.lead(one, change, deleted)
        return {"GlobalReplicationGroup": self.show_global(one)}

    def require_member(self, one: GlobalGroup, region: str, group_id: str) -> Member:
        """Return the member in a Region; raise `InvalidParameterValue`."""
        member = one.member(region, group_id)
        if member is None:
            raise errors.value(f"Replication group {group_id} in {region} is not a member of {one.id}.")
        return member

    # --- joining

    def global_to_join(self, call: Call) -> GlobalGroup:
        """Return the global datastore a new group is to join, wherever its members are.

        Refuses parameters that a secondary inherits, a second member in a Region, and a primary that is dark.
        """
        passed = [name for name in INHERITED if name in call.params]
        if passed:
            raise errors.combination(
                f"{', '.join(passed)} cannot be specified along with GlobalReplicationGroupId: "
                "the secondary inherits them from the primary."
            )
        wanted = call.params["GlobalReplicationGroupId"]
        one = self.global_groups(call.account).get(wanted)
        if one is None:
            raise errors.global_not_found(wanted)
        self.require_settled(one)
        if any(member.group.region == call.region for member in one.members):
            raise errors.value(f"Global replication group {one.id} has a member in {call.region} already.")
        if len(one.members) > SECONDARIES_LIMIT:
            raise errors.value(f"Global replication group {one.id} has {SECONDARIES_LIMIT} secondaries already.")
        if self.region_is_down(one.primary.group.region):
            raise errors.global_state(f"The primary of {one.id} in {one.primary.group.region} cannot be reached.")
        return one

    def join(self, one: GlobalGroup, group: Group) -> Member:
        """Add a group that is being created as a secondary: `associating`, the global datastore `modifying`."""
        member = Member(group, Role.SECONDARY)
        one.members.append(member)
        one.epoch += 1
        one.status = GlobalStatus.MODIFYING
        return member

    def joined(self, one: GlobalGroup, member: Member) -> None:
        """Finish joining."""
        member.status = Membership.ASSOCIATED
        self.settle(one)

    def not_joined(self, one: GlobalGroup, member: Member) -> None:
        """Take a group out whose creation failed."""
        if member in one.members:
            one.members.remove(member)
        self.settle(one)

    def _change(self, one: GlobalGroup, what: str, seconds: float, during: GlobalStatus) -> Change:
        settled = one.settled_status
        return Change(f"elasticache.{what}", one.arn, seconds, during, settled, settled)


def id_prefix(region: str) -> str:
    """Return the first part of the ids that a Region gives to global datastores: five letters."""
    known = ID_PREFIXES.get(region)
    if known is not None:
        return known
    digest = hashlib.sha256(region.encode()).digest()
    return "".join(chr(ord("a") + byte % 26) for byte in digest[:5])
