"""A shortcut in moto's JSON serializer: structures given as plain dictionaries are walked by their own keys.

moto looks up every member of the shape, under several spellings, in every structure: a page of a hundred
DynamoDB items took 100 ms.
"""

from __future__ import annotations

from typing import Any

from moto.core.serialize import BaseJSONSerializer, JSONSerializer

_every_member = BaseJSONSerializer._serialize_type_structure


def install() -> None:
    """Put the shortcut in place; a second time changes nothing."""
    JSONSerializer._serialize_type_structure = _own_keys


def _own_keys(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    members = shape.members
    # Other spellings and transformers need moto's full look-up.
    plain = type(value) is dict and not getattr(self._value_picker, "response_transformers", None)
    if not plain or shape.is_document_type or any(name not in members for name in value):
        _every_member(self, serialized, value, shape, key)
        return
    wrapper = self.MAP_TYPE() if key else serialized
    for name, item in value.items():
        if item is not None:
            self._serialize(wrapper, item, members[name], name)
    if key:
        self._default_serialize(serialized, wrapper, shape, key)
