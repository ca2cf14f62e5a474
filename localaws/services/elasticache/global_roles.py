"""Promotion of a secondary of a global datastore."""

from __future__ import annotations

from localaws.service import Call, Reply, operation
from localaws.services.elasticache import errors
from localaws.services.elasticache.groups import ElastiCacheGroups
from localaws.services.elasticache.state import (
    Failover,
    GlobalGroup,
    GlobalStatus,
    Member,
    Membership,
    Role,
    Seconds,
    Status,
)


class ElastiCacheGlobalRoles(ElastiCacheGroups):
    """FailoverGlobalReplicationGroup.

    The same call serves planned and emergency promotion; it waits for no data. The old primary is a secondary at
    once; when its Region was dark, its membership reads `associating` until it has been synchronised again.
    """

    @operation("FailoverGlobalReplicationGroup")
    def failover_global_replication_group(self, call: Call) -> Reply:
        """Promote the member that `PrimaryRegion` and `PrimaryReplicationGroupId` name: the new primary.

        Allowed while another change runs, not while another promotion does.
        """
        params = call.params
        one = self.global_group(call, params["GlobalReplicationGroupId"])
        target = self.require_member(one, params["PrimaryRegion"], params["PrimaryReplicationGroupId"])
        self._check(one, target)
        failover = one.failover = Failover(one.primary, target)
        one.epoch += 1
        one.status = GlobalStatus.MODIFYING
        touched = [member for member in (failover.source, target) if not self.region_is_down(member.group.region)]
        for member in touched:
            member.group.epoch += 1
            member.group.status = Status.MODIFYING

        def promoted() -> None:
            if one.failover is failover:
                failover.source.role, target.role = Role.SECONDARY, Role.PRIMARY
                self._release(one, touched)
                self._resynchronise(one, failover.source)

        def failed() -> None:
            if one.failover is failover:
                self._release(one, touched)

        kind = "elasticache.failover-global-replication-group"
        self.later(kind, one.arn, Seconds.FAIL_OVER_GLOBAL, promoted, failed)
        return {"GlobalReplicationGroup": self.show_global(one)}

    def _check(self, one: GlobalGroup, target: Member) -> None:
        if one.failover is not None:
            raise errors.global_state(f"Global replication group {one.id} is being failed over already.")
        if one.status in (GlobalStatus.CREATING, GlobalStatus.DELETING):
            raise errors.global_state(f"Global replication group {one.id} is in state {one.status}.")
        if target.role is Role.PRIMARY:
            raise errors.value(f"Replication group {target.group.id} is already the primary of {one.id}.")
        if target.status != Membership.ASSOCIATED:
            raise errors.global_state(
                f"Replication group {target.group.id} is {target.status}, expected {Membership.ASSOCIATED}."
            )
        if self.region_is_down(target.group.region):
            raise errors.global_state(f"Replication group {target.group.id} cannot be reached.")
        self.require_available(target.group)

    def _release(self, one: GlobalGroup, touched: list[Member]) -> None:
        one.failover = None
        for member in touched:
            member.group.epoch += 1
            member.group.status = Status.AVAILABLE
        self.settle(one)

    def _resynchronise(self, one: GlobalGroup, old: Member) -> None:
        if not self.region_is_down(old.group.region):
            return
        old.status = Membership.ASSOCIATING

        def synchronised() -> None:
            if old in one.members and old.status == Membership.ASSOCIATING:
                old.status = Membership.ASSOCIATED

        kind = "elasticache.resync-global-member"
        self.when_up(
            old.group.region,
            Seconds.REGION_POLL,
            lambda: self.later(kind, old.group.arn, Seconds.RESYNC, synchronised),
        )
