"""The behaviour cards say what the adapters do today."""

from __future__ import annotations

import pytest

from adapters import registry
from orchestrator.contract import Adapter
from tests.contract.cards import FOLDER, card, path_of

each_adapter = pytest.mark.parametrize("adapter", registry.adapters(), ids=lambda each: each.spec.key)


@pytest.mark.exhaustive
@each_adapter
def test_card_says_what_the_adapter_does(adapter: Adapter) -> None:
    path = path_of(adapter.spec.key)

    assert path.exists(), f"{path} is missing. Try: make generate"
    assert path.read_text(encoding="utf-8") == card(adapter), "the card is not current. Try: make generate"


@each_adapter
def test_adapter_tells_what_it_refuses_and_its_limits(adapter: Adapter) -> None:
    spec = adapter.spec

    assert spec.refuses
    assert spec.limits
    for line in (*spec.refuses, *spec.limits, *spec.unconfirmed):
        assert line.endswith("."), f"a sentence for operators: {line}"


def test_no_card_is_left_of_a_technology_that_is_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == set(registry.MODULES)
