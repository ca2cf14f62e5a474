"""Another customer's resources, of the same kind, in the same accounts and Regions, notice nothing."""

from __future__ import annotations

import json

import pytest

from orchestrator.words import Mode
from tests.contract.matrix import Case, cases, record
from tests.contract.sight import difference
from tests.support.changes import is_change


@pytest.mark.parametrize("case", cases(Mode.PLANNED, Mode.DRILL), ids=str)
def test_twin_of_another_customer_is_the_same_before_and_after_in_every_attribute(case: Case) -> None:
    seen = record(case)

    assert seen.twin_before, "nothing was seen of the twin"
    assert seen.twin_after == seen.twin_before, difference(seen.twin_before, seen.twin_after)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_no_change_names_anything_of_another_customer(case: Case) -> None:
    seen = record(case)
    assert seen.twin_names

    named = [
        (call.operation, name)
        for call in seen.calls
        if is_change(call)
        for name in seen.twin_names
        if json.dumps(name) in json.dumps(call.params, default=str)
    ]

    assert named == []
