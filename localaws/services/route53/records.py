"""Record sets: names as Route 53 writes them, and the rules of ChangeResourceRecordSets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from moto.route53.models import RecordSet

from localaws.service import AwsError

Shape = Mapping[str, Any]
ROUTING_FIELDS = ("Weight", "Failover", "Region", "GeoLocation", "MultiValueAnswer", "CidrRoutingConfig")
RECORDS_LIMIT = 1000
CHARACTERS_LIMIT = 32_000


class Key(NamedTuple):
    """What identifies a record set: name (lower case, final dot), type, set identifier."""

    name: str
    type: str
    set_identifier: str | None

    def __str__(self) -> str:
        """Return the record set as Route 53's error messages name it."""
        identifier = f", set identifier='{self.set_identifier}'" if self.set_identifier else ""
        return f"[name='{self.name}', type='{self.type}'{identifier}]"


Records = dict[Key, RecordSet]


def normal_name(name: str) -> str:
    """Return a DNS name in lower case, with its final dot and `*` unescaped."""
    return name.lower().replace("\\052", "*").rstrip(".") + "."


def order(key: Key) -> tuple[list[str], str, str]:
    """Return the sort key of ListResourceRecordSets: labels from the right, then type, then set identifier."""
    return key.name.rstrip(".").split(".")[::-1], key.type, key.set_identifier or ""


def key_of(record: RecordSet) -> Key:
    """Return the key of moto's record set."""
    return Key(normal_name(record.name), str(record.type), record.set_identifier or None)


def by_key(records: Iterable[RecordSet]) -> Records:
    """Return moto's record sets by key."""
    return {key_of(record): record for record in records}


def shape(record: RecordSet) -> dict[str, Any]:
    """Return moto's record set in the output shape."""
    shown: dict[str, Any] = {
        "Name": normal_name(record.name).replace("*", "\\052"),
        "Type": record.type,
        "SetIdentifier": record.set_identifier or None,
        "Weight": None if record.weight is None else int(record.weight),
        "Region": record.region,
        "GeoLocation": record.geo_location,
        "Failover": record.failover,
        "MultiValueAnswer": record.multi_value_answer,
        "CidrRoutingConfig": getattr(record, "cidr_routing_config", None),
        "TTL": None if record.ttl is None else int(record.ttl),
        "ResourceRecords": [{"Value": value} for value in values(record)] or None,
        "AliasTarget": _alias(record.alias_target) if record.alias_target else None,
        "HealthCheckId": record.health_check_id,
    }
    return {name: value for name, value in shown.items() if value is not None}


def values(record: RecordSet) -> list[str]:
    """Return the record data, whether it came by the API (strings) or by CloudFormation (strings or mappings)."""
    return [each["Value"] if isinstance(each, Mapping) else str(each) for each in record.records or []]


def make(described: Shape) -> RecordSet:
    """Return moto's record set for one in the input shape."""
    data = [each["Value"] for each in described.get("ResourceRecords") or []]
    record = RecordSet({**described, "Name": normal_name(described["Name"]), "ResourceRecords": data})
    record.cidr_routing_config = described.get("CidrRoutingConfig")
    return record


def apply_changes(
    zone_name: str, current: Records, changes: Sequence[Shape], health_check_exists: Callable[[str], bool]
) -> Records:
    """Return the zone's records after a batch, or raise: all changes happen or none.

    Raises `InvalidInput` (malformed), `NoSuchHealthCheck`, `InvalidChangeBatch` (with every problem found).
    """
    _check_size(changes)
    zone = normal_name(zone_name)
    result = dict(current)
    problems: list[str] = []
    for change in changes:
        described = change["ResourceRecordSet"]
        _check_form(change["Action"], described)
        key = Key(normal_name(described["Name"]), described["Type"], described.get("SetIdentifier"))
        check = described.get("HealthCheckId")
        if change["Action"] != "DELETE" and check and not health_check_exists(check):
            raise AwsError("NoSuchHealthCheck", f"No health check exists with the specified ID: {check}", 404)
        problem = _permitted(key, zone) or _apply(result, change["Action"], key, described, zone)
        if problem:
            problems.append(problem)
    problems += [] if problems else _conflicts(result, {key_of(make(c["ResourceRecordSet"])) for c in changes}, zone)
    if problems:
        raise invalid_batch(problems)
    return result


def invalid_batch(problems: Sequence[str]) -> AwsError:
    """Return InvalidChangeBatch with its messages, in Route 53's brackets."""
    return AwsError("InvalidChangeBatch", f"[{', '.join(problems)}]")


def _alias(target: Shape) -> dict[str, Any]:
    evaluate = str(target.get("EvaluateTargetHealth", False)).lower() == "true"
    return {**target, "DNSName": normal_name(str(target["DNSName"])), "EvaluateTargetHealth": evaluate}


