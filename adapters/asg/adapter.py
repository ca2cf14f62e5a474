"""Auto Scaling group: it exists in both Regions; the target side is scaled to the production size, the source side to zero.

instantiate  planned: autoscaling.SuspendProcesses (alarms, schedules) while the target side is at zero; warm-pool also
             PutWarmPool; image-refresh also ec2.CopyImage, CreateLaunchTemplateVersion, and ModifyLaunchTemplate (or
             UpdateAutoScalingGroup), StartInstanceRefresh if anything runs; drill: CreateAutoScalingGroup of one instance
activate     ResumeProcesses, then UpdateAutoScalingGroup(MinSize, MaxSize, DesiredCapacity) in one call
cleanup      CreateOrUpdateTags (dr:saved-capacity), SuspendProcesses, SetInstanceProtection, UpdateAutoScalingGroup(0, 0) on
             the source side; drill: DeleteAutoScalingGroup of the drill's own group
replicate    warm-pool: PutWarmPool on the source side; image-refresh: its image the other way; else verify the standby

It never deletes a group of production, not even to decommission: asleep, the old side is the new standby and costs nothing.
The production size is what the busier side ran when the inventory was taken, or the manifest's desiredCapacity, or (when
both are at zero) `dr:saved-capacity`. Processes that production had suspended on purpose stay suspended. Both sides bear one name.
In an emergency no image can be copied (CopyImage reads the source Region): the target side starts from what it has.
Warm pools take mixed instances policies by now; older references still deny it (API reference, PutWarmPool). RunInstances is asked
for only when a template is given in the call, not for a new default version (user guide, launch template permissions).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.asg import drill, images, pools
from adapters.asg.models import Group, Groups, SuspendedProcess
from adapters.asg.readiness import claims, findings
from adapters.asg.scaling import hold, missing, scale, shrink, sleep
from adapters.asg.sizes import Size, busier, carries_production, size_of, sized, suspended_at, wanted
from adapters.asg.spec import IMAGE_REFRESH, SCALE_UP, SPEC, WARM_POOL
from adapters.asg.states import HELD
from adapters.asg.view import AsgSide, AsgView, look, same_image, versions_of
from adapters.reading import tag_map
from orchestrator.contract import (
    Adapter,
    Check,
    Claim,
    Clients,
    Endpoint,
    Finding,
    Found,
    Loss,
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    done,
    skip,
)
from orchestrator.tags import ENABLED, STRATEGY
from orchestrator.words import CheckState, Mode, Phase, Side

DESCRIBED_AT_ONCE = 50


class AsgAdapter(Adapter[AsgView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged groups, all of them when none is named; the two sides have the same name."""
        if not arns:
            tagged: JsonValue = [{"Name": "tag-key", "Values": [ENABLED]}]
            pages = aws.pages("autoscaling", "DescribeAutoScalingGroups", Groups, Filters=tagged)
            return [_found(aws, each) for page in pages for each in page.AutoScalingGroups if not each.Status]
        found = []
        names = sorted(arn.rpartition("autoScalingGroupName/")[2] for arn in arns)
        for start in range(0, len(names), DESCRIBED_AT_ONCE):
            batch: JsonValue = list(names[start : start + DESCRIBED_AT_ONCE])
            pages = aws.pages("autoscaling", "DescribeAutoScalingGroups", Groups, AutoScalingGroupNames=batch)
            found += [_found(aws, each) for page in pages for each in page.AutoScalingGroups if not each.Status]
        return found

    def observe(self, target: Target, aws: Clients, run: RunContext) -> AsgView:
        """Read both sides, in an emergency only the target side."""
        return look(target, aws, run)

    def readiness(self, view: AsgView, run: RunContext) -> list[Finding]:
        """Judge group, template, image, capacity; see `adapters.asg.readiness`."""
        return findings(view, run)

    def claims(self, view: AsgView, run: RunContext) -> list[Claim]:
        """Count the vCPUs that the instances to come need."""
        return claims(view, run)

    def loss(self, view: AsgView, run: RunContext) -> list[Loss]:
        """Lose nothing: instances are stateless."""
        return [Loss(view.member.resource_id, 0.0, "stateless")]

    def instantiate(self, view: AsgView, run: RunContext) -> list[Step]:
        """Keep the target side from scaling by itself; warm it up, or bring it the image; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        gone = missing(view.target, "hold-scaling")
        if gone is not None or view.target.group is None:
            return [gone] if gone else []
        held = [hold(view.target, Side.TARGET)] if not view.target.group.DesiredCapacity else []
        steps = [*held, *_prepared(view, view.source, view.target, Side.TARGET, run)]
        return steps or skip("the target side runs instances already: it goes on scaling by itself")

    def activate(self, view: AsgView, run: RunContext) -> list[Step]:
        """Scale the target side to the production size and wait for its instances."""
        if run.mode is Mode.DRILL:
            return skip("the drill's instance runs in a group of its own; the standing group stays as it is")
        return scale(view.target, Side.TARGET, wanted(view.member), suspended_at(busier(view.member)), run)

    def cleanup(self, view: AsgView, run: RunContext) -> list[Step]:
        """Put the source side to sleep; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if not carries_production(view.target, wanted(view.member)):
            seen = f"{view.target.group.serving if view.target.group else 0} instance(s) serve on the target side"
            what = f"{seen}, expected production ({wanted(view.member)}): the source stays up"
            return [blocked("scale-to-zero", what, "run ACTIVATE first.")]
        return sleep(view.source, Side.SOURCE, run)

    def replicate(self, view: AsgView, run: RunContext) -> list[Step]:
        """Make the source side the standby: warm, or with the target side's image, as the strategy wants it."""
        if run.mode is Mode.DRILL:
            return skip("a drill changes no standby")
        gone = missing(view.source, "standby")
        if gone is not None or view.source.group is None:
            return [gone] if gone else []
        seen = f"{view.source.place.id} is there, min/max/desired {Size(*view.source.group.size)}"
        return [done("standby", seen), *_prepared(view, view.target, view.source, Side.SOURCE, run)]

    def rollback(self, phase: Phase, view: AsgView, run: RunContext) -> list[Step]:
        """Go back: to the template version before, to the target side's size before, to the source side's saved size."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.CLEANUP:
            return scale(view.source, Side.SOURCE, wanted(view.member), suspended_at(view.member.source), run)
        if phase is Phase.ACTIVATE:
            return self._back_down(view, run)
        if view.strategy == IMAGE_REFRESH and phase in {Phase.INSTANTIATE, Phase.REPLICATE}:
            first = phase is Phase.INSTANTIATE
            return images.restore(view.target if first else view.source, Side.TARGET if first else Side.SOURCE, run)
        return skip(f"{phase} changed nothing that must be undone: the standby stays prepared")

    def _back_down(self, view: AsgView, run: RunContext) -> list[Step]:
        if run.mode is Mode.PLANNED and not carries_production(view.source, wanted(view.member)):
            what = f"{view.source.place.id} in {view.source.place.region} does not carry production"
            return [blocked("scale-to-zero", f"{what}: nothing would serve", "roll back CLEANUP first.")]
        before = size_of(view.member.target)
        held = suspended_at(view.member.target) - {"Terminate"}
        return shrink(view.target, Side.TARGET, before, held if before.desired else {*held, *HELD}, run)

    def health(self, view: AsgView, run: RunContext) -> list[Check]:
        """Check instances, the load balancer's targets, and after REPLICATE the standby."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, group = view.member.resource_id, view.target.group
        if group is None:
            return [Check(me, "group", CheckState.UNHEALTHY, f"there is no group {view.target.place.id}")]
        counts = f"{group.serving} of {group.DesiredCapacity} instances serve"
        checks = [_check(me, "instances", group.settled and group.serving > 0, counts)]
        for arn, states in view.load_balanced.items():
            there = [state for state in states if state != "draining"]
            well = bool(there) and all(state == "healthy" for state in there)
            name = arn.split("/")[-2] if "/" in arn else arn
            checks.append(_check(me, "targets", well, f"{name}: {', '.join(states) or 'no targets'}"))
        return [*checks, *_protected(view)] if run.phase is Phase.REPLICATE else checks

    def after(self, phase: Phase, view: AsgView, run: RunContext) -> AsgView:
        """Foresee sizes, pools and images, and the group of a drill."""
        if run.mode is Mode.DRILL:
            return drill.foreseen(view, run, there=phase is not Phase.CLEANUP)
        size, source, target = wanted(view.member), view.source, view.target
        if phase is Phase.INSTANTIATE:
            return replace(view, target=_ready(view, source, target, held=True))
        if phase is Phase.ACTIVATE:
            return replace(view, target=sized(target, size, suspended_at(busier(view.member)) - {"Launch"}))
        if phase is Phase.CLEANUP:
            high = source.group.MaxSize if source.group else 0
            return replace(view, source=sized(source, Size(0, high, 0), HELD))
        return replace(view, source=_ready(view, target, source, held=False))

    def decommission(self, view: AsgView, run: RunContext) -> list[Step]:
        """Delete nothing: a group at zero instances is the standby, and costs nothing."""
        return skip(
            f"{view.source.place.id} in {view.source.place.region} is the standby, at zero instances: groups stay"
        )

    def endpoints(self, view: AsgView, run: RunContext) -> list[Endpoint]:
        """Return where the load balancers before the target side listen."""
        return [Endpoint(view.member.resource_id, host, port) for host, port in view.endpoints]


