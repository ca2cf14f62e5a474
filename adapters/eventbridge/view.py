"""What is read of a bus's rules, or of one rule: both sides, their targets, the global endpoint, and a drill's copies."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from adapters.eventbridge import view_checks as checks
from adapters.eventbridge import view_needs as needed
from adapters.eventbridge.models import (
    Endpoint,
    EndpointFacts,
    QueueTags,
    QueueUrl,
    Replay,
    Rule,
    Rules,
    RuleTarget,
    Tags,
    Targets,
    bus_of,
    facts_of,
)
from adapters.eventbridge.spec import MISSING, QUEUE_MISSING
from adapters.needed import Lack
from adapters.reading import drill_name, tag_map
from adapters.route53.models import GotHealthCheck, HealthCheck
from adapters.route53.spec import CHECK_MISSING
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.errors import NotFoundError
from orchestrator.words import Mode, Phase, Side

LONGEST_COPIED_NAME = 64 - len("drill-12345678-")
"""EventBridge allows 64 characters."""


@dataclass(frozen=True)
class RuleSide:
    """One side. `rules` are those of the bus that no AWS service manages; of a single rule, only itself."""

    place: Place
    bus: str
    present: bool
    """Whether the bus is there."""
    rules: Mapping[str, Rule]
    targets: Mapping[str, Sequence[RuleTarget]] = field(default_factory=dict)
    """Rule -> its targets, of the rules that were asked for."""

    def enabled(self, name: str) -> bool:
        """Say whether a rule is there and enabled."""
        return name in self.rules and self.rules[name].enabled


@dataclass(frozen=True)
class EndpointView:
    """The global endpoint: what the inventory knew, and what can be read of it now."""

    facts: EndpointFacts
    described: Endpoint | None
    """None when its home Region may not be asked, or it is gone."""
    readable: bool
    """Whether its home Region may be asked."""
    controlled: bool
    """Whether Route 53's control plane may be called."""
    check: HealthCheck | None


@dataclass(frozen=True)
class DrillView:
    """What this drill has made: copies of rules (their targets' ids, tags) and a queue."""

    rules: Mapping[str, Rule]
    targets: Mapping[str, Sequence[str]]
    tags: Mapping[str, Mapping[str, str]]
    queue: str
    """The drill queue's name; a function of drill and resource."""
    queue_url: str | None
    queue_tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EventBridgeView:
    """Both sides of the rules."""

    member: Member
    strategy: str
    names: tuple[str, ...]
    """The rules that belong to the resource, by what the inventory found on either side."""
    on: frozenset[str]
    """Those of them that one side is to have enabled."""
    source: RuleSide | None
    """None when the source side may not be reached."""
    target: RuleSide
    tags: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Rule -> the tags it has on the side that has it, where the other side lacks it."""
    endpoint: EndpointView | None = None
    missing: tuple[str, ...] = ()
    """What is wrong with the targets on the target side, as sentences; looked for before ACTIVATE."""
    lacks: tuple[Lack, ...] = ()
    """What bus and API destinations of the target side need and is not as it must be; read when the run is planned."""
    failures: Mapping[str, float] = field(default_factory=dict)
    """Rule -> invocations that failed in the last minutes on the target side, once it serves."""
    drill: DrillView | None = None
    replay: Replay | None = None

    @property
    def serving(self) -> bool:
        """Say whether every rule that belongs on is enabled on the target side."""
        return all(self.target.enabled(name) for name in self.on)

    def steps_of(self, verb: str) -> dict[str, str]:
        """Return rule -> name of its step; rule names may differ in what step names cannot show."""
        taken: dict[str, str] = {}
        for name in self.names:
            plain = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-") or "rule"
            step, number = f"{verb}-{plain}", 2
            while step in taken.values():
                step, number = f"{verb}-{plain}-{number}", number + 1
            taken[name] = step
        return taken


def look(target: Target, aws: Clients, run: RunContext) -> EventBridgeView:
    """Read the rules of the sides that can be reached; their targets at the first look and once they serve."""
    member = target.only
    facts = (facts_of(member.source), facts_of(member.target))
    names = tuple(sorted({name for each in facts for name in each.rules}))
    on = frozenset(
        name
        for name in names
        for each in facts
        if each.said.get(name) == "on" or each.rules.get(name, "DISABLED") != "DISABLED"
    )
    reader = aws.at(Side.TARGET)
    here = _side(reader, member.target)
    there = _side(aws.at(Side.SOURCE), member.source) if aws.reaches(Side.SOURCE) else None
    serving = all(here.enabled(name) for name in on)
    first = run.phase is not Phase.ACTIVATE or not run.called_at
    if first or serving:
        here = _with_targets(reader, here, names)
        there = _with_targets(aws.at(Side.SOURCE), there, names) if there and first else there
    endpoint = next((each.endpoint for each in facts if each.endpoint), None)
    return EventBridgeView(
        member=member,
        strategy=target.strategy,
        names=names,
        on=on,
        source=there,
        target=here,
        tags=_tags_of_missing(aws, names, there, here) if there and run.phase is not Phase.ACTIVATE else {},
        endpoint=_endpoint(aws, endpoint, run) if endpoint else None,
        missing=checks.missing(reader, here.targets) if first and run.mode is not Mode.DRILL else (),
        lacks=tuple(needed.lacks(reader, here.bus, here.targets))
        if run.planning and first and run.mode is not Mode.DRILL
        else (),
        failures=checks.failures(reader, here.bus, sorted(on), run)
        if serving and run.phase is not Phase.INSTANTIATE
        else {},
        drill=_drill(reader, here, names, member, run) if run.mode is Mode.DRILL else None,
        replay=_replay(aws, member) if there and run.mode is Mode.PLANNED else None,
    )


def list_rules(reader: Reader, bus: str, prefix: str = "") -> dict[str, Rule] | None:
    """Return the rules of a bus by name, without those that an AWS service manages; None when the bus is not there."""
    only: dict[str, JsonValue] = {"NamePrefix": prefix} if prefix else {}
    try:
        pages = reader.pages("events", "ListRules", Rules, EventBusName=bus, **only)
    except NotFoundError:
        return None
    return {rule.Name: rule for page in pages for rule in page.Rules if rule.ManagedBy is None}


def tags_of(reader: Reader, arn: str) -> dict[str, str]:
    """Return the tags of a rule or bus."""
    return tag_map(reader.read("events", "ListTagsForResource", Tags, ResourceARN=arn).Tags)


def is_bus(place: Place) -> bool:
    """Say whether the resource is a bus with its rules, not a single rule."""
    return ":event-bus/" in place.arn


def copy_name(run: RunContext, rule: str) -> str:
    """Return the name of this drill's copy of a rule: the same at every retry, and no other rule's."""
    if len(rule) > LONGEST_COPIED_NAME:
        rule = f"{rule[: LONGEST_COPIED_NAME - 9]}-{hashlib.sha256(rule.encode()).hexdigest()[:8]}"
    return drill_name(run, rule, 64)


def replay_name(asked: Mapping[str, JsonValue], bus: str) -> str:
    """Return the name of the replay that the manifest asks for: the same in every run, so that no run repeats it."""
    text = json.dumps(asked, sort_keys=True)
    return f"dr-{hashlib.sha256(text.encode()).hexdigest()[:8]}-{bus}"[:64]


def _side(reader: Reader, place: Place) -> RuleSide:
    bus = bus_of(place.arn)
    single = "" if is_bus(place) else place.arn.rpartition("/")[2]
    rules = list_rules(reader, bus, single)
    wanted = {name: rule for name, rule in (rules or {}).items() if not single or name == single}
    return RuleSide(place, bus, rules is not None, wanted)


def _with_targets(reader: Reader, side: RuleSide, names: Sequence[str]) -> RuleSide:
    targets = {name: _targets(reader, side.bus, name) for name in names if name in side.rules}
    return RuleSide(side.place, side.bus, side.present, side.rules, targets)


def _targets(reader: Reader, bus: str, rule: str) -> tuple[RuleTarget, ...]:
    pages = reader.pages("events", "ListTargetsByRule", Targets, Rule=rule, EventBusName=bus)
    return tuple(target for page in pages for target in page.Targets)


def _tags_of_missing(
    aws: Clients, names: Sequence[str], source: RuleSide, target: RuleSide
) -> dict[str, dict[str, str]]:
    """Return the tags of what exists on one side only: AWS copies none."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        here, there = target.rules.get(name), source.rules.get(name)
        if there is not None and here is None:
            found[name] = tags_of(aws.at(Side.SOURCE), there.Arn)
        if here is not None and there is None:
            found[name] = tags_of(aws.at(Side.TARGET), here.Arn)
    return found


