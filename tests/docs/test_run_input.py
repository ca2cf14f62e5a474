"""The page of the input tells every field, and its examples are accepted as they stand."""

from __future__ import annotations

import json
import re

import pytest

from orchestrator.linked import COMPLETE
from orchestrator.request import Request, parse
from tests.docs.readme import between
from tests.docs.run_input import BEGIN, END, PAGE, table

TEXT = PAGE.read_text(encoding="utf-8")
REQUIRED = {name for name, field in Request.model_fields.items() if field.is_required()}
EXAMPLES = re.findall(r"^```json\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
OF_THE_RUN = {field: value for field, value in json.loads(EXAMPLES[0]).items() if field in REQUIRED}
"""What a completed run says itself."""
FILLED_IN_BY_DR = {"Escalate"}


def test_table_is_that_of_the_model() -> None:
    assert between(TEXT, BEGIN, END, table()) == TEXT, "Try: make generate"


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_is_accepted(example: str) -> None:
    asked = json.loads(example)
    assert parse({**OF_THE_RUN, **asked} if COMPLETE in asked else asked)


def test_every_field_has_an_example() -> None:
    shown = {field for example in EXAMPLES for field in json.loads(example)}
    assert set(Request.model_fields) - shown == FILLED_IN_BY_DR
