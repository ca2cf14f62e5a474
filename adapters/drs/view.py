"""What is read of DRS: source servers, this run's job, recovery instances, and the EC2 instances on both sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from pydantic import JsonValue

from adapters.drs.landing import Landing
from adapters.drs.models import (
    Job,
    Jobs,
    LogItem,
    LogItems,
    Points,
    Recovered,
    RecoveredInstances,
    Server,
    Servers,
    Templates,
)
from adapters.drs.permissions import INTO, PLAN
from adapters.drs.spec import ACTIVE_JOB, JOB_LOOKBACK_HOURS, UNINITIALIZED
from adapters.drs.view_landing import landing_of
from adapters.drs.view_machines import Machine, Machines, MachineStatuses
from adapters.drs.view_needs import launches_into_sources, locked, need, settings, tagged_for_launch
from adapters.drs.view_plan import PlanView, look_at_plans, with_back
from adapters.drs.view_server import DrsView, ServerView
from adapters.reading import remaining
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side


def listed(reader: Reader) -> list[Server]:
    """Return every source server of an account and Region; none where DRS was never set up."""
    if reader.find("drs", "DescribeSourceServers", Servers, missing=UNINITIALIZED, maxResults=1) is None:
        return []
    return [server for page in reader.pages("drs", "DescribeSourceServers", Servers) for server in page.items]


def look(target: Target, aws: Clients, run: RunContext) -> DrsView:
    """Read what the phase needs: the target side always, the source side where it may be reached and matters."""
    members, here = remaining(target.members, run), aws.at(Side.TARGET)
    ids: JsonValue = [member.target.id for member in members]
    if not members:
        return DrsView(())
    filters: JsonValue = {"sourceServerIDs": ids}
    servers = {
        s.sourceServerID: s
        for page in here.pages("drs", "DescribeSourceServers", Servers, filters=filters)
        for s in page.items
    }
    recovered = [
        r
        for page in here.pages("drs", "DescribeRecoveryInstances", RecoveredInstances, filters=filters)
        for r in page.items
    ]
    jobs = _jobs(here, run)
    plans = _plans(target.strategy, members, aws, run)
    planned = {job_id for plan in plans for job_id in plan.job_ids}
    ours = [job for job in jobs if run.tags.items() <= job.tags.items() or job.jobID in planned]
    logs = {job.jobID: _log(here, job) for job in _newest_of(ours, members)}
    views = [_server_view(m, servers.get(m.target.id), jobs, ours, logs, recovered, run) for m in members]
    if target.strategy == INTO:
        views = _with_prepared(views, here, run)
    views = _with_settings(views, here, run)
    views = _with_statuses(views, here)
    if plans and run.mode is Mode.DRILL:
        views = _with_machines(views, here)
    if run.rolling_back or (run.mode is Mode.DRILL and run.phase is Phase.CLEANUP):
        views = _with_leaving(views, here)
    if run.mode is not Mode.DRILL and aws.reaches(Side.SOURCE):
        views = _with_sources(views, aws.at(Side.SOURCE), run)
    active = [job for job in jobs if job.status in ACTIVE_JOB]
    landing = landing_of(here, [v for v in views if _unlaunched(v, run)], run.now) if run.planning else Landing()
    return DrsView(
        servers=tuple(views),
        strategy=target.strategy,
        plans=plans,
        active_jobs=len(active),
        servers_in_jobs=sum(len(job.participatingServers) for job in active),
        source_ready=_source_ready(aws, run),
        source_reached=aws.reaches(Side.SOURCE),
        landing=landing,
    )


def _plans(strategy: str, members: Sequence[Member], aws: Clients, run: RunContext) -> tuple[PlanView, ...]:
    """Return the batch's recovery plans; where the way back is foreseen or made, with those on the source side."""
    if strategy != PLAN or run.phase is Phase.DECOMMISSION:
        return ()
    plans = look_at_plans(aws.at(Side.TARGET), members, run)
    back = run.mode is Mode.PLANNED and run.phase in {Phase.INSTANTIATE, Phase.REPLICATE}
    return with_back(aws.at(Side.SOURCE), plans) if back else plans


