"""DRS: replicated servers are launched as new EC2 instances in the target Region, then protected the other way round.

instantiate  drs.UpdateLaunchConfiguration where launches would not start or not carry the tags; drill: drs.StartRecovery
             with isDrill, for the whole batch
activate     planned: wait for backlog 0; drs.StartRecovery for the batch; after its snapshots ec2.StopInstances on the
             source side; wait until every recovery instance passes its checks. Emergency: drs.StartRecovery at once
cleanup      ec2.StopInstances and ec2.CreateTags (dr:fenced) on the source side; drill: drs.TerminateRecoveryInstances
replicate    drs.ReverseReplication per recovery instance, drs.TagResource on the reverse source server, wait until it is
             CONTINUOUS
decommission ec2.TerminateInstances on the source side, per server, only while its replication back is CONTINUOUS

Failback is the same code: the server launched is always the one that lies in the Region being activated, and what it
protects is told by its awsInstanceID. One resource is the pair of source servers with one Name tag, which therefore must
be unique per scope; until the first ReverseReplication the source side is the protected instance itself.

It never stops replication (StopReplication deletes every point-in-time snapshot), and never disconnects or deletes a
source server: superseded ones stay, also after a decommission, which terminates stopped EC2 instances and nothing else.
It does not quiesce the application: do that before, or the planned run waits for a backlog that never drains. Launching
into existing instances, recovery plans and on-premises servers are not supported; nor is failback onto the original
instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters import drs_launch as job
from adapters import drs_sides as sides
from adapters.drills import drs as drill
from adapters.drs_decommission import deleted
from adapters.drs_instances import unprotected
from adapters.judging import ready, red, warning
from adapters.specs.drs import CATCHING_UP, NO_DATA_YET, SPEC
from adapters.views.drs import DrsView, ServerView, listed, look
from adapters.views.drs_models import Server
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
    done,
    failed,
    skip,
    todo,
)
from orchestrator.errors import ValidationError
from orchestrator.tags import ENABLED
from orchestrator.words import CheckState, Effect, Mode, Phase, Side


class DrsAdapter(Adapter[DrsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return each tagged source server with the instance that it protects, and tagged instances that DRS must know."""
        servers = listed(aws)
        found = [each for s in servers if ENABLED in s.tags for each in _both_sides(aws, s)]
        return found + unprotected(aws, arns, {s.recoveryInstanceId for s in servers if s.recoveryInstanceId})

    def observe(self, target: Target, aws: Clients, run: RunContext) -> DrsView:
        """Read both sides, in an emergency only the target side."""
        return look(target, aws, run)

    def readiness(self, view: DrsView, run: RunContext) -> list[Finding]:
        """Judge replication, lag against the RPO, recovery points, running jobs and the way back."""
        findings: list[Finding] = []
        for each in view.servers:
            mine = _readiness(each, run)
            if view.source_ready is False:
                text = (
                    f"DRS has no replication template in {each.member.source.region}: it cannot protect the way back."
                )
                mine.append(red(each.id, "no-way-back", text, "initialise DRS there, then: dr plan"))
            findings += mine or [ready(each.id, f"{each.member.target.id} can be launched, {_lag(each)}.")]
        return findings

    def loss(self, view: DrsView, run: RunContext) -> list[Loss]:
        """Report the lag, and the age of the newest recovery point where replication has stopped."""
        return [Loss(each.id, _loss_seconds(each, run), "DRS replication lag") for each in view.servers]

    def instantiate(self, view: DrsView, run: RunContext) -> list[Step]:
        """Make launches start and carry the tags; in a drill, launch the copies."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        return [_launch_settings(each) for each in view.servers]

    def activate(self, view: DrsView, run: RunContext) -> list[Step]:
        """Launch the batch in the target Region."""
        if run.mode is Mode.DRILL:
            return skip("the drill's instances were launched by INSTANTIATE; production stays as it is")
        planned = run.mode is Mode.PLANNED
        return job.chain(
            view.servers,
            lambda servers: job.unobstructed(servers, run),
            *([lambda servers: job.drained(servers, run)] if planned else []),
            lambda servers: job.started(servers, view, run, "start-recovery"),
            *([lambda servers: job.snapshot_taken(servers, run), sides.stop_sources] if planned else []),
            lambda servers: job.launched(servers, run),
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
        return job.chain(view.servers, sides.replaced, sides.reverse, sides.tag_reverse, sides.in_sync)

    def rollback(self, phase: Phase, view: DrsView, run: RunContext) -> list[Step]:
        """Terminate this run's instances and start the sources, as long as protection was not reversed."""
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
        steps = job.terminated(view.servers, "terminate-recovery-instances")
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
        return replace(view, servers=tuple(sides.foreseen(phase, each, run) for each in view.servers))


