"""Two shortcuts inside moto's tables: a query looks at one partition only, and sizes are counted once.

moto's `Table.query` sorts the whole table for every query, and `Item.size` rebuilds nested values at each
level; a ledger of a few thousand items made queries take 20 to 100 ms.
"""

from __future__ import annotations

import inspect
import threading
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

_WHOLE_TABLE = object()
_partition = threading.local()
_sorted_items = Table.all_items
_query = Table.query
NUMBER_BYTES = 8
# Position of index_name among the arguments after the hash key.
INDEX_NAME_ARGUMENT = list(inspect.signature(Table.query).parameters).index("index_name") - 2


def install() -> None:
    """Put the shortcuts in place; a second time changes nothing."""
    Table.query = _query_partition
    Table.all_items = _items_of_partition
    Item.size = _item_size


def _query_partition(self: Any, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
    index_name = kwargs.get("index_name", args[INDEX_NAME_ARGUMENT] if len(args) > INDEX_NAME_ARGUMENT else None)
    _partition.wanted = _WHOLE_TABLE if index_name else hash_key
    try:
        return _query(self, hash_key, *args, **kwargs)
    finally:
        _partition.wanted = None


def _items_of_partition(self: Any) -> list[Any]:
    wanted = getattr(_partition, "wanted", None)
    if wanted is None:
        return list(_sorted_items(self))
    # A query sorts what it keeps by itself, so the order does not matter here.
    groups = (
        list(self.items.values()) if wanted is _WHOLE_TABLE else [self.items[wanted]] if wanted in self.items else []
    )
    if not self.range_key_attr:
        return groups
    return [item for group in groups for item in group.values()]


def _item_size(self: Any) -> int:
    return sum(len(name.encode()) + _size(value) for name, value in self.attrs.items())


def _size(value: Any) -> int:
    inner = getattr(value, "value", value)
    if isinstance(inner, str):
        return len(inner.encode())
    if isinstance(inner, dict):
        return sum(len(name.encode()) + _size(item) for name, item in inner.items()) + NUMBER_BYTES
    if isinstance(inner, list):
        return sum(_size(item) for item in inner) + NUMBER_BYTES
    return NUMBER_BYTES
