"""The steps that bring one side of an Auto Scaling group to a size, or to sleep."""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile

from pydantic import JsonValue

from adapters.asg.models import Group, Instance
from adapters.asg.sizes import Size
from adapters.asg.states import (
    FAILED_ACTIVITIES,
    HELD,
    MAX_PROTECTED,
    ON_THE_WAY,
    PATIENCE_SECONDS,
    PERMANENT,
    SAVED_TAG,
    SETTLED_SECONDS,
    STALL_SECONDS,
    STUCK,
)
from adapters.asg.view import AsgSide
from adapters.reading import tag_map
from orchestrator.contract import Call, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

_REVERSIBLE = Effect.REVERSIBLE


def missing(side: AsgSide, step: str) -> Step | None:
    """Return the step that stops when a group is not there, or is being deleted."""
    if side.group is None:
        where = f"{side.place.account} {side.place.region}"
        return blocked(step, f"there is no group {side.place.id} in {where}", "deploy the group, then retry.")
    if side.group.Status:
        return failed(step, f"{side.place.id}: {side.group.Status}", "deploy the group again, then retry.")
    return None


# --- up ---------------------------------------------------------------------------------------------------------------


def scale(side: AsgSide, where: Side, size: Size, keep: Collection[str], run: RunContext) -> list[Step]:
    """Return the steps that bring a side to at least a size, its processes awake but those in `keep`."""
    gone = missing(side, "scale-group")
    if gone is not None:
        return [gone]
    assert side.group is not None
    group, seen = side.group, f"min/max/desired is {Size(*side.group.size)}"
    steps = [resume(side, where, keep)]
    if _reached(group, size, run):
        return [*steps, done("scale-group", seen, effect=_REVERSIBLE), _in_service(side, run)]
    steps.append(todo("scale-group", _resize(side, where, size), _REVERSIBLE, f"{seen}, expected {size}"))
    return [*steps, busy("instances-in-service", f"waits for {size.desired} instance(s)")]


def resume(side: AsgSide, where: Side, keep: Collection[str], name: str = "resume-processes") -> Step:
    """Return the step that wakes suspended processes; Launch always, or nothing would ever start."""
    assert side.group is not None
    asleep: list[JsonValue] = [*sorted(side.group.suspended - (set(keep) - {"Launch"}))]
    if not asleep:
        return done(name, "no process is suspended that should run", effect=_REVERSIBLE)
    params: dict[str, JsonValue] = {"AutoScalingGroupName": side.place.id, "ScalingProcesses": asleep}
    return todo(
        name,
        Call("autoscaling", "ResumeProcesses", params, where),
        _REVERSIBLE,
        f"suspended: {', '.join(map(str, asleep))}",
    )


def _reached(group: Group, size: Size, run: RunContext) -> bool:
    """Say whether the size is reached, or was reached and autoscaling has since moved it within its bounds."""
    scaled_before = (run.seconds_since("scale-group") or 0) > SETTLED_SECONDS
    enough = group.DesiredCapacity >= (max(size.low, 1) if scaled_before else size.desired)
    return (group.MinSize, group.MaxSize) == (size.low, size.high) and enough


def _in_service(side: AsgSide, run: RunContext) -> Step:
    assert side.group is not None
    name, group = "instances-in-service", side.group
    seen = f"{group.serving} of {group.DesiredCapacity} in service"
    if group.serving >= group.DesiredCapacity > 0:
        return done(name, seen)
    seen = "; ".join([seen, *_others(group.present)])
    trouble = troubles(side, run)
    if trouble:
        return failed(name, f"{seen}; {trouble}", "correct the cause (capacity, image, template, quota), then retry.")
    if (run.seconds_since("scale-group") or 0) > STALL_SECONDS:
        return failed(
            name, f"{seen} after {STALL_SECONDS} s", f"look at the activities of {side.place.id}, then retry."
        )
    return busy(name, seen)


def _others(instances: list[Instance]) -> list[str]:
    """Return what keeps instances from serving, a phrase each."""
    told = []
    for each in instances:
        state = ON_THE_WAY.get(each.LifecycleState) or STUCK.get(each.LifecycleState)
        if state:
            told.append(f"{each.InstanceId} {state}")
        elif not each.serves:
            told.append(f"{each.InstanceId} is {each.HealthStatus}")
    return told[:5]


def troubles(side: AsgSide, run: RunContext, patience: float = PATIENCE_SECONDS) -> str:
    """Return why waiting longer will not help, or nothing: what has failed last, and for how long, since this attempt began."""
    fresh = [each for each in side.activities if each.StartTime >= run.began]
    ended = list(takewhile(lambda each: each.StatusCode in FAILED_ACTIVITIES, fresh))
    if not ended:
        return ""
    told = ended[0].StatusMessage or ended[0].Description
    # A zone without capacity fails several launches at once, and AWS then tries the others; failing on is another matter.
    lasted = (ended[0].StartTime - ended[-1].StartTime).total_seconds()
    return told if lasted >= patience or any(word in told for word in PERMANENT) else ""


# --- down -------------------------------------------------------------------------------------------------------------