def _both_sides(aws: Reader, server: Server) -> list[Found]:
    cloud, protected = server.sourceCloudProperties, server.protects
    if cloud is None or not cloud.originRegion or not protected:
        raise ValidationError(
            f"{server.arn} protects a server outside EC2; expected an EC2 instance.",
            "remove dr:enabled from it: failing back to it needs DRS's failback client.",
            code="OnPremises",
        )
    account = cloud.originAccountID or aws.account
    key = f"{server.name} {'+'.join(sorted({aws.account, account}))}"
    facts: dict[str, JsonValue] = {"server": server.sourceServerID, "protects": protected}
    here = Place(aws.account, aws.region, server.sourceServerID, server.arn, facts)
    partition = server.arn.split(":")[1]
    arn = f"arn:{partition}:ec2:{cloud.originRegion}:{account}:instance/{protected}"
    there = Place(account, cloud.originRegion, protected, arn, facts)
    return [
        Found(key, server.name, here, server.tags, "drs-recovery"),
        Found(key, server.name, there, server.tags, "drs-recovery", counterpart=True),
    ]


def _readiness(each: ServerView, run: RunContext) -> list[Finding]:
    me, server, findings = each.id, each.server, []
    if server is None:
        return [red(me, "missing", f"there is no source server {each.member.target.id}.")]
    info = server.dataReplicationInfo
    state, emergency = info.dataReplicationState, run.mode is Mode.EMERGENCY
    seen = f"{server.sourceServerID} is {state}{f' ({info.error})' if info.error else ''}"
    if each.recovery_point is None and not each.job:
        findings.append(red(me, "no-recovery-point", f"{server.sourceServerID} has no recovery point to launch from."))
    if state in CATCHING_UP and not emergency:
        findings.append(warning(me, "catching-up", f"{seen}, expected CONTINUOUS."))
    elif state in NO_DATA_YET or (state != "CONTINUOUS" and state not in CATCHING_UP and not emergency):
        findings.append(red(me, "not-replicating", f"{seen}, expected CONTINUOUS."))
    if job.launches_into(each):
        findings.append(red(me, "launch-into", f"{job.launches_into(each)}.", job.INTO_REMEDY))
    if server.stagingArea.status == "EXTENSION_ERROR":
        findings.append(red(me, "extension", f"{server.sourceServerID} cannot be extended from its staging account."))
    limit = run.rpo_minutes.get(me)
    lost = _loss_seconds(each, run)
    if limit is not None and lost is not None and lost > limit * 60:
        findings.append(red(me, "lag", f"lag is {lost:.0f} s, dr:rpo-target is {limit} min."))
    if each.other_job:
        findings.append(warning(me, "in-a-job", f"{server.sourceServerID} is in job {each.other_job}."))
    if emergency and each.launch and not each.launch.copyTags:
        findings.append(warning(me, "tags", f"{server.sourceServerID} launches instances without its tags."))
    obstacle, _ = job.unobstructed([each], run)
    known = {finding.message for finding in findings}
    return findings + [
        red(me, "obstructed", f"{step.reason}.", step.remedy) for step in obstacle if f"{step.reason}." not in known
    ]


def _lag(each: ServerView) -> str:
    return f"lag {each.server.dataReplicationInfo.lag_seconds:.0f} s" if each.server else "lag unknown"


def _loss_seconds(each: ServerView, run: RunContext) -> float | None:
    if each.server is None:
        return None
    info = each.server.dataReplicationInfo
    if info.dataReplicationState in {"CONTINUOUS", *CATCHING_UP}:
        return info.lag_seconds
    if each.recovery_point is None:
        return None
    return max(info.lag_seconds, (run.now - each.recovery_point).total_seconds())


def _launch_settings(each: ServerView) -> Step:
    name, server_id = f"launch-settings-{each.member.name}", each.member.target.id
    if each.server is None:
        return failed(name, f"there is no source server {server_id}", "install the agent again.", members=(each.id,))
    params: dict[str, JsonValue] = {"sourceServerID": server_id, "launchDisposition": "STARTED", "copyTags": True}
    call = Call("drs", "UpdateLaunchConfiguration", params, Side.TARGET)
    if job.launches_into(each):
        return blocked(name, job.launches_into(each), job.INTO_REMEDY, members=(each.id,))
    if each.launch is None or (each.launch.launchDisposition == "STARTED" and each.launch.copyTags):
        return done(name, "launches start and carry the tags", effect=Effect.REVERSIBLE)
    seen = f"launchDisposition {each.launch.launchDisposition}, copyTags {each.launch.copyTags}"
    return todo(name, call, Effect.REVERSIBLE, f"{seen}, expected STARTED and True", members=(each.id,))
