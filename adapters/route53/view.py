"""What is read of a pair of records: facts from before, the control plane where it may be reached, and what DNS answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from adapters.route53.models import (
    Alarms,
    AlarmState,
    Change,
    ControlState,
    Facts,
    GotHealthCheck,
    HealthCheck,
    Record,
    RecordSets,
)
from adapters.route53.spec import ALARM, CHANGE_MISSING, CHECK_MISSING, CONTROL_MISSING, SIMPLE, WEIGHTED
from orchestrator.contract import Clients, Member, Reader, RunContext, Target
from orchestrator.words import Mode, Side

CHANGE_STEP = "change-weights"
RECORD_STEP = "change-record"
ADDRESS_TYPES = {"A", "AAAA"}


@dataclass(frozen=True)
class RecordView:
    """A pair of records. What the run may not reach is None; `records` then tells what discovery saw."""

    member: Member
    strategy: str
    facts: Facts
    records: Mapping[str, Record]
    answers: tuple[str, ...]
    """What the zone's name servers answer now."""
    expected: Mapping[str, tuple[str, ...]]
    """Region -> what they answer while that side serves."""
    controlled: bool
    """Whether Route 53's control plane may be called."""
    alarm_side: Side | None = None
    """Where the alarm is reached; None when it lies on neither side or in a lost Region."""
    check: HealthCheck | None = None
    change: str | None = None
    """The status of this run's change; None when there is none, or Route 53 does not know it any more."""
    alarm: AlarmState | None = None
    live: Record | None = None
    """The single record of simple routing as it is now."""
    controls: Mapping[str, str] = field(default_factory=dict)
    """Region -> the state of its routing control, On or Off; one that does not exist is left out."""
    resolved: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Region -> the addresses behind that side's value; only asked in a drill."""

    @property
    def primary_region(self) -> str | None:
        """Return the Region of the PRIMARY record, None for a weighted pair."""
        return next((region for region, record in self.facts.records.items() if record.Failover == "PRIMARY"), None)

    def serves(self, region: str) -> bool:
        """Say whether DNS answers with a side's value and no other side's (an alias may answer with a part of its own)."""
        mine = set(self.expected.get(region, ()))
        others = {value for other, values in self.expected.items() if other != region for value in values} - mine
        return bool(mine & set(self.answers)) and not others & set(self.answers)


def look(target: Target, aws: Clients, run: RunContext) -> RecordView:
    """Ask DNS always; read records, check and change where the control plane may be reached, the alarm where it lives."""
    member = target.only
    facts = Facts.model_validate(dict(member.target.facts))
    reader, controlled = aws.at(Side.TARGET), aws.reaches(Side.GLOBAL)
    control = aws.at(Side.GLOBAL) if controlled else None
    alarm_side = _alarm_side(aws, facts, run)
    single = target.strategy == SIMPLE
    live = records_of(control, facts.zone_id, facts.name, facts.type) if control else []
    return RecordView(
        member=member,
        strategy=target.strategy,
        facts=facts,
        records=by_region(live) if control and not single else facts.records,
        answers=reader.resolve(facts.name, facts.type, facts.name_servers),
        expected={region: _expected(reader, record) for region, record in facts.records.items()},
        controlled=controlled,
        alarm_side=alarm_side,
        check=_check(control, facts) if control else None,
        change=_change(control, run) if control and target.strategy in {WEIGHTED, SIMPLE} else None,
        alarm=_alarm(aws.at(alarm_side), facts) if target.strategy == ALARM and alarm_side else None,
        live=live[0] if single and live else None,
        controls=_controls(reader, facts),
        resolved=_resolved(reader, facts) if run.mode is Mode.DRILL else {},
    )


def idle_text(checks: Sequence[str]) -> str:
    """Tell of tagged health checks that no record uses."""
    return f"no record uses the tagged health check(s) {', '.join(checks)}: nothing would move"


def records_of(reader: Reader, zone_id: str, name: str, kind: str) -> list[Record]:
    """Return the record sets of one name and type."""
    found = reader.read(
        "route53",
        "ListResourceRecordSets",
        RecordSets,
        HostedZoneId=zone_id,
        StartRecordName=name,
        StartRecordType=kind,
        MaxItems="10",
    ).ResourceRecordSets
    return [r for r in found if r.Name.rstrip(".") == name.rstrip(".") and r.Type == kind]


def by_region(records: Sequence[Record]) -> dict[str, Record]:
    """Return record sets by the Region in their set identifier."""
    return {r.region: r for r in records if r.region}


def _expected(reader: Reader, record: Record) -> tuple[str, ...]:
    """An alias answers with what its target answers, so that must be asked too."""
    if record.AliasTarget is None:
        return record.values
    return reader.resolve(record.AliasTarget.DNSName, record.Type, ()) or record.values


def _check(reader: Reader, facts: Facts) -> HealthCheck | None:
    if facts.check is None:
        return None
    found = reader.find(
        "route53", "GetHealthCheck", GotHealthCheck, missing=CHECK_MISSING, HealthCheckId=facts.check.Id
    )
    return found.HealthCheck if found else None


def _change(reader: Reader, run: RunContext) -> str | None:
    change = {**run.kept.get(CHANGE_STEP, {}), **run.kept.get(RECORD_STEP, {})}.get("change")
    if not isinstance(change, str):
        return None
    plain = change.rsplit("/", 1)[-1]
    found = reader.find("route53", "GetChange", Change, missing=CHANGE_MISSING, Id=plain)
    return found.ChangeInfo.Status if found else None


def _alarm_side(aws: Clients, facts: Facts, run: RunContext) -> Side | None:
    identifier = facts.check.HealthCheckConfig.AlarmIdentifier if facts.check else None
    sides = {run.target_region: Side.TARGET, run.source_region: Side.SOURCE}
    side = sides.get(identifier.Region) if identifier else None
    return side if side and aws.reaches(side) else None


def _alarm(reader: Reader, facts: Facts) -> AlarmState | None:
    identifier = facts.check.HealthCheckConfig.AlarmIdentifier if facts.check else None
    name = identifier.Name if identifier else ""
    alarms = reader.read("cloudwatch", "DescribeAlarms", Alarms, AlarmNames=[name]).MetricAlarms
    return alarms[0] if alarms else None


def _controls(reader: Reader, facts: Facts) -> dict[str, str]:
    endpoints: JsonValue = [each.model_dump() for each in facts.endpoints]
    found = {
        region: reader.find(
            "route53-recovery-cluster",
            "GetRoutingControlState",
            ControlState,
            missing=CONTROL_MISSING,
            Endpoints=endpoints,
            RoutingControlArn=arn,
        )
        for region, arn in facts.controls.items()
    }
    return {region: state.RoutingControlState for region, state in found.items() if state}


def _resolved(reader: Reader, facts: Facts) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for region, record in facts.records.items():
        literal = record.Type in ADDRESS_TYPES and record.AliasTarget is None
        values = record.values
        found[region] = values if literal else tuple(a for v in values for a in reader.resolve(v, "A", ()))
    return found
