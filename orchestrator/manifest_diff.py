"""What changed from one manifest to the next, as a reviewer wants it told. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.manifest import Manifest, placed


def differences(old: Manifest, new: Manifest) -> list[str]:
    """Return a line for everything that a run would do otherwise; empty when the two mean the same."""
    heads = [
        f"{name}: {_shown(before)} -> {_shown(after)}"
        for name in ("customer", "environment", "phases")
        if (before := getattr(old, name)) != (after := getattr(new, name))
    ]
    return [*heads, *_waves(old, new), *_resources(old, new)]


def _waves(old: Manifest, new: Manifest) -> Iterator[str]:
    before, after = old.waves, new.waves
    for layer in sorted({*before, *after}):
        if layer not in after:
            yield f"layer {layer}: gone (was wave {before[layer]})"
        elif layer not in before:
            yield f"layer {layer}: new, wave {after[layer]}"
        elif before[layer] != after[layer]:
            yield f"layer {layer}: wave {before[layer]} -> {after[layer]}"


def _resources(old: Manifest, new: Manifest) -> Iterator[str]:
    before, after = _flat(old), _flat(new)
    for name in sorted({*before, *after}):
        if name not in after:
            yield f"{name}: no longer in the manifest (was in layer {before[name]['layer']})"
        elif name not in before:
            yield f"{name}: new, {after[name]['action']} in layer {after[name]['layer']}"
        else:
            fields = sorted({*before[name], *after[name]})
            yield from (
                f"{name}: {field}: {_shown(before[name].get(field))} -> {_shown(after[name].get(field))}"
                for field in fields
                if before[name].get(field) != after[name].get(field)
            )


def _flat(manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for _, layer, resource in placed(manifest):
        plain = resource.model_dump(mode="json", exclude={"resourceId", "config"}, exclude_defaults=True)
        config = {f"config.{key}": value for key, value in resource.config.items()}
        found[resource.resourceId] = {"layer": layer.layerId, **plain, **config}
    return found


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, default=str, sort_keys=True)
