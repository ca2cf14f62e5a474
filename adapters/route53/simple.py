"""A single record, rewritten: the zone's tags say which record it is and what it holds while each side serves.

A record of simple routing has no health check, so nothing but its zone can carry tags: `dr:record` (its name) and
`dr:record-values` ("us-east-1=one.example us-west-2=two.example", one value for each side). One such record per zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.judging import red
from adapters.route53.models import Facts, Record, Zone
from adapters.route53.spec import SIMPLE
from adapters.route53.view import RECORD_STEP, RecordView
from orchestrator.contract import Call, Finding, Found, Place, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.errors import ValidationError
from orchestrator.words import Effect, Side

RECORD, VALUES = "dr:record", "dr:record-values"
TYPES = ("A", "AAAA", "CNAME")
_SIDES = 2


def simple_record(
    account: str, arn: str, zone: Zone, servers: Sequence[str], records: Sequence[Record], tags: Mapping[str, str]
) -> Found:
    """Return the record that a zone's tags name; raise `ValidationError` when they do not tell all of it."""
    name = tags.get(RECORD, "").rstrip(".")
    pairs = [each.partition("=") for each in tags.get(VALUES, "").split()]
    values = {region: value for region, _, value in pairs if region and value}
    live = [r for r in records if r.Name.rstrip(".") == name and r.Type in TYPES]
    if len(values) != _SIDES or len(pairs) != _SIDES:
        raise _wrong(zone, f'{VALUES} is "{tags.get(VALUES, "")}"')
    if len(live) != 1 or live[0].SetIdentifier or live[0].AliasTarget or len(live[0].ResourceRecords) != 1:
        raise _wrong(zone, f'{RECORD} is "{name}", which is no single record with one value of type {", ".join(TYPES)}')
    facts = Facts(
        zone_id=zone.plain_id,
        zone_name=zone.Name.rstrip("."),
        private=zone.settings.PrivateZone,
        name_servers=list(servers),
        name=name,
        type=live[0].Type,
        records={region: _holding(live[0], value) for region, value in values.items()},
    )
    kept = facts.model_dump(mode="json", exclude_unset=True)
    place = Place(account, "global", zone.plain_id, arn, kept)
    return Found(f"{zone.plain_id} {name} {live[0].Type}", name, place, tags, SIMPLE)


def rewrite(view: RecordView, run: RunContext, to: str) -> list[Step]:
    """Make the record hold one side's value."""
    if not view.controlled:
        return [done(RECORD_STEP, "DNS answers with that side's value already", effect=Effect.REVERSIBLE)]
    live, wanted = view.live, view.facts.records[to]
    if live is None:
        text = f"{view.facts.name} {view.facts.type} does not exist"
        return [failed(RECORD_STEP, text, "make it again with the value of the side that serves, then retry.")]
    stranger = _stranger(view)
    if stranger:
        return [blocked(RECORD_STEP, stranger, f"find out who changed it; correct it or the tag {VALUES}, then retry.")]
    changed: JsonValue = {**live.raw(), "ResourceRecords": wanted.raw()["ResourceRecords"]}
    batch: JsonValue = {
        "Comment": f"dr-orchestrator {run.run_id}",
        "Changes": [{"Action": "UPSERT", "ResourceRecordSet": changed}],
    }
    params: dict[str, JsonValue] = {"HostedZoneId": view.facts.zone_id, "ChangeBatch": batch}
    call = Call("route53", "ChangeResourceRecordSets", params, Side.GLOBAL, keep={"change": "ChangeInfo.Id"})
    seen = f"holds {', '.join(live.values)}"
    # A change that Route 53 does not know any more (after its own failover) may be lost and is submitted again.
    lost = "change" in run.kept.get(RECORD_STEP, {}) and view.change is None and not view.serves(to)
    if lost or live.values != wanted.values:
        change = todo(RECORD_STEP, call, Effect.REVERSIBLE, f"{seen}, expected {', '.join(wanted.values)}")
        return [change, busy("change-in-sync", "follows the change")]
    change = done(RECORD_STEP, seen, effect=Effect.REVERSIBLE)
    if view.change == "PENDING":
        return [change, busy("change-in-sync", "the change is PENDING, expected INSYNC")]
    return [change, done("change-in-sync", view.change or "no change of this run is under way")]


def findings(view: RecordView) -> list[Finding]:
    """Judge that the record is there and holds one side's value."""
    me = view.member.resource_id
    if not view.controlled:
        return []
    if view.live is None:
        return [red(me, "no-record", f"{view.facts.name} {view.facts.type} does not exist.")]
    stranger = _stranger(view)
    return (
        [red(me, "foreign-value", f"{stranger}.", f"correct it or the tag {VALUES}, then: dr plan")] if stranger else []
    )


def _stranger(view: RecordView) -> str:
    sides = sorted({value for record in view.facts.records.values() for value in record.values})
    if view.live is None or (len(view.live.values) == 1 and view.live.values[0] in sides):
        return ""
    return f"{view.facts.name} holds {', '.join(view.live.values) or 'an alias'}, expected {' or '.join(sides)}"


def _holding(live: Record, value: str) -> Record:
    return Record.model_validate({**live.raw(), "ResourceRecords": [{"Value": value}]})


def _wrong(zone: Zone, what: str) -> ValidationError:
    return ValidationError(
        f"hosted zone {zone.Name.rstrip('.')} ({zone.plain_id}) is tagged for {SIMPLE}, and {what}.",
        f'set {RECORD} to the record\'s name, and {VALUES} to "REGION=value REGION=value", one for each side.',
        code="ZoneTags",
    )
