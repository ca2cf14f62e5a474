"""The tags of a MemoryDB cluster that a run makes: AWS copies none. Pure."""

from __future__ import annotations

from pydantic import JsonValue

from adapters.memorydb.spec import BUCKET_TAG, PLATFORM_TAGS
from adapters.reading import tag_list
from orchestrator.contract import Member, Place, RunContext


def tags_for(member: Member, place: Place, run: RunContext) -> list[JsonValue]:
    """Return the resource's own tags, the bucket of the side where it is made, and the run's."""
    own = {k: v for k, v in member.tags.items() if k not in PLATFORM_TAGS and not k.startswith("aws:")}
    bucket = place.facts.get("bucket")
    return tag_list({**own, **({BUCKET_TAG: str(bucket)} if bucket else {}), **run.tags})
