"""Aurora MySQL binlog replica: the replica cluster in the target Region is promoted, and a new one follows it from the source Region.

instantiate  make sure that the replica cluster has an instance (rds.CreateDBInstance); where only a subnet group stands in for
             it, make it (rds.CreateDBCluster) with as many instances as the source has; drill: snapshot of the replica cluster,
             restored beside it
activate     planned: fence the source (ec2.CreateSecurityGroup, rds.AddTagsToResource, rds.ModifyDBCluster,
             rds.RebootDBInstance of its writer), wait for AuroraBinlogReplicaLag 0; both: rds.PromoteReadReplicaDBCluster
cleanup      keep the old primary fenced; free its name with rds.ModifyDBCluster (`<id>-retired-<run>`); drill: delete the copies
replicate    rds.CreateDBCluster (ReplicationSourceIdentifier) and rds.CreateDBInstance in the source Region,
             rds.RemoveTagsFromResource (dr:enabled of the retired cluster)

decommission rds.ModifyDBCluster (deletion protection), rds.DeleteDBInstance and rds.DeleteDBCluster of retired clusters, with
             a final snapshot, once a replica cluster follows from the source side

A retired cluster stays, fenced and out of the scope, until then. After a failover and a failback the estate is as it was,
except for the retired clusters. A replica cluster without instance replicates nothing, and
its instances reboot when it is promoted (Aurora user guide, "Promoting a read replica to a DB cluster for Aurora MySQL").
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.aurora import drill
from adapters.aurora import source as source_side
from adapters.aurora.discovery import discover
from adapters.aurora.follower import follower, standby
from adapters.aurora.foresight import foreseen
from adapters.aurora.leftovers import delete_retired
from adapters.aurora.making import first_instance, is_made_here, serving
from adapters.aurora.restore_readiness import claims, to_be_made
from adapters.aurora.spec import CROSS_REGION_REPLICA, PROMOTION_BOUND_SECONDS, SPEC
from adapters.aurora.view_replica import ReplicaView, look
from adapters.databases.needs import MODIFY_CLUSTER, no_replica, standing
from adapters.databases.shared import CLUSTER, base_name, not_yet, retired_name
from adapters.judging import ready, red, too_slow, warning
from orchestrator.contract import (
    Adapter,
    Call,
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
    done,
    failed,
    skip,
    todo,
)
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class CrossRegionReplica(Adapter[ReplicaView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.aurora.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> ReplicaView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: ReplicaView, run: RunContext) -> list[Finding]:
        """Judge engine, replication, instances, and lag against the RPO."""
        me, member, target = view.member.resource_id, view.member, view.target
        name, lag, found = target.DBClusterIdentifier, view.lag_seconds, list[Finding]()
        if target.Engine != "aurora-mysql":
            remedy = "set dr:recovery-strategy to global-database, then: dr plan"
            found.append(red(me, "engine", f"{name} runs {target.Engine}, which has no binlog replicas.", remedy))
        if member.source.account != member.target.account:
            found.append(red(me, "accounts", f"the sides are in {member.source.account} and {member.target.account}."))
        if not target.there:
            return [*found, *self._missing(view, run)]
        if target.Status != "available":
            found.append(red(me, "status", f"{name} is {target.Status}, expected available."))
        if not view.instances:
            found.append(warning(me, "headless", f"{name} has no instance, so it replicates nothing."))
        if view.two_writers and run.mode is Mode.PLANNED:
            found += [red(me, "two-writers", f"{step.reason}.", step.remedy) for step in _guard(view, run)]
        elif view.promoted and not view.reversed:
            text = (
                f"{name} replicates from nobody: it was promoted before, and is protected by nothing until REPLICATE."
            )
            found.append(warning(me, "promoted", text))
        if not view.promoted:
            found += self._lag(view, run)
        certificates = {each.DBInstanceIdentifier: each.CertificateDetails for each in view.instances}
        found += standing(member, target.MasterUserSecret, certificates, view.key_states, run)
        found += too_slow(member, SPEC.strategy(CROSS_REGION_REPLICA))
        shown = f"lag {lag[0]:.0f} s" if lag and lag[0] >= 0 else "lag unknown"
        return found or [ready(me, f"{name} can take over, {shown}.")]

    def _missing(self, view: ReplicaView, run: RunContext) -> list[Finding]:
        """Judge whether the replica that is missing can be made."""
        me, place, source = view.member.resource_id, view.member.target, view.old
        text = f"there is no cluster {place.id} in {place.region}"
        if run.mode is not Mode.PLANNED or not is_made_here(view.member):
            return [red(me, "no-target", f"{text}.", "make one by a planned run, or set dr:recovery-strategy")]
        found = [warning(me, "no-target", f"{text}: INSTANTIATE makes it, which takes hours for large ones.")]
        if source is None or source.Status not in {"available", "backing-up"}:
            shown = source.Status if source else "not there"
            found.append(red(me, "source-status", f"{view.member.source.arn} is {shown}, expected available."))
        found += no_replica(view.member, source.MasterUserSecret if source else None, MODIFY_CLUSTER)
        return [*found, *to_be_made(view)]

    def _lag(self, view: ReplicaView, run: RunContext) -> list[Finding]:
        me, lag, follows = view.member.resource_id, view.lag_seconds, view.target.ReplicationSourceIdentifier
        name, limit, found = view.target.DBClusterIdentifier, run.rpo_minutes.get(view.member.resource_id), []
        if follows != view.member.source.arn:
            found.append(red(me, "other-source", f"{name} follows {follows}, expected {view.member.source.arn}."))
        known = [each for each in lag if each >= 0]
        if run.mode is not Mode.EMERGENCY and (not lag or lag[0] < 0):
            found.append(red(me, "lag", f"{name} reports no binlog lag: it does not replicate."))
        elif limit is not None and known and known[0] > limit * 60:
            found.append(red(me, "lag", f"binlog lag is {known[0]:.0f} s, dr:rpo-target is {limit} min."))
        return found

    def claims(self, view: ReplicaView, run: RunContext) -> list[Claim]:
        """Count the cluster and the instances to be made."""
        return claims(view)

    def loss(self, view: ReplicaView, run: RunContext) -> list[Loss]:
        """Report the last known lag."""
        known = [each for each in view.lag_seconds if each >= 0]
        return [Loss(view.member.resource_id, known[0] if known else None, "last known AuroraBinlogReplicaLag")]

    def instantiate(self, view: ReplicaView, run: RunContext) -> list[Step]:
        """Give the replica cluster an instance; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if refused := _guard(view, run):
            return refused
        return standby(view, run) if is_made_here(view.member) else [first_instance(view, run)]

    def activate(self, view: ReplicaView, run: RunContext) -> list[Step]:
        """Promote the replica cluster, in a planned run behind the fence and without lag."""
        if run.mode is Mode.DRILL:
            return skip("a drill promotes nothing; its copy is writable from birth")
        if not view.target.there:
            return [_no_target(view)]
        if run.mode is Mode.EMERGENCY:
            return [first_instance(view, run), _promote(view, run), serving(view)]
        if refused := _guard(view, run):
            return refused
        before = [*source_side.fence(view, run), source_side.cut(view, run), source_side.drained(view, run)]
        return [*before, _promote(view, run), serving(view)]

    def cleanup(self, view: ReplicaView, run: RunContext) -> list[Step]:
        """Keep the old primary fenced and free its name; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if not view.promoted:
            why = f"{view.member.target.id} still replicates from {view.member.source.id}: the source stays in service"
            return [blocked("fence", why, "run ACTIVATE first")]
        if view.reversed:
            return skip(f"{base_name(view.member.source.id)} is a replica of {view.member.target.id} already")
        return [
            *source_side.fence(view, run),
            source_side.rename("free-name", view, retired_name(view.member, run)),
        ]

    def replicate(self, view: ReplicaView, run: RunContext) -> list[Step]:
        """Put a replica cluster where the old primary was."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        if not view.promoted:
            why = f"{view.member.target.id} is a replica itself"
            return [blocked("replica", why, "run ACTIVATE first")]
        return follower(view, run)

    def decommission(self, view: ReplicaView, run: RunContext) -> list[Step]:
        """Delete the retired clusters of the source side, each with a final snapshot; see `adapters.aurora.leftovers`."""
        return delete_retired(view, protected=view.reversed and _is_up(view))

    def rollback(self, phase: Phase, view: ReplicaView, run: RunContext) -> list[Step]:
        """Open the source again while the replica is not promoted; give the old primary its name back."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.CLEANUP and not view.reversed:
            return [source_side.rename("restore-name", view, base_name(view.member.source.id))]
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone: what it made is a standby, and stays")
        if view.promoted:
            why = f"{view.member.target.id} is promoted: that cannot be undone"
            return [blocked("unfence", why, "later: dr start --operation failback")]
        if view.target.Status == "promoting":
            return [busy("unfence", f"{view.member.target.id} is being promoted")]
        if run.mode is Mode.EMERGENCY:
            return skip("nothing was promoted and nothing was fenced")
        return source_side.reopen(view)

    def health(self, view: ReplicaView, run: RunContext) -> list[Check]:
        """Check who writes, whether the instances serve, and after REPLICATE whether it is followed; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, target = view.member.resource_id, view.target
        up = [each for each in view.instances if each.DBInstanceStatus == "available"]
        serving = CheckState.HEALTHY if target.Status == "available" and up else CheckState.SETTLING
        role = CheckState.HEALTHY if view.promoted else CheckState.UNHEALTHY
        shown = "stands alone" if view.promoted else f"replicates from {target.ReplicationSourceIdentifier}"
        checks = [
            Check(me, "writer", role, f"{target.DBClusterIdentifier} {shown}"),
            Check(me, "cluster", serving, f"{target.Status}, {len(up)}/{len(view.instances)} instances available"),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        follows = view.reversed and _is_up(view)
        detail = f"{base_name(view.member.source.id)} {'follows it' if follows else 'does not follow it yet'}"
        return [*checks, Check(me, "protection", CheckState.HEALTHY if follows else CheckState.SETTLING, detail)]

    def endpoints(self, view: ReplicaView, run: RunContext) -> list[Endpoint]:
        """Return the cluster endpoint of the target side, in a drill of its copy."""
        found = view.copy.endpoint if run.mode is Mode.DRILL else view.target.endpoint
        return [Endpoint(view.member.resource_id, *found)] if found else []

    def after(self, phase: Phase, view: ReplicaView, run: RunContext) -> ReplicaView:
        """Foresee fence and promotion, the freed name, the new replica, and the copy of a drill."""
        if run.mode is Mode.DRILL:
            return drill.foreseen(view, phase)
        return foreseen(phase, view, run)


def _is_up(view: ReplicaView) -> bool:
    return any(each.DBInstanceStatus == "available" for each in view.source_instances)


def _guard(view: ReplicaView, run: RunContext) -> list[Step]:
    """Return a refusal when both sides take writes."""
    if run.mode is not Mode.PLANNED or not view.two_writers:
        return []
    target, source = view.member.target, view.member.source
    why = (
        f"{target.arn} and {source.arn} both take writes, and neither follows the other: nobody knows which is current"
    )
    remedy = f"if {target.region} is: dr start with Phases CLEANUP,REPLICATE. If not: make a new replica, then: dr plan"
    return [blocked("promote", why, remedy)]


def _promote(view: ReplicaView, run: RunContext) -> Step:
    name, target = "promote", view.target
    call = Call("rds", "PromoteReadReplicaDBCluster", {"DBClusterIdentifier": target.DBClusterIdentifier}, Side.TARGET)
    if view.promoted:
        return done(name, f"{target.DBClusterIdentifier} replicates from nobody", effect=Effect.IRREVERSIBLE)
    observed = f"{target.DBClusterIdentifier} is {target.Status}, replicates from {target.ReplicationSourceIdentifier}"
    waited = run.seconds_since(name)
    if waited is not None and waited > PROMOTION_BOUND_SECONDS:
        return failed(name, f"{observed}, {waited / 60:.0f} min after the call", "look at its events in the console.")
    if target.Status != "available":
        return not_yet(name, target.DBClusterIdentifier, target.Status, CLUSTER, effect=Effect.IRREVERSIBLE, call=call)
    return todo(name, call, Effect.IRREVERSIBLE, observed)


def _no_target(view: ReplicaView) -> Step:
    """Refuse an activation without a replica: none can be made without its source."""
    place = view.member.target
    why = f"there is no cluster {place.id} in {place.region}: nothing can be promoted"
    return blocked("promote", why, "planned: run INSTANTIATE first. Emergency: restore a copied snapshot by hand.")
