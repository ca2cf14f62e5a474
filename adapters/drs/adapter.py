"""DRS: replicated servers are launched in the target Region, as new EC2 instances or (drs-launch-into) in the place of the
volumes of prepared, stopped ones; then they are protected the other way round.

instantiate  drs.UpdateLaunchConfiguration where launches would not start, or not carry the tags (into prepared instances:
             carry any); drill: drs.StartRecovery with isDrill, for the whole batch
activate     planned: wait for backlog 0; drs.StartRecovery for the batch; after its snapshots ec2.StopInstances on the
             source side; wait until every recovery instance passes its checks (a retry of a failed launch first starts
             that source again: ec2.StartInstances). Emergency: drs.StartRecovery at once.
             Prepared instances: ec2.DeleteTags (dr:fenced) once the launch has landed there and nowhere else
cleanup      ec2.StopInstances and ec2.CreateTags (dr:fenced) on the source side; drill: drs.TerminateRecoveryInstances
replicate    drs.ReverseReplication per recovery instance, drs.TagResource on the reverse source server, wait until it is
             CONTINUOUS. Prepared instances: before, ec2.ModifyInstanceAttribute (termination protection) on them and
             ec2.CreateTags (AWSDRS) on the originals; after, drs.UpdateLaunchConfiguration of the reverse source server
decommission ec2.TerminateInstances on the source side, per server, only while its replication back is CONTINUOUS;
             originals that the way back is launched into stay

drs-recovery-plan is the same with drs.StartRecoveryPlanExecution in the place of drs.StartRecovery: the service launches
all servers of its plan, step after step, and each step's sources are stopped after that step's snapshots; a retry is
drs.RetryRecoveryPlanExecutionStep, a rollback begins with drs.CancelRecoveryPlanExecution, a drill marks its copies by
ec2.CreateTags, and REPLICATE makes the plan of the way back (drs.CreateRecoveryPlan, drs.CreateRecoveryPlanStep). A plan
may hold 100 servers in all its steps together (DRS user guide, recovery plan quotas; the API's shape would allow 100 in
each). Only the tag or a manifest chooses it, never what is found.

Failback is the same code: the server launched is always the one that lies in the Region being activated, and what it
protects is told by its awsInstanceID. One resource is the pair of source servers with one Name tag, which therefore must
be unique per scope; until the first ReverseReplication the source side is the protected instance itself. Launch settings
that name an instance mean drs-launch-into. For the way back they are set on the one reverse source server, not by the
Region's launchIntoSourceInstance, which would send servers of other strategies into their originals as well.

It never stops replication (StopReplication deletes every point-in-time snapshot), and never disconnects or deletes a
source server: superseded ones stay, also after a decommission, which terminates stopped EC2 instances and nothing else.
It does not quiesce the application: do that before, or the planned run waits for a backlog that never drains. On-premises
servers are not supported, nor is failback of drs-recovery onto the original instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.drs import drill, plans, prepared, sides
from adapters.drs import launch as job
from adapters.drs.decommission import deleted
from adapters.drs.discovery import discovered
from adapters.drs.foreseen import foreseen
from adapters.drs.permissions import PLAN
from adapters.drs.plan_back import planned_back
from adapters.drs.readiness import claims, judged, loss_seconds
from adapters.drs.spec import SPEC
from adapters.drs.view import look
from adapters.drs.view_server import DrsView, ServerView
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Claim,
    Clients,
    Finding,
    Found,
    Loss,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    done,
    failed,
    skip,
    todo,
)
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class DrsAdapter(Adapter[DrsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return each tagged source server with the instance that it protects, and tagged instances that DRS must know."""
        return discovered(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> DrsView:
        """Read both sides, in an emergency only the target side."""
        return look(target, aws, run)

    def readiness(self, view: DrsView, run: RunContext) -> list[Finding]:
        """Judge replication, lag against the RPO, recovery points, running jobs and the way back."""
        return judged(view, run)

    def claims(self, view: DrsView, run: RunContext) -> list[Claim]:
        """Count the vCPUs of the servers to be launched."""
        return claims(view)

    def loss(self, view: DrsView, run: RunContext) -> list[Loss]:
        """Report the lag, and the age of the newest recovery point where replication has stopped."""
        return [Loss(each.id, loss_seconds(each, run), "DRS replication lag") for each in view.servers]

    def instantiate(self, view: DrsView, run: RunContext) -> list[Step]:
        """Make launches start and carry the tags; in a drill, launch the copies."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        return job.chain(view.servers, lambda servers: _settings(servers, run), prepared.guarded)

    def activate(self, view: DrsView, run: RunContext) -> list[Step]:
        """Launch the batch in the target Region."""
        if run.mode is Mode.DRILL:
            return skip("the drill's instances were launched by INSTANTIATE; production stays as it is")
        planned = run.mode is Mode.PLANNED
        if view.strategy == PLAN:
            return job.chain(
                view.servers,
                lambda servers: job.unobstructed(servers, run),
                lambda servers: plans.whole(servers, view, run),
                *(
                    [lambda servers: sides.revived(servers, run), lambda servers: job.drained(servers, run)]
                    if planned
                    else []
                ),
                lambda servers: plans.executed(servers, view, run),
                lambda servers: plans.ended(servers, view),
                *([lambda servers: plans.snapped(servers, view, run)] if planned else []),
                lambda servers: job.launched(servers, run),
                job.serving,
                *([sides.sources_stopped] if planned else []),
            )
        return job.chain(
            view.servers,
            lambda servers: job.unobstructed(servers, run),
            *(
                [lambda servers: sides.revived(servers, run), lambda servers: job.drained(servers, run)]
                if planned
                else []
            ),
            prepared.guarded,
            lambda servers: job.started(servers, view, run, "start-recovery"),
            *([lambda servers: job.snapshot_taken(servers, run), sides.stop_sources] if planned else []),
            lambda servers: job.launched(servers, run),
            prepared.landed,
            prepared.released,
            job.serving,
            *([sides.sources_stopped] if planned else []),
        )

    def cleanup(self, view: DrsView, run: RunContext) -> list[Step]:
        """Keep the source side down; in a drill, terminate the copies."""
        if run.mode is Mode.DRILL:
            return drill.delete(view)
        return job.chain(
            view.servers,
            sides.replaced,
            sides.stop_sources,
            sides.sources_stopped,
            lambda servers: sides.fence(servers, run),
        )

    def replicate(self, view: DrsView, run: RunContext) -> list[Step]:
        """Protect the recovery instances in the source Region."""
        if run.mode is Mode.DRILL:
            return skip("a drill reverses nothing: that would replace what is protected")
        if not view.source_ready:
            region = view.servers[0].member.source.region if view.servers else run.source_region
            reason = f"DRS has no replication template in {region}"
            return [blocked("source-region-ready", reason, "initialise DRS there, then retry.")]
        return job.chain(
            view.servers,
            sides.replaced,
            prepared.protected,
            prepared.marked,
            sides.reverse,
            sides.tag_reverse,
            prepared.led_back,
            lambda servers: planned_back(servers, view, run),
            sides.in_sync,
        )

    def rollback(self, phase: Phase, view: DrsView, run: RunContext) -> list[Step]:
        """Terminate this run's new instances, stop the prepared ones and start the sources, until protection is reversed."""
        if run.mode is Mode.DRILL:
            return drill.delete(view)
        if phase is Phase.CLEANUP:
            return sides.unfence(view.servers)
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        reversed_ids = [v.id for v in view.servers if v.own and v.own.failback.state != "FAILBACK_NOT_STARTED"]
        if reversed_ids:
            reason = f"{', '.join(reversed_ids)} are protected in the other direction already"
            return [blocked("terminate-recovery-instances", reason, "dr start --operation failback")]
        ended = job.terminated(view.servers, view, "terminate-recovery-instances")
        steps = plans.cancelled(view) + ended + prepared.given_back(view.servers)
        return [*steps, *(sides.start_sources(view.servers) if view.source_reached else [])]

    def decommission(self, view: DrsView, run: RunContext) -> list[Step]:
        """Terminate the stopped source instances of servers that are replicated back."""
        if not view.source_reached:
            return skip("the source side cannot be reached: nothing of it is deleted")
        return deleted(view.servers)

    def health(self, view: DrsView, run: RunContext) -> list[Check]:
        """Check that the recovery instances run and pass their checks, and the way back once it exists."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        checks = []
        for each in view.servers:
            state = CheckState.HEALTHY if job.is_serving(each) else CheckState.SETTLING
            checks.append(Check(each.id, "recovery-instance", state, job.machine(each)))
            if run.phase in {Phase.REPLICATE, Phase.DECOMMISSION}:
                synced = each.reverse is not None and each.reverse.dataReplicationInfo.dataReplicationState
                well = CheckState.HEALTHY if synced == "CONTINUOUS" else CheckState.SETTLING
                checks.append(Check(each.id, "way-back", well, f"replication back is {synced or 'not set up'}"))
        return checks

    def after(self, phase: Phase, view: DrsView, run: RunContext) -> DrsView:
        """Foresee launched instances, stopped and fenced sources, and the way back."""
        return replace(view, servers=tuple(foreseen(phase, each, run) for each in view.servers))


def _settings(servers: job.Servers, run: RunContext) -> job.Judged:
    """Judge the launch settings; where launches go into prepared instances, those first."""
    into = [v for v in servers if v.into is not None]
    refused, _ = job.unobstructed(into, run)
    lost = {member for step in refused for member in step.members}
    left = [v for v in servers if v.id not in lost]
    return [*refused, *(_launch_settings(v) for v in left)], left


def _launch_settings(each: ServerView) -> Step:
    name, server_id = f"launch-settings-{each.member.name}", each.member.target.id
    if each.server is None:
        return failed(name, f"there is no source server {server_id}", "install the agent again.", members=(each.id,))
    params: dict[str, JsonValue] = {"sourceServerID": server_id, "launchDisposition": "STARTED", "copyTags": True}
    call = Call("drs", "UpdateLaunchConfiguration", params, Side.TARGET)
    if each.into is not None:
        return _into_settings(name, each, each.into)
    if job.launches_into(each):
        return blocked(name, job.launches_into(each), job.INTO_REMEDY, members=(each.id,))
    if each.launch is None or (each.launch.launchDisposition == "STARTED" and each.launch.copyTags):
        return done(name, "launches start and carry the tags", effect=Effect.REVERSIBLE)
    seen = f"launchDisposition {each.launch.launchDisposition}, copyTags {each.launch.copyTags}"
    return todo(name, call, Effect.REVERSIBLE, f"{seen}, expected STARTED and True", members=(each.id,))


def _into_settings(name: str, each: ServerView, into: str) -> Step:
    if each.launch is None or prepared.settled(each.launch):
        return done(name, f"launches go into {into} and start it", effect=Effect.REVERSIBLE)
    call = prepared.settings_call(each.member.target.id, into, Side.TARGET)
    seen = (each.launch.launchDisposition, each.launch.copyTags, each.launch.copyPrivateIp)
    shown = "launchDisposition {}, copyTags {}, copyPrivateIp {}".format(*seen)
    return todo(name, call, Effect.REVERSIBLE, f"{shown}, expected STARTED, False, False", members=(each.id,))
