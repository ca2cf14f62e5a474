"""Whatever adapters ask or do, and the platform asks of accounts, the embedded AWS answers: nothing goes unrehearsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from moto.backends import ALT_SERVICE_NAMES
from moto.core.responses import BaseResponse

from localaws.dispatcher import LocalAws
from tests.support.driver import _local

ROOT = Path(__file__).resolve().parents[2]
ASKING = (*(ROOT / "adapters").rglob("*.py"), *(ROOT / "orchestrator").glob("*.py"))
OVER_HTTP = frozenset({"opensearch-http"})
"""Services without a botocore model: the signed interface of a resource itself, told apart by verb."""


def operations() -> list[tuple[str, str]]:
    """Return every (service, operation) that stands in the code of those who ask."""
    found = {pair for path in ASKING for pair in _named_in(ast.parse(path.read_text()))}
    return sorted(pair for pair in found if pair[0] not in OVER_HTTP)


def _named_in(tree: ast.AST) -> Iterator[tuple[str, str]]:
    known = set(_core().get_available_services())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            words = [a.value for a in node.args[:3] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            for service, operation in zip(words, words[1:], strict=False):
                if service in known and operation[:1].isupper() and operation.isalnum():  # codes of quotas have a dash
                    yield service, operation


@cache
def _core() -> botocore.session.Session:
    return botocore.session.Session()


@pytest.mark.parametrize(("service", "operation"), operations(), ids=".".join)
def test_operation_that_is_used_is_answered_by_the_embedded_aws(service: str, operation: str) -> None:
    assert operation in _core().get_service_model(service).operation_names, "AWS has no such operation"
    assert _served(_local(), service, operation), f"the embedded AWS does not serve {service}.{operation}"


def _served(local: LocalAws, service: str, operation: str) -> bool:
    return local.has_handler(service, operation) or _by_moto(service, operation)


def _by_moto(service: str, operation: str) -> bool:
    package = ALT_SERVICE_NAMES.get(service, service).replace("-", "")
    try:
        module = import_module(f"moto.{package}.responses")
    except ModuleNotFoundError:
        return False
    answers = [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, BaseResponse)]
    return any(hasattr(each, xform_name(operation)) for each in answers if each is not BaseResponse)


def test_every_adapter_has_operations_here() -> None:
    services = {service for service, _ in operations()}
    assert {"rds", "ecs", "route53", "drs"} <= services
    assert len(operations()) > 60