def _found(aws: Reader, group: Group) -> Found:
    tags = tag_map(group.Tags)
    facts: dict[str, JsonValue] = {
        "min": group.MinSize,
        "max": group.MaxSize,
        "desired": group.DesiredCapacity,
        "suspended": [*sorted(group.suspended)],
    }
    if tags.get(STRATEGY) == IMAGE_REFRESH:
        version = AsgSide(
            Place(aws.account, aws.region, "", ""), group, versions=versions_of(aws, group.template)
        ).version
        facts["image"] = version.LaunchTemplateData.ImageId if version else None
    place = Place(aws.account, aws.region, group.AutoScalingGroupName, group.AutoScalingGroupARN, facts)
    return Found(group.AutoScalingGroupName, group.AutoScalingGroupName, place, tags, _strategy_of(group))


def _strategy_of(group: Group) -> str | None:
    """Return what a group tells: a pool is telling, and a sleeping group without one; a serving one without tells nothing."""
    if group.WarmPoolConfiguration is not None:
        return WARM_POOL
    return None if group.DesiredCapacity else SCALE_UP


def _prepared(view: AsgView, origin: AsgSide, side: AsgSide, where: Side, run: RunContext) -> list[Step]:
    """Return what the strategy asks of the side that stands by."""
    if view.strategy == WARM_POOL:
        return pools.fill(side, where, wanted(view.member), run)
    if view.strategy == IMAGE_REFRESH:
        return images.bring(view, origin, side, where, run)
    return []