def sleep(side: AsgSide, where: Side, run: RunContext) -> list[Step]:
    """Return the steps that bring a side to zero and keep it there; what it was is written on it first."""
    gone = missing(side, "scale-to-zero")
    if gone is not None:
        return [gone]
    assert side.group is not None
    return [_save(side, where), *shrink(side, where, Size(0, side.group.MaxSize, 0), HELD, run)]


def shrink(side: AsgSide, where: Side, size: Size, held: Collection[str], run: RunContext) -> list[Step]:
    """Return the steps that bring a side down to a size, with processes held that would change it again."""
    name = "scale-down" if size.desired else "scale-to-zero"
    gone = missing(side, name)
    if gone is not None:
        return [gone]
    assert side.group is not None
    group, steps = side.group, [hold(side, where, held), *_release_protection(side, where)]
    if "Terminate" in group.suspended:
        steps.append(resume(side, where, group.suspended - {"Terminate"}, "resume-terminate"))
    seen = f"min/max/desired is {Size(*group.size)}"
    if group.size == (size.low, size.high, size.desired):
        steps.append(done(name, seen, effect=_REVERSIBLE))
    else:
        call = _resize(side, where, size, most=size.high != group.MaxSize)
        steps.append(todo(name, call, _REVERSIBLE, f"{seen}, expected {size}"))
    return [*steps, _left(side, size, run)]


def _save(side: AsgSide, where: Side) -> Step:
    assert side.group is not None
    name, now = "save-capacity", str(Size(*side.group.size))
    saved = tag_map(side.group.Tags).get(SAVED_TAG)
    if not side.group.DesiredCapacity or saved == now:
        return done(name, f"{SAVED_TAG} is {saved or 'not needed: the group is at zero'}", effect=_REVERSIBLE)
    tag: dict[str, JsonValue] = {
        "ResourceId": side.place.id,
        "ResourceType": "auto-scaling-group",
        "Key": SAVED_TAG,
        "Value": now,
        "PropagateAtLaunch": False,
    }
    call = Call("autoscaling", "CreateOrUpdateTags", {"Tags": [tag]}, where)
    return todo(name, call, _REVERSIBLE, f"{SAVED_TAG} is {saved or 'not there'}, expected {now}")


def hold(side: AsgSide, where: Side, processes: Collection[str] = HELD) -> Step:
    """Return the step that keeps alarms and schedules from changing a size."""
    assert side.group is not None
    name = "hold-scaling"
    awake: list[JsonValue] = [*sorted(set(processes) - side.group.suspended)]
    if not awake:
        return done(name, f"suspended: {', '.join(sorted(side.group.suspended)) or 'nothing'}", effect=_REVERSIBLE)
    params: dict[str, JsonValue] = {"AutoScalingGroupName": side.place.id, "ScalingProcesses": awake}
    return todo(name, Call("autoscaling", "SuspendProcesses", params, where), _REVERSIBLE, "the group scales by itself")


def _release_protection(side: AsgSide, where: Side) -> list[Step]:
    """Return the steps that release protected instances, 50 a call."""
    assert side.group is not None
    name = "release-protection"
    shielded = [e.InstanceId for e in side.group.present if e.ProtectedFromScaleIn and e.LifecycleState == "InService"]
    if not shielded:
        return [done(name, "no instance is protected from scale-in", effect=_REVERSIBLE)]
    steps = []
    for start in range(0, len(shielded), MAX_PROTECTED):
        ids: JsonValue = list(shielded[start : start + MAX_PROTECTED])
        params: dict[str, JsonValue] = {
            "AutoScalingGroupName": side.place.id,
            "InstanceIds": ids,
            "ProtectedFromScaleIn": False,
        }
        number = f"-{start // MAX_PROTECTED + 1}" if start else ""
        reason = f"{len(shielded)} instance(s) protected from scale-in"
        steps.append(
            todo(name + number, Call("autoscaling", "SetInstanceProtection", params, where), _REVERSIBLE, reason)
        )
    return steps


def _left(side: AsgSide, size: Size, run: RunContext) -> Step:
    assert side.group is not None
    name, here = "instances-gone", side.group.present
    stuck = [f"{each.InstanceId} {STUCK[each.LifecycleState]}" for each in here if each.LifecycleState in STUCK]
    if stuck and side.group.DesiredCapacity == size.desired:
        return failed(name, "; ".join(stuck), "end it with: aws ec2 terminate-instances --instance-ids ID, then retry.")
    if sum(each.weight for each in here) <= size.desired:
        return done(name, f"{len(here)} instance(s) left")
    if trouble := troubles(side, run, patience=0):
        return failed(name, f"{len(here)} instance(s) left; {trouble}", "end them in the console, then retry.")
    return busy(name, "; ".join([f"{len(here)} instance(s) left, expected {size.desired}", *_others(here)]))


def _resize(side: AsgSide, where: Side, size: Size, *, most: bool = True) -> Call:
    params: dict[str, JsonValue] = {
        "AutoScalingGroupName": side.place.id,
        "MinSize": size.low,
        "DesiredCapacity": size.desired,
        **({"MaxSize": size.high} if most else {}),
    }
    return Call("autoscaling", "UpdateAutoScalingGroup", params, where)
