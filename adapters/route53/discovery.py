"""Find the record sets behind tagged health checks and zones, and capture all that moving them takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapters.reading import tag_map
from adapters.route53.arc import check_of, controls_of, endpoints_of
from adapters.route53.models import (
    Facts,
    GotZone,
    HealthCheck,
    Record,
    RecordSets,
    TagSets,
    Zone,
    Zones,
)
from adapters.route53.simple import simple_record
from adapters.route53.spec import (
    ALARM,
    FAILOVER_ROUTING,
    HEALTH_CHECKS_AT_ONCE,
    IDLE_REMEDY,
    ROUTING_CONTROL,
    SIMPLE,
    WEIGHTED,
)
from adapters.route53.view import idle_text
from orchestrator.contract import Found, Place, Reader
from orchestrator.errors import ValidationError
from orchestrator.tags import ENABLED, KNOWN, STRATEGY

Key = tuple[str, str]


def find(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return each record set that uses a tagged health check, and each that its zone's tags name.

    A tagged health check that no record uses is noted with the first of them, for readiness to tell. Raise `ValidationError` for
    a record that cannot be moved, and where a tagged zone, or all that is tagged, would move nothing.
    """
    if not arns:
        return []
    tags = _tags(aws, [arn.rsplit("/", 1)[-1] for arn in arns if ":healthcheck/" in arn])
    tagged_zones = {arn.rsplit("/", 1)[-1] for arn in arns if ":hostedzone/" in arn}
    partition = arns[0].split(":")[1]
    found: list[Found] = []
    idle = set(tags)
    for zone in (z for page in aws.pages("route53", "ListHostedZones", Zones) for z in page.HostedZones):
        pages = aws.pages("route53", "ListResourceRecordSets", RecordSets, HostedZoneId=zone.plain_id)
        groups: dict[Key, list[Record]] = {}
        for record in (r for page in pages for r in page.ResourceRecordSets):
            groups.setdefault((record.Name.rstrip("."), record.Type), []).append(record)
        used = {k: group for k, group in groups.items() if any(r.HealthCheckId in tags for r in group)}
        own = _tags(aws, [zone.plain_id], "hostedzone").get(zone.plain_id, {}) if zone.plain_id in tagged_zones else {}
        single = own.get(STRATEGY) == SIMPLE
        if zone.plain_id in tagged_zones and not (used or single):
            raise _nothing_moves(zone)
        servers = _name_servers(aws, zone) if used or single else []
        if single:
            arn = f"arn:{partition}:route53:::hostedzone/{zone.plain_id}"
            everything = [record for group in groups.values() for record in group]
            found.append(simple_record(aws.account, arn, zone, servers, everything, own))
        types_of = {name: sorted(t for n, t in used if n == name) for name, _ in used}
        for (name, kind), group in sorted(used.items()):
            idle -= {record.HealthCheckId or "" for record in group}
            # The first type of a name goes by the name alone, because nearly all names have one type.
            label = name if kind == types_of[name][0] else f"{name}-{kind}"
            found.append(_found(aws, zone, servers, label, group, tags, partition))
    if not idle:
        return found
    if not found:
        raise ValidationError(f"{idle_text(sorted(idle))}.", IDLE_REMEDY, code="CheckAlone")
    first = found[0].place
    noted = replace(first, facts={**first.facts, "idle_checks": [*sorted(idle)]})
    return [replace(found[0], place=noted), *found[1:]]


def _nothing_moves(zone: Zone) -> ValidationError:
    name = zone.Name.rstrip(".")
    return ValidationError(
        f"hosted zone {name} ({zone.plain_id}) is tagged, and no record in it uses a tagged health check: nothing would move.",
        f"put the zone's dr:* tags on the health checks of the records that shall move, or remove {ENABLED} from the zone.",
        code="ZoneAlone",
    )


def _tags(aws: Reader, ids: Sequence[str], kind: str = "healthcheck") -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for start in range(0, len(ids), HEALTH_CHECKS_AT_ONCE):
        batch = list(ids[start : start + HEALTH_CHECKS_AT_ONCE])
        reply = aws.read("route53", "ListTagsForResources", TagSets, ResourceType=kind, ResourceIds=[*batch])
        found |= {each.ResourceId: tag_map(each.Tags) for each in reply.ResourceTagSets}
    return found


def _name_servers(aws: Reader, zone: Zone) -> list[str]:
    delegation = aws.read("route53", "GetHostedZone", GotZone, Id=zone.plain_id).DelegationSet
    return delegation.NameServers if delegation else []


