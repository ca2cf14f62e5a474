"""Which tagged functions are the two sides of one resource, and what an emergency must know of them."""

from __future__ import annotations

from dataclasses import replace

from adapters.lambda_.spec import ALIAS_SHIFT, DEPLOY
from adapters.lambda_.view import artifacts, look_at, recipe_of
from orchestrator.contract import Found, Place, Reader
from orchestrator.tags import STRATEGY


def found_at(aws: Reader, arn: str) -> list[Found]:
    """Return a tagged function, and where it belongs in another Region when `dr:artifact` tells; nothing for a ghost."""
    name = arn.split(":")[6]
    place = Place(aws.account, aws.region, name, arn)
    side = look_at(aws, place)
    if side.function is None:
        return []  # Resource Explorer still shows what was deleted
    tags = side.function.Tags
    deployed = tags.get(STRATEGY) == DEPLOY
    facts = recipe_of(side, with_definition=deployed).model_dump(mode="json")
    key = f"{aws.account}/{name}"
    found = [Found(key, name, replace(place, facts=facts), tags, ALIAS_SHIFT)]
    elsewhere = sorted(set(artifacts(tags)) - {aws.region}) if deployed else []
    return found + [
        Found(
            key,
            name,
            Place(aws.account, region, name, arn.replace(f":{aws.region}:", f":{region}:")),
            tags,
            DEPLOY,
            counterpart=True,
        )
        for region in elsewhere
    ]
