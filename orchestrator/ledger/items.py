"""Records to DynamoDB items and back. Numbers keep their value, absent fields stay absent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeVar

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pydantic import BaseModel

Item = dict[str, dict[str, Any]]
M = TypeVar("M", bound=BaseModel)

KEYS = {"pk", "sk", "gsi1pk", "gsi1sk"}
_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def key_of(pk: str, sk: str) -> Item:
    """Return the key of an item."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def strings_of(values: Mapping[str, str] | None) -> Item:
    """Return plain strings as DynamoDB attributes."""
    return {name: {"S": value} for name, value in (values or {}).items()}


def to_item(record: BaseModel) -> Item:
    """Return a record as DynamoDB attributes; fields that are None are left out."""
    plain = json.loads(record.model_dump_json(exclude_none=True), parse_float=Decimal)
    return {name: _serializer.serialize(value) for name, value in plain.items()}


def from_item(item: Item, model: type[M]) -> M:
    """Return the record of an item."""
    plain = {name: _plain(_deserializer.deserialize(value)) for name, value in item.items() if name not in KEYS}
    return model.model_validate(plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
