"""What every phase of a DRS run is expected to leave behind; previews of later phases start from it."""

from __future__ import annotations

from dataclasses import replace

from adapters.drs.models import Job, Launch, LogItem, Part, Recovered, Replication, Server
from adapters.drs.spec import FENCED, LAUNCH_INTO
from adapters.drs.view_machines import Machine, MachineStatus, RunState
from adapters.drs.view_server import ServerView
from adapters.reading import KeyValue
from orchestrator.contract import RunContext
from orchestrator.words import Mode, Phase

MARK = KeyValue(Key=LAUNCH_INTO[0], Value=LAUNCH_INTO[1])


def foreseen(phase: Phase, each: ServerView, run: RunContext) -> ServerView:
    """Return the server as `phase` is expected to leave it; ids that nobody knows yet are empty."""
    if run.mode is Mode.DRILL:
        return _drilled(phase, each, run)
    if phase is Phase.INSTANTIATE:
        return replace(each, launch=_settings(each.into), prepared_locked=each.prepared_locked or each.exposed)
    if phase is Phase.ACTIVATE:
        return _launched(each, run)
    if phase is Phase.CLEANUP and each.source:
        return replace(each, source=_tagged(each.source, KeyValue(Key=FENCED)))
    if phase is Phase.DECOMMISSION and each.source and not each.kept_for:
        return replace(each, source=each.source.model_copy(update={"State": RunState(Name="terminated")}))
    return _protected(each) if phase is Phase.REPLICATE else each


def _drilled(phase: Phase, each: ServerView, run: RunContext) -> ServerView:
    if phase is Phase.INSTANTIATE and each.into is None:
        return _launched(each, run)
    return replace(each, own=None) if phase is Phase.CLEANUP else each


def _settings(into: str | None) -> Launch:
    if into is None:
        return Launch()
    named = {"launchIntoEC2InstanceID": into}
    return Launch.model_validate({"copyTags": False, "launchIntoInstanceProperties": named})


def _protected(each: ServerView) -> ServerView:
    """Return the server protected the other way round, and led back into its original instance where that is wanted."""
    in_sync = Replication(dataReplicationState="CONTINUOUS")
    reverse = Server(sourceServerID="", tags=dict(each.member.tags), dataReplicationInfo=in_sync)
    if each.into is None or each.source is None:
        return replace(each, reverse=reverse)
    source = _tagged(each.source, MARK)
    kept_for = each.kept_for or f"it carries {'='.join(LAUNCH_INTO)}"
    back = _settings(each.source.InstanceId)
    return replace(each, reverse=reverse, source=source, kept_for=kept_for, reverse_launch=back)


def _tagged(machine: Machine, tag: KeyValue) -> Machine:
    return machine.model_copy(update={"Tags": [*(t for t in machine.Tags if t.Key != tag.Key), tag]})


def _launched(each: ServerView, run: RunContext) -> ServerView:
    server_id, instance = each.member.target.id, each.into or ""
    part = Part(sourceServerID=server_id, launchStatus="LAUNCHED", recoveryInstanceID=instance)
    passed = {"Status": "ok"}
    source, prepared = each.source, each.prepared
    if source is not None and run.mode is not Mode.DRILL:
        source = source.model_copy(update={"State": RunState(Name="stopped")})
    if prepared is not None:
        unfenced = [tag for tag in prepared.Tags if tag.Key != FENCED]
        prepared = prepared.model_copy(update={"State": RunState(Name="running"), "Tags": unfenced})
    return replace(
        each,
        job=Job(jobID="", status="COMPLETED", creationDateTime=run.now, participatingServers=[part]),
        events=(LogItem(event="SNAPSHOT_END"),),
        own=Recovered(recoveryInstanceID=instance, sourceServerID=server_id, ec2InstanceState="RUNNING"),
        others=(),
        status=MachineStatus.model_validate({"InstanceId": instance, "InstanceStatus": passed, "SystemStatus": passed}),
        source=source,
        prepared=prepared,
    )
