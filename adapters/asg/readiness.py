"""What is judged of an Auto Scaling group before a run. Pure."""

from __future__ import annotations

from adapters.asg.images import unfit
from adapters.asg.models import Group
from adapters.asg.sizes import busier, suspended_at, wanted
from adapters.asg.spec import IMAGE_REFRESH, SPEC, WARM_POOL
from adapters.asg.states import IMAGE_READY, REFRESHING, SSM, STANDARD, STANDARD_VCPUS, WITHOUT_VCPUS, is_standard
from adapters.asg.view import AsgSide, AsgView
from adapters.asg.view_checks import Checked
from adapters.judging import ready, red, too_slow, warning
from adapters.needed import findings as findings_of
from adapters.needed import key_findings
from adapters.quotas import ask
from adapters.scaled import unseen
from orchestrator.contract import Claim, Finding, RunContext
from orchestrator.words import Mode, Undoing


def findings(view: AsgView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, group, place = view.member.resource_id, view.target.group, view.target.place
    if group is None:
        return [
            red(me, "missing", f"there is no group {place.id} in {place.region}.", "deploy it there, then: dr plan")
        ]
    found = _group(me, group, view) + _template(me, view)
    if view.checked is not None:
        found += _region(me, group, view, view.checked) + _scaling(me, view, view.checked, run)
    if view.strategy == WARM_POOL:
        found += _pool(me, group, view, run)
    if view.strategy == IMAGE_REFRESH:
        found += _images(me, view, run)
    if run.mode is Mode.PLANNED:
        found += _source(me, view)
    found += too_slow(view.member, SPEC.strategy(view.strategy))
    return found or [ready(me, f"{place.id} can be scaled to {wanted(view.member).desired}.")]


def _group(me: str, group: Group, view: AsgView) -> list[Finding]:
    name, found = view.target.place.id, []
    if group.Status:
        found.append(red(me, "status", f"{name}: {group.Status}, expected a group that stays."))
    if group.LaunchConfigurationName:
        text = f"{name} has the launch configuration {group.LaunchConfigurationName}, expected a launch template."
        found.append(red(me, "launch-configuration", text, "migrate it to a launch template, then: dr plan"))
    if wanted(view.member).desired == 0:
        text = f"the production size of {view.member.name} is 0 on both sides; nothing would run."
        found.append(red(me, "size", text, "set dr:saved-capacity (min/max/desired, such as 2/6/3) on the group."))
    by_aws = sorted(p.ProcessName for p in group.SuspendedProcesses if "User suspended" not in p.SuspensionReason)
    if by_aws:
        text = f"AWS itself suspended {', '.join(by_aws)} on {name}: its launches failed for long."
        found.append(warning(me, "suspended", text, "look at its activities; ACTIVATE resumes what is suspended."))
    elif "Launch" in group.suspended:
        found.append(warning(me, "suspended", f"Launch is suspended on {name}; the run resumes it."))
    return found + _refreshing(me, view.target) + _refreshing(me, view.source)


def _refreshing(me: str, side: AsgSide) -> list[Finding]:
    if not any(each.Status in REFRESHING for each in side.refreshes[:1]):
        return []
    name, region = side.place.id, side.place.region
    text = (
        f"an instance refresh of {name} in {region} is under way: it replaces instances while the run counts on them."
    )
    command = f"aws autoscaling cancel-instance-refresh --region {region} --auto-scaling-group-name {name}"
    return [warning(me, Undoing.REFRESHING, text, f"wait for its end, or: {command}")]


def _scaling(me: str, view: AsgView, checked: Checked, run: RunContext) -> list[Finding]:
    """Tell what changes the target side's size after ACTIVATE; the source side's scaling CLEANUP itself suspends."""
    if run.mode is Mode.DRILL:
        return []
    name, region, size, found = view.target.place.id, view.target.place.region, wanted(view.member), []
    asleep = suspended_at(busier(view.member))
    hold = f"aws autoscaling suspend-processes --region {region} --auto-scaling-group-name {name} --scaling-processes"
    if checked.unseen:
        found.append(unseen(me, name, region, checked.unseen))
    if checked.scheduled and "ScheduledActions" not in asleep:
        text = f"scheduled actions of {name} will change its size after ACTIVATE: {', '.join(checked.scheduled)}."
        found.append(warning(me, Undoing.SCHEDULED, text, f"when ACTIVATE has ended: {hold} ScheduledActions"))
    if checked.scaling_in and "AlarmNotification" not in asleep and size.low < size.desired:
        text = (
            f"{', '.join(checked.scaling_in)} may scale {name} in {region} in from {size.desired} to {size.low} after "
            "ACTIVATE, before traffic arrives."
        )
        remedy = f"when ACTIVATE has ended, until traffic has come: {hold} AlarmNotification"
        found.append(warning(me, Undoing.SCALING, text, remedy))
    return found


def _template(me: str, view: AsgView) -> list[Finding]:
    side = view.target
    if side.group is None or side.group.LaunchConfigurationName or view.checked is None:
        return []
    version = side.version
    if version is None:
        return [red(me, "template", f"the launch template of {side.place.id} has no such version, or is not there.")]
    image = version.LaunchTemplateData.ImageId
    if image.startswith(SSM):
        return []  # judged with what the template needs
    if side.image is None:
        return _wrong_image(me, view, f"image {image} does not exist in {side.place.region}")
    if side.image.State != IMAGE_READY:
        return _wrong_image(me, view, f"image {image} is {side.image.State}, expected {IMAGE_READY}")
    return []


def _wrong_image(me: str, view: AsgView, text: str) -> list[Finding]:
    if view.strategy == IMAGE_REFRESH and view.source.image is not None:
        return [warning(me, "image", f"{text}; INSTANTIATE brings one.")]
    return [red(me, "image", f"{text}.", "copy the image there and name it in the launch template, then: dr plan")]


def _region(me: str, group: Group, view: AsgView, checked: Checked) -> list[Finding]:
    name, region, size, found = view.target.place.id, view.target.place.region, wanted(view.member), []
    kind = view.target.version.LaunchTemplateData.InstanceType if view.target.version else ""
    if not checked.subnets:
        found.append(
            red(
                me, "not-there", f"a subnet of {name} is not there in {region}.", "give the group others, then: dr plan"
            )
        )
    found += findings_of(me, checked.lacks) + _reserved(me, group, kind, view, checked)
    offered = sorted(set(group.AvailabilityZones) & set(checked.zones))
    mixed = group.MixedInstancesPolicy is not None
    if kind and not mixed and not offered:
        found.append(red(me, "instance-type", f"{kind} is offered in no zone of {name}."))
    elif kind and not mixed and len(offered) < len(group.AvailabilityZones):
        text = f"{kind} is offered in {', '.join(offered)} only, {name} spans {', '.join(group.AvailabilityZones)}."
        found.append(warning(me, "instance-type", text))
    if group.VPCZoneIdentifier and checked.subnets and checked.addresses < size.desired - group.DesiredCapacity:
        text = f"the subnets of {name} have {checked.addresses} free addresses, {size.desired} instances are to run."
        found.append(red(me, "addresses", text, "add a subnet to the group, then: dr plan"))
    found += key_findings(me, region, checked.key_states, "images")
    if checked.groups_left is not None and checked.groups_left < 1:
        text = f"the quota of Auto Scaling groups in {region} is used up; a drill makes one."
        found.append(red(me, "groups", text, "ask for a higher quota, then: dr plan"))
    return found


def claims(view: AsgView, run: RunContext) -> list[Claim]:
    """Return what the instances to come take of the quota of standard instances; others have quotas of their own."""
    checked, group, place = view.checked, view.target.group, view.target.place
    kind = view.target.version.LaunchTemplateData.InstanceType if view.target.version else ""
    if checked is None or group is None or not is_standard(kind):
        return []
    present = sum(each.LifecycleState not in WITHOUT_VCPUS for each in group.present)
    more = 1 if run.mode is Mode.DRILL else max(wanted(view.member).desired - present, 0)
    what, where = f"{more} {'more ' if present else ''}x {kind}", (place.account, place.region)
    remedy = ask(*STANDARD_VCPUS, place.region)
    return [checked.room.claim((view.member.resource_id,), where, STANDARD, what, more * checked.vcpus, remedy)]


def _reserved(me: str, group: Group, kind: str, view: AsgView, checked: Checked) -> list[Finding]:
    """Judge the capacity reservation that the launch template names."""
    seen, more = checked.reservation, max(wanted(view.member).desired - group.DesiredCapacity, 0)
    if seen is None:
        return []
    name, region = f"capacity reservation {seen.CapacityReservationId}", view.target.place.region
    remedy = f"aws ec2 describe-capacity-reservations --region {region}; name one that fits, then: dr plan"
    if seen.State != "active":
        return [red(me, "reservation", f"{name} in {region} is {seen.State}, expected active.", remedy)]
    if seen.InstanceType == kind and seen.AvailableInstanceCount >= more:
        return []
    text = f"{name} has {seen.AvailableInstanceCount} {seen.InstanceType} left, {more} {kind} are to be launched."
    return [red(me, "reservation", text, remedy)]


def _pool(me: str, group: Group, view: AsgView, run: RunContext) -> list[Finding]:
    name, side = view.target.place.id, view.target
    old = [each.InstanceId for each in side.outdated if each.LifecycleState.startswith("Warmed")]
    if old:
        text = f"{len(old)} warm instance(s) of {name} run an older launch template version."
        remedy = f"aws autoscaling start-instance-refresh --auto-scaling-group-name {name}"
        return [warning(me, "warm-instances", text, remedy)]
    needed = max(wanted(view.member).desired - group.DesiredCapacity, 0)
    if side.warmed >= needed:
        return []
    text = f"{side.warmed} warm instance(s) wait beside {name}, production needs {needed}"
    rest = "INSTANTIATE warms them up" if run.mode is Mode.PLANNED else "the others start cold"
    return [warning(me, "warm-pool", f"{text}; {rest}.")]


def _images(me: str, view: AsgView, run: RunContext) -> list[Finding]:
    if run.mode is Mode.EMERGENCY:
        ran, has = view.member.source.facts.get("image"), view.target.image
        if isinstance(ran, str) and has is not None and ran not in {has.ImageId, has.SourceImageId}:
            text = (
                f"{view.target.place.id} starts from {has.ImageId}, which is no copy of {ran} that the source side ran."
            )
            return [warning(me, "older-image", text)]
        return []
    if run.mode is Mode.DRILL:
        return []
    why = unfit(view, view.target)
    remedy = "use scale-up and let your own pipeline carry images, then: dr plan"
    found = [red(me, "image-refresh", f"{why}.", remedy)] if why else []
    if view.source.image is None:
        where = f"{view.source.place.id} in {view.source.place.region}"
        found.append(red(me, "source-image", f"the image that {where} starts from cannot be read.", remedy))
    return found


def _source(me: str, view: AsgView) -> list[Finding]:
    group = view.source.group
    idle = [each.InstanceId for each in group.present if each.LifecycleState == "Standby"] if group else []
    if not idle:
        return []
    text = f"{', '.join(idle)} of {view.source.place.id} in {view.source.place.region} in Standby: would go on running."
    return [red(me, "standby", text, "aws autoscaling exit-standby, or terminate them, then: dr plan")]
