"""CloudFormation templates: reading, parameters, conditions and intrinsic functions.

A template is evaluated in a `Scope`: resolved parameters, pseudo parameters, and what resources answer to
`Ref` and `Fn::GetAtt`. Functions not listed in `FUNCTIONS` are refused, never passed through.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from localaws.service import AwsError

SUB = re.compile(r"\$\{(!?)([^}]+)\}")
DYNAMIC = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
NO_VALUE = object()


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short tags."""


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)
# Dates stay text: AWSTemplateFormatVersion and policy versions look like dates.
_Loader.yaml_implicit_resolvers = {
    key: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def validation_error(message: str) -> AwsError:
    """Return CloudFormation's usual error."""
    return AwsError("ValidationError", message)


def parse(body: str) -> dict[str, Any]:
    """Read a JSON or YAML template. Raises `AwsError` `ValidationError`."""
    try:
        template = json.loads(body) if body.lstrip().startswith("{") else yaml.load(body, Loader=_Loader)  # noqa: S506
    except (ValueError, yaml.YAMLError) as error:
        raise validation_error(f"Template format error: {error}") from error
    if not isinstance(template, dict):
        raise validation_error("Template format error: unsupported structure.")
    if not template.get("Resources"):
        raise validation_error("Template format error: At least one Resources member must be defined.")
    for name, resource in template["Resources"].items():
        if not isinstance(resource, dict) or "Type" not in resource:
            raise validation_error(f"Template format error: [/Resources/{name}] every resource must have a Type.")
    return template


@dataclass
class Scope:
    """What a template's expressions can see. `ref` and `get_att` answer for resources."""

    template: Mapping[str, Any]
    parameters: Mapping[str, Any]
    pseudo: Mapping[str, Any]
    ref: Callable[[str], Any]
    get_att: Callable[[str, str], Any]
    import_value: Callable[[str], Any]
    dynamic: Callable[[str, str], str]
    conditions: dict[str, bool] = field(default_factory=dict)

    def condition(self, name: str) -> bool:
        """Evaluate a named condition. Raises `AwsError` when the template has no such condition."""
        if name not in self.conditions:
            declared = self.template.get("Conditions") or {}
            if name not in declared:
                raise validation_error(f"Template error: unresolved condition dependency {name}")
            self.conditions[name] = bool(self.resolve(declared[name]))
        return self.conditions[name]

    def resolve(self, value: Any) -> Any:
        """Return `value` with every function evaluated; members that are AWS::NoValue disappear."""
        resolved = self._resolve(value)
        return None if resolved is NO_VALUE else resolved

    def _resolve(self, value: Any) -> Any:
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, list):
            return [item for item in map(self._resolve, value) if item is not NO_VALUE]
        if isinstance(value, str) and "{{resolve:" in value:
            return DYNAMIC.sub(lambda match: self.dynamic(match[1], match[2]), value)
        return value

    def _mapping(self, value: dict[str, Any]) -> Any:
        if len(value) == 1:
            (name, argument), *_ = value.items()
            if name in FUNCTIONS:
                return FUNCTIONS[name](self, argument)
            if name.startswith("Fn::"):
                raise validation_error(f"Template error: the embedded AWS does not know the function {name}")
        pairs = ((key, self._resolve(item)) for key, item in value.items())
        return {key: item for key, item in pairs if item is not NO_VALUE}


def _ref(scope: Scope, name: str) -> Any:
    if name == "AWS::NoValue":
        return NO_VALUE
    if name in scope.pseudo:
        return scope.pseudo[name]
    if name in scope.parameters:
        return scope.parameters[name]
    return scope.ref(name)


def _get_att(scope: Scope, argument: Any) -> Any:
    parts = argument.split(".", 1) if isinstance(argument, str) else argument
    return scope.get_att(parts[0], str(scope.resolve(parts[1])))


def _sub(scope: Scope, argument: Any) -> str:
    text, names = argument if isinstance(argument, list) else (argument, {})
    values = {key: scope.resolve(item) for key, item in names.items()}

    def replace(match: re.Match[str]) -> str:
        literal, name = match[1], match[2].strip()
        if literal:
            return "${" + match[2] + "}"
        if name in values:
            return str(values[name])
        if "." in name:
            return str(_get_att(scope, name))
        return str(_ref(scope, name))

    return SUB.sub(replace, str(scope.resolve(text)))


