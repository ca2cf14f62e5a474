"""Keeps moto from launching and replacing instances at once: it only tells that a group's capacity may be off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.autoscaling import models

Changed = Callable[[Any], None]
_changed: Changed | None = None


def install(changed: Changed) -> None:
    """Call `changed` with a group whose desired capacity or instances moto changed; the latest caller wins."""
    global _changed  # noqa: PLW0603 - moto's classes are module globals, so is what they call
    _changed = changed
    models.FakeAutoScalingGroup.set_desired_capacity = _set_desired_capacity
    models.AutoScalingBackend.notify_terminate_instances = _notify_terminate_instances


def _set_desired_capacity(self: Any, new_capacity: int | None) -> None:
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity
    if _changed is not None:
        _changed(self)


def _notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
    for group in self.autoscaling_groups.values():
        kept = [state for state in group.instance_states if state.instance.id not in instance_ids]
        if len(kept) != len(group.instance_states):
            group.instance_states = kept
            if _changed is not None:
                _changed(group)
