"""Route 53: a pair of records, one per Region, answers with the side that serves.

instantiate  nothing; a TTL above 60 s is a readiness finding
activate     failover-routing: route53.UpdateHealthCheck (Disabled and Inverted) forces the PRIMARY unhealthy, and back;
             weighted: one route53.ChangeResourceRecordSets with both records, route53.GetChange until INSYNC;
             alarm-health-check: cloudwatch.PutMetricData on the standby side, 1 takes over, 0 steps back;
             arc-routing-control: one route53-recovery-cluster.UpdateRoutingControlStates, see route53_arc;
             simple-upsert: one route53.ChangeResourceRecordSets with the one record, see route53_simple.
             Then, for all: wait until the zone's own name servers answer with the target's value
cleanup      nothing: the override stays while the target side serves
replicate    nothing: the records serve both directions

In an emergency whose target is not us-east-1 Route 53's control plane is out of reach: failover-routing waits for
Route 53 to fail over by itself, alarm-health-check and arc-routing-control work as ever, weighted and simple-upsert
are blocked unless DNS has moved already. Records cannot be tagged: a tagged health check stands for the record sets
that use it, and the Region in a set identifier tells its side. A tagged hosted zone stands for one simple record or
for nothing: then it is an error, because nothing of it would move. It never deletes records, never sets both weights
to 0, never swaps PRIMARY and SECONDARY, refuses records of traffic policies, and touches no production name in a
drill.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.judging import ready, red, too_slow, warning
from adapters.route53 import arc, simple
from adapters.route53.discovery import find
from adapters.route53.spec import (
    ALARM,
    ALARM_SECONDS,
    FAILOVER_ROUTING,
    FULL_WEIGHT,
    IDLE_REMEDY,
    ROUTING_CONTROL,
    SIMPLE,
    SPEC,
    TTL_SECONDS,
    WEIGHTED,
)
from adapters.route53.view import CHANGE_STEP, RecordView, idle_text, look
from orchestrator.contract import (
    Adapter,
    Call,
    Check,
    Clients,
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

_NO_CONTROL = "record changes need Route 53's control plane in us-east-1, which this emergency run may not call"
_USE_ALARM = "change the record by hand once Route 53's API answers; for the future use alarm-health-check or arc-routing-control."


class Route53Adapter(Adapter[RecordView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the record sets whose health checks are tagged, with all that an emergency needs."""
        return find(aws, arns)

    def observe(self, target: Target, aws: Clients, run: RunContext) -> RecordView:
        """Ask DNS, and the control planes that the run may reach."""
        return look(target, aws, run)

    def readiness(self, view: RecordView, run: RunContext) -> list[Finding]:
        """Judge both records, TTL, health check, alarm, and whether the control plane is needed and reached."""
        me, name = view.member.resource_id, view.facts.name
        findings = [
            red(me, "no-record", f"{name} has no record whose set identifier names {region}.")
            for region in (run.source_region, run.target_region)
            if region not in view.records
        ]
        slow = {record.TTL for record in view.records.values() if record.TTL is not None and record.TTL > TTL_SECONDS}
        if slow:
            text = f"{name} has a TTL of {max(slow)} s: caches keep the side being left for so long."
            findings.append(warning(me, "ttl", text, f"lower it to {TTL_SECONDS} s one old TTL ahead."))
        if not view.answers and not view.facts.private:
            findings.append(
                red(me, "no-answer", f"the name servers of {view.facts.zone_name} answer nothing for {name}.")
            )
        if view.facts.check is not None and view.controlled and view.check is None:
            findings.append(red(me, "no-health-check", f"health check {view.facts.check.Id} of {name} does not exist."))
        if run.mode is Mode.DRILL and not view.resolved.get(run.target_region):
            findings.append(red(me, "no-target", f"the target's value for {name} does not resolve."))
        if view.facts.idle_checks:
            findings.append(red(me, "idle-check", f"{idle_text(view.facts.idle_checks)}.", IDLE_REMEDY))
        findings += too_slow(view.member, SPEC.strategy(view.strategy))
        findings += _alarm_findings(view) if view.strategy == ALARM else []
        findings += arc.findings(view) if view.strategy == ROUTING_CONTROL else []
        findings += simple.findings(view) if view.strategy == SIMPLE else []
        if _blocked(view, run.target_region):
            findings.append(red(me, "control-plane", f"{name}: {_NO_CONTROL}.", _USE_ALARM))
        return findings or [ready(me, f"{name} answers {', '.join(view.answers)}.")]

    def loss(self, view: RecordView, run: RunContext) -> list[Loss]:
        """Lose nothing: names hold no data."""
        return [Loss(view.member.resource_id, 0.0, "holds no data")]

    def instantiate(self, view: RecordView, run: RunContext) -> list[Step]:
        """Do nothing."""
        return skip("both records exist already")

    def activate(self, view: RecordView, run: RunContext) -> list[Step]:
        """Make DNS answer with the target's value."""
        if run.mode is Mode.DRILL:
            return skip("a drill touches no production name")
        return _move(view, run, run.target_region, run.source_region)

    def cleanup(self, view: RecordView, run: RunContext) -> list[Step]:
        """Do nothing."""
        return skip("what holds traffic on the target side stays while it serves")

    def replicate(self, view: RecordView, run: RunContext) -> list[Step]:
        """Do nothing."""
        return skip("the records serve both directions")

    def decommission(self, view: RecordView, run: RunContext) -> list[Step]:
        """Delete nothing: a name belongs to both sides."""
        return skip(
            f"{view.facts.name} is global: nothing of it is left in {run.source_region}, and the record that names that "
            "side is the way back"
        )

    def rollback(self, phase: Phase, view: RecordView, run: RunContext) -> list[Step]:
        """Make DNS answer with the source's value again."""
        if run.mode is Mode.DRILL or phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        return _move(view, run, run.source_region, run.target_region)

    def health(self, view: RecordView, run: RunContext) -> list[Check]:
        """Ask what DNS answers; in a drill, whether the target's own value resolves."""
        me = view.member.resource_id
        if run.mode is Mode.DRILL:
            addresses = view.resolved.get(run.target_region, ())
            state = CheckState.HEALTHY if addresses else CheckState.SETTLING
            return [Check(me, "target-resolves", state, ", ".join(addresses) or "no address")]
        well = view.serves(run.target_region) or view.facts.private
        state = CheckState.HEALTHY if well else CheckState.SETTLING
        return [Check(me, "answers", state, _answers(view, run.target_region))]

    def after(self, phase: Phase, view: RecordView, run: RunContext) -> RecordView:
        """Foresee the answers; nothing else is looked at by the later phases."""
        if phase is not Phase.ACTIVATE or run.mode is Mode.DRILL:
            return view
        return replace(view, answers=view.expected.get(run.target_region, ()))