def _join(scope: Scope, argument: Any) -> str:
    delimiter, values = argument
    return str(delimiter).join(_text(item) for item in scope.resolve(values))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _select(scope: Scope, argument: Any) -> Any:
    index, values = int(scope.resolve(argument[0])), scope.resolve(argument[1])
    if not 0 <= index < len(values):
        raise validation_error(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return values[index]


def _if(scope: Scope, argument: Any) -> Any:
    name, yes, no = argument
    return scope._resolve(yes if scope.condition(name) else no)


def _find_in_map(scope: Scope, argument: Any) -> Any:
    default = argument[3].get("DefaultValue") if len(argument) > 3 else None
    name, first, second = (str(scope.resolve(part)) for part in argument[:3])
    try:
        return scope.resolve(scope.template["Mappings"][name][first][second])
    except KeyError as error:
        if default is not None:
            return scope.resolve(default)
        raise validation_error(f"Template error: Unable to get mapping for {name}::{first}::{second}") from error


def _equals(scope: Scope, argument: Any) -> bool:
    left, right = scope.resolve(argument)
    return _text(left) == _text(right)


def _split(scope: Scope, argument: Any) -> list[str]:
    return str(scope.resolve(argument[1])).split(argument[0])


def _availability_zones(scope: Scope, argument: Any) -> list[str]:
    region = scope.resolve(argument) or scope.pseudo["AWS::Region"]
    return [f"{region}{zone}" for zone in "abc"]


FUNCTIONS: dict[str, Callable[[Scope, Any], Any]] = {
    "Ref": _ref,
    "Condition": lambda scope, name: (
        scope.condition(name) if isinstance(name, str) else {"Condition": scope.resolve(name)}
    ),
    "Fn::GetAtt": _get_att,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::Split": _split,
    "Fn::Select": _select,
    "Fn::If": _if,
    "Fn::FindInMap": _find_in_map,
    "Fn::Equals": _equals,
    "Fn::Not": lambda scope, argument: not scope.resolve(argument[0]),
    "Fn::And": lambda scope, argument: all(scope.resolve(item) for item in argument),
    "Fn::Or": lambda scope, argument: any(scope.resolve(item) for item in argument),
    "Fn::ImportValue": lambda scope, name: scope.import_value(str(scope.resolve(name))),
    "Fn::GetAZs": _availability_zones,
    "Fn::Base64": lambda scope, value: base64.b64encode(str(scope.resolve(value)).encode()).decode(),
    "Fn::ToJsonString": lambda scope, value: json.dumps(scope.resolve(value)),
    "Fn::Length": lambda scope, value: len(scope.resolve(value)),
}


def references(value: Any) -> set[str]:
    """Return every name that an expression refers to (resources, parameters and pseudo parameters alike)."""
    found: set[str] = set()
    if isinstance(value, list):
        for item in value:
            found |= references(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                found.add(item)
            elif key == "Fn::GetAtt":
                found.add(item.split(".")[0] if isinstance(item, str) else item[0])
            elif key == "Fn::Sub":
                text = item[0] if isinstance(item, list) else item
                found |= {match[2].strip().split(".")[0] for match in SUB.finditer(text) if not match[1]}
                found |= references(item[1:] if isinstance(item, list) else [])
            else:
                found |= references(item)
    return found


def order(resources: Mapping[str, Any]) -> list[str]:
    """Return resource names so that each comes after what it depends on. Raises on a circle."""
    waiting = {}
    for name, resource in resources.items():
        explicit = resource.get("DependsOn", [])
        explicit = [explicit] if isinstance(explicit, str) else explicit
        waiting[name] = (references(resource.get("Properties", {})) | set(explicit)) & set(resources) - {name}
    ordered: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if not needs - set(ordered)]
        if not ready:
            raise validation_error(f"Circular dependency between resources: [{', '.join(sorted(waiting))}]")
        ordered += ready
        for name in ready:
            del waiting[name]
    return ordered
