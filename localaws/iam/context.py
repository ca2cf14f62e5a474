"""The request context: the values of condition keys, found only when a policy asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from localaws.iam.keys import is_known

Values = tuple[str, ...]
TagSource = Callable[[], Mapping[str, str]]


class UnknownKeyError(Exception):
    """A policy tests a condition key that the embedded AWS does not know."""


class Context:
    """Condition keys of one request. Key names are not case-sensitive.

    `values` maps a key to a string, or to a list of strings for a multi-valued key. `tags` maps a key prefix
    such as `aws:ResourceTag/` to a function that reads tags; it is called at most once, and only when asked.
    """

    def __init__(
        self,
        values: Mapping[str, str | Iterable[str]] | None = None,
        tags: Mapping[str, TagSource] | None = None,
    ) -> None:
        self._values: dict[str, Values] = {}
        for key, value in (values or {}).items():
            self._values[key.lower()] = (value,) if isinstance(value, str) else tuple(value)
        self._tag_sources = {prefix.lower(): source for prefix, source in (tags or {}).items()}

    def get(self, key: str) -> Values | None:
        """Return the values of `key`, None when the request does not carry it; raise `UnknownKeyError`."""
        name = key.lower()
        if not is_known(name):
            raise UnknownKeyError(key)
        if name not in self._values:
            self._read_tags(name)
        return self._values.get(name)

    def with_values(
        self,
        values: Mapping[str, str | Iterable[str]],
        tags: Mapping[str, TagSource] | None = None,
    ) -> Context:
        """Return a context that carries `values` (and `tags`) besides this one's."""
        other = Context(values, {**self._tag_sources, **(tags or {})})
        other._values = {**self._values, **other._values}
        return other

    def _read_tags(self, name: str) -> None:
        for prefix in [p for p in self._tag_sources if name.startswith(p)]:
            for tag, value in self._tag_sources.pop(prefix)().items():
                self._values.setdefault(prefix + tag.lower(), (value,))
