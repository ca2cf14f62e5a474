"""IAM policies from adapter permissions: the session policy of one assumption. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from orchestrator.contract import Target
from orchestrator.spec import Permission, Spec
from orchestrator.words import Mode, Phase, Use

SESSION_POLICY_LIMIT = 2048
"""Characters AWS accepts for the Policy parameter of sts:AssumeRole. Session tags are packed into the same space (STS API
reference, AssumeRole, PackedPolicySize), whose measure AWS does not tell: counting characters of both keeps below it.
"""

DRILL_DENIED = (
    "autoscaling:Update*",
    "rds:Promote*",
    "rds:Switchover*",
    "rds:Failover*",
    "rds:RemoveFromGlobalCluster",
    "drs:ReverseReplication",
    "drs:StopReplication",
    "drs:Disconnect*",
    "route53:Change*",
    "route53:Update*",
    "route53-recovery-cluster:Update*",
    "elasticache:Failover*",
    "elasticache:Disassociate*",
    "elasticfilesystem:DeleteReplication*",
    "events:*ableRule",
    "fsx:*Aliases",
    "fsx:CopySnapshot*",
    "fsx:UpdateVolume",
    "memorydb:Update*",
    "lambda:Update*",
    "es:Switchover*",
    "es:Failover*",
    "es:RemoveReplicationPeer",
    "elasticfilesystem:Put*",
    "elasticfilesystem:Update*",
)
"""What no drill may ever do, whatever its phase: roles are switched in real runs only."""


def permissions_for(spec: Spec, use: Use, mode: Mode, strategy: str | None = None) -> list[Permission]:
    """Return the permissions needed to observe and to do `use` in `mode`, by a strategy (None: whichever)."""
    wanted = {Use.OBSERVE, use} | ({Use.DRILL} if mode is Mode.DRILL else set())
    found = [p for p in spec.permissions if p.uses & wanted and mode in p.modes]
    return [p for p in found if strategy is None or not p.strategies or strategy in p.strategies]


def session_policy(
    spec: Spec,
    phase: Phase | None,
    mode: Mode,
    target: Target | None,
    *,
    rolling_back: bool = False,
    tags: Mapping[str, str] | None = None,
) -> str:
    """Return the session policy JSON for one phase (or its undoing), mode and target; `phase` None means reading only.

    Cut to the resource's own names as far as 2,048 characters allow, then to actions only.
    """
    use = Use.OBSERVE if phase is None else Use.ROLLBACK if rolling_back else Use(phase.value)
    permissions = permissions_for(spec, use, mode, target.strategy if target else None)
    names = (
        [] if target is None else sorted({m.source.id for m in target.members} | {m.target.id for m in target.members})
    )
    room = SESSION_POLICY_LIMIT - sum(len(key) + len(value) for key, value in (tags or {}).items())
    for chosen in (names, []):
        text = _render(permissions, chosen, mode)
        if len(text) <= room:
            return text
    return _render_actions_only(permissions, mode, room)


def _render(permissions: Iterable[Permission], names: Sequence[str], mode: Mode) -> str:
    grouped: dict[tuple[tuple[str, ...], str], set[str]] = {}
    for permission in permissions:
        resources = _resources(permission, names)
        conditions = _conditions(permission, names)
        key = (resources, json.dumps(conditions, sort_keys=True, default=list))
        grouped.setdefault(key, set()).update(permission.session_actions or permission.actions)
    statements = [
        _statement("Allow", sorted(actions), list(resources), json.loads(conditions))
        for (resources, conditions), actions in sorted(grouped.items())
    ]
    return _document(statements, mode)


def _render_actions_only(permissions: Iterable[Permission], mode: Mode, room: int) -> str:
    actions = sorted({action for p in permissions for action in (p.session_actions or p.actions)})
    text = _document([_statement("Allow", actions, ["*"], {})], mode)
    if len(text) <= room:
        return text
    return _document([_statement("Allow", _shortened(actions), ["*"], {})], mode)


def _shortened(actions: Sequence[str]) -> list[str]:
    """Stand `service:Verb*` for the actions of one service and verb; the role's own exact list still applies."""
    return sorted({f"{service}:{_verb(name)}*" for service, _, name in (action.partition(":") for action in actions)})


def _verb(name: str) -> str:
    tail = next((i for i, letter in enumerate(name) if i and letter.isupper()), len(name))
    return name[:tail].rstrip("*")


def _conditions(permission: Permission, names: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return the conditions; ARN patterns among their values are narrowed as resources are."""
    return {
        operator: {key: _condition(values, names) for key, values in keys.items()}
        for operator, keys in permission.conditions.items()
    }


def _condition(values: str | Sequence[str], names: Sequence[str]) -> object:
    listed = [values] if isinstance(values, str) else list(values)
    return list(_patterns(listed, names)) if any("{name}" in each for each in listed) else values


def _resources(permission: Permission, names: Sequence[str]) -> tuple[str, ...]:
    return _patterns(permission.resources, names)


def _patterns(patterns: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    filled = [pattern.format(partition="*", region="*", account="*", name="{name}") for pattern in patterns]
    narrowed: list[str] = []
    for pattern in filled:
        if "{name}" in pattern and names:
            narrowed.extend(pattern.replace("{name}", name) for name in names)
        else:
            narrowed.append(pattern.replace("{name}", "*"))
    return tuple(sorted(set(narrowed)))


def _statement(
    effect: str, actions: Sequence[str], resources: Sequence[str], conditions: Mapping[str, object]
) -> dict[str, object]:
    statement: dict[str, object] = {"Effect": effect, "Action": list(actions), "Resource": list(resources)}
    if conditions:
        statement["Condition"] = conditions
    return statement


def _document(statements: list[dict[str, object]], mode: Mode) -> str:
    if mode is Mode.DRILL:
        statements = [*statements, _statement("Deny", DRILL_DENIED, ["*"], {})]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
