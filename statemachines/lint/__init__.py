"""The lint of the state machines: what no other tool catches, one pure function per rule.

`check(machine)` runs every rule; `python -m statemachines.lint` checks our three machines. A rule is a function
from a `Machine` to findings; a finding names the state, what is wrong and the remedy. The rules are listed in
`RULES`, and statemachines/README.md says why each exists.
"""

from __future__ import annotations

from collections.abc import Callable

from statemachines.lint import document, expressions, flow, integrations, tasks
from statemachines.lint.model import Finding, Machine, Scope, State

__all__ = ["RULES", "Finding", "Machine", "Rule", "Scope", "State", "check"]

Rule = Callable[[Machine], list[Finding]]

RULES: tuple[Rule, ...] = (
    document.comment_missing,
    document.timeout_missing,
    document.query_language_other,
    document.definition_too_large,
    document.token_undeclared,
    document.token_unused,
    document.arn_hard_wired,
    document.error_name_unknown,
    flow.target_dangling,
    flow.state_unreachable,
    flow.choice_default_wrong,
    flow.cycle_without_wait,
    flow.cycle_without_exit,
    integrations.state_type_unknown,
    integrations.integration_unknown,
    integrations.sync_on_sdk_integration,
    tasks.task_without_timeout,
    tasks.task_without_retry,
    tasks.task_without_catch,
    tasks.states_all_misplaced,
    tasks.callback_without_token,
    tasks.callback_without_timeout,
    tasks.heartbeat_above_timeout,
    tasks.child_start_untraceable,
    tasks.map_without_max_concurrency,
    tasks.map_inline_over_list,
    tasks.map_child_failure_spreads,
    tasks.map_result_kept,
    expressions.expression_invalid,
    expressions.variable_undefined,
)


def check(machine: Machine) -> list[Finding]:
    """Return the findings of every rule, in rule order."""
    return [finding for rule in RULES for finding in rule(machine)]