def _apply(result: Records, action: str, key: Key, described: Shape, zone: str) -> str | None:
    exists = key in result
    if action == "CREATE" and exists:
        return f"Tried to create resource record set {key} but it already exists"
    if action in {"CREATE", "UPSERT"}:
        result[key] = make(described)
        return None
    if not exists:
        return f"Tried to delete resource record set {key} but it was not found"
    if key.name == zone and key.type in {"NS", "SOA"}:
        return f"A HostedZone must contain at least one {key.type} record for the zone itself."
    if _comparable(shape(result[key])) != _comparable(shape(make(described))):
        return f"Tried to delete resource record set {key} but the values provided do not match the current values"
    del result[key]
    return None


def _comparable(described: Shape) -> dict[str, Any]:
    data = sorted(each["Value"] for each in described.get("ResourceRecords") or [])
    return {**described, "ResourceRecords": data}


def _check_size(changes: Sequence[Shape]) -> None:
    records = characters = 0
    for change in changes:
        twice = 2 if change["Action"] == "UPSERT" else 1
        data = [each["Value"] for each in change["ResourceRecordSet"].get("ResourceRecords") or []]
        records += twice * len(data)
        characters += twice * sum(map(len, data))
    if records > RECORDS_LIMIT:
        raise invalid_batch([f"Number of records limit of {RECORDS_LIMIT} exceeded."])
    if characters > CHARACTERS_LIMIT:
        raise invalid_batch([f"Number of characters limit of {CHARACTERS_LIMIT} exceeded."])


def _check_form(action: str, described: Shape) -> None:
    if action not in {"CREATE", "UPSERT", "DELETE"}:
        raise AwsError("InvalidInput", f"Invalid XML: {action} is not a valid action")
    where = (
        f"in Change with [Action={action}, Name={described['Name']}, Type={described['Type']}, "
        f"SetIdentifier={described.get('SetIdentifier', 'null')}]"
    )
    plain = described.get("TTL") is not None and bool(described.get("ResourceRecords"))
    alias = described.get("AliasTarget") is not None
    expected = "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId]"
    if not plain and not alias:
        raise AwsError("InvalidInput", f"Invalid request: {expected}, but found none {where}")
    if alias and (described.get("TTL") is not None or described.get("ResourceRecords")):
        raise AwsError("InvalidInput", f"Invalid request: {expected}, but found more than one {where}")
    routing = [name for name in ROUTING_FIELDS if described.get(name) is not None]
    listed = ", ".join(ROUTING_FIELDS)
    if described.get("SetIdentifier") and len(routing) != 1:
        found = "none" if not routing else "more than one"
        raise AwsError(
            "InvalidInput", f"Invalid request: Expected exactly one of [{listed}], but found {found} {where}"
        )
    if routing and not described.get("SetIdentifier"):
        raise AwsError("InvalidInput", f"Invalid request: Missing field 'SetIdentifier' {where}")
    if not 0 <= int(described.get("Weight") or 0) <= 255:
        raise AwsError("InvalidInput", f"Invalid request: Weight must be between 0 and 255 {where}")


def _permitted(key: Key, zone: str) -> str | None:
    if key.name != zone and not key.name.endswith(f".{zone}"):
        return f"RRSet with DNS name {key.name} is not permitted in zone {zone}"
    if key.type == "CNAME" and key.name == zone:
        return f"RRSet of type CNAME with DNS name {key.name} is not permitted at apex in zone {zone}"
    return None


def _conflicts(records: Records, touched: Iterable[Key], zone: str) -> list[str]:
    problems: list[str] = []
    for name, kind in sorted({(key.name, key.type) for key in touched}):
        siblings = {key: record for key, record in records.items() if (key.name, key.type) == (name, kind)}
        policies = {_policy(record) for record in siblings.values()}
        if len(policies) > 1:
            problems.append(
                f"RRSet with DNS name {name}, type {kind} cannot be created as other RRSets exist with the same name "
                f"and type but a different routing policy ({', '.join(sorted(policies))})"
            )
        roles = [record.failover for record in siblings.values() if record.failover]
        if len(roles) != len(set(roles)):
            problems.append(
                f"RRSet with DNS name {name}, type {kind}: two failover records have the same Failover value"
            )
        types = {key.type for key in records if key.name == name}
        if "CNAME" in types and len(types) > 1 and siblings:
            problems.append(
                f"RRSet of type {kind} with DNS name {name} is not permitted as it conflicts with other records "
                f"with the same DNS name in zone {zone}"
            )
    return problems


def _policy(record: RecordSet) -> str:
    described = shape(record)
    return next((name for name in ROUTING_FIELDS if described.get(name) is not None), "Simple")
