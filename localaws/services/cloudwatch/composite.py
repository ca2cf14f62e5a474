"""The rule of a composite alarm: states of other alarms, joined by AND, OR, NOT and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable

from localaws.service import AwsError

TOKEN = re.compile(
    r"""\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|'(?P<single>[^']+)'|(?P<bare>[^()\s]+))\s*\)"""
    r"""|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))""",
    re.IGNORECASE,
)
StateOf = Callable[[str], str]


class _Rule:
    """A recursive-descent reader: OR binds loosest, then AND, then NOT."""

    def __init__(self, text: str, state_of: StateOf) -> None:
        self.text = text
        self.state_of = state_of
        self.tokens: list[re.Match[str]] = []
        position = 0
        while text[position:].strip():
            token = TOKEN.match(text, position)
            if token is None:
                raise AwsError("ValidationError", f"AlarmRule cannot be read at: {text[position:]!r}")
            self.tokens.append(token)
            position = token.end()

    def evaluate(self) -> bool:
        """Return whether the rule holds. Raises `AwsError` `ValidationError` for a rule that cannot be read."""
        holds = self._or()
        if self.tokens:
            raise AwsError("ValidationError", f"AlarmRule has something left over: {self.tokens[0][0]!r}")
        return holds

    def _word(self) -> str:
        token = self.tokens[0] if self.tokens else None
        return (token["word"] or token["bracket"] or "").upper() if token else ""

    def _or(self) -> bool:
        holds = self._and()
        while self._word() == "OR":
            self.tokens.pop(0)
            holds = self._and() or holds
        return holds

    def _and(self) -> bool:
        holds = self._not()
        while self._word() == "AND":
            self.tokens.pop(0)
            holds = self._not() and holds
        return holds

    def _not(self) -> bool:
        if self._word() == "NOT":
            self.tokens.pop(0)
            return not self._not()
        return self._atom()

    def _atom(self) -> bool:
        if not self.tokens:
            raise AwsError("ValidationError", f"AlarmRule ends too early: {self.text!r}")
        word, token = self._word(), self.tokens.pop(0)
        if word in {"TRUE", "FALSE"}:
            return word == "TRUE"
        if word == "(":
            holds = self._or()
            if self._word() != ")":
                raise AwsError("ValidationError", f"AlarmRule lacks a closing bracket: {self.text!r}")
            self.tokens.pop(0)
            return holds
        if not token["state"]:
            raise AwsError("ValidationError", f"AlarmRule cannot be read at: {token[0]!r}")
        name = token["quoted"] or token["single"] or token["bare"]
        # A rule may name the alarm by its ARN.
        return self.state_of(name.rsplit(":alarm:", 1)[-1]) == token["state"].upper()


def rule_holds(rule: str, state_of: StateOf) -> bool:
    """Evaluate an AlarmRule. `state_of` takes an alarm's name and returns its state."""
    return _Rule(rule, state_of).evaluate()
