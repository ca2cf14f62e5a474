"""Which calls of the embedded AWS's log changed something, as far as the platform's doings are judged by it."""

from __future__ import annotations

from localaws.world import LoggedCall
from orchestrator.names import ONTAP_DRILL, ONTAP_READ, ONTAP_SWITCH, OPENSEARCH_CHANGE, OPENSEARCH_READ, PROBE

HELPERS = frozenset({PROBE, ONTAP_READ, ONTAP_DRILL, ONTAP_SWITCH, OPENSEARCH_CHANGE, OPENSEARCH_READ})
"""The hub's own functions in a workload's account: what they ask and do there is logged as calls of their own."""


def is_change(call: LoggedCall) -> bool:
    """Say whether a call changed something; to invoke one of the hub's helpers is only the way to what the helper does."""
    if (call.service, call.operation) == ("lambda", "Invoke"):
        return str(call.params.get("FunctionName", "")).rpartition(":")[2] not in HELPERS
    return call.mutating
