"""Spoke roles and session policies allow what adapters do, and little else."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import botocore.session
import pytest
from policy_sentry.querying.actions import get_action_data

from adapters import registry
from infra import spoke
from orchestrator.contract import Adapter, Member, Place, Target
from orchestrator.names import ONTAP_DRILL, ONTAP_READ, ONTAP_SWITCH, OPENSEARCH_READ
from orchestrator.policies import DRILL_DENIED, SESSION_POLICY_LIMIT, session_policy
from orchestrator.spec import Spec
from orchestrator.words import Mode, Phase, Use
from tests.contract.forks import Failure
from tests.contract.matrix import Case, cases, decommissions, facts, record
from tests.support.driver import APPS, SOURCE, TARGET

each_adapter = pytest.mark.parametrize("adapter", registry.adapters(), ids=lambda each: each.spec.key)
everything = pytest.mark.parametrize("case", cases(), ids=str)


@everything
def test_nothing_that_an_adapter_asks_is_refused(case: Case) -> None:
    seen = record(case)

    assert seen.refused == ()
    for phase in seen.phases.values():
        assert not isinstance(phase.afterwards, Failure), phase.afterwards
        assert phase.afterwards.undone.refused == (), f"rollback of {phase.phase}"


@pytest.mark.exhaustive
@each_adapter
def test_every_action_that_is_allowed_is_used_or_has_its_reason(adapter: Adapter) -> None:
    key = adapter.spec.key
    used = _used(key)
    allowed = {(use, action) for p in adapter.spec.permissions for use in p.uses for action in p.actions}

    idle = {
        action
        for use, action in allowed
        if (("discovery", action) if use is Use.DISCOVER else (key, action)) not in used
    }
    listed = set(facts(key).unused)

    assert sorted(idle - listed) == [], "allowed, but no run uses it: narrow the Spec, or say why in its facts"
    assert sorted(listed - idle) == [], "listed as unused, but used (or not allowed any more)"
    assert all(facts(key).unused.values())


@each_adapter
def test_every_action_exists(adapter: Adapter) -> None:
    actions = {action for p in adapter.spec.permissions for action in p.actions}
    recent = set(facts(adapter.spec.key).too_recent)

    assert sorted({action for action in actions if not _known(action)} - recent) == []
    assert sorted(action for action in recent if _known(action) or action not in actions) == [], "no longer too recent"


@each_adapter
def test_action_that_only_its_operation_vouches_for_exists_as_an_operation_and_is_said_to_be_unconfirmed(
    adapter: Adapter,
) -> None:
    for action, why in facts(adapter.spec.key).too_recent.items():
        operation = action.partition(":")[2]
        assert operation in _operations(adapter.spec.key)
        assert why.startswith(operation)
        assert any("IAM actions" in each for each in adapter.spec.unconfirmed)


RECENT_IN_DISCOVERY = "resource-explorer-2:ListResources"
"""What every discovery needs and the service authorization data lacks; the operation exists, its action is taken to be named alike."""


def test_the_discovery_roles_own_actions_exist() -> None:
    actions = {action for permission in spoke.DISCOVERY for action in permission.actions}

    assert sorted(action for action in actions if not _known(action)) == [RECENT_IN_DISCOVERY]


NEVER_HELD = ("drs:Disconnect*", "drs:StopReplication", "es:RemoveReplicationPeer")
"""Denied although no role may do it today: what ends the protection of a resource must not come into a drill unnoticed."""

TAGS = {"Customer": "A customer with a name of usual length", "Environment": "development"}
"""What goes with every session of a run, in the same space as its policy."""

ROLES = ("dr-spoke-discovery", *(f"dr-spoke-{each.spec.key}" for each in registry.adapters()))


@pytest.mark.parametrize("role", ROLES)
def test_linter_finds_nothing_in_a_roles_policies(role: str) -> None:
    assert [problem for document in _policies()[role] for problem in _problems(document)] == []


def _problems(document: dict[str, Any]) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the linter leaves its data files open
        import parliament
    return [str(each) for each in parliament.analyze_policy_string(json.dumps(document)).findings if _counts(each)]


def _counts(finding: Any) -> bool:
    if finding.issue == "UNKNOWN_ACTION":  # its list is older than policy_sentry's
        action = str(finding.location["string"])
        recent = {each for adapter in registry.adapters() for each in facts(adapter.spec.key).too_recent}
        return not _known(action) and action not in recent | {RECENT_IN_DISCOVERY}
    if finding.issue == "RESOURCE_MISMATCH":
        missed = {(each["action"], [*each["required_format"].split(":"), *"*****"][5]) for each in finding.detail}
        return not missed <= {pair for each in registry.adapters() for pair in facts(each.spec.key).left_out}
    if finding.issue == "UNKNOWN_CONDITION_FOR_ACTION":  # keys that every service knows are missing in its list
        return "Unknown condition aws:" not in str(finding)
    return finding.issue != "RESOURCE_STAR"  # reads without resources; infra's tests watch that only those are wide


@each_adapter
def test_session_policy_fits_in_every_phase_and_mode_even_for_a_full_batch(adapter: Adapter) -> None:
    for size in (1, 100):
        for phase, mode, rolling_back, text in _session_policies(adapter.spec, size):
            told = f"{size} resource(s), {phase or 'reading'}, {mode}, rolling back: {rolling_back}"
            assert len(text) + sum(len(key) + len(value) for key, value in TAGS.items()) <= SESSION_POLICY_LIMIT, told
            denied = {a for s in json.loads(text)["Statement"] if s["Effect"] == "Deny" for a in s["Action"]}
            assert denied == (_deniable(adapter.spec) if mode is Mode.DRILL else set()), told


def _deniable(spec: Spec) -> set[str]:
    """Return what of the denied the role of a technology could call otherwise, by whatever statement of it."""
    held = {action for p in spec.permissions for action in (*p.actions, *p.session_actions)}
    services = {action.partition(":")[0] for action in held}
    return {pattern for pattern in DRILL_DENIED if pattern.partition(":")[0] in services}


@each_adapter
def test_drill_is_denied_what_its_role_may_do_in_real_runs_only_and_switches_a_role(adapter: Adapter) -> None:
    """With all that is allowed taken for granted, the denials alone keep a drill from it."""
    real = {a for p in adapter.spec.permissions if Mode.DRILL not in p.modes for a in p.actions}
    switching = {action for action in real if any(fnmatchcase(action, pattern) for pattern in DRILL_DENIED)}

    for strategy, size, phase in itertools.product(adapter.spec.strategies, (1, 100), Phase):
        target = _target(adapter.spec, size, strategy.name)
        policy = json.loads(session_policy(adapter.spec, phase, Mode.DRILL, target))
        denied = [a for s in policy["Statement"] if s["Effect"] == "Deny" for a in s["Action"]]
        assert [a for a in switching if not any(fnmatchcase(a, pattern) for pattern in denied)] == []


def test_everything_that_is_denied_to_drills_is_held_by_some_role() -> None:
    held = {action for each in registry.adapters() for p in each.spec.permissions for action in p.actions}
    idle = {p for p in DRILL_DENIED if not any(fnmatchcase(action, p) for action in held)}

    assert idle == set(NEVER_HELD)


@each_adapter
def test_no_drill_needs_what_is_denied_to_it(adapter: Adapter) -> None:
    needed = {a for p in adapter.spec.permissions if Mode.DRILL in p.modes for a in (*p.actions, *p.session_actions)}
    changing = {action for action in needed if not action.partition(":")[2].startswith(spoke.READ_VERBS)}
    real = {a for p in adapter.spec.permissions if Mode.DRILL not in p.modes for a in p.actions}

    assert [a for a in changing - real if any(fnmatchcase(a, pattern) for pattern in DRILL_DENIED)] == []


READING_FUNCTIONS = [
    ("lambda:InvokeFunction", [f"arn:*:lambda:*:*:function:{each}"]) for each in (ONTAP_READ, OPENSEARCH_READ)
]
"""The functions that a session for reading may invoke: they read, and IAM has no other word for that."""


@each_adapter
def test_session_for_reading_changes_nothing(adapter: Adapter) -> None:
    for strategy, mode in itertools.product(adapter.spec.strategies, Mode):
        target = _target(adapter.spec, 1, strategy.name)
        policy = json.loads(session_policy(adapter.spec, None, mode, target))
        allowed = [(a, s["Resource"]) for s in policy["Statement"] if s["Effect"] == "Allow" for a in s["Action"]]
        changing = [each for each in allowed if not each[0].partition(":")[2].startswith(spoke.READ_VERBS)]
        assert [each for each in changing if each not in READING_FUNCTIONS] == []


@pytest.mark.parametrize("mode", Mode)
def test_drill_may_not_invoke_the_function_that_breaks_mirrors_and_no_session_any_function(mode: Mode) -> None:
    spec = registry.adapter("fsx").spec
    for size in (1, 100):
        for phase, asked, rolling_back, text in _session_policies(spec, size):
            if asked is not mode:
                continue
            statements = [s for s in json.loads(text)["Statement"] if s["Effect"] == "Allow"]
            invoked = {r for s in statements if "lambda:InvokeFunction" in s["Action"] for r in s["Resource"]}
            told = f"{size} resource(s), {phase or 'reading'}, {mode}, rolling back: {rolling_back}"
            assert all(each.rpartition(":")[2].startswith("dr-ontap-") for each in invoked), told
            assert mode is not Mode.DRILL or not any(each.endswith(ONTAP_SWITCH) for each in invoked), told
            assert mode is Mode.DRILL or not any(each.endswith(ONTAP_DRILL) for each in invoked), told


@each_adapter
def test_session_for_one_resource_reaches_no_other_one(adapter: Adapter) -> None:
    """Where the Spec names the resource, the session of a single resource must hold its name, not a star."""
    for strategy, phase, mode in itertools.product(adapter.spec.strategies, Phase, Mode):
        wanted = {
            pattern
            for p in adapter.spec.permissions
            if Use(phase.value) in p.uses and mode in p.modes and (not p.strategies or strategy.name in p.strategies)
            for pattern in p.resources
            if "{name}" in pattern
        }
        text = session_policy(adapter.spec, phase, mode, _target(adapter.spec, 1, strategy.name))
        for pattern in wanted:
            ended = pattern.format(partition="*", region="*", account="*", name="resource-000")
            assert ended in text, f"{strategy.name} {phase} {mode}: {ended} is not in {text}"


def _session_policies(spec: Spec, size: int) -> Iterator[tuple[Phase | None, Mode, bool, str]]:
    for strategy, mode in itertools.product(spec.strategies, Mode):
        target = _target(spec, size, strategy.name)
        yield None, mode, False, session_policy(spec, None, mode, target, tags=TAGS)
        for phase in Phase:
            for rolling_back in (False, True):
                yield (
                    phase,
                    mode,
                    rolling_back,
                    session_policy(spec, phase, mode, target, rolling_back=rolling_back, tags=TAGS),
                )


def _target(spec: Spec, size: int, strategy: str) -> Target:
    def place(region: str, name: str) -> Place:
        return Place(APPS, region, name, f"arn:aws:{spec.key}:{region}:{APPS}:thing/{name}")

    names = [f"resource-{number:03d}" for number in range(size)]
    members = tuple(Member(name, name, place(SOURCE, name), place(TARGET, name)) for name in names)
    return Target(strategy, members)


@cache
def _used(key: str) -> frozenset[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for case in [*cases(), *decommissions()]:
        if case.adapter == key:
            seen = record(case)
            found |= seen.used
            for phase in seen.phases.values():
                found |= phase.afterwards.undone.used if phase.afterwards and phase.afterwards.undone else set()
    return frozenset(found)


def _operations(service: str) -> list[str]:
    return list(botocore.session.Session().get_service_model(service).operation_names)


def _known(action: str) -> bool:
    service, _, name = action.partition(":")
    return bool(get_action_data(service, name))  # for an action it does not know it returns an empty mapping


@cache
def _policies() -> dict[str, list[dict[str, Any]]]:
    """Return the policy documents of each role of the spoke template, filled in."""
    resources = spoke.template([each.spec for each in registry.adapters()])["Resources"]
    found: dict[str, list[dict[str, Any]]] = {}
    for resource in resources.values():
        if resource["Type"] == "AWS::IAM::Role":
            properties = resource["Properties"]
            inline = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            managed = [
                resources[each["Ref"]]["Properties"]["PolicyDocument"]
                for each in properties.get("ManagedPolicyArns", [])
            ]
            found[properties["RoleName"]] = [_filled(each) for each in inline + managed]
    return found


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"Fn::Sub"}:
            text = value["Fn::Sub"].replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", APPS)
            return text.replace("${!", "${")
        return {key: _filled(item) for key, item in value.items()}
    return [_filled(item) for item in value] if isinstance(value, list) else value
