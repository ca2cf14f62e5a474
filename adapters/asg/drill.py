"""A drill of an Auto Scaling group: one instance in a group of its own, from the same template and subnets.

No target group and no scaling policy is given to it, so it gets no traffic and stays at one. What the image does when it boots,
it does.
"""

from __future__ import annotations

from dataclasses import replace

from adapters.asg.models import Group, Instance
from adapters.asg.scaling import missing, troubles
from adapters.asg.states import STUCK
from adapters.asg.view import AsgView
from adapters.judging import gone, not_ours
from adapters.reading import is_of_this_drill, tag_map
from orchestrator.contract import Call, Check, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import CheckState, Effect, Side

NAME = "drill-group"
LEAVING = "Delete in progress"


def make(view: AsgView, run: RunContext) -> list[Step]:
    """Return the steps that make the group and wait for its instance."""
    absent = missing(view.target, NAME)
    if absent is not None or view.target.group is None:
        return [absent] if absent else []
    production, mine = view.target.group, view.drill.group
    if production.template is None:
        return [blocked(NAME, f"{view.target.place.id} has no launch template", "give it one, then retry.")]
    if mine is None:
        call = Call("autoscaling", "CreateAutoScalingGroup", _copy_of(view, production, run), Side.TARGET)
        return [
            todo(NAME, call, Effect.REVERSIBLE, "not there"),
            busy("drill-instance", "waits for the group"),
        ]
    if not is_of_this_drill(tag_map(mine.Tags), run):
        return not_ours(NAME, view.drill.place.id, run.run_id)
    there = done(NAME, f"{view.drill.place.id} is there", effect=Effect.REVERSIBLE)
    seen = f"{mine.serving} of {mine.DesiredCapacity} in service"
    if mine.serving:
        return [there, done("drill-instance", seen)]
    if mine.Status:
        return [failed(NAME, f"{view.drill.place.id}: {mine.Status}", "start the drill again.")]
    held = "; ".join(f"{i.InstanceId} {STUCK[i.LifecycleState]}" for i in mine.present if i.LifecycleState in STUCK)
    trouble = held or troubles(view.drill, run)
    if trouble:
        return [there, failed("drill-instance", f"{seen}; {trouble}", "correct the cause, then retry.")]
    return [there, busy("drill-instance", seen)]


def _copy_of(view: AsgView, production: Group, run: RunContext) -> dict[str, Param]:
    spec = production.template
    assert spec is not None
    marked = {"Name": view.drill.place.id, **run.tags}
    tags: Param = [
        {
            "ResourceId": view.drill.place.id,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": True,
        }
        for key, value in sorted(marked.items())
    ]
    where = {"VPCZoneIdentifier": production.VPCZoneIdentifier} if production.VPCZoneIdentifier else {}
    return {
        "AutoScalingGroupName": view.drill.place.id,
        "LaunchTemplate": {"LaunchTemplateId": spec.LaunchTemplateId, "Version": spec.Version or "$Default"},
        "MinSize": 0,
        "MaxSize": 1,
        "DesiredCapacity": 1,
        "HealthCheckType": "EC2",
        "Tags": tags,
        **(where or {"AvailabilityZones": list(production.AvailabilityZones)}),
    }


def delete(view: AsgView, run: RunContext) -> list[Step]:
    """Return the step that deletes this drill's group with its instance."""
    name, mine = view.drill.place.id, view.drill.group
    if mine is not None and not is_of_this_drill(tag_map(mine.Tags), run):
        return not_ours(NAME, name, run.run_id)
    params: dict[str, Param] = {"AutoScalingGroupName": name, "ForceDelete": True}
    call = Call("autoscaling", "DeleteAutoScalingGroup", params, Side.TARGET)
    status = "" if mine is None else mine.Status or "there"
    return [gone(NAME, status, call, leaving=(LEAVING,))]


def health(view: AsgView) -> list[Check]:
    """Check the drill's instance."""
    mine = view.drill.group
    seen = f"{mine.serving} of {mine.DesiredCapacity} in service" if mine else "no group"
    state = CheckState.HEALTHY if mine and mine.serving else CheckState.SETTLING
    return [Check(view.member.resource_id, "drill-instance", state, seen)]


def foreseen(view: AsgView, run: RunContext, *, there: bool) -> AsgView:
    """Return the view with or without the drill's group."""
    tags = [{"Key": key, "Value": value} for key, value in run.tags.items()]
    group = Group.model_validate(
        {"AutoScalingGroupName": view.drill.place.id, "MaxSize": 1, "DesiredCapacity": 1, "Tags": tags}
    )
    group = group.model_copy(update={"Instances": [Instance(InstanceId="i-drill")]})
    return replace(view, drill=replace(view.drill, group=group if there else None))
