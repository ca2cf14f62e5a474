"""The sizes of an Auto Scaling group: what production is, what a side was, whether a side carries it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from adapters.asg.models import Instance, SuspendedProcess
from adapters.asg.states import SAVED_TAG
from adapters.asg.view import AsgSide
from orchestrator.contract import Member, Place


@dataclass(frozen=True)
class Size:
    """The bounds of a group and the capacity between them."""

    low: int
    high: int
    desired: int

    def __str__(self) -> str:
        """Return the form of the tag dr:saved-capacity."""
        return f"{self.low}/{self.high}/{self.desired}"


def wanted(member: Member) -> Size:
    """Return the production size: what the busier side ran at inventory time, else the tag; the manifest's count wins.

    The tag comes last because CLEANUP writes it: it tells what a side was when it was put to sleep, perhaps long ago.
    """
    size = size_of(busier(member))
    if not size.desired:
        size = parsed(member.tags.get(SAVED_TAG, "")) or size
    configured = member.settings.get("desiredCapacity")
    desired = configured if isinstance(configured, int) else size.desired
    return Size(min(size.low, desired), max(size.high, desired), desired)


def busier(member: Member) -> Place:
    """Return the side that carried production when the inventory was taken."""
    return max((member.source, member.target), key=lambda place: size_of(place).desired)


def parsed(text: str) -> Size | None:
    """Return what "min/max/desired" says, or None when it is something else."""
    parts = text.split("/")
    return Size(*(int(part) for part in parts)) if len(parts) == 3 and all(part.isdigit() for part in parts) else None


def size_of(place: Place) -> Size:
    """Return what a side ran when the inventory was taken."""
    return Size(*(_number(place, name) for name in ("min", "max", "desired")))


def suspended_at(place: Place) -> frozenset[str]:
    """Return which processes of a side rested when the inventory was taken."""
    names = place.facts.get("suspended")
    return frozenset(str(each) for each in names) if isinstance(names, list | tuple) else frozenset()


def _number(place: Place, name: str) -> int:
    value = place.facts.get(name)
    return value if isinstance(value, int) else 0


def carries_production(side: AsgSide, size: Size) -> bool:
    """Say whether a side runs the production size, or what autoscaling has made of it within the bounds."""
    group = side.group
    if group is None:
        return False
    return group.MinSize >= size.low and group.MaxSize >= size.high and group.serving >= max(size.low, 1)


def sized(side: AsgSide, size: Size, suspended: Collection[str]) -> AsgSide:
    """Return a side as it is foreseen at a size."""
    if side.group is None:
        return side
    there = [Instance(InstanceId=f"i-{number}") for number in range(size.desired)]
    update = {
        "MinSize": size.low,
        "MaxSize": size.high,
        "DesiredCapacity": size.desired,
        "Instances": there,
        "SuspendedProcesses": [SuspendedProcess(ProcessName=name) for name in suspended],
    }
    return replace(side, group=side.group.model_copy(update=update))