def _jobs(reader: Reader, run: RunContext) -> list[Job]:
    """Return the jobs of the last day, newest first; where nothing is launched or terminated, none are read."""
    if run.mode is not Mode.DRILL and run.phase in {Phase.CLEANUP, Phase.REPLICATE, Phase.DECOMMISSION}:
        return []
    since = run.started_at - timedelta(hours=JOB_LOOKBACK_HOURS)
    filters: JsonValue = {"fromDate": since.strftime("%Y-%m-%dT%H:%M:%SZ")}
    jobs = [job for page in reader.pages("drs", "DescribeJobs", Jobs, filters=filters) for job in page.items]
    return sorted(jobs, key=lambda job: job.creationDateTime, reverse=True)


def _newest_of(ours: Sequence[Job], members: Iterable[Member]) -> list[Job]:
    newest = {job.jobID: job for m in members if (job := _job_of(ours, m.target.id)) is not None}
    return list(newest.values())


def _job_of(ours: Sequence[Job], server_id: str) -> Job | None:
    return next((job for job in ours if job.part(server_id) is not None), None)


def _log(reader: Reader, job: Job) -> list[LogItem]:
    return [
        item for page in reader.pages("drs", "DescribeJobLogItems", LogItems, jobID=job.jobID) for item in page.items
    ]


def _server_view(
    member: Member,
    server: Server | None,
    jobs: Sequence[Job],
    ours: Sequence[Job],
    logs: dict[str, list[LogItem]],
    recovered: Sequence[Recovered],
    run: RunContext,
) -> ServerView:
    me = member.target.id
    job = _job_of(ours, me)
    our_ids = {each.jobID for each in ours}
    mine = [r for r in recovered if r.sourceServerID == me]
    own = [r for r in mine if r.jobID in our_ids and r.isDrill is (run.mode is Mode.DRILL)]
    holding = [j for j in jobs if j.status in ACTIVE_JOB and j.jobID not in our_ids and j.part(me) is not None]
    return ServerView(
        member=member,
        server=server,
        job=job,
        events=tuple(i for i in logs[job.jobID] if i.eventData.sourceServerID == me) if job else (),
        other_job=holding[0].jobID if holding else "",
        own=own[0] if own else None,
        others=tuple(r for r in mine if r not in own),
    )


def _with_settings(views: list[ServerView], reader: Reader, run: RunContext) -> list[ServerView]:
    """Add launch settings and newest recovery points, a call or two each per server: only before the launch."""
    launches = run.phase is Phase.ACTIVATE and (run.mode is Mode.EMERGENCY or run.planning)
    first_look = run.phase is Phase.INSTANTIATE or launches
    told: list[ServerView] = []
    for view in views:
        again = first_look or (view.into is not None and run.phase is Phase.ACTIVATE)
        if view.server is None or not again or not _unlaunched(view, run):
            told.append(view)
            continue
        point = _newest_point(reader, view.server.sourceServerID) if first_look else None
        asked = view.exposed or (run.mode is Mode.PLANNED and run.phase is Phase.INSTANTIATE)
        protected = locked(reader, view.prepared) if asked and view.prepared else None
        launch = settings(reader, view.server)
        told.append(replace(view, launch=launch, recovery_point=point, prepared_locked=protected))
    return told


def _unlaunched(view: ServerView, run: RunContext) -> bool:
    return not run.rolling_back and (view.job is None or view.returned)


def _with_prepared(views: list[ServerView], reader: Reader, run: RunContext) -> list[ServerView]:
    """Add the prepared instances that the inventory names, one read for all; before REPLICATE ends, their protection."""
    named = {v.id: str(v.member.target.facts.get("into") or "") for v in views}
    found = _machines(reader, filter(None, named.values()))
    views = [replace(v, into=named[v.id], prepared=found.get(named[v.id])) for v in views]
    if run.phase is not Phase.REPLICATE:
        return views
    return _until(
        views, lambda v: replace(v, prepared_locked=locked(reader, v.prepared)), lambda v: bool(v.prepared_locked)
    )


def _until(
    views: list[ServerView], ask: Callable[[ServerView], ServerView], well: Callable[[ServerView], bool]
) -> list[ServerView]:
    """Ask about one server after the other, until one is not as it should be: that one is changed before the next look."""
    told: list[ServerView] = []
    for view in views:
        told.append(ask(view) if all(well(each) for each in told) else view)
    return told


def _newest_point(reader: Reader, server_id: str) -> datetime | None:
    points = reader.read(
        "drs", "DescribeRecoverySnapshots", Points, sourceServerID=server_id, order="DESC", maxResults=1
    ).items
    return points[0].timestamp if points else None


