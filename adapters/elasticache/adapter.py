"""ElastiCache: a replication group serves from the target Region, by one of three strategies.

global-datastore  instantiate: elasticache.CreateGlobalReplicationGroup and CreateReplicationGroup for what is missing,
                  IncreaseReplicaCount; activate: fence the old primary (ec2.CreateSecurityGroup, AddTagsToResource,
                  ModifyReplicationGroup), wait for lag, FailoverGlobalReplicationGroup sent to the target's Region; in an
                  emergency at once, and DisassociateGlobalReplicationGroup when it is declined or without effect; cleanup:
                  nothing, after a detachment fence what writes on; replicate: open the old primary, which is the reverse
                  replica now; after a detachment a new datastore and a new secondary beside the old group
backup-restore    instantiate: CreateSnapshot, CopySnapshot to S3, wait for S3's replication: a first export proves the way;
                  activate: fence, the same again behind the fence, CreateReplicationGroup from that copy; emergency: from
                  the newest complete export; replicate: an export the other way
rebuild           instantiate (emergency: activate): CreateReplicationGroup, empty; cleanup: fence the old group
decommission      DeleteReplicationGroup with a final snapshot, of fenced groups that are no standby
drill             a group of its own (from a snapshot, an export, or empty) behind a security group that lets nobody in

The counterpart of a cache that has none yet is a tagged cache subnet group: `dr:standby-for` names the caches, and
`dr:export-bucket`, `dr:security-groups`, `dr:kms-key` tell the Regional rest. Names cannot be changed: while an old group
holds the name, a new one is called `<name>-<run>`. Both sides should bear one name: alone, nothing else tells the pair.
It never reboots, never deletes outside DECOMMISSION and drills, never attaches a group to a datastore (that would wipe it).
PrimaryRegion is the NEW primary's Region (API reference of FailoverGlobalReplicationGroup). The lag is published by
CacheClusterId (AWS CDK, canned metrics of AWS/ElastiCache) and tells the slowest shard (user guide, metrics).
"""

from __future__ import annotations

from collections.abc import Sequence

from adapters.elasticache import drill, nodes
from adapters.elasticache import global_datastore as datastore
from adapters.elasticache import restore as standing_alone
from adapters.elasticache.discovery import find
from adapters.elasticache.fence import fence
from adapters.elasticache.foresight import foreseen
from adapters.elasticache.readiness import findings
from adapters.elasticache.spec import BACKUP_RESTORE, GLOBAL_DATASTORE, SPEC
from adapters.elasticache.view import ElastiCacheView
from adapters.elasticache.view_look import look
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
    done,
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side


