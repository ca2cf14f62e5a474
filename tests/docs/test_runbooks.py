"""The runbooks tell commands that exist, with options that exist, and each names the stories that play it."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from cli.main import dr

ROOT = Path(__file__).resolve().parents[2]
BOOKS = sorted((ROOT / "docs/runbooks").glob("*.md"))
ALSO = [ROOT / "README.md", ROOT / "docs/in-command.md", ROOT / "docs/run-input.md"]
USE_CASES = {
    "planned-failover",
    "emergency",
    "emergency-midway",
    "completing",
    "failback",
    "drill",
    "stuck-or-failed",
    "break-glass",
    "unanswered-gate",
    "who-may-answer",
}
book = pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)


def commands_in(text: str) -> Iterator[str]:
    """Yield every `dr ...` of code blocks and of code in the text."""
    blocks = re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    rest = re.sub(r"^```\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    for piece in [*lines, *re.findall(r"`([^`]+)`", rest)]:
        found = re.search(r"(?:^|then: )(dr [a-z].*)", piece)
        if found:
            yield found[1].partition("  #")[0]


def wrong(command: str) -> str:
    """Return what `dr` would not understand of a command, or an empty string."""
    words = shlex.split(re.sub(r"[\[\]]", "", command))[1:]
    found: click.Command = dr
    while isinstance(found, click.Group) and words:
        name, *words = words
        if name not in found.commands:
            return f"{command}: there is no {name}"
        found = found.commands[name]
    options = {o: p for p in found.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in options]
    if unknown:
        return f"{command}: {', '.join(unknown)} is no option"
    rest = iter(words)
    for word in rest:
        if word in options and not options[word].is_flag:
            value = next(rest, None)
            if value is None or value.startswith("--"):
                return f"{command}: {word} has no value"
    return ""


@cache
def stories_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_there_is_a_page_for_every_use_case_and_the_first_page_leads_to_all() -> None:
    assert {path.stem for path in BOOKS} >= USE_CASES | {"README"}
    first = (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")
    assert [path.name for path in BOOKS if path.stem != "README" and f"({path.name})" not in first] == []


@pytest.mark.parametrize("path", [*BOOKS, *ALSO], ids=lambda path: path.stem)
def test_every_command_exists_with_its_options(path: Path) -> None:
    told = [
        command
        for command in commands_in(path.read_text(encoding="utf-8"))
        if "..." not in command and "|" not in command
    ]
    assert told
    assert [complaint for complaint in map(wrong, told) if complaint] == []


@book
def test_every_page_names_the_stories_that_play_it(path: Path) -> None:
    _, _, played = path.read_text(encoding="utf-8").partition("Played by:")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", played)
    assert named
    assert [f"{file}::{name}" for file, name in named if name not in stories_in(file)] == []


@book
def test_every_link_leads_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("dr fly RUN", "there is no fly"),
        ("dr cancel RUN --now", "--now is no option"),
        ("dr escalate RUN --reason", "--reason has no value"),
        ("dr local app", "there is no app"),
        ("dr start --complete RUN --region us-west-2 --yes", ""),
    ],
)
def test_a_command_that_does_not_exist_would_be_noticed(command: str, complaint: str) -> None:
    assert (complaint in wrong(command)) if complaint else not wrong(command)
