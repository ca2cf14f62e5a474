"""Aurora global database: the target cluster of the global cluster becomes its writer.

instantiate  make sure that the target cluster has an instance (rds.CreateDBInstance); where only a subnet group stands in for
             it, make it (rds.CreateGlobalCluster around the source if there is none, rds.CreateDBCluster); drill: snapshot of the
             target cluster, restored beside it
activate     planned: rds.SwitchoverGlobalCluster, sent to the writer's Region; emergency: an instance if there is none, then
             rds.FailoverGlobalCluster with AllowDataLoss, sent to the target's Region; rds.RemoveFromGlobalCluster instead
             when the engine versions differ, a switchover hangs on the lost Region, or the failover shows no effect
cleanup      nothing: the old writer's cluster is the reverse replica already; drill: delete the copies
replicate    wait until the old writer's cluster is a connected reader again

It deliberately never deletes or stops a member of a global cluster, and never uses FailoverGlobalCluster in a planned run.
DocumentDB, Neptune and Multi-AZ DB clusters, which Resource Explorer also lists as rds:cluster, are refused by engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.aurora import drill
from adapters.aurora.discovery import discover
from adapters.aurora.making import cluster_not_yet, first_instance, is_made_here
from adapters.aurora.restore_readiness import claims, to_be_made
from adapters.aurora.secondary import joined, secondary
from adapters.aurora.spec import (
    DETACH_AFTER_SECONDS,
    HUNG_SWITCHOVER_SECONDS,
    SPEC,
)
from adapters.aurora.view_global_database import AuroraView, look
from adapters.databases.needs import standing
from adapters.judging import ready, red, too_slow, warning
from adapters.restoring_readiness import one_account
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
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    busy,
    done,
    skip,
    todo,
)
from orchestrator.words import CheckState, Effect, Mode, Phase, Side

_RESYNC = "wait until the member is connected again, or start the run as an emergency if the source Region is lost."


class GlobalDatabase(Adapter[AuroraView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """See `adapters.aurora.discovery`."""
        return discover(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> AuroraView:
        """Read everything from the target's Region: it knows both sides."""
        return look(target, aws, run)

    def readiness(self, view: AuroraView, run: RunContext) -> list[Finding]:
        """Judge topology, synchronisation, instances, and lag against the RPO."""
        me, group, findings = view.member.resource_id, view.group, list[Finding]()
        if not view.target.there:
            return _missing(view, run)
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
        if not view.instances:
            headless = f"{view.target.DBClusterIdentifier} has no instance; making one takes minutes."
            findings.append(warning(me, "headless", headless))
        if view.versions_differ:
            versions = f"the engine versions differ: {view.versions}."
            findings.append(red(me, "version", versions, "upgrade the older cluster, then: dr plan"))
        findings += _surroundings(view, run)
        findings += too_slow(view.member, SPEC.strategy("global-database"))
        limit = run.rpo_minutes.get(me)
        if limit is not None and view.lag_ms is not None and view.lag_ms > limit * 60_000:
            findings.append(red(me, "lag", f"replication lag is {_shown(view.lag_ms)}, dr:rpo-target is {limit} min."))
        return findings or [ready(me, f"{view.target.DBClusterIdentifier} can take over, lag {_shown(view.lag_ms)}.")]

    def claims(self, view: AuroraView, run: RunContext) -> list[Claim]:
        """Count the cluster and the instances to be made."""
        return claims(view)

    def loss(self, view: AuroraView, run: RunContext) -> list[Loss]:
        """Report the replication lag."""
        seconds = None if view.lag_ms is None else view.lag_ms / 1000
        return [Loss(view.member.resource_id, seconds, "global database replication lag")]

    def instantiate(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Give the target cluster an instance; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        return secondary(view, run) if is_made_here(view.member) else [first_instance(view, run)]

    def activate(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Make the target cluster the writer."""
        if run.mode is Mode.DRILL:
            return skip("a drill promotes nothing; its copy is writable from birth")
        if not view.target.there:
            place = view.member.target
            why = f"there is no cluster {place.id} in {place.region}: nothing can take over"
            remedy = "planned: run INSTANTIATE first. Emergency: restore a copied snapshot by hand."
            return [blocked("target-serves", why, remedy)]
        if run.mode is Mode.EMERGENCY:
            return [first_instance(view, run), self._fail_over(view, run), self._serving(view)]
        switch = self._switch_over("switch-over-global-cluster", view, view.member.target, Side.SOURCE)
        return [switch, self._serving(view)]

    def _switch_over(self, name: str, view: AuroraView, to: Place, sent_to: Side) -> Step:
        group = view.group
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

    def _fail_over(self, view: AuroraView, run: RunContext) -> Step:
        arn, group = view.member.target.arn, view.group.GlobalClusterIdentifier
        failing_over, detaching = "fail-over-global-cluster", "detach-target-cluster"
        if view.target_writes:
            return done(failing_over, f"{arn} is the writer; {_lost(view)}", effect=Effect.IRREVERSIBLE)
        detachment: dict[str, JsonValue] = {"GlobalClusterIdentifier": group, "DbClusterIdentifier": arn}
        detach = Call("rds", "RemoveFromGlobalCluster", detachment, Side.TARGET)
        if view.detached:
            promoting = f"{arn} has left {group} and is {view.target.Status}"
            return busy(detaching, promoting, effect=Effect.IRREVERSIBLE, call=detach)
        why = _detach_reason(view, run.seconds_since(failing_over), (run.now - run.started_at).total_seconds())
        if why:
            return todo(detaching, detach, Effect.IRREVERSIBLE, why)
        forced: dict[str, JsonValue] = {
            "GlobalClusterIdentifier": group,
            "TargetDbClusterIdentifier": arn,
            "AllowDataLoss": True,
        }
        call = Call("rds", "FailoverGlobalCluster", forced, Side.TARGET)
        if view.switching:
            return busy(failing_over, view.switching, effect=Effect.IRREVERSIBLE, call=call)
        return todo(failing_over, call, Effect.IRREVERSIBLE, f"the writer is {view.writer_arn}; {_lost(view)}")

    def _serving(self, view: AuroraView) -> Step:
        name, cluster = "target-serves", view.target
        if cluster.Status != "available":
            return cluster_not_yet(name, cluster, remedy="open a support case with AWS.")
        if view.has_writer_instance and view.target_writes:
            return done(name, f"{cluster.DBClusterIdentifier} is available and has a writer")
        return busy(name, f"{cluster.DBClusterIdentifier} is available, writer instance: {view.has_writer_instance}")

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
            return skip(f"{phase} changed nothing that must be undone: what it made is a standby, and stays")
        if run.mode is Mode.EMERGENCY and view.target_writes:
            return [
                blocked("switch-back", "a forced failover cannot be undone", "later: dr start --operation failback")
            ]
        return [self._switch_over("switch-back", view, view.member.source, Side.TARGET)]

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

    def decommission(self, view: AuroraView, run: RunContext) -> list[Step]:
        """Delete nothing: the old writer's cluster is the reverse replica."""
        return skip("the old writer's cluster is the reverse replica: nothing of it may be deleted")

    def endpoints(self, view: AuroraView, run: RunContext) -> list[Endpoint]:
        """Return the cluster endpoint of the target side, in a drill of its copy."""
        found = view.copy.endpoint if run.mode is Mode.DRILL else view.target.endpoint
        return [Endpoint(view.member.resource_id, *found)] if found else []

    def after(self, phase: Phase, view: AuroraView, run: RunContext) -> AuroraView:
        """Foresee the roles after a switch, and the copy between a drill's INSTANTIATE and CLEANUP."""
        if run.mode is Mode.DRILL:
            return drill.foreseen(view, phase)
        if phase is Phase.INSTANTIATE and not view.target.there:
            return joined(view)
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


def _surroundings(view: AuroraView, run: RunContext) -> list[Finding]:
    """Judge keys, certificates and secret of the target cluster."""
    shown = {each.DBInstanceIdentifier: each.CertificateDetails for each in view.instances}
    return standing(view.member, view.target.MasterUserSecret, shown, view.key_states, run)


def _missing(view: AuroraView, run: RunContext) -> list[Finding]:
    """Judge whether the secondary cluster that is missing can be made."""
    me, place = view.member.resource_id, view.member.target
    text = f"there is no cluster {place.id} in {place.region}"
    if run.mode is not Mode.PLANNED or not is_made_here(view.member):
        return [red(me, "no-target", f"{text}.", "make one by a planned run, or set dr:recovery-strategy")]
    made = warning(me, "no-target", f"{text}: INSTANTIATE makes it, which takes hours for large ones.")
    return [made, *one_account(view.member, "a global database stays within one"), *to_be_made(view)]


def _detach_reason(view: AuroraView, called_seconds: float | None, running_seconds: float) -> str:
    """Return why the target must be detached instead of failed over, or an empty string. Pure."""
    if view.versions_differ:
        return f"a failover needs equal engine versions, these differ: {view.versions}"
    if called_seconds is not None and called_seconds > DETACH_AFTER_SECONDS:
        return f"no effect {called_seconds:.0f} s after the failover call"
    if called_seconds is None and view.switching_without_loss and running_seconds > HUNG_SWITCHOVER_SECONDS:
        return f"a switchover from before hangs on the lost Region: {view.switching}"
    return ""


def _lost(view: AuroraView) -> str:
    return f"last known lag {_shown(view.lag_ms)}"


def _shown(lag_ms: float | None) -> str:
    return "unknown" if lag_ms is None else f"{lag_ms / 1000:.1f} s"
