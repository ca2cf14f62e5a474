"""DB subnet groups that stand in for a database where nothing of it stands yet: where its counterpart is to be made.

The tag `dr:standby-for` of a group names the databases, `dr:security-groups` and `dr:kms-key` the rest of what is Regional. A
subnet group without that tag is nobody's side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from adapters.databases.shared import base_name, own_tags
from adapters.databases.spec import GROUPS_TAG, KEY_TAG, STANDBY_FOR_TAG
from adapters.databases.view import PlaceGroup, PlaceGroups, tags_of
from adapters.reading import tag_list
from orchestrator.contract import Call, Member, Param, Place, Reader, Step, blocked, done, todo
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side

INSTANCES, CLUSTERS = "db", "cluster"
_PLACE_TAGS = (STANDBY_FOR_TAG, GROUPS_TAG, KEY_TAG)


@dataclass(frozen=True)
class StandIn:
    """A place for one database, and the tags that belong to the database."""

    place: Place
    tags: Mapping[str, str]


def label(name: str, kind: str) -> str:
    """Return how the tag names a database: an instance by its name, a cluster as `cluster:<name>`."""
    return name if kind == INSTANCES else f"{kind}:{name}"


def stand_ins(aws: Reader, arns: Sequence[str], kind: str) -> dict[str, StandIn]:
    """Return the places of databases of one kind among the tagged objects `arns`, by the database's name."""
    if not any(":subgrp:" in arn for arn in arns):
        return {}
    found: dict[str, StandIn] = {}
    pages = aws.pages("rds", "DescribeDBSubnetGroups", PlaceGroups)
    for group in (g for page in pages for g in page.DBSubnetGroups if g.DBSubnetGroupArn in arns):
        tags = tags_of(aws, group.DBSubnetGroupArn)
        own = {key: value for key, value in tags.items() if key not in _PLACE_TAGS}
        for name in _names(tags, kind):
            place = Place(aws.account, aws.region, name, group.DBSubnetGroupArn, _regional(group, tags))
            found[name] = StandIn(place, own)
    return found


def _names(tags: Mapping[str, str], kind: str) -> list[str]:
    told = [each.rpartition(":") for each in tags.get(STANDBY_FOR_TAG, "").split()]
    return [name for before, _, name in told if (before or INSTANCES) == kind]


def _regional(group: PlaceGroup, tags: Mapping[str, str]) -> dict[str, JsonValue]:
    return {
        "place": group.DBSubnetGroupArn,
        "subnet_group": group.DBSubnetGroupName,
        "security_groups": list(tags.get(GROUPS_TAG, "").split()),
        "kms_key": tags.get(KEY_TAG),
    }


def as_databases(member: Member, kind: str) -> Member:
    """Return the member with the ARNs that its databases have, or are going to have, where a subnet group stands in."""
    return replace(member, source=_database(member.source, kind), target=_database(member.target, kind))


def _database(place: Place, kind: str) -> Place:
    if ":subgrp:" not in place.arn:
        return place
    beginning = place.arn.partition(":subgrp:")[0]
    return replace(place, arn=f"{beginning}:{kind}:{place.id}")


def stand_in(
    member: Member, kind: str, group: PlaceGroup | None, tags: Mapping[str, str], groups: Sequence[JsonValue] | None
) -> Step:
    """Return the step that lets the source side's subnet group stand in for the database: the next inventory needs a
    counterpart there. `groups` are the security groups that its successor there is to have.
    """
    name, place = "stand-in", member.source
    base = label(base_name(place.id), kind)
    if group is None:
        why = f"there is no subnet group {place.facts.get('subnet_group')} in {place.region}"
        return blocked(name, why, f"make one, tag it {STANDBY_FOR_TAG}={base}, then retry.")
    if serves(tags, base):
        return done(name, f"{group.DBSubnetGroupName} stands in for {base}", effect=Effect.REVERSIBLE)
    told = {
        GROUPS_TAG: " ".join(str(each) for each in groups or ()),
        KEY_TAG: str(place.facts.get("kms_key") or ""),
    }
    new = {key: value for key, value in {**own_tags(member), **told}.items() if value and key not in tags}
    added = {**new, ENABLED: "true", STANDBY_FOR_TAG: f"{tags.get(STANDBY_FOR_TAG, '')} {base}".strip()}
    params: dict[str, Param] = {"ResourceName": group.DBSubnetGroupArn, "Tags": tag_list(added)}
    call = Call("rds", "AddTagsToResource", params, Side.SOURCE)
    return todo(name, call, Effect.REVERSIBLE, f"{group.DBSubnetGroupName} does not stand in for {base} yet")


def serves(tags: Mapping[str, str] | None, base: str) -> bool:
    """Say whether a subnet group with these tags stands in for a database."""
    return base in (tags or {}).get(STANDBY_FOR_TAG, "").split()
