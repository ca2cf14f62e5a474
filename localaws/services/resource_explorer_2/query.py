"""The filter language: `tag:Customer=CustomerX resourcetype:rds:db region:us-east-1 -tag:none`.

Terms are joined by AND; values separated by commas by OR; `-` negates; `*` at the end of a value matches the
rest; double quotes protect blanks and commas. Comparison ignores case, as the service does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from localaws.service import AwsError
from localaws.services.resource_explorer_2.collect import Record

Test = Callable[[Record], bool]
_TERM = re.compile(r'(?:[^\s"]|"[^"]*")+')
_VALUES = re.compile(r'(?:[^,"]|"[^"]*")+')


@dataclass(frozen=True)
class Query:
    """A parsed query; every test must hold."""

    tests: tuple[Test, ...]

    def matches(self, record: Record) -> bool:
        """Say whether a resource satisfies all terms."""
        return all(test(record) for test in self.tests)


def parse(text: str, *, free_text: bool) -> Query:
    """Parse a query; raise ValidationException for unknown filters, open quotes, or words where none may be."""
    if text.count('"') % 2:
        raise _invalid(f"unbalanced quotes in {text!r}")
    return Query(tuple(_term(term, free_text) for term in _TERM.findall(text) if term != "*"))


def _term(term: str, free_text: bool) -> Test:
    negated = term.startswith("-")
    body = term[1:] if negated else term
    name, colon, rest = body.partition(":")
    if colon and name.lower() in _FILTERS:
        test = _filter(name.lower(), rest)
    elif free_text:
        test = _words(body.replace('"', ""))
    else:
        raise _invalid(f"{term!r} is not a filter; known filters: {', '.join(sorted(_FILTERS))}")
    return (lambda record: not test(record)) if negated else test


def _filter(name: str, rest: str) -> Test:
    if not rest:
        raise _invalid(f"filter {name!r} has no value")
    make = _FILTERS[name]
    if name == "tag":
        return make(rest.replace('"', ""))
    alternatives = [make(value.replace('"', "")) for value in _VALUES.findall(rest)]
    return lambda record: any(test(record) for test in alternatives)


def _tag(value: str) -> Test:
    if value.lower() in {"all", "none"}:
        wanted = value.lower() == "all"
        return lambda record: bool(record.tags) is wanted
    key, equals, expected = value.partition("=")
    if not equals:
        raise _invalid(f"tag:{value} needs the form tag:key=value; use tag.key: or tag.value: for one half")
    alternatives = expected.split(",")
    return lambda record: any(
        _same(key, k) and any(_same(wanted, v) for wanted in alternatives) for k, v in record.tags.items()
    )


def _words(word: str) -> Test:
    needle = word.lower().strip("*")
    return lambda record: any(needle in text.lower() for text in (record.arn, *record.tags, *record.tags.values()))


def _same(pattern: str, value: str) -> bool:
    wanted, observed = pattern.lower(), value.lower()
    return observed.startswith(wanted[:-1]) if wanted.endswith("*") else observed == wanted


def _invalid(problem: str) -> AwsError:
    return AwsError("ValidationException", f"The query is not valid: {problem}")


_FILTERS: dict[str, Callable[[str], Test]] = {
    "tag": _tag,
    "tag.key": lambda value: lambda record: any(_same(value, key) for key in record.tags),
    "tag.value": lambda value: lambda record: any(_same(value, v) for v in record.tags.values()),
    "region": lambda value: lambda record: _same(value, record.region),
    "service": lambda value: lambda record: _same(value, record.service),
    "resourcetype": lambda value: lambda record: _same(value, record.type),
    "accountid": lambda value: lambda record: _same(value, record.account),
    "id": lambda value: lambda record: _same(value, record.arn),
}
