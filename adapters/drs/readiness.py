"""Readiness of a DRS batch: replication, lag against the RPO, recovery points, running jobs, what is launched into."""

from __future__ import annotations

from adapters.asg.states import STANDARD, STANDARD_VCPUS
from adapters.drs import launch as job
from adapters.drs import plans, prepared
from adapters.drs.permissions import PLAN
from adapters.drs.spec import CATCHING_UP, NO_DATA_YET, RECOVERY_PLAN, SPEC
from adapters.drs.view_server import DrsView, ServerView
from adapters.judging import ready, red, too_slow, warning
from adapters.needed import findings as findings_of
from adapters.quotas import ask
from orchestrator.contract import Claim, Finding, RunContext
from orchestrator.words import Mode, Severity


def judged(view: DrsView, run: RunContext) -> list[Finding]:
    """Return the findings of every server; one that says ready where nothing is wrong."""
    findings: list[Finding] = []
    for each in view.servers:
        mine = _of(each, run)
        if view.strategy == PLAN:
            mine += [red(each.id, code, f"{text}.", plans.REMEDY) for code, text in plans.objections(each, view)]
        elif told := each.member.settings.get(RECOVERY_PLAN):
            text = f'the manifest names the recovery plan "{told}", and the strategy is {view.strategy}.'
            mine.append(red(each.id, "plan-unused", text, f'write "strategy": "{PLAN}" beside it, or remove it'))
        if view.strategy:
            mine += too_slow(each.member, SPEC.strategy(view.strategy))
        if view.source_ready is False:
            text = f"DRS has no replication template in {each.member.source.region}: it cannot protect the way back."
            mine.append(red(each.id, "no-way-back", text, "initialise DRS there, then: dr plan"))
        mine += findings_of(each.id, view.landing.of_servers.get(each.id, ()))
        findings += mine or [ready(each.id, f"{each.member.target.id} can be launched, {_lag(each)}.")]
    return findings + (findings_of(view.servers[0].id, view.landing.of_all) if view.servers else [])


def claims(view: DrsView) -> list[Claim]:
    """Return what the servers to be launched take of the quota of standard instances."""
    landing = view.landing
    if not landing.vcpus:
        return []
    place = view.servers[0].member.target
    where, remedy = (place.account, place.region), ask(*STANDARD_VCPUS, place.region)
    return [landing.room.claim((view.servers[0].id,), where, STANDARD, landing.what, landing.vcpus, remedy)]


def _of(each: ServerView, run: RunContext) -> list[Finding]:
    me, server, findings = each.id, each.server, list[Finding]()
    if server is None:
        return [red(me, "missing", f"there is no source server {each.member.target.id}.")]
    findings += _replication(each, run)
    if job.launches_into(each):
        findings.append(red(me, "launch-into", f"{job.launches_into(each)}.", job.INTO_REMEDY))
    if server.stagingArea.status == "EXTENSION_ERROR":
        findings.append(red(me, "extension", f"{server.sourceServerID} cannot be extended from its staging account."))
    limit = run.rpo_minutes.get(me)
    lost = loss_seconds(each, run)
    if limit is not None and lost is not None and lost > limit * 60:
        findings.append(red(me, "lag", f"lag is {lost:.0f} s, dr:rpo-target is {limit} min."))
    if each.other_job:
        findings.append(warning(me, "in-a-job", f"{server.sourceServerID} is in job {each.other_job}."))
    if each.into is not None:
        findings += _prepared(each, run)
    elif run.mode is Mode.EMERGENCY and each.launch and not each.launch.copyTags:
        findings.append(warning(me, "tags", f"{server.sourceServerID} launches instances without its tags."))
    obstacle, _ = job.unobstructed([each], run)
    if each.into is not None and any(finding.severity is Severity.RED for finding in findings):
        return findings  # told one by one already
    known = {finding.message for finding in findings}
    return findings + [
        red(me, "obstructed", f"{step.reason}.", step.remedy) for step in obstacle if f"{step.reason}." not in known
    ]


def _lag(each: ServerView) -> str:
    return f"lag {each.server.dataReplicationInfo.lag_seconds:.0f} s" if each.server else "lag unknown"


def loss_seconds(each: ServerView, run: RunContext) -> float | None:
    """Return what a launch now would lose of a server; None when nobody can tell."""
    if each.server is None:
        return None
    info = each.server.dataReplicationInfo
    if info.dataReplicationState in {"CONTINUOUS", *CATCHING_UP}:
        return info.lag_seconds
    if each.recovery_point is None:
        return None
    return max(info.lag_seconds, (run.now - each.recovery_point).total_seconds())


def _replication(each: ServerView, run: RunContext) -> list[Finding]:
    assert each.server is not None
    me, server, findings = each.id, each.server, list[Finding]()
    info = server.dataReplicationInfo
    state, emergency = info.dataReplicationState, run.mode is Mode.EMERGENCY
    seen = f"{server.sourceServerID} is {state}{f' ({info.error})' if info.error else ''}"
    if each.recovery_point is None and not each.job:
        findings.append(red(me, "no-recovery-point", f"{server.sourceServerID} has no recovery point to launch from."))
    if state in CATCHING_UP and not emergency:
        findings.append(warning(me, "catching-up", f"{seen}, expected CONTINUOUS."))
    elif state in NO_DATA_YET or (state != "CONTINUOUS" and state not in CATCHING_UP and not emergency):
        findings.append(red(me, "not-replicating", f"{seen}, expected CONTINUOUS."))
    return findings


def _prepared(each: ServerView, run: RunContext) -> list[Finding]:
    """Judge the prepared instance; in an emergency as far as the target side tells."""
    me = each.id
    findings = [red(me, code, f"{text}.", prepared.REMEDY) for code, text in prepared.objections(each)]
    if each.launch is not None and not prepared.settled(each.launch) and run.mode is Mode.EMERGENCY:
        text = f"{each.member.target.id} is not set to start, without copied tags and addresses: DRS refuses such launches."
        findings.append(warning(me, "launch-settings", text, "set it in the server's launch settings."))
    for code, text in (("boot-mode", prepared.unknown(each)), ("way-back-boot-mode", prepared.no_way_back(each))):
        if text:
            findings.append(warning(me, code, text))
    if run.mode is Mode.DRILL:
        findings.append(warning(me, "drill-launches-nothing", f"{prepared.UNDRILLED}.", prepared.REHEARSE))
    return findings
