"""Changes of roles in a global database: planned switchover, failover with data loss, resynchronisation."""

from __future__ import annotations

from dataclasses import dataclass

from localaws.service import Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.global_clusters import RdsGlobalClusters
from localaws.services.rds.state import Failover, GlobalCluster, Member, Progress, Seconds, Status, Sync


@dataclass(frozen=True)
class _Change:
    """One change of roles under way."""

    one: GlobalCluster
    kind: str
    seconds: float
    failover: Failover

    @property
    def is_current(self) -> bool:
        """Tell whether no later change has replaced this one."""
        return self.one.failover is self.failover


class RdsGlobalRoles(RdsGlobalClusters):
    """SwitchoverGlobalCluster and FailoverGlobalCluster."""

    @operation("SwitchoverGlobalCluster")
    def switchover_global_cluster(self, call: Call) -> Reply:
        """Exchange roles without loss; sent to the primary's Region, with the target's ARN.

        Refused with `InvalidGlobalClusterStateFault` when something is not available, connected or of the same version.
        """
        one = self.global_cluster(call.account, call.params["GlobalClusterIdentifier"])
        target = self._target(one, call.params["TargetDbClusterIdentifier"])
        source = self._writer(one)
        if source.cluster.region != call.region:
            raise errors.global_state(
                f"The switchover of global cluster {one.identifier} must be requested in the primary Region "
                f"{source.cluster.region}, not in {call.region}."
            )
        self._check_planned(one, source, target)
        self._begin(one, source, target, data_loss=False)
        return {"GlobalCluster": self.show_global(one)}

    @operation("FailoverGlobalCluster")
    def failover_global_cluster(self, call: Call) -> Reply:
        """Promote a secondary. With AllowDataLoss sent to the target's Region; without it this is a switchover.

        A switchover asked here while the primary's Region is down is accepted and stays `pending` until it returns.
        """
        params = call.params
        one = self.global_cluster(call.account, params["GlobalClusterIdentifier"])
        if params.get("AllowDataLoss") and params.get("Switchover"):
            raise errors.combination("AllowDataLoss and Switchover cannot be specified together.")
        target = self._target(one, params["TargetDbClusterIdentifier"])
        source = self._writer(one)
        if not params.get("AllowDataLoss"):
            self._check_planned(one, source, target)
            self._begin(one, source, target, data_loss=False)
            return {"GlobalCluster": self.show_global(one)}
        if target.cluster.region != call.region:
            raise errors.global_state(
                f"A failover of global cluster {one.identifier} with data loss must be requested in the target Region "
                f"{target.cluster.region}, not in {call.region}."
            )
        self.require_settled(one)
        self._check_target(one, source, target)
        self._begin(one, source, target, data_loss=True)
        return {"GlobalCluster": self.show_global(one)}

    # --- preconditions

    def _target(self, one: GlobalCluster, arn: str) -> Member:
        if not arn.startswith("arn:"):
            raise errors.value(f"Malformed db cluster arn {arn}")
        target = self.require_member(one, arn)
        if target.is_writer:
            raise errors.global_state(f"{arn} is already the primary of global cluster {one.identifier}.")
        return target

    def _writer(self, one: GlobalCluster) -> Member:
        writer = one.writer
        if writer is None:
            raise errors.global_state(f"Global cluster {one.identifier} has no primary.")
        return writer

    def _check_planned(self, one: GlobalCluster, source: Member, target: Member) -> None:
        self.require_settled(one)
        if target.sync != Sync.CONNECTED:
            raise errors.global_state(f"{target.cluster.arn} is {target.sync}, expected connected.")
        self._check_target(one, source, target)
        self.require_cluster(source.cluster)

    def _check_target(self, one: GlobalCluster, source: Member, target: Member) -> None:
        versions = source.cluster.engine_version, target.cluster.engine_version
        if versions[0] != versions[1]:
            raise errors.global_state(
                f"Engine versions differ: {versions[0]} on {source.cluster.arn}, {versions[1]} on {target.cluster.arn}."
            )
        self.require_cluster(target.cluster)
        if not self.cluster_instances(target.cluster):
            raise errors.cluster_state(f"{target.cluster.arn} has no DB instances and cannot become the primary.")

    # --- the change itself

    def _begin(self, one: GlobalCluster, source: Member, target: Member, *, data_loss: bool) -> None:
        one.epoch += 1
        one.failover = Failover(Progress.PENDING, source, target, data_loss, one.epoch)
        one.status = Status.FAILING_OVER if data_loss else Status.SWITCHING_OVER
        kind = "rds.failover-global-cluster" if data_loss else "rds.switchover-global-cluster"
        seconds = Seconds.GLOBAL_FAILOVER if data_loss else Seconds.GLOBAL_SWITCHOVER
        change = _Change(one, kind, seconds, one.failover)
        what = "failover" if data_loss else "switchover"
        self.note(
            target.cluster, f"Global {what} to DB cluster {target.cluster.arn} started", "failover", "global-failover"
        )
        self.world.clock.after(Seconds.GLOBAL_PENDING, lambda: self._change_roles(change))

    def _change_roles(self, change: _Change) -> None:
        if not change.is_current:
            return
        failover = change.failover
        if not failover.data_loss_allowed and self.region_is_down(failover.source.cluster.region):
            # A switchover waits for a primary that does not answer.
            self.world.clock.after(Seconds.REGION_POLL, lambda: self._change_roles(change))
            return
        failover.progress = Progress.FAILING_OVER
        for member in (failover.source, failover.target):
            if not self.region_is_down(member.cluster.region):
                self.set_status(member.cluster, change.one.status)
        if failover.data_loss_allowed and not self.region_is_down(failover.source.cluster.region):
            self.note(failover.source.cluster, "Writes on the old primary were fenced", "global-failover")
        self.later(
            change.kind,
            change.one.arn,
            change.seconds,
            lambda: self._roles_changed(change),
            lambda: self._cancel(change),
        )

    def _roles_changed(self, change: _Change) -> None:
        if not change.is_current:
            return
        one, failover = change.one, change.failover
        if not failover.data_loss_allowed and self.region_is_down(failover.source.cluster.region):
            # The primary died before it had handed over.
            self.world.clock.after(Seconds.REGION_POLL, lambda: self._roles_changed(change))
            return
        failover.source.is_writer, failover.target.is_writer = False, True
        self._release(change)
        if failover.data_loss_allowed:
            for member in one.members:
                if member is not failover.target:
                    member.sync = Sync.PENDING_RESYNC
                    self._await_region(one, member, keep_writes=member is failover.source)
        what = "failover" if failover.data_loss_allowed else "switchover"
        arn = failover.target.cluster.arn
        self.note(
            failover.target.cluster, f"Global {what} to DB cluster {arn} completed", "failover", "global-failover"
        )

    def _cancel(self, change: _Change) -> None:
        if not change.is_current:
            return
        change.failover.progress = Progress.CANCELLING

        def cancelled() -> None:
            if change.is_current:
                self._release(change)
                self.note(change.failover.source.cluster, "Global switchover cancelled: roles are unchanged", "failure")

        self.world.clock.after(Seconds.GLOBAL_CANCEL, cancelled)

    def _release(self, change: _Change) -> None:
        change.one.failover = None
        change.one.status = Status.AVAILABLE
        for member in (change.failover.source, change.failover.target):
            self.set_status(member.cluster, Status.AVAILABLE)

    # --- rebuilding a Region after a failover with data loss

    def _await_region(self, one: GlobalCluster, member: Member, *, keep_writes: bool) -> None:
        cluster = member.cluster
        known = self.global_clusters(one.account).get(one.identifier)
        if known is not one or member not in one.members or member.is_writer:
            return
        if self.region_is_down(cluster.region):
            self.world.clock.after(
                Seconds.REGION_POLL, lambda: self._await_region(one, member, keep_writes=keep_writes)
            )
            return
        if keep_writes:
            self._keep_lost_writes(member)

        def connected() -> None:
            if member in one.members:
                member.sync = Sync.CONNECTED
                self.note(cluster, "Storage volume rebuilt: the cluster follows the new primary", "global-failover")

        self.later("rds.resync-global-member", cluster.arn, Seconds.GLOBAL_RESYNC, connected)

    def _keep_lost_writes(self, member: Member) -> None:
        """Keep the volume of the old primary as a system snapshot, as a managed failover does."""
        cluster = member.cluster
        stamp = self.world.clock.now().strftime("%Y-%m-%d-%H-%M-%S")
        name = f"rds:unplanned-global-failover-{cluster.db_cluster_identifier}-{stamp}"
        if name not in cluster.backend.cluster_snapshots:
            self.take_cluster_snapshot(cluster, name, None, kind="automated")
