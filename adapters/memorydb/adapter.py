"""MemoryDB: a multi-Region cluster is opened on the other side, a single-Region one is restored there from an export.

multi-region (active-active: there is no promotion)
instantiate  memorydb.CreateCluster where the target side has no member; memorydb.UpdateCluster to the source's replica count
activate     planned: fence the source's member (ec2.CreateSecurityGroup, memorydb.TagResource, memorydb.UpdateCluster), wait for
             lag zero, open the target's (memorydb.UpdateCluster, memorydb.UntagResource) if an earlier run fenced it;
             emergency: open it if it is fenced, else verify only
cleanup      keep the source's member fenced, also when it returns after an emergency: its late writes merge by themselves
replicate    the source's member is there and available; memorydb.CreateCluster where it was removed

snapshot-restore
instantiate  a first export proves the way: memorydb.CreateSnapshot, memorydb.CopySnapshot to S3, S3 replication carries it over
activate     planned: fence, then snapshot and export behind the fence; memorydb.CreateCluster(SnapshotArns) as `<name>-dr-<run>`;
             emergency: the same from the newest whole export that is there
cleanup      keep the old cluster fenced
replicate    snapshot and export of the new cluster, until it has arrived on the source side
decommission memorydb.TagResource (the old subnet group stands in for the way back), memorydb.DeleteCluster with a final snapshot

drill        a stand-alone copy behind a security group of its own, of a snapshot (multi-region) or of the newest export

The fence is what shows which side serves: MemoryDB itself knows no active side. It never deletes a member, fails no shard over,
converts no cluster. Where nothing stands on a side yet, a subnet group with the tag `dr:standby-for` stands in for it, and tells
by `dr:security-groups`, `dr:kms-key` and `dr:export-bucket` what a restored cluster gets there.

Facts: a cluster that does not hold its snapshot ends in `restore-failed` (developer guide, seeding a new cluster). Lag is published
per pair of Regions and shard, in milliseconds (developer guide, monitoring MemoryDB Multi-Region). The network interfaces are made
by MemoryDB's service-linked role, so callers need no ec2 permission (managed policy AmazonMemoryDBFullAccess). An export must not
exist already (API reference, CopySnapshot), and asks s3 permissions of its caller (developer guide, exporting a snapshot).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.memorydb import discovery as memorydb_discovery
from adapters.memorydb import drill, members, nodes, restore
from adapters.memorydb.foresight import foresee
from adapters.memorydb.readiness import findings
from adapters.memorydb.spec import MULTI_REGION, SPEC
from adapters.memorydb.view import MemoryDbView, look
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
    skip,
)
from orchestrator.words import CheckState, Mode, Phase, Side


class MemoryDbAdapter(Adapter[MemoryDbView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged clusters, and the subnet groups that stand in for missing ones."""
        return memorydb_discovery.discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> MemoryDbView:
        """Read both sides, as far as the run may reach them."""
        view = look(target, aws, run)
        return nodes.with_room(view, aws.at(Side.TARGET), run) if run.planning else view

    def readiness(self, view: MemoryDbView, run: RunContext) -> list[Finding]:
        """Judge members or exports and their surroundings; see `adapters.memorydb.readiness`."""
        return findings(view, run)

    def claims(self, view: MemoryDbView, run: RunContext) -> list[Claim]:
        """Count the nodes to be made."""
        return nodes.claims(view, run)

    def loss(self, view: MemoryDbView, run: RunContext) -> list[Loss]:
        """Report the last known lag, or the age of the newest export on the target side."""
        me = view.member.resource_id
        if view.strategy == MULTI_REGION:
            seconds = None if view.lag_ms is None else view.lag_ms / 1000
            return [Loss(me, seconds, "last known lag; these writes merge when the source Region returns")]
        newest = next(iter(view.complete(Side.TARGET)), None)
        if newest is None:
            return [Loss(me, None, "no whole export is on the target side: everything would be lost")]
        return [Loss(me, (run.now - newest.at).total_seconds(), f"age of the newest export, {newest.name}")]

    def instantiate(self, view: MemoryDbView, run: RunContext) -> list[Step]:
        """Make sure of the target side's member, or of the way the exports take; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        return members.prepare(view, run) if view.strategy == MULTI_REGION else restore.rehearse(view, run)

    def activate(self, view: MemoryDbView, run: RunContext) -> list[Step]:
        """Fence and drain the source side, and let clients into the target side's cluster."""
        if run.mode is Mode.DRILL:
            return skip("a drill fences and opens nothing; its copy is writable from birth")
        return members.take_over(view, run) if view.strategy == MULTI_REGION else restore.take_over(view, run)

    def cleanup(self, view: MemoryDbView, run: RunContext) -> list[Step]:
        """Keep clients out of the source side; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        return members.quiet(view, run) if view.strategy == MULTI_REGION else restore.quiet(view, run)

    def replicate(self, view: MemoryDbView, run: RunContext) -> list[Step]:
        """Make sure that the source side has a member, or an export of the new cluster."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        return members.standby(view, run) if view.strategy == MULTI_REGION else restore.protect(view, run)

    def decommission(self, view: MemoryDbView, run: RunContext) -> list[Step]:
        """Delete the old cluster after a final snapshot; a member stays, it is the standby."""
        if view.strategy == MULTI_REGION:
            return skip("the source side's member is the new standby: nothing of it may be deleted")
        return restore.discard(view, run)

    def rollback(self, phase: Phase, view: MemoryDbView, run: RunContext) -> list[Step]:
        """Let clients into the source side again, unless a restored cluster has accepted writes."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        return members.undo(phase, view, run) if view.strategy == MULTI_REGION else restore.undo(phase, view, run)

    def health(self, view: MemoryDbView, run: RunContext) -> list[Check]:
        """Check that the target side lets clients in and is whole, and who protects it; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, cluster = view.member.resource_id, view.target.cluster
        if cluster is None or (view.strategy != MULTI_REGION and run.phase is Phase.INSTANTIATE):
            return _before_restore(view, run)
        whole = CheckState.HEALTHY if cluster.status == "available" and cluster.whole else CheckState.SETTLING
        checks = [Check(me, "cluster", whole, f"{cluster.Name} is {cluster.status}, its nodes are {_nodes(view)}")]
        if run.phase is not Phase.INSTANTIATE:
            role = CheckState.UNHEALTHY if view.target.fenced else CheckState.HEALTHY
            checks.append(
                Check(me, "open", role, f"{cluster.Name} {'is fenced' if view.target.fenced else 'lets clients in'}")
            )
        if run.phase is Phase.REPLICATE and view.strategy == MULTI_REGION:
            shown = (view.group.members if view.group else {}).get(view.member.source.region, "no member")
            state = CheckState.HEALTHY if shown == "available" else CheckState.SETTLING
            checks.append(Check(me, "protection", state, f"the member in {view.member.source.region} is {shown}"))
        return checks

    def endpoints(self, view: MemoryDbView, run: RunContext) -> list[Endpoint]:
        """Return the cluster's configuration endpoint; a drill's copy lets nobody in, the probe neither."""
        cluster = view.target.cluster
        if run.mode is Mode.DRILL or cluster is None or cluster.ClusterEndpoint is None or view.target.fenced:
            return []
        return [Endpoint(view.member.resource_id, cluster.ClusterEndpoint.Address, cluster.ClusterEndpoint.Port)]

    def after(self, phase: Phase, view: MemoryDbView, run: RunContext) -> MemoryDbView:
        """Foresee fence, open or restored cluster, exports, and the copy of a drill."""
        if run.mode is Mode.DRILL:
            there = drill.foreseen(view)
            return replace(view, copy=type(there)() if phase is Phase.CLEANUP else there)
        return foresee(phase, view, run)


def _nodes(view: MemoryDbView) -> str:
    cluster = view.target.cluster
    return "available" if cluster is not None and cluster.whole else "not all available"


def _before_restore(view: MemoryDbView, run: RunContext) -> list[Check]:
    """Before a restore nothing serves on the target side, and nothing has to."""
    missing = run.phase is not Phase.INSTANTIATE
    state = CheckState.UNHEALTHY if missing else CheckState.HEALTHY
    there = "there is no cluster on the target side" if view.target.cluster is None else "nothing is restored yet"
    return [Check(view.member.resource_id, "cluster", state, there)]