def _found(
    aws: Reader,
    zone: Zone,
    name_servers: Sequence[str],
    label: str,
    group: Sequence[Record],
    tags: Mapping[str, Mapping[str, str]],
    partition: str,
) -> Found:
    name = group[0].Name.rstrip(".")
    records = _by_region(group, name)
    check = _primary_check(aws, records)
    strategy = _strategy(aws, records, check, name)
    controls = controls_of(aws, records, name) if strategy == ROUTING_CONTROL else {}
    facts = Facts(
        zone_id=zone.plain_id,
        zone_name=zone.Name.rstrip("."),
        private=zone.settings.PrivateZone,
        name_servers=list(name_servers),
        name=name,
        type=group[0].Type,
        records=records,
        check=check,
        controls=controls,
        endpoints=endpoints_of(aws, controls, name) if controls else [],
    )
    kept = facts.model_dump(mode="json", exclude_unset=True)
    tagged = [r.HealthCheckId for r in group if r.HealthCheckId and r.HealthCheckId in tags]
    # The tags are the health check's, so its ARN tells later whose the records are; calls take the zone's id.
    arn = f"arn:{partition}:route53:::healthcheck/{tagged[0]}"
    place = Place(aws.account, "global", zone.plain_id, arn, kept)
    mine = [tags[check_id] for check_id in tagged]
    return Found(f"{zone.plain_id} {name} {group[0].Type}", label, place, _agreed(mine, name), strategy)


def _by_region(group: Sequence[Record], name: str) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for record in group:
        if record.TrafficPolicyInstanceId:
            raise ValidationError(
                f"{name} {record.Type} belongs to traffic policy instance {record.TrafficPolicyInstanceId}.",
                "remove dr:enabled from its health check: traffic policies are not supported.",
                code="TrafficPolicy",
            )
        if record.region is None or record.region in records:
            raise ValidationError(
                f'{name} {record.Type}: set identifier "{record.SetIdentifier}" names no Region, or one named twice.',
                "name each record's Region in its set identifier, for instance us-east-1.",
                code="NoSide",
            )
        records[record.region] = record
    return records


def _primary_check(aws: Reader, records: Mapping[str, Record]) -> HealthCheck | None:
    primary = next((r for r in records.values() if r.Failover == "PRIMARY"), None)
    return check_of(aws, primary) if primary is not None else None


def _strategy(aws: Reader, records: Mapping[str, Record], check: HealthCheck | None, name: str) -> str:
    roles = sorted(r.Failover or "" for r in records.values())
    if all(r.Weight is not None for r in records.values()) and len(records) > 1:
        return _weighted(aws, records, name)
    kind = check.HealthCheckConfig.Type if check else ""
    if roles != ["PRIMARY", "SECONDARY"] or not kind:
        raise ValidationError(
            f"{name} is no weighted pair and no failover pair whose PRIMARY has a health check (roles {roles}, {kind}).",
            "remove dr:enabled from its health check, or make it such a pair.",
            code="UnsupportedRouting",
        )
    if kind == "RECOVERY_CONTROL":
        return ROUTING_CONTROL
    if kind != "CLOUDWATCH_METRIC":
        return FAILOVER_ROUTING
    assert check is not None
    alarm = check.HealthCheckConfig.AlarmIdentifier
    standby = next(region for region, record in records.items() if record.Failover == "SECONDARY")
    if alarm is None or alarm.Region != standby or check.CloudWatchAlarmConfiguration is None:
        where = alarm.Region if alarm else "nowhere"
        raise ValidationError(
            f"{name}: the alarm of the PRIMARY's health check is in {where}, expected a metric alarm in {standby}.",
            "the standby must be able to take over while the other Region is lost: make the alarm there.",
            code="AlarmSide",
        )
    return ALARM


def _weighted(aws: Reader, records: Mapping[str, Record], name: str) -> str:
    """Refuse weights behind routing controls: a control that is Off would hold traffic back from the side that gets the weight."""
    for region, record in records.items():
        check = check_of(aws, record)
        if check is not None and check.HealthCheckConfig.RoutingControlArn:
            raise ValidationError(
                f"{name}: the weighted record of {region} follows routing control {check.HealthCheckConfig.RoutingControlArn}.",
                "make the records a failover pair (PRIMARY, SECONDARY) that follows the controls, or give them other checks.",
                code="ControlAndWeight",
            )
    return WEIGHTED


def _agreed(tags: Sequence[Mapping[str, str]], name: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for each in tags:
        for tag, value in each.items():
            if tag in KNOWN and merged.get(tag, value) != value:
                raise ValidationError(
                    f'the health checks of {name} give {tag} the values "{merged[tag]}" and "{value}".',
                    "give all health checks of one record set the same dr:* tags.",
                    code="TagsDiffer",
                )
            merged[tag] = value
    return merged