def _alarm_findings(view: RecordView) -> list[Finding]:
    me, findings = view.member.resource_id, []
    check, alarm = view.check or view.facts.check, view.alarm
    if check is not None and not check.natural:
        findings.append(
            red(me, "check-overridden", f"health check {check.Id} is disabled or inverted: its alarm is unheard.")
        )
    if view.alarm_side is None:
        return findings
    if alarm is None:
        return [
            *findings,
            red(me, "no-alarm", f"the alarm behind the health check of {view.facts.name} does not exist."),
        ]
    if alarm.TreatMissingData != "ignore":
        text = f"the alarm treats missing data as {alarm.TreatMissingData}: one value would not hold."
        findings.append(red(me, "alarm-forgets", text, "set TreatMissingData to ignore."))
    return findings


def _move(view: RecordView, run: RunContext, to: str, away_from: str) -> list[Step]:
    if to not in view.records or away_from not in view.records:
        reason = f"{view.facts.name} has records for {', '.join(sorted(view.records))}, expected {to} and {away_from}"
        return [blocked("both-records", reason, "make the missing record, with its Region as set identifier.")]
    if _blocked(view, to) and not view.serves(to):
        return [blocked("control-plane", _NO_CONTROL, _USE_ALARM)]
    if view.strategy == ROUTING_CONTROL:
        return [*arc.switch(view, run, to, away_from), _answered(view, to)]
    if view.strategy == SIMPLE:
        return [*simple.rewrite(view, run, to), _answered(view, to)]
    steps = {FAILOVER_ROUTING: _force, WEIGHTED: _weigh, ALARM: _signal}[view.strategy](view, run, to, away_from)
    return [*steps, _answered(view, to)]


def _blocked(view: RecordView, to: str) -> bool:
    """Say whether moving to a Region takes a control plane that is out of reach."""
    if view.controlled:
        return False
    overridden = view.facts.check is not None and view.facts.check.forced
    return view.strategy in {WEIGHTED, SIMPLE} or (
        view.strategy == FAILOVER_ROUTING and overridden and to == view.primary_region
    )


