"""The resource types: ours by name, moto's models for others; anything else is refused."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from localaws.service import AwsError

if TYPE_CHECKING:
    from localaws.services.cloudformation.resource import ResourceType


@lru_cache
def resource_type(name: str) -> ResourceType:
    """Return the resource type of that name. Raises `AwsError` `ValidationError` for one that nobody can make."""
    from localaws.services.cloudformation import compute, data, events, identity, motomodels, nested, observe, storage

    for module in (identity, storage, data, compute, events, observe, nested):
        found: ResourceType | None = module.TYPES.get(name)
        if found is not None:
            return found
    model = motomodels.find(name)
    if model is None:
        message = f"Template format error: the embedded AWS cannot create resources of the type {name}"
        raise AwsError("ValidationError", message)
    return model
