"""The README says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from adapters import registry
from cli.main import dr
from tests.docs.readme import BEGIN, END, README, with_table

TEXT = README.read_text(encoding="utf-8")
ROOT = README.parent


def test_table_of_technologies_is_the_registrys() -> None:
    assert BEGIN in TEXT
    assert END in TEXT
    assert with_table(TEXT) == TEXT, "Try: make generate"


def test_every_technology_has_its_card() -> None:
    assert [
        each.spec.key for each in registry.adapters() if not (ROOT / "docs/adapters" / f"{each.spec.key}.md").exists()
    ] == []


@pytest.mark.parametrize("path", sorted({*re.findall(r"\]\(([^)#:]+)\)", TEXT)}))
def test_link_leads_somewhere(path: str) -> None:
    assert (Path(ROOT) / path).exists()


def test_every_command_of_dr_is_told() -> None:
    known = set(dr.commands)
    assert sorted(name for name in known if f"dr {name}" not in TEXT) == []


def test_every_command_that_is_told_exists_with_its_options() -> None:
    told = re.findall(r"`dr ([a-z]+)((?: [a-z]+)?)[^`]*`", TEXT)
    wrong = []
    for name, second in told:
        command = dr.commands.get(name)
        if command is None:
            wrong.append(name)
        elif isinstance(command, click.Group) and second.strip() and second.strip() not in command.commands:
            wrong.append(f"{name}{second}")
    assert wrong == []


def test_make_targets_that_are_told_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = set(re.findall(r"(?:^|`)make ([a-z]+)", TEXT, re.MULTILINE))
    assert {"demo", "test", "install", "generate"} <= told
    assert {name for name in told if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()