def _endpoint(aws: Clients, facts: EndpointFacts, run: RunContext) -> EndpointView:
    """Ask the endpoint's home, the only Region that tells of it, and Route 53, where they may be reached."""
    side = {run.source_region: Side.SOURCE, run.target_region: Side.TARGET}.get(facts.home)
    readable = side is not None and aws.reaches(side)
    controlled = aws.reaches(Side.GLOBAL)
    check = None
    if controlled:
        found = aws.at(Side.GLOBAL).find(
            "route53", "GetHealthCheck", GotHealthCheck, missing=CHECK_MISSING, HealthCheckId=facts.check
        )
        check = found.HealthCheck if found else None
    described = (
        aws.at(side).find("events", "DescribeEndpoint", Endpoint, missing=MISSING, Name=facts.name)
        if side is not None and readable
        else None
    )
    return EndpointView(facts, described, readable, controlled, check)


def _drill(reader: Reader, side: RuleSide, names: Sequence[str], member: Member, run: RunContext) -> DrillView:
    own = {copy_name(run, name) for name in names}
    found = list_rules(reader, side.bus, drill_name(run, "")) or {}
    copies = {name: rule for name, rule in found.items() if name in own}
    queue = drill_name(run, re.sub("[^A-Za-z0-9_-]+", "-", member.name), 80)
    url = reader.find("sqs", "GetQueueUrl", QueueUrl, missing=QUEUE_MISSING, QueueName=queue)
    tags = reader.find("sqs", "ListQueueTags", QueueTags, missing=QUEUE_MISSING, QueueUrl=url.QueueUrl) if url else None
    return DrillView(
        rules=copies,
        targets={name: [t.Id for t in _targets(reader, side.bus, name)] for name in copies},
        tags={name: tags_of(reader, rule.Arn) for name, rule in copies.items()},
        queue=queue,
        queue_url=url.QueueUrl if url and tags else None,
        queue_tags=tags.Tags if tags else {},
    )


def _replay(aws: Clients, member: Member) -> Replay | None:
    asked = member.settings.get("replay")
    if not isinstance(asked, dict):
        return None
    name = replay_name(asked, bus_of(member.source.arn))
    return aws.at(Side.SOURCE).find("events", "DescribeReplay", Replay, missing=MISSING, ReplayName=name)
