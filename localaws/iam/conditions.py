"""Condition blocks: every operator of IAM, with `...IfExists` and the two set operators."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from localaws.iam.keys import MULTI_VALUED
from localaws.iam.patterns import Unresolved, arn_glob, check_variables, glob, has_variables, resolve

if TYPE_CHECKING:
    from localaws.iam.context import Context, Values

Test = Callable[[str, str], bool]


class BadConditionError(Exception):
    """A Condition element is malformed or uses an operator that does not exist."""


class SetOperator(StrEnum):
    """Quantifier over a multi-valued key."""

    ALL = "ForAllValues"
    ANY = "ForAnyValue"


@dataclass(frozen=True)
class Operator:
    """One comparison: `test(value, wanted)`; `negated` operators hold when no wanted value matches."""

    test: Test
    negated: bool = False
    pattern: bool = False


@dataclass(frozen=True)
class Condition:
    """One operator applied to one key; the key must meet any of `wanted`."""

    label: str
    operator: Operator | None  # None is the Null operator
    key: str
    wanted: Values
    if_exists: bool
    quantifier: SetOperator | None
    variables: bool

    def holds(self, context: Context) -> bool:
        """Tell whether the request meets the condition; raise `BadConditionError` or `UnknownKeyError`."""
        values = context.get(self.key)
        if self.operator is None:
            return any((word.lower() == "true") == (values is None) for word in self.wanted)
        if self.quantifier is not None:
            return self._holds_for_set(values or (), self.operator, context)
        if values is None:
            return self.if_exists or self.operator.negated
        if self.key.lower() in MULTI_VALUED:
            raise BadConditionError(f"{self.key} is multi-valued: {self.label} needs ForAllValues: or ForAnyValue:")
        return self._holds_for_value(values[0], self.operator, context)

    def _holds_for_set(self, values: Values, operator: Operator, context: Context) -> bool:
        results = (self._holds_for_value(value, operator, context) for value in values)
        if self.quantifier is SetOperator.ALL:
            return all(results)
        return any(results) or (self.if_exists and not values)

    def _holds_for_value(self, value: str, operator: Operator, context: Context) -> bool:
        hit = any(self._meets(value, wanted, operator, context) for wanted in self.wanted)
        return hit is not operator.negated

    def _meets(self, value: str, wanted: str, operator: Operator, context: Context) -> bool:
        if self.variables and has_variables(wanted):
            try:
                wanted = resolve(wanted, context, keep_wildcards=operator.pattern)
            except Unresolved:
                return False
        try:
            return operator.test(value, wanted)
        except ValueError as error:
            raise BadConditionError(f"{self.label} on {self.key}: {error}") from error


def parse_conditions(raw: object, *, variables: bool) -> tuple[Condition, ...]:
    """Return the conditions of a Condition block, all of which must hold; raise `BadConditionError`."""
    if not isinstance(raw, Mapping):
        raise BadConditionError("Condition must be an object")
    found: list[Condition] = []
    for label, block in raw.items():
        if not isinstance(block, Mapping) or not block:
            raise BadConditionError(f"{label} must be an object of condition keys")
        found += [_condition(label, key, value, variables=variables) for key, value in block.items()]
    return tuple(found)


def _condition(label: str, key: str, value: object, *, variables: bool) -> Condition:
    quantifier, name, if_exists = _split(label)
    wanted = tuple(_text(item) for item in (value if isinstance(value, list) else [value]))
    if name == "Null":
        if quantifier or if_exists or not wanted or any(word.lower() not in ("true", "false") for word in wanted):
            raise BadConditionError(f'{label} on {key}: expected "true" or "false"')
        return Condition(label, None, key, wanted, if_exists, quantifier, variables)
    operator = OPERATORS.get(name)
    if operator is None:
        raise BadConditionError(f"unknown condition operator {label}")
    if variables:
        for text in wanted:
            check_variables(text)
    return Condition(label, operator, key, wanted, if_exists, quantifier, variables)


def _split(label: str) -> tuple[SetOperator | None, str, bool]:
    head, colon, name = label.rpartition(":")
    if colon and head not in tuple(SetOperator):
        raise BadConditionError(f"unknown condition operator {label}")
    bare = name.removesuffix("IfExists")
    return (SetOperator(head) if colon else None), bare, bare != name


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise BadConditionError(f"a condition value must be a string, number or boolean, not {value!r}")


def _numbers(compare: Callable[[float, float], bool], value: str, wanted: str) -> bool:
    return compare(float(value), float(wanted))


def _dates(compare: Callable[[float, float], bool], value: str, wanted: str) -> bool:
    return compare(_timestamp(value), _timestamp(wanted))


def _timestamp(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _in_network(value: str, wanted: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


def _same(value: str, wanted: str) -> bool:
    return value == wanted


def _same_ignoring_case(value: str, wanted: str) -> bool:
    return value.lower() == wanted.lower()


def _like(value: str, wanted: str) -> bool:
    return glob(wanted).match(value) is not None


def _arn_like(value: str, wanted: str) -> bool:
    return arn_glob(wanted).match(value) is not None


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda value, wanted: value == wanted,
    "LessThan": lambda value, wanted: value < wanted,
    "LessThanEquals": lambda value, wanted: value <= wanted,
    "GreaterThan": lambda value, wanted: value > wanted,
    "GreaterThanEquals": lambda value, wanted: value >= wanted,
}

OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(_same),
    "StringNotEquals": Operator(_same, negated=True),
    "StringEqualsIgnoreCase": Operator(_same_ignoring_case),
    "StringNotEqualsIgnoreCase": Operator(_same_ignoring_case, negated=True),
    "StringLike": Operator(_like, pattern=True),
    "StringNotLike": Operator(_like, negated=True, pattern=True),
    # "ArnEquals and ArnLike behave identically" (IAM User Guide).
    "ArnEquals": Operator(_arn_like, pattern=True),
    "ArnLike": Operator(_arn_like, pattern=True),
    "ArnNotEquals": Operator(_arn_like, negated=True, pattern=True),
    "ArnNotLike": Operator(_arn_like, negated=True, pattern=True),
    "Bool": Operator(_same_ignoring_case),
    "BinaryEquals": Operator(_same),
    "IpAddress": Operator(_in_network),
    "NotIpAddress": Operator(_in_network, negated=True),
    "NumericNotEquals": Operator(partial(_numbers, _COMPARISONS["Equals"]), negated=True),
    "DateNotEquals": Operator(partial(_dates, _COMPARISONS["Equals"]), negated=True),
    **{f"Numeric{name}": Operator(partial(_numbers, compare)) for name, compare in _COMPARISONS.items()},
    **{f"Date{name}": Operator(partial(_dates, compare)) for name, compare in _COMPARISONS.items()},
}
