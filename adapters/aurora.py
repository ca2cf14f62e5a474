"""Aurora global database: the target cluster of the global cluster becomes its writer.

instantiate  make sure that the target cluster has an instance (rds.CreateDBInstance); drill: snapshot of the target cluster,
             restored beside it
activate     planned: rds.SwitchoverGlobalCluster, sent to the writer's Region; emergency: rds.FailoverGlobalCluster with
             AllowDataLoss, sent to the target's Region; when that shows no effect, rds.RemoveFromGlobalCluster
cleanup      nothing: the old writer's cluster is the reverse replica already; drill: delete the copies
replicate    wait until the old writer's cluster is a connected reader again

It deliberately never deletes or stops a member of a global cluster, and never uses FailoverGlobalCluster in a planned run.
DocumentDB, Neptune and Multi-AZ DB clusters, which Resource Explorer also lists as rds:cluster, are refused by engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.drills import aurora as drill
from adapters.judging import ready, red
from adapters.reading import tag_map
from adapters.specs.aurora import AURORA_ENGINES, DETACH_AFTER_SECONDS, FAILED_STATUSES, SPEC
from adapters.views.aurora import AuroraView, Clusters, DrillCopy, GlobalClusters, look
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Clients,
    Finding,
    Found,
    Loss,
    Place,
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
from orchestrator.errors import ValidationError
from orchestrator.words import CheckState, Effect, Mode, Phase, Side

_RESYNC = "wait until the member is connected again, or start the run as an emergency if the source Region is lost."


class AuroraAdapter(Adapter[AuroraView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged clusters with the global cluster that joins the two sides."""
        groups = [g for page in aws.pages("rds", "DescribeGlobalClusters", GlobalClusters) for g in page.GlobalClusters]
        joined = {m.DBClusterArn: g.GlobalClusterIdentifier for g in groups for m in g.GlobalClusterMembers}
        clusters = [c for page in aws.pages("rds", "DescribeDBClusters", Clusters) for c in page.DBClusters]
        found = []
        for cluster in (c for c in clusters if c.DBClusterArn in arns):
            if cluster.Engine not in AURORA_ENGINES:
                raise ValidationError(
                    f"{cluster.DBClusterArn} runs {cluster.Engine}; expected one of {', '.join(AURORA_ENGINES)}.",
                    "remove dr:enabled from it: this engine is not supported.",
                    code="UnsupportedEngine",
                )
            group = joined.get(cluster.DBClusterArn)
            facts: dict[str, JsonValue] = {"global_cluster": group, "version": cluster.EngineVersion}
            place = Place(aws.account, aws.region, cluster.DBClusterIdentifier, cluster.DBClusterArn, facts)
            name = group or cluster.DBClusterIdentifier
            found.append(Found(name, name, place, tag_map(cluster.TagList), "global-database" if group else None))
        return found

    def observe(self, target: Target, aws: Clients, run: RunContext) -> AuroraView:
        """Read everything from the target's Region: it knows both sides."""
        return look(target, aws, run)

    def readiness(self, view: AuroraView, run: RunContext) -> list[Finding]:
        """Judge topology, synchronisation, instances, and lag against the RPO."""
        me, group, findings = view.member.resource_id, view.group, []
        if run.mode is not Mode.EMERGENCY:
            if group.Status != "available":
                observed = group.Status or "not there"
                findings.append(
                    red(me, "global-status", f"{group.GlobalClusterIdentifier} is {observed}, expected available.")
                )
            unsynced = {
                arn: status for arn, status in view.sync.items() if arn != view.writer_arn and status != "connected"
            }
            findings += [
                red(me, "not-connected", f"{arn} is {status}, expected connected.") for arn, status in unsynced.items()
            ]
        if view.member.target.arn not in view.sync and not view.target_writes:
            findings.append(
                red(me, "no-member", f"{view.member.target.arn} is no member of {group.GlobalClusterIdentifier}.")
            )
        if not view.instances and run.mode is Mode.EMERGENCY:
            findings.append(
                red(me, "headless", f"{view.target.DBClusterIdentifier} has no instance: nothing can serve.")
            )
        limit = run.rpo_minutes.get(me)
        if limit is not None and view.lag_ms is not None and view.lag_ms > limit * 60_000:
            findings.append(red(me, "lag", f"replication lag is {_shown(view.lag_ms)}, dr:rpo-target is {limit} min."))
        return findings or [ready(me, f"{view.target.DBClusterIdentifier} can take over, lag {_shown(view.lag_ms)}.")]

    def loss(self, view: AuroraView, run: RunContext) -> list[Loss]:
        """Report the replication lag."""
        seconds = None if view.lag_ms is None else view.lag_ms / 1000
        return [Loss(view.member.resource_id, seconds, "global database replication lag")]

    def instantiate(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Give the target cluster an instance; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        waiting = [i for i in view.instances if i.DBInstanceStatus != "available"]
        if waiting:
            observed = f"{waiting[0].DBInstanceIdentifier} is {waiting[0].DBInstanceStatus}"
            return [busy("instance", f"{observed}, expected available")]
        if view.instances:
            return [done("instance", f"{len(view.instances)} instance(s) available")]
        cluster = view.target.DBClusterIdentifier
        call = drill.create_instance(cluster, f"{cluster}-{run.short_id}", view, run)
        return [todo("instance", call, Effect.REVERSIBLE, f"{cluster} has no instance")]

    def activate(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Make the target cluster the writer."""
        if run.mode is Mode.DRILL:
            return skip("a drill promotes nothing; its copy is writable from birth")
        if run.mode is Mode.EMERGENCY:
            return [*self._fail_over(view, run), self._serving(view)]
        return [self._switch_over(view, view.member.target, Side.SOURCE), self._serving(view)]

    def _switch_over(self, view: AuroraView, to: Place, sent_to: Side) -> Step:
        name, group = "switch-over-global-cluster", view.group
        params = {"GlobalClusterIdentifier": group.GlobalClusterIdentifier, "TargetDbClusterIdentifier": to.arn}
        call = Call("rds", "SwitchoverGlobalCluster", params, sent_to)
        if view.switching:
            return busy(name, view.switching, effect=Effect.REVERSIBLE, call=call)
        if view.writer_arn == to.arn:
            return done(name, f"{to.arn} is the writer", effect=Effect.REVERSIBLE)
        if group.Status != "available":
            reason = f"{group.GlobalClusterIdentifier} is {group.Status}, expected available"
            return busy(name, reason, effect=Effect.REVERSIBLE, call=call)
        if view.sync.get(to.arn) != "connected":
            observed = view.sync.get(to.arn, "not a member")
            return blocked(name, f"{to.arn} is {observed}, expected connected", _RESYNC, call=call)
        return todo(name, call, Effect.REVERSIBLE, f"the writer is {view.writer_arn}")

    def _fail_over(self, view: AuroraView, run: RunContext) -> list[Step]:
        name, arn, group = "fail-over-global-cluster", view.member.target.arn, view.group.GlobalClusterIdentifier
        target = {"GlobalClusterIdentifier": group, "TargetDbClusterIdentifier": arn}
        call = Call("rds", "FailoverGlobalCluster", {**target, "AllowDataLoss": True}, Side.TARGET)
        if view.target_writes:
            return [done(name, f"{arn} is the writer", effect=Effect.IRREVERSIBLE)]
        waited = run.seconds_since(name)
        if waited is not None and waited > DETACH_AFTER_SECONDS:
            detachment = {"GlobalClusterIdentifier": group, "DbClusterIdentifier": arn}
            detach = Call("rds", "RemoveFromGlobalCluster", detachment, Side.TARGET)
            why = f"no effect {waited:.0f} s after the failover call"
            return [todo("detach-target-cluster", detach, Effect.IRREVERSIBLE, why)]
        if view.switching:
            return [busy(name, view.switching, effect=Effect.IRREVERSIBLE, call=call)]
        return [todo(name, call, Effect.IRREVERSIBLE, f"the writer is {view.writer_arn}; lag {_shown(view.lag_ms)}")]

    def _serving(self, view: AuroraView) -> Step:
        name, cluster = "target-serves", view.target
        observed = f"{cluster.DBClusterIdentifier} is {cluster.Status}"
        if cluster.Status in FAILED_STATUSES:
            return failed(name, f"{observed}, expected available", "open a support case with AWS.")
        if cluster.Status == "available" and view.has_writer_instance and view.target_writes:
            return done(name, f"{observed} and has a writer")
        return busy(name, f"{observed}, writer instance: {view.has_writer_instance}")

    def cleanup(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Leave the old writer alone; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        return skip("the old writer's cluster is the reverse replica; nothing to quiesce")

    def replicate(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Wait until the old writer's cluster reads from the new one."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        arn = view.member.source.arn
        status = view.sync.get(arn, "not a member")
        if view.writer_arn == view.member.target.arn and status == "connected":
            return [done("reverse-replica", f"{arn} is a connected reader")]
        return [busy("reverse-replica", f"{arn} is {status}, expected connected")]

    def rollback(self, phase: Phase, view: AuroraView, run: RunContext) -> list[Step]:
        """Switch back while nothing was lost; after a forced failover there is no way back but a failback."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        if run.mode is Mode.EMERGENCY and view.target_writes:
            return [
                blocked("switch-back", "a forced failover cannot be undone", "later: dr start --operation failback")
            ]
        return [self._switch_over(view, view.member.source, Side.TARGET)]

    def health(self, view: AuroraView, run: RunContext) -> list[Check]:
        """Check who writes and whether the instances serve; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me = view.member.resource_id
        writer = CheckState.HEALTHY if view.target_writes else CheckState.UNHEALTHY
        up = [i for i in view.instances if i.DBInstanceStatus == "available"]
        serving = CheckState.HEALTHY if view.target.Status == "available" and up else CheckState.SETTLING
        instances = f"{view.target.Status}, {len(up)}/{len(view.instances)} instances available"
        return [
            Check(me, "writer", writer, f"the writer is {view.writer_arn}"),
            Check(me, "cluster", serving, instances),
        ]

    def after(self, phase: Phase, view: AuroraView, run: RunContext) -> AuroraView:
        """Foresee the roles after a switch, and the copy between a drill's INSTANTIATE and CLEANUP."""
        if run.mode is Mode.DRILL:
            there = DrillCopy("available", "available", "available")
            return replace(view, copy=DrillCopy() if phase is Phase.CLEANUP else there)
        if phase is not Phase.ACTIVATE:
            return view
        members = [
            m.model_copy(
                update={"IsWriter": m.DBClusterArn == view.member.target.arn, "SynchronizationStatus": "connected"}
            )
            for m in view.group.GlobalClusterMembers
        ]
        group = view.group.model_copy(
            update={"GlobalClusterMembers": members, "FailoverState": None, "Status": "available"}
        )
        return replace(view, group=group, target=view.target.model_copy(update={"Status": "available"}))


def _shown(lag_ms: float | None) -> str:
    return "unknown" if lag_ms is None else f"{lag_ms / 1000:.1f} s"
