"""The shortcuts in moto change how fast it answers, never what."""

from __future__ import annotations

from typing import Any

import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from localaws.moto_speed import _as_xml

NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9]{0,8}\Z")
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS


def structures(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    attributed = st.builds(lambda name, text, members: {f"@{name}": text, **members}, NAMES, TEXTS, members(inner))
    return members(inner) | attributed | st.lists(members(inner) | LEAVES, max_size=3)


def members(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(NAMES, inner, max_size=4)


@given(members(st.recursive(LEAVES, structures, max_leaves=12)))
def test_xml_is_written_as_xmltodict_writes_it(body: dict[str, Any]) -> None:
    assert _as_xml(None, body) == xmltodict.unparse(body, full_document=False, short_empty_elements=True)
