"""The warm pool of the side that stands by: as many stopped instances as production runs, and no more.

A pool of MaxGroupPreparedCapacity = N and MinSize = 0 holds N instances while the group is at zero, and none while it runs N
(API reference, PutWarmPool); without that number AWS would warm up to the group's MaxSize.
"""

from __future__ import annotations

from dataclasses import replace

from pydantic import JsonValue

from adapters.asg.models import Instance, PoolSettings
from adapters.asg.scaling import missing, resume, troubles
from adapters.asg.sizes import Size
from adapters.asg.states import ON_THE_WAY, STUCK
from adapters.asg.view import AsgSide
from orchestrator.contract import Call, RunContext, Step, busy, done, failed, todo
from orchestrator.words import Effect, Side


def fill(side: AsgSide, where: Side, size: Size, run: RunContext) -> list[Step]:
    """Return the steps that keep a warm instance for each that production runs and the group does not."""
    gone = missing(side, "warm-pool")
    if gone is not None:
        return [gone]
    assert side.group is not None
    steps = [resume(side, where, side.group.suspended - {"Launch"}, "resume-launch")]
    pool, desired = side.group.WarmPoolConfiguration, side.group.DesiredCapacity
    expected = max(size.desired - desired, 0)
    if pool is not None and pool.Status is not None:
        return [*steps, busy("warm-pool", f"the warm pool is {pool.Status}"), busy("warmed", "waits for the pool")]
    if pool is not None and side.group.pool_size >= expected:
        steps.append(done("warm-pool", f"{side.group.pool_size} instance(s) are asked for", effect=Effect.REVERSIBLE))
        return [*steps, _warmed(side, run)]
    if not expected:
        return [*steps, done("warm-pool", f"the group runs {desired} instance(s) already")]
    seen = f"{side.group.pool_size} warm instance(s) are asked for" if pool else "there is no warm pool"
    call = Call("autoscaling", "PutWarmPool", _settings(side, pool, size), where)
    steps.append(todo("warm-pool", call, Effect.REVERSIBLE, f"{seen}, expected {expected}"))
    return [*steps, busy("warmed", f"waits for {expected} warm instance(s)")]


def _settings(side: AsgSide, pool: PoolSettings | None, size: Size) -> dict[str, JsonValue]:
    reuse = pool.InstanceReusePolicy if pool else None
    return {
        "AutoScalingGroupName": side.place.id,
        "MaxGroupPreparedCapacity": size.desired,
        "MinSize": min(pool.MinSize or 0, size.desired) if pool else 0,
        "PoolState": (pool.PoolState if pool else None) or "Stopped",
        **({"InstanceReusePolicy": reuse.model_dump(exclude_none=True)} if reuse else {}),
    }


def _warmed(side: AsgSide, run: RunContext) -> Step:
    assert side.group is not None
    name, expected = "warmed", side.group.pool_size
    seen = f"{side.warmed} of {expected} instance(s) are warm"
    stuck = [f"{each.InstanceId} {STUCK[each.LifecycleState]}" for each in side.warm if each.LifecycleState in STUCK]
    if side.warmed >= expected:
        return done(name, seen)
    if stuck:
        return failed(name, f"{seen}; {'; '.join(stuck)}", "terminate it, then retry.")
    trouble = troubles(side, run)
    if trouble:
        return failed(name, f"{seen}; {trouble}", "correct the cause (capacity, image, template, quota), then retry.")
    coming = [
        f"{each.InstanceId} {ON_THE_WAY[each.LifecycleState]}"
        for each in side.warm
        if each.LifecycleState in ON_THE_WAY
    ]
    return busy(name, "; ".join([seen, *coming[:5]]))


def filled(side: AsgSide, size: Size) -> AsgSide:
    """Return a side as it is foreseen with its pool."""
    if side.group is None:
        return side
    expected = max(size.desired - side.group.DesiredCapacity, side.group.pool_size)
    pool = side.group.WarmPoolConfiguration or PoolSettings(MaxGroupPreparedCapacity=size.desired, MinSize=0)
    warm = tuple(Instance(InstanceId=f"i-{n}", LifecycleState="Warmed:Stopped") for n in range(expected))
    return replace(side, group=side.group.model_copy(update={"WarmPoolConfiguration": pool}), warm=warm)
