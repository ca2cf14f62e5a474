"""The rules of the house that a reviewer would otherwise have to remember."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("orchestrator", "adapters", "lambdas", "cli", "infra", "localaws", "statemachines")
MAY_IMPORT = {
    "orchestrator": set[str](),
    "adapters": {"orchestrator"},
    "lambdas": {"orchestrator", "adapters"},
    "cli": {"orchestrator", "adapters", "infra"},
    "infra": {"orchestrator", "adapters", "statemachines"},
    "localaws": set[str](),
    "statemachines": set[str](),
}
OPEN_TO_ADAPTERS = {
    "orchestrator.contract",
    "orchestrator.spec",
    "orchestrator.words",
    "orchestrator.errors",
    "orchestrator.tags",
}
LINES = {"orchestrator": 400, "adapters": 300, "lambdas": 80}
FORBIDDEN = {
    ("time", "sleep"): {"nobody"},
    ("boto3", "client"): {"orchestrator/sessions.py"},
    ("boto3", "resource"): {"orchestrator/sessions.py"},
    ("boto3", "Session"): {"orchestrator/sessions.py"},
    ("os", "environ"): {"lambdas/settings.py"},
    ("os", "getenv"): {"nobody"},
    ("datetime", "now"): {"orchestrator/clock.py"},
    ("datetime", "utcnow"): {"nobody"},
}


def files(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names a file imports; `from a import b` yields both a.b and what that may be a part of."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def every(*packages: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", files(*packages), ids=name_of)


@every(*PACKAGES)
def test_imports_point_one_way(path: Path) -> None:
    package, own = path.relative_to(ROOT).parts[0], name_of(path)
    allowed = MAY_IMPORT[package] | {package}
    if own.startswith("cli/local"):
        allowed = allowed | {"localaws"}
    wrong = [name for name in imports(path) if name.split(".")[0] in set(PACKAGES) - allowed]
    assert wrong == []


@every("adapters")
def test_adapters_know_the_contract_and_nothing_behind_it(path: Path) -> None:
    ours = [name for name in imports(path) if name.startswith("orchestrator")]
    assert [name for name in ours if not any(name.startswith(door) for door in OPEN_TO_ADAPTERS)] == []
    assert [name for name in imports(path) if name.split(".")[0] in {"boto3", "botocore", "os", "time"}] == []


@every("orchestrator", "adapters", "lambdas")
def test_clients_sleep_clock_and_environment_stay_with_their_owners(path: Path) -> None:
    used = {
        (node.value.id, node.attr)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    assert [pair for pair, owners in FORBIDDEN.items() if pair in used and name_of(path) not in owners] == []


@every("orchestrator", "adapters", "lambdas")
def test_module_is_small(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LINES[path.relative_to(ROOT).parts[0]]


@every("orchestrator", "adapters", "lambdas")
def test_everything_public_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    missing = [] if ast.get_docstring(tree) or not tree.body else ["the module"]
    for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        if isinstance(owner, ast.ClassDef) and owner.name.startswith("_"):
            continue
        missing += [
            node.name
            for node in owner.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and not _overrides(owner, node)
        ]
    assert missing == []


def _overrides(owner: ast.AST, node: ast.AST) -> bool:
    """Say whether a method fills in one that its base class has described."""
    return isinstance(owner, ast.ClassDef) and bool(owner.bases) and isinstance(node, ast.FunctionDef)


def test_no_branch_for_the_embedded_aws_in_production_code() -> None:
    assert [
        name_of(p) for p in files("orchestrator", "adapters", "lambdas", "infra") if "localaws" in p.read_text()
    ] == []


def test_rules_look_at_real_files() -> None:
    assert len(files(*PACKAGES)) > 100
    assert "boto3" in {name.split(".")[0] for name in imports(ROOT / "orchestrator/sessions.py")}
