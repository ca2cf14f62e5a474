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
    "application-autoscaling:Register*",
    "autoscaling:*Processes",
    "autoscaling:Set*",
    "autoscaling:Update*",
    "cloudwatch:Put*",
    "drs:Disconnect*",
    "drs:ReverseReplication",
    "drs:StopReplication",
    "ecs:UpdateService",
    "elasticache:Disassociate*",
    "elasticache:Failover*",
    "elasticache:Modify*",
    "elasticfilesystem:DeleteReplication*",
    "elasticfilesystem:Put*",
    "elasticfilesystem:Update*",
    "es:*Connection",
    "es:AddReplicationPeer",
    "es:Failover*",
    "es:RemoveReplicationPeer",
    "es:Switchover*",
    "es:UpdateDomainConfig",
    "events:*ableRule",
    "fsx:*Aliases",
    "fsx:CopySnapshot*",
    "fsx:UpdateVolume",
    "lambda:DeleteFunctionConcurrency",
    "lambda:Put*",
    "lambda:Update*",
    "memorydb:Update*",
    "rds:Failover*",
    "rds:Promote*",
    "rds:RemoveFromGlobalCluster",
    "rds:Switchover*",
    "route53-recovery-cluster:Update*",
    "route53:Change*",
    "route53:Update*",
)
"""What no drill may ever do, whatever its phase: roles are switched, and production is resized or fenced, in real runs only.

A drill's session denies those of the services that its technology's role may call at all; the role lacks all others.
"""


def drill_denied(spec: Spec) -> list[str]:
    """Return what the session of a technology's drill denies."""
    services = {action.partition(":")[0] for p in spec.permissions for action in (*p.actions, *p.session_actions)}
    return [pattern for pattern in DRILL_DENIED if pattern.partition(":")[0] in services]


def permissions_for(spec: Spec, use: Use, mode: Mode, strategy: str | None = None) -> list[Permission]:
    """Return the permissions needed to observe and to do `use` in `mode`, by a strategy (None: whichever)."""
    wanted = {Use.OBSERVE, use} | ({Use.DRILL} if mode is Mode.DRILL and use is not Use.OBSERVE else set())
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
    """Return the session policy JSON for one phase (or its undoing), mode and target; `phase` None means reading only, for a plan.

    Cut to the resource's own names as far as 2,048 characters allow, then to actions only.
    """
    use = Use.PLAN if phase is None else Use.ROLLBACK if rolling_back else Use(phase.value)
    permissions = permissions_for(spec, use, mode, target.strategy if target else None)
    names = (
        [] if target is None else sorted({m.source.id for m in target.members} | {m.target.id for m in target.members})
    )
    room = SESSION_POLICY_LIMIT - sum(len(key) + len(value) for key, value in (tags or {}).items())
    denied = drill_denied(spec) if mode is Mode.DRILL else []
    for chosen in (names, []):
        text = _render(permissions, chosen, denied)
        if len(text) <= room:
            return text
    return _render_actions_only(permissions, denied, room)


def _render(permissions: Iterable[Permission], names: Sequence[str], denied: Sequence[str]) -> str:
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
    return _document(statements, denied)


def _render_actions_only(permissions: Iterable[Permission], denied: Sequence[str], room: int) -> str:
    actions = sorted({action for p in permissions for action in (p.session_actions or p.actions)})
    text = _document([_statement("Allow", actions, ["*"], {})], denied)
    if len(text) <= room:
        return text
    return _document([_statement("Allow", _shortened(actions), ["*"], {})], denied)


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


def _document(statements: list[dict[str, object]], denied: Sequence[str]) -> str:
    if denied:
        statements = [*statements, _statement("Deny", denied, ["*"], {})]
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
