"""Wildcards, policy variables and ARN patterns.

`*` matches any run of characters, `?` exactly one. In an ARN each of the six colon-separated parts is
matched by itself; a pattern with fewer parts is completed with `*`. A variable stands for its value
literally: a `*` inside a value is a star, not a wildcard.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localaws.iam.context import Context

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_LITERALS = {"*": "*", "?": "?", "$": "$"}
_ARN_PARTS = 6


class BadVariableError(Exception):
    """A policy variable is not written as `${key}` or `${key, 'default'}`."""


class Unresolved(Exception):  # noqa: N818 -- a signal inside this package, not an error
    """A policy variable has no single value in this request, so the pattern matches nothing."""


@lru_cache(maxsize=8192)
def glob(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile a `*`/`?` pattern that must match the whole text."""
    return re.compile(_glob_source(pattern, ".*", ".") + r"\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@lru_cache(maxsize=8192)
def arn_glob(pattern: str) -> re.Pattern[str]:
    """Compile an ARN pattern: wildcards stay inside their colon-separated part, save in the last."""
    if pattern == "*":
        return re.compile(".*", re.DOTALL)
    parts = pattern.split(":", _ARN_PARTS - 1)
    parts += ["*"] * (_ARN_PARTS - len(parts))
    sources = [_glob_source(part, "[^:]*", "[^:]") for part in parts[:-1]]
    last = _glob_source(parts[-1], ".*", ".") + r"\Z"
    return re.compile(":".join([*sources, last]), re.DOTALL)


def has_variables(text: str) -> bool:
    """Tell whether `text` contains a policy variable."""
    return "${" in text


def check_variables(text: str) -> None:
    """Raise `BadVariableError` when a variable in `text` is malformed."""
    if text.count("${") != len(_VARIABLE.findall(text)):
        raise BadVariableError(text)
    for body in _VARIABLE.findall(text):
        _split_default(body)


def resolve(text: str, context: Context, *, keep_wildcards: bool) -> str:
    """Return `text` with its variables replaced; raise `Unresolved` when one has no value.

    With `keep_wildcards` the result is a pattern: wildcard characters that came from a value are guarded so
    that they match only themselves.
    """

    def value_of(match: re.Match[str]) -> str:
        value = _variable(match.group(1), context)
        return _guard(value) if keep_wildcards else value

    return _VARIABLE.sub(value_of, text)


def _variable(body: str, context: Context) -> str:
    if body in _LITERALS:
        return _LITERALS[body]
    key, default = _split_default(body)
    values = context.get(key)
    if values is not None and len(values) == 1:
        return values[0]
    if default is None:
        raise Unresolved(body)
    return default


def _split_default(body: str) -> tuple[str, str | None]:
    key, comma, rest = body.partition(",")
    default = rest.strip()
    if not comma:
        if body not in _LITERALS and not re.fullmatch(r"[A-Za-z0-9-]+:.+", body):
            raise BadVariableError(body)
        return key, None
    if len(default) < 2 or default[0] != "'" or default[-1] != "'":
        raise BadVariableError(body)
    return key.strip(), default[1:-1]


# Private-use characters stand for wildcard characters that came out of a variable.
_GUARDED = {"*": "\ue000", "?": "\ue001"}
_UNGUARD = {guard: char for char, guard in _GUARDED.items()}


def _guard(value: str) -> str:
    return "".join(_GUARDED.get(char, char) for char in value)


def _glob_source(pattern: str, star: str, question: str) -> str:
    wild = {"*": star, "?": question}
    return "".join(wild.get(char) or re.escape(_UNGUARD.get(char, char)) for char in pattern)
