"""What a resource type must be able to do, and the helpers that its functions use."""

from __future__ import annotations

import secrets
import string
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.core.utils import get_service_model

from localaws.service import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localaws.world import World

Properties = Mapping[str, Any]
SUFFIX = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Context:
    """Where a resource is made: stack, account, Region."""

    world: World
    account: str
    region: str
    stack_name: str
    stack_id: str
    logical_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def call(self, service: str, operation: str, *, region: str | None = None, **params: Any) -> Mapping[str, Any]:
        """Call an API of the stack's account; values are converted to the types of the API's model."""
        where = region or self.region
        return self.world.call(service, operation, self.account, where, **typed(service, operation, params))

    def name(self, longest: int = 255, *, lower: bool = False) -> str:
        """Return a generated physical name: stack, logical id, random suffix."""
        suffix = "".join(secrets.choice(SUFFIX) for _ in range(12))
        kept = f"{self.stack_name}-{self.logical_id}"[: longest - 13]
        name = f"{kept}-{suffix}"
        return name.lower() if lower else name

    def tag_list(self, own: Any = None) -> list[dict[str, str]]:
        """Return the stack's tags and the resource's own, as Key/Value pairs."""
        return [{"Key": key, "Value": value} for key, value in self.tag_map(own).items()]

    def tag_map(self, own: Any = None) -> dict[str, str]:
        """Return the stack's tags and the resource's own, as a mapping."""
        own = own or {}
        pairs = own if isinstance(own, Mapping) else {tag["Key"]: tag["Value"] for tag in own}
        return {key: str(value) for key, value in {**self.tags, **pairs}.items()}


@dataclass(frozen=True)
class Made:
    """A resource as it now is: what `Ref` and `Fn::GetAtt` answer."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


class ResourceType(ABC):
    """One CloudFormation resource type. `replaced_by` names the properties whose change makes a new resource."""

    replaced_by: frozenset[str] = frozenset()

    @abstractmethod
    def create(self, context: Context, properties: Properties) -> Made:
        """Make the resource. Raises `AwsError`."""

    @abstractmethod
    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        """Change the resource in place. Raises `AwsError`."""

    @abstractmethod
    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        """Remove the resource; absence is no error."""


@contextmanager
def whole(kind: ResourceType, context: Context, made: Made, properties: Properties) -> Iterator[None]:
    """Remove what was already made when a later call of the same creation fails."""
    try:
        yield
    except AwsError:
        with suppress(AwsError):
            kind.delete(context, made, properties)
        raise


def typed(service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Convert template values ("true", "5") to the types of the operation's input.

    Raises `AwsError` for a member that the operation does not have: a property that would be lost silently.
    """
    shape = get_service_model(service).operation_model(operation).input_shape
    value = _typed(shape, {k: v for k, v in params.items() if v is not None}, operation)
    return dict(value)


def _typed(shape: Any, value: Any, path: str) -> Any:
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping) and not getattr(shape, "is_document_type", False):
        unknown = set(value) - set(shape.members)
        if unknown:
            raise AwsError("ValidationError", f"{path}: the embedded AWS does not know {', '.join(sorted(unknown))}")
        return {k: _typed(shape.members[k], v, f"{path}.{k}") for k, v in value.items() if v is not None}
    if kind == "list" and isinstance(value, list):
        return [_typed(shape.member, item, path) for item in value]
    if kind == "map" and isinstance(value, Mapping):
        return {str(k): _typed(shape.value, v, f"{path}.{k}") for k, v in value.items()}
    return _scalar(kind, value)


def _scalar(kind: str, value: Any) -> Any:
    if kind in {"integer", "long"} and isinstance(value, str | float):
        return int(value)
    if kind in {"float", "double"} and isinstance(value, str | int) and not isinstance(value, bool):
        return float(value)
    if kind == "boolean" and isinstance(value, str):
        return value.lower() == "true"
    if kind == "string" and isinstance(value, bool):
        return "true" if value else "false"
    if kind == "string" and isinstance(value, int | float):
        return str(value)
    return value


def pick(properties: Properties, *names: str, **renamed: str) -> dict[str, Any]:
    """Return the named properties that are present; `api_name="PropertyName"` renames one."""
    chosen = {name: properties[name] for name in names if name in properties}
    return chosen | {new: properties[old] for new, old in renamed.items() if old in properties}


def camel(value: Any) -> Any:
    """Return structures with member names in camelCase, as services like logs and states want them."""
    if isinstance(value, Mapping):
        return {key[0].lower() + key[1:]: camel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [camel(item) for item in value]
    return value


def ignore_missing(error: AwsError) -> None:
    """Swallow an error that says the thing is gone already; raise any other."""
    gone = ("NotFound", "NoSuch", "NonExistent", "DoesNotExist")
    if not any(word in error.code for word in gone):
        raise error
