"""Find adapters by key.

The map is explicit and lazy: a new technology is one line here and its own files. An unknown name is an error that
lists the known ones and the closest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

from orchestrator.contract import Adapter
from orchestrator.errors import ValidationError

MODULES = {
    "asg": "adapters.asg.adapter:AsgAdapter",
    "aurora": "adapters.aurora.adapter:AuroraAdapter",
    "drs": "adapters.drs.adapter:DrsAdapter",
    "ecs": "adapters.ecs.adapter:EcsAdapter",
    "efs": "adapters.efs.adapter:EfsAdapter",
    "elasticache": "adapters.elasticache.adapter:ElastiCacheAdapter",
    "eventbridge": "adapters.eventbridge.adapter:EventBridgeAdapter",
    "fsx": "adapters.fsx.adapter:FsxAdapter",
    "memorydb": "adapters.memorydb.adapter:MemoryDbAdapter",
    "lambda": "adapters.lambda_.adapter:LambdaAdapter",
    "opensearch": "adapters.opensearch.adapter:OpenSearchAdapter",
    "rds": "adapters.rds.adapter:RdsAdapter",
    "route53": "adapters.route53.adapter:Route53Adapter",
}


@cache
def adapter(key: str) -> Adapter[Any]:
    """Return the adapter of a technology; raise `ValidationError` with a suggestion for an unknown key."""
    if key not in MODULES:
        raise ValidationError(f'no adapter is called "{key}".', remedy=_suggest(key, MODULES), code="UnknownAdapter")
    module, _, name = MODULES[key].partition(":")
    instance = getattr(import_module(module), name)()
    assert isinstance(instance, Adapter)
    return instance


def adapters() -> list[Adapter[Any]]:
    """Return every adapter, ordered by key."""
    return [adapter(key) for key in sorted(MODULES)]


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f'did you mean "{close[0]}"? ' if close else ""
    return f"{hint}use one of: {', '.join(sorted(known))}."
