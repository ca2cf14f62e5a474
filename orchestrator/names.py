"""Every physical name the hub uses, so that stacks and Regions refer to each other by rule instead of by reference.

The same names exist in both hub Regions; names that are global (roles, buckets) carry the Region.
"""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

PREFIX = "dr"
KEY_ALIAS = "alias/dr-hub"
TOPIC = "dr-notifications"
DEAD_LETTERS = "dr-dead-letters"
DASHBOARD = "DR-Orchestrator"
METRICS_NAMESPACE = "DR"
SCHEDULE = "dr-refresh-inventory"
READINESS_SCHEDULE = "dr-judge-scopes"
WATCHDOG_SCHEDULE = "dr-watchdog"
SPOKE_STACK_SET = "dr-spokes"
SPOKE_ROLE_PREFIX = "dr-spoke-"
PROBE = "dr-probe"
"""The function that a workload's owner may put into its VPC, for connections the hub cannot make."""
ONTAP_READ, ONTAP_DRILL, ONTAP_SWITCH = "dr-ontap-read", "dr-ontap-drill", "dr-ontap-switch"
"""Functions beside it that ask ONTAP file systems: for reading, for copies of a drill, for everything else. IAM tells
functions apart, but not what they are asked.
"""
OPENSEARCH_READ, OPENSEARCH_CHANGE = "dr-opensearch-read", "dr-opensearch-change"
"""Others there, which carry requests that the hub has signed to OpenSearch domains: GET, and everything else. They have no rights
of their own.
"""


class Table(StrEnum):
    """The ledger's tables."""

    RUNS = "dr-runs"
    ACTIONS = "dr-actions"
    INVENTORY = "dr-inventory"
    EVENTS = "dr-events"


RUNS_BY_SCOPE = "by-scope"


class Machine(StrEnum):
    """The state machines. Operators start DROrchestrator by this very name."""

    ORCHESTRATOR = "DROrchestrator"
    LIFECYCLE = "DRLifecycle"
    WAVE = "DRWave"


class Document(StrEnum):
    """The SSM documents that answer gates."""

    APPROVE = "DR-Approve"
    REJECT = "DR-Reject"


def drill_schedule(customer: str, environment: str, drill: str) -> str:
    """Return the name of the schedule of a customer's drill, of the characters and length that a schedule's name takes."""
    digest = hashlib.sha256(f"{customer}/{environment}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", customer).strip("-")[:20]
    return f"{PREFIX}-drill-{readable}-{digest}-{drill}"


def function(verb: str) -> str:
    """Return the name of a verb's function: `dr-open-gate`."""
    return f"{PREFIX}-{verb.replace('_', '-')}"


def function_role(verb: str, region: str) -> str:
    """Return the name of a verb's role: IAM is global, so it carries the Region."""
    return f"{function(verb)}-{region}"


def bucket(account: str, region: str) -> str:
    """Return the name of the bucket a Region's hub writes to."""
    return f"{PREFIX}-hub-{account}-{region}"


def replica_bucket(account: str, region: str) -> str:
    """Return the name of the bucket in `region` that holds the copies from the peer's hub."""
    return f"{PREFIX}-hub-replica-{account}-{region}"