def _with_statuses(views: list[ServerView], reader: Reader) -> list[ServerView]:
    """Add the checks of the recovery instances that exist in EC2."""
    alive = {
        view.id: view.recovered.recoveryInstanceID
        for view in views
        if view.recovered and view.recovered.ec2InstanceState not in {"", "NOT_FOUND", "TERMINATED"}
    }
    if not alive:
        return views
    ids: list[JsonValue] = [*sorted(alive.values())]
    pages = reader.pages("ec2", "DescribeInstanceStatus", MachineStatuses, InstanceIds=ids, IncludeAllInstances=True)
    found = {status.InstanceId: status for page in pages for status in page.InstanceStatuses}
    return [replace(view, status=found.get(alive.get(view.id, ""))) for view in views]


def _with_machines(views: list[ServerView], reader: Reader) -> list[ServerView]:
    """Add what EC2 tells of this run's recovery instances."""
    ids = {view.id: view.own.recoveryInstanceID for view in views if view.own}
    found = _machines(reader, ids.values())
    return [replace(view, machine=found.get(ids.get(view.id, ""))) for view in views]


def _with_leaving(views: list[ServerView], reader: Reader) -> list[ServerView]:
    """Add the EC2 state of what this run launched and DRS does not list any more."""
    launched = {v.id: v.launched_id for v in views if v.own is None and v.launched_id}
    found = _machines(reader, launched.values())
    states = {name: found[i].State.Name for name, i in launched.items() if i in found}
    return [replace(v, leaving=state if (state := states.get(v.id, "")) != "terminated" else "") for v in views]


def _machines(reader: Reader, ids: Iterable[str]) -> dict[str, Machine]:
    """Return the EC2 instances that exist; by a filter, because ids of instances that are gone would be an error."""
    wanted: list[JsonValue] = [*sorted(ids)]
    if not wanted:
        return {}
    filters: JsonValue = [{"Name": "instance-id", "Values": wanted}]
    pages = reader.pages("ec2", "DescribeInstances", Machines, Filters=filters)
    return {m.InstanceId: m for page in pages for each in page.Reservations for m in each.Instances}


def _with_sources(views: list[ServerView], reader: Reader, run: RunContext) -> list[ServerView]:
    """Add the protected EC2 instances and, while protection is reversed, the source servers on the source side."""
    protected: dict[str, str] = {v.id: v.server.protects for v in views if v.server and v.server.protects}
    found = _machines(reader, protected.values())
    protectors: Mapping[str | None, Server] = {}
    if run.phase in {Phase.REPLICATE, Phase.DECOMMISSION}:
        protectors = {server.protects: server for server in listed(reader)}
    views = [
        replace(
            view,
            source=found.get(protected.get(view.id, "")),
            reverse=_protector(view, protectors),
        )
        for view in views
    ]
    if run.phase is not Phase.DECOMMISSION:
        views = [replace(view, kept_for=tagged_for_launch(view.source)) for view in views]
        if run.phase is not Phase.REPLICATE or any(view.into is None for view in views):
            return views
        return _until(
            views,
            lambda v: replace(v, reverse_launch=settings(reader, v.reverse)),
            lambda v: bool(v.reverse_launch and v.reverse_launch.into),
        )
    into_source = launches_into_sources(reader)
    return [
        replace(
            view, kept_for=into_source or need(reader, view.source, view.reverse), locked=locked(reader, view.source)
        )
        for view in views
    ]


def _protector(view: ServerView, protectors: Mapping[str | None, Server]) -> Server | None:
    """Return the source server that protects the recovery instance the other way round.

    A prepared instance was protected from there before, under the same id; only since its launch does its own failback tell.
    """
    recovered = view.recovered
    if recovered is None or (view.into is not None and recovered.failback.state == "FAILBACK_NOT_STARTED"):
        return None
    return protectors.get(recovered.recoveryInstanceID)


def _source_ready(aws: Clients, run: RunContext) -> bool | None:
    if run.mode is not Mode.PLANNED or run.phase not in {Phase.INSTANTIATE, Phase.REPLICATE}:
        return None
    templates = aws.at(Side.SOURCE).find(
        "drs", "DescribeReplicationConfigurationTemplates", Templates, missing=UNINITIALIZED
    )
    return bool(templates and templates.items)