def _force(view: RecordView, run: RunContext, to: str, away_from: str) -> list[Step]:
    """Force the PRIMARY unhealthy, or let its check speak again."""
    forced = to != view.primary_region
    name = "force-health-check" if forced else "restore-health-check"
    if not view.controlled:
        return [done(name, "Route 53 fails over by itself; its control plane is not called in this emergency")]
    check = view.check
    if check is None:
        return [failed(name, f"the PRIMARY of {view.facts.name} has no health check", "attach one, then: dr plan")]
    config = check.HealthCheckConfig
    seen = f"{check.Id}: Disabled {config.Disabled}, Inverted {config.Inverted}"
    if check.forced if forced else check.natural:
        return [done(name, seen, effect=Effect.REVERSIBLE)]
    params: dict[str, JsonValue] = {
        "HealthCheckId": check.Id,
        "HealthCheckVersion": check.HealthCheckVersion,
        "Disabled": forced,
        "Inverted": forced,
    }
    call = Call("route53", "UpdateHealthCheck", params, Side.GLOBAL)
    return [todo(name, call, Effect.REVERSIBLE, f"{seen}, expected {forced} and {forced}")]


def _weigh(view: RecordView, run: RunContext, to: str, away_from: str) -> list[Step]:
    """Put all weight on one side, in one batch that repeats both records in full."""
    gaining, losing = view.records[to], view.records[away_from]
    seen = f"weight {gaining.Weight} in {to}, {losing.Weight} in {away_from}"
    if not view.controlled:
        text = "DNS moved by its health checks; the weights still point at the other side"
        return [
            done(CHANGE_STEP, seen, effect=Effect.REVERSIBLE, warning=f"{view.facts.name}: {text}: set them later.")
        ]
    full = max(gaining.Weight or 0, losing.Weight or 0) or FULL_WEIGHT
    changes: JsonValue = [
        {"Action": "UPSERT", "ResourceRecordSet": {**record.raw(), "Weight": weight}}
        for record, weight in ((gaining, full), (losing, 0))
    ]
    batch: JsonValue = {"Comment": f"dr-orchestrator {run.run_id}", "Changes": changes}
    params: dict[str, JsonValue] = {"HostedZoneId": view.facts.zone_id, "ChangeBatch": batch}
    call = Call("route53", "ChangeResourceRecordSets", params, Side.GLOBAL, keep={"change": "ChangeInfo.Id"})
    # A change that Route 53 does not know any more (after its own failover) may be lost and is submitted again.
    lost = "change" in run.kept.get(CHANGE_STEP, {}) and view.change is None and not view.serves(to)
    moved = bool(gaining.Weight) and not losing.Weight
    if lost or not moved:
        change = todo(CHANGE_STEP, call, Effect.REVERSIBLE, f"{seen}, expected {full} and 0")
        return [change, busy("change-in-sync", "follows the change")]
    change = done(CHANGE_STEP, seen, effect=Effect.REVERSIBLE)
    if view.change == "PENDING":
        return [change, busy("change-in-sync", "the change is PENDING, expected INSYNC")]
    return [change, done("change-in-sync", view.change or "no change of this run is under way")]


def _signal(view: RecordView, run: RunContext, to: str, away_from: str) -> list[Step]:
    """Let the standby take over, or step back, by one value of the alarm's metric."""
    takes_over = to != view.primary_region
    name = "standby-takes-over" if takes_over else "standby-steps-back"
    if view.alarm_side is None:
        return [done(name, "the alarm's Region is lost; Route 53 treats its check as healthy")]
    metric = view.facts.check.CloudWatchAlarmConfiguration if view.facts.check else None
    if view.alarm is None or metric is None:
        return [failed(name, f"the alarm behind {view.facts.name} does not exist", "make it again, then retry.")]
    state = f"the alarm is {view.alarm.StateValue}"
    if (view.alarm.StateValue == "ALARM") is takes_over:
        return [done(name, state, effect=Effect.REVERSIBLE)]
    dimensions: JsonValue = [{"Name": d.Name, "Value": d.Value} for d in metric.Dimensions]
    datum: JsonValue = {"MetricName": metric.MetricName, "Dimensions": dimensions, "Value": float(takes_over)}
    params: dict[str, JsonValue] = {"Namespace": metric.Namespace, "MetricData": [datum]}
    call = Call("cloudwatch", "PutMetricData", params, view.alarm_side)
    waited = run.seconds_since(name)
    if waited is not None and waited < ALARM_SECONDS:
        return [busy(name, f"{state}, {waited:.0f} s after the value", effect=Effect.REVERSIBLE, call=call)]
    return [todo(name, call, Effect.REVERSIBLE, f"{state}, expected {'ALARM' if takes_over else 'OK'}")]


def _answered(view: RecordView, to: str) -> Step:
    """Judge by the data plane, which answers in every outage."""
    name = "answers-moved"
    if view.facts.private:
        text = f"{view.facts.name} is in a private zone, which only its VPCs can ask: ask it there."
        return done(name, "not asked: private zone", warning=text)
    seen = _answers(view, to)
    return done(name, seen) if view.serves(to) else busy(name, seen)


def _answers(view: RecordView, to: str) -> str:
    return f"DNS answers {', '.join(view.answers) or 'nothing'}, expected {', '.join(view.expected.get(to, ()))}"