def _ready(view: AsgView, origin: AsgSide, side: AsgSide, *, held: bool) -> AsgSide:
    if view.strategy == WARM_POOL:
        side = pools.filled(side, wanted(view.member))
    if view.strategy == IMAGE_REFRESH:
        side = images.refreshed(origin, side)
    if held and side.group is not None and not side.group.DesiredCapacity:
        asleep = [SuspendedProcess(ProcessName=name) for name in sorted({*side.group.suspended, *HELD})]
        side = replace(side, group=side.group.model_copy(update={"SuspendedProcesses": asleep}))
    return side


def _check(me: str, name: str, well: bool, detail: str) -> Check:
    return Check(me, name, CheckState.HEALTHY if well else CheckState.SETTLING, detail)


def _protected(view: AsgView) -> list[Check]:
    me, side = view.member.resource_id, view.source
    if side.group is None:
        return [Check(me, "standby", CheckState.UNHEALTHY, f"there is no group {side.place.id}")]
    if view.strategy == WARM_POOL:
        seen = f"{side.warmed} of {side.group.pool_size} instance(s) of {side.place.id} are warm"
        return [_check(me, "standby", side.warmed >= side.group.pool_size > 0, seen)]
    if view.strategy == IMAGE_REFRESH:
        seen = f"{side.place.id} starts from {side.image.ImageId if side.image else 'no image'}"
        return [_check(me, "standby", same_image(view.target.image, side.image), seen)]
    return [_check(me, "standby", True, f"{side.place.id} is there")]
