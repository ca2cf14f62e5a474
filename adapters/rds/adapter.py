"""RDS: an instance serves from the target Region, as a promoted replica or restored from what was copied there.

read-replica  the replica in the target Region is promoted, and a new replica takes the old primary's place and name:
  instantiate  wait until the replica is available; rds.ModifyDBInstance to the manifest's class and Multi-AZ, if it names any;
               where only a subnet group stands in for the replica, rds.CreateDBInstanceReadReplica makes it in the target Region
  activate     planned: fence the source instance (ec2.CreateSecurityGroup, rds.AddTagsToResource, rds.ModifyDBInstance,
               rds.RebootDBInstance), wait for lag zero, rds.PromoteReadReplica; emergency: rds.PromoteReadReplica at once
  cleanup      keep the old primary fenced; free its name with rds.ModifyDBInstance (`<id>-retired-<run>`)
  replicate    rds.ModifyDBInstance for backups, rds.CreateDBInstanceReadReplica in the source Region under the freed name,
               rds.RemoveTagsFromResource (dr:enabled of the retired instance), wait until it replicates
automated-backup-replication, snapshot-copy  see `adapters.rds.restore`
drill         a snapshot of the replica, or what was copied, is restored behind a security group of its own; both are deleted
decommission  rds.ModifyDBInstance (deletion protection), rds.DeleteDBInstance of retired instances, with a final snapshot

Nothing else is deleted or stopped: a retired instance stays, fenced and out of the scope, until somebody removes it. After a
failover and a failback the estate is as it was, except for the retired instances. See `adapters.rds.source` for the fence.
Both sides should bear one name: after an emergency nothing but the name tells that they belong together.
Promotion: available, modifying, rebooting, backing-up, available; done when nothing is replicated from (RDS user guide,
"Promoting a read replica to be a standalone DB instance"). It cannot be undone. Aurora has its own adapter.
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.databases.shared import base_name, retired_name
from adapters.rds import drill, following, restore
from adapters.rds import source as source_side
from adapters.rds import target as target_side
from adapters.rds.discovery import discover
from adapters.rds.foresight import foreseen
from adapters.rds.leftovers import delete_retired
from adapters.rds.readiness import claims, findings
from adapters.rds.spec import READ_REPLICA, SPEC
from adapters.rds.view import RdsView, look
from orchestrator.contract import (
    Adapter,
    Check,
    Claim,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    busy,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase


class RdsAdapter(Adapter[RdsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged instances and the places of missing ones; see `adapters.rds.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> RdsView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: RdsView, run: RunContext) -> list[Finding]:
        """Judge replica, source, keys and surroundings; see `adapters.rds.readiness`."""
        return findings(view, run)

    def claims(self, view: RdsView, run: RunContext) -> list[Claim]:
        """Count the instance to be made."""
        return claims(view, run)

    def loss(self, view: RdsView, run: RunContext) -> list[Loss]:
        """Report the last known replication lag."""
        if view.strategy != READ_REPLICA:
            return [restore.loss(view, run)]
        known = [each for each in view.lag_seconds if each >= 0]
        return [Loss(view.member.resource_id, known[0] if known else None, "last known ReplicaLag")]

    def instantiate(self, view: RdsView, run: RunContext) -> list[Step]:
        """Wait for the replica and grow it; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.strategy != READ_REPLICA:
            return restore.instantiate(view, run)
        made = following.standby(view, run) if view.stands_in else []
        return [*made, target_side.standing(view, "replica-available"), *target_side.grow(view)]

    def activate(self, view: RdsView, run: RunContext) -> list[Step]:
        """Promote the replica, in a planned run behind the fence and without lag."""
        if run.mode is Mode.DRILL:
            return skip("a drill promotes nothing; its copy is writable from birth")
        if view.strategy != READ_REPLICA:
            return restore.activate(view, run)
        if view.target is None:
            return [target_side.promote(view, run)]
        before: list[Step] = []
        if run.mode is Mode.PLANNED:
            before = [*source_side.fence(view, run), source_side.cut(view, run), source_side.drained(view, run)]
        after = [target_side.standing(view, "stands-alone"), target_side.backups(view)]
        grown = target_side.grow(view) if run.mode is Mode.EMERGENCY else []
        return [*before, target_side.promote(view, run), *after, *grown]

    def cleanup(self, view: RdsView, run: RunContext) -> list[Step]:
        """Keep the old primary fenced and free its name; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if view.strategy != READ_REPLICA:
            return restore.cleanup(view, run)
        if not view.promoted:
            why = f"{view.member.target.id} still replicates from {view.member.source.id}"
            return [blocked("fence", f"{why}: the source is not retired before ACTIVATE", "run ACTIVATE first")]
        if view.reversed:
            return skip("the name is freed and taken by the new replica already")
        renamed = source_side.rename("free-name", view, view.old, retired_name(view.member, run))
        return [*source_side.fence(view, run), renamed]

    def replicate(self, view: RdsView, run: RunContext) -> list[Step]:
        """Create a replica where the old primary was and wait until it follows."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        if view.strategy != READ_REPLICA:
            return restore.replicate(view, run)
        return [target_side.standing(view, "stands-alone"), target_side.backups(view), *following.replica(view, run)]

    def decommission(self, view: RdsView, run: RunContext) -> list[Step]:
        """Delete the retired instances of the source side, each with a final snapshot; see `adapters.rds.leftovers`."""
        return delete_retired(view)

    def rollback(self, phase: Phase, view: RdsView, run: RunContext) -> list[Step]:
        """Open the source again while the replica is not promoted; give the old primary its name back."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if view.strategy != READ_REPLICA:
            return restore.rollback(phase, view, run)
        if phase is Phase.CLEANUP and not view.reversed:
            return [source_side.rename("restore-name", view, view.old, base_name(view.member.source.id))]
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone: a replica that it made stays")
        if view.promoted:
            return [blocked("unfence", "a promotion cannot be undone", "later: dr start --operation failback")]
        if run.mode is Mode.EMERGENCY:
            return skip("nothing was promoted and nothing was fenced")
        if "promote" in run.called_at and view.target and view.target.DBInstanceStatus != "available":
            return [busy("unfence", f"the promotion is under way: {view.target.DBInstanceStatus}")]
        return source_side.reopen(view)

    def health(self, view: RdsView, run: RunContext) -> list[Check]:
        """Check that the target stands alone and is up, and after REPLICATE that it is followed; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, target = view.member.resource_id, view.target
        status = target.DBInstanceStatus if target else "not there"
        up = {"available": CheckState.HEALTHY, "backing-up": CheckState.HEALTHY}.get(status, CheckState.SETTLING)
        role = CheckState.HEALTHY if view.promoted else CheckState.UNHEALTHY
        follows = target.ReadReplicaSourceDBInstanceIdentifier if target else None
        checks = [
            Check(me, "role", role, f"{view.member.target.id} replicates from {follows or 'nobody'}"),
            Check(me, "instance", up, f"{view.member.target.id} is {status}"),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        if view.strategy != READ_REPLICA:
            safe, detail = restore.protection(view)
        else:
            shown = view.source.replication if view.source and view.reversed else "not there"
            safe, detail = shown == "replicating", f"replication of {base_name(view.member.source.id)} is {shown}"
        return [*checks, Check(me, "protection", CheckState.HEALTHY if safe else CheckState.SETTLING, detail)]

    def endpoints(self, view: RdsView, run: RunContext) -> list[Endpoint]:
        """Return where the target side, in a drill its copy, accepts connections."""
        known = view.copy.endpoint if run.mode is Mode.DRILL else view.target.Endpoint if view.target else None
        return [Endpoint(view.member.resource_id, known.Address, known.Port)] if known and known.Address else []

    def after(self, phase: Phase, view: RdsView, run: RunContext) -> RdsView:
        """Foresee what a phase leaves behind; see `adapters.rds.foresight`."""
        return foreseen(phase, view, run)
