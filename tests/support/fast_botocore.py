"""Shortcuts in botocore: stories make thousands of sessions and clients, each of which works out the same anew.

- What a service's model says is read once per service, and so are the methods a client gets from it.
- Which new name an old event name has is remembered for all sessions, not anew in each.
- Whether a handler takes any keyword is seen in its code, without a signature.
- The words of a user agent are made fit for a header once.
- Times that are written as ISO 8601 says are read by Python itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any

from botocore import compat, hooks, parsers, useragent
from botocore.client import ClientCreator
from botocore.model import ServiceModel

_init = hooks.EventAliaser.__init__
_accepts = compat.accepts_kwargs
_read_time = parsers.DEFAULT_TIMESTAMP_PARSER
_load = ClientCreator._load_service_model
_methods = ClientCreator._create_methods

_models: dict[tuple[str, str | None], ServiceModel] = {}
_methods_of: dict[str, dict[str, Any]] = {}


def install() -> None:
    """Put the shortcuts in place."""
    hooks.EventAliaser.__init__ = _with_known_names  # type: ignore[method-assign]
    hooks.accepts_kwargs = _takes_any_keyword
    ClientCreator._load_service_model = _known_model
    ClientCreator._create_methods = _known_methods
    parsers.DEFAULT_TIMESTAMP_PARSER = _time
    useragent.sanitize_user_agent_string_component = cache(useragent.sanitize_user_agent_string_component)


def _time(value: Any) -> datetime:
    if isinstance(value, str) and value.endswith("Z"):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return _read_time(value)  # type: ignore[no-any-return]


@cache
def _names(aliases: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {}


def _with_known_names(self: Any, emitter: Any, event_aliases: dict[str, str] | None = None) -> None:
    _init(self, emitter, event_aliases)
    self._alias_name_cache = _names(tuple(self._event_aliases.items()))


def _takes_any_keyword(handler: Callable[..., Any]) -> Any:
    code = getattr(handler, "__code__", None)
    return code.co_flags & inspect.CO_VARKEYWORDS if code is not None else _accepts(handler)


def _known_model(self: ClientCreator, service_name: str, api_version: str | None = None) -> ServiceModel:
    key = service_name, api_version
    if key not in _models:
        _models[key] = _load(self, service_name, api_version)
    return _models[key]


def _known_methods(self: ClientCreator, service_model: ServiceModel) -> dict[str, Any]:
    name = service_model.service_name
    if name not in _methods_of:
        _methods_of[name] = _methods(self, service_model)
    return dict(_methods_of[name])