class ElastiCacheAdapter(Adapter[ElastiCacheView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged groups, and tagged subnet groups where a group is still to be made."""
        return find(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> ElastiCacheView:
        """Read both sides, in an emergency and a drill only the target side."""
        view = look(target, aws, run)
        return nodes.with_rooms(view, aws.at(Side.TARGET), run) if run.planning else view

    def readiness(self, view: ElastiCacheView, run: RunContext) -> list[Finding]:
        """Judge roles, lag, exports, keys and surroundings; see `adapters.elasticache.readiness`."""
        return findings(view, run)

    def claims(self, view: ElastiCacheView, run: RunContext) -> list[Claim]:
        """Count the nodes to be made."""
        return nodes.claims(view, run)

    def loss(self, view: ElastiCacheView, run: RunContext) -> list[Loss]:
        """Report the lag, the age of the newest export, or that the content goes by design."""
        me = view.member.resource_id
        if view.strategy == GLOBAL_DATASTORE:
            lag = view.lag_points[0].value if view.lag_points else None
            return [Loss(me, lag, "last known GlobalDatastoreReplicationLag")]
        if view.strategy == BACKUP_RESTORE:
            age = (run.now - view.exports[0].at).total_seconds() if view.exports else None
            return [Loss(me, age, "age of the newest export on the target side")]
        return [Loss(me, None, "the whole content of the cache: it is rebuilt cold and warms itself")]

    def instantiate(self, view: ElastiCacheView, run: RunContext) -> list[Step]:
        """Make what is missing on the target side; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        if view.strategy == GLOBAL_DATASTORE:
            return datastore.instantiate(view, run)
        return standing_alone.instantiate(view, run)

    def activate(self, view: ElastiCacheView, run: RunContext) -> list[Step]:
        """Promote, restore, or wait for the empty group."""
        if run.mode is Mode.DRILL:
            return skip("a drill promotes nothing; its copy stands alone from birth")
        if view.strategy == GLOBAL_DATASTORE:
            return datastore.activate(view, run)
        return standing_alone.activate(view, run)

    def cleanup(self, view: ElastiCacheView, run: RunContext) -> list[Step]:
        """Fence what the source side still has of its own; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if view.strategy != GLOBAL_DATASTORE:
            return standing_alone.cleanup(view, run)
        if not view.target_writes:
            why = f"{view.member.target.id} in {view.member.target.region} does not take the writes"
            return [blocked("fence", why, "run ACTIVATE first.")]
        if view.detached:
            return fence(view, run)
        return skip("the old primary is the reverse replica already and takes no writes")

    def replicate(self, view: ElastiCacheView, run: RunContext) -> list[Step]:
        """Protect the target: a secondary, or an export, on the source side."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        if view.strategy == GLOBAL_DATASTORE:
            return datastore.replicate(view, run)
        return standing_alone.replicate(view, run)

    def rollback(self, phase: Phase, view: ElastiCacheView, run: RunContext) -> list[Step]:
        """Promote the old primary again, or open the source while nothing was restored."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.ACTIVATE:
            if view.strategy == GLOBAL_DATASTORE:
                return datastore.rollback(view, run)
            return standing_alone.rollback_activate(view, run)
        if phase is Phase.CLEANUP and view.strategy != GLOBAL_DATASTORE:
            return standing_alone.rollback_cleanup(view)
        return skip(f"{phase} changed nothing that must be undone")

    def decommission(self, view: ElastiCacheView, run: RunContext) -> list[Step]:
        """Delete fenced groups that are no standby, each with a final snapshot."""
        if view.strategy != GLOBAL_DATASTORE:
            return standing_alone.decommission(view, run)
        mine = view.source_member
        if not view.target_writes or mine is None or mine.Status.lower() != "associated":
            seen = mine.Status if mine else "not there"
            return [
                blocked("delete-old-group", f"the new secondary is {seen}, expected associated", "run REPLICATE first.")
            ]
        steps = datastore.retired(view, run)
        if not steps and any(name.startswith("delete-") for name in run.called_at):
            return [done("delete-old-group", f"nothing is left of the old {view.base}")]
        return steps or skip("the source side is the new secondary: nothing of it may be deleted")

    def health(self, view: ElastiCacheView, run: RunContext) -> list[Check]:
        """Check role, shards and nodes, and after REPLICATE the protection; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, target = view.member.resource_id, view.target
        if target is None:
            text = f"nothing serves {view.base} in {view.member.target.region}"
            return [Check(me, "group", CheckState.UNHEALTHY, text)]
        role = CheckState.HEALTHY if view.target_writes else CheckState.UNHEALTHY
        seen = view.target_member.Role if view.target_member else "stand-alone"
        shards = [each.NodeGroupId for each in target.group.NodeGroups if not _serves(view, each.NodeGroupId)]
        well = target.status in {"available", "snapshotting"} and not shards
        state = CheckState.HEALTHY if well else CheckState.SETTLING
        down = [n.CacheClusterId for n in target.nodes if n.CacheClusterStatus not in {"available", "snapshotting"}]
        nodes = CheckState.SETTLING if down or not target.nodes else CheckState.HEALTHY
        checks = [
            Check(me, "role", role, f"{target.id} is {seen}"),
            Check(
                me, "group", state, f"{target.id} is {target.status}; shards not serving: {', '.join(shards) or 'none'}"
            ),
            Check(me, "nodes", nodes, f"{len(target.nodes) - len(down)} of {len(target.nodes)} nodes are available"),
        ]
        return [*checks, _protection(view)] if run.phase is Phase.REPLICATE else checks

    def endpoints(self, view: ElastiCacheView, run: RunContext) -> list[Endpoint]:
        """Return the primary's endpoint, or the configuration endpoint with cluster mode; a drill's copy lets nobody in."""
        if run.mode is Mode.DRILL or view.target is None:
            return []
        group = view.target.group
        told = group.ConfigurationEndpoint or (group.NodeGroups[0].PrimaryEndpoint if group.NodeGroups else None)
        return [Endpoint(view.member.resource_id, told.Address, told.Port)] if told else []

    def after(self, phase: Phase, view: ElastiCacheView, run: RunContext) -> ElastiCacheView:
        """Foresee roles, fences and new groups; see `adapters.elasticache.foresight`."""
        return foreseen(phase, view, run)


def _serves(view: ElastiCacheView, shard_id: str) -> bool:
    """Say whether a shard is up with exactly one primary; with cluster mode nobody tells the roles."""
    assert view.target is not None
    shard = next(each for each in view.target.group.NodeGroups if each.NodeGroupId == shard_id)
    primaries = [node for node in shard.NodeGroupMembers if node.CurrentRole == "primary"]
    return shard.Status in {"available", "snapshotting"} and (view.target.group.ClusterEnabled or len(primaries) == 1)


def _protection(view: ElastiCacheView) -> Check:
    me = view.member.resource_id
    if view.strategy == GLOBAL_DATASTORE:
        status = view.source_member.Status if view.source_member else "not there"
        state = CheckState.HEALTHY if status.lower() == "associated" else CheckState.SETTLING
        return Check(me, "protection", state, f"the secondary in {view.member.source.region} is {status}")
    if view.strategy == BACKUP_RESTORE:
        newest = view.source_exports[0].keys[0] if view.source_exports else "none"
        state = CheckState.HEALTHY if view.protected else CheckState.SETTLING
        return Check(me, "protection", state, f"newest export on the other side: {newest}")
    return Check(me, "protection", CheckState.HEALTHY, "a cold cache needs none")
