"""JSONata: `{% ... %}` evaluated by jsonata-python."""

from __future__ import annotations

import hashlib
import json
import random
import uuid
from functools import lru_cache
from typing import Any

from jsonata.jexception import JException
from jsonata.jsonata import Jsonata
from jsonata.utils import Utils
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.query_language import QueryLanguageMode
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.intrinsic.jsonata import _DECLARATION_BY_VARIABLE_REFERENCE
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

_UNDEFINED = object()


def patch() -> None:
    """Install."""
    string_expression.StringJSONata._eval_body = _eval_jsonata
    string_expression.StringVariableSample._eval_body = _eval_variable


class QueryError(Exception):
    """An expression failed or returned nothing."""


def evaluate(expression: str, bindings: dict[str, Any]) -> Any:
    """Return the JSON value of an expression with variables bound (without `$`).

    Raises `QueryError` when it fails, returns nothing (undefined) or returns a function.
    """
    try:
        result = _compiled(expression).evaluate(None, {key: _bound(value) for key, value in bindings.items()})
    except JException as error:
        raise QueryError(f"The JSONata expression '{expression}' failed: {error}") from error
    except RecursionError as error:
        raise QueryError(f"The JSONata expression '{expression}' recurses too deeply") from error
    if result is None:
        raise QueryError(f"The JSONata expression '{expression}' returned nothing (undefined).")
    return _plain(result, expression)


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> Jsonata:
    try:
        compiled = Jsonata(expression)
    except JException as error:
        raise QueryError(f"The JSONata expression '{expression}' cannot be parsed: {error}") from error
    compiled.set_validate_input(False)
    compiled.set_output_convert_nulls(False)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    for name, declaration in _DECLARED.items():
        compiled.assign(name, declaration)
    return compiled


def _declared() -> dict[str, Any]:
    """Return the Step Functions functions that moto writes in JSONata itself, compiled."""
    found = {}
    for reference in ("$partition", "$range"):
        text = _DECLARATION_BY_VARIABLE_REFERENCE[reference].strip().rstrip(";")
        found[reference[1:]] = Jsonata(text.split(":=", 1)[1]).evaluate(None)
    return found


def _hash(value: Any, algorithm: str) -> str:
    return hashlib.new(algorithm.lower().replace("-", ""), str(value).encode()).hexdigest()


def _random(seed: float | None = None) -> float:
    return (random.Random(seed) if seed is not None else random).random()  # noqa: S311 - as JSONata's own


def _parse(text: str) -> Any:
    return json.loads(text)


def _no_eval(*_: Any) -> Any:
    raise QueryError("$eval is not available in Step Functions; use $parse")


_FUNCTIONS = {
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": _parse,
    "eval": _no_eval,
}
_DECLARED = _declared()


def _bound(value: Any) -> Any:
    return Utils.NULL_VALUE if value is None else value


def _plain(value: Any, expression: str) -> Any:
    """Return a result as plain JSON: no JSONata lists, nulls as None, whole numbers as integers."""
    if value is None or value is Utils.NULL_VALUE:
        return None
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, dict):
        return {key: _plain(item, expression) for key, item in value.items()}
    if isinstance(value, list | range) or hasattr(value, "__iter__"):
        return [_plain(item, expression) for item in value]
    raise QueryError(f"The JSONata expression '{expression}' returned an unsupported result type.")


def _eval_jsonata(self: Any, env: Environment) -> None:
    env.stack.append(_evaluate_in(env, self.expression, {"states": _states(env), **_variables(env)}))


def _eval_variable(self: Any, env: Environment) -> None:
    bindings = _variables(env)
    if self.query_language_mode == QueryLanguageMode.JSONata:
        bindings["states"] = _states(env)
    env.stack.append(_evaluate_in(env, self.expression, bindings))


def _states(env: Environment) -> dict[str, Any]:
    data: dict[str, Any] = env.states._states_data
    state = data["context"].get("State")
    if state is not None:
        state["EnteredTime"] = str(state["EnteredTime"]).replace("+00:00", "Z")
    return data


def _variables(env: Environment) -> dict[str, Any]:
    return {**env.variable_store._outer_scope, **env.variable_store._inner_scope}


def _evaluate_in(env: Environment, expression: str, bindings: dict[str, Any]) -> Any:
    try:
        return evaluate(expression, bindings)
    except QueryError as error:
        failure = _failure(env, str(error))
        details = failure.get_evaluation_failed_event_details()
        env.event_manager.add_event(
            context=env.event_history_context,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=EventDetails(evaluationFailedEventDetails=details),
        )
        raise failure from error


def _failure(env: Environment, cause: str) -> FailureEventException:
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(cause=cause, error=name.error_name)
    return FailureEventException(
        failure_event=FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=EventDetails(evaluationFailedEventDetails=details),
        )
    )
