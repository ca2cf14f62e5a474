"""What is read of an Auto Scaling group: both sides' sizes and instances, and as far as they matter pools, templates, images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from adapters.asg.models import (
    Activities,
    Activity,
    Group,
    Groups,
    Instance,
    Refresh,
    Refreshes,
    TemplateSpec,
    WarmPool,
    present,
)
from adapters.asg.spec import IMAGE_REFRESH, SCALE_UP, WARM_POOL
from adapters.asg.states import SSM, TEMPLATE_MISSING, WARM
from adapters.asg.view_checks import Checked, check
from adapters.asg.view_parts import (
    Image,
    Images,
    TemplateVersion,
    TemplateVersions,
)
from adapters.balancers import endpoints, target_states
from adapters.reading import drill_name
from orchestrator.contract import Clients, Member, Place, Reader, RunContext, Target
from orchestrator.words import Mode, Phase, Side

ACTIVITIES_READ = 20
GROUP_NAME_LIMIT = 255


@dataclass(frozen=True)
class AsgSide:
    """One side of the group. `group` is None when it is not there or may not be reached."""

    place: Place
    group: Group | None = None
    warm: tuple[Instance, ...] = ()
    activities: tuple[Activity, ...] = ()
    """The newest first; read only while something is on the way."""
    versions: tuple[TemplateVersion, ...] = ()
    """The launch template's newest and default version, and the one the group names."""
    image: Image | None = None
    copies: tuple[Image, ...] = ()
    """What was copied here of the other side's image."""
    refreshes: tuple[Refresh, ...] = ()

    @property
    def version(self) -> TemplateVersion | None:
        """Return the version of the launch template that new instances get."""
        spec = self.group.template if self.group else None
        wanted = (spec.Version if spec else None) or "$Default"
        if wanted == "$Latest":
            return self.latest
        return next(
            (
                v
                for v in self.versions
                if (v.DefaultVersion if wanted == "$Default" else str(v.VersionNumber) == wanted)
            ),
            None,
        )

    @property
    def latest(self) -> TemplateVersion | None:
        """Return the newest version of the launch template."""
        return max(self.versions, key=lambda each: each.VersionNumber, default=None)

    @property
    def outdated(self) -> list[Instance]:
        """Return the instances, warm ones too, that another version of the launch template started."""
        version, group = self.version, self.group
        if version is None or group is None:
            return []
        living = [each for each in (*group.present, *self.warm) if "Terminating" not in each.LifecycleState]
        number = str(version.VersionNumber)
        return [each for each in living if (each.LaunchTemplate.Version if each.LaunchTemplate else "") != number]

    @property
    def warmed(self) -> int:
        """Return how many instances wait, ready to be started."""
        return sum(each.LifecycleState in WARM for each in self.warm)


@dataclass(frozen=True)
class AsgView:
    """Both sides of a group."""

    strategy: str
    member: Member
    source: AsgSide
    target: AsgSide
    drill: AsgSide
    load_balanced: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Target group ARN -> the states of its targets."""
    endpoints: tuple[tuple[str, int], ...] = ()
    """Host and port of the load balancers before the target side."""
    checked: Checked | None = None
    """Read once, when the run is planned."""


def look(target: Target, aws: Clients, run: RunContext) -> AsgView:
    """Read the group on the sides that can be reached."""
    member, planning = target.only, run.planning
    reader = aws.at(Side.TARGET)
    name = drill_name(run, member.target.id, GROUP_NAME_LIMIT)
    groups = _groups(reader, member.target.id, *((name,) if run.mode is Mode.DRILL else ()))
    here = AsgSide(member.target, groups.get(member.target.id))
    there = AsgSide(member.source)
    if aws.reaches(Side.SOURCE):
        source = aws.at(Side.SOURCE)
        there = AsgSide(member.source, _groups(source, member.source.id).get(member.source.id))
        there = _filled(there, source, target.strategy, run, planning)
    here = _filled(here, reader, target.strategy, run, planning)
    if target.strategy == IMAGE_REFRESH and aws.reaches(Side.SOURCE):
        here = replace(here, copies=_copies(reader, there.image, here.image))
        there = replace(there, copies=_copies(aws.at(Side.SOURCE), here.image, there.image))
    drill = AsgSide(replace(member.target, id=name), groups.get(name))
    if drill.group is not None and not drill.group.settled:
        drill = replace(drill, activities=_activities(reader, name))
    serving = run.phase is not Phase.INSTANTIATE and run.mode is not Mode.DRILL and here.group and here.group.settled
    arns = here.group.TargetGroupARNs if here.group and serving else []
    return AsgView(
        strategy=target.strategy,
        member=member,
        source=there,
        target=here,
        drill=drill,
        load_balanced=target_states(reader, arns),
        endpoints=endpoints(reader, arns),
        checked=check(reader, here.place, here.group, here.version, member, run) if planning and here.group else None,
    )


def _groups(reader: Reader, *names: str) -> dict[str, Group]:
    found = reader.read("autoscaling", "DescribeAutoScalingGroups", Groups, AutoScalingGroupNames=list(names))
    return {each.AutoScalingGroupName: each for each in found.AutoScalingGroups}


def _filled(side: AsgSide, reader: Reader, strategy: str, run: RunContext, planning: bool) -> AsgSide:
    group = side.group
    if group is None:
        return side
    pooled = strategy != SCALE_UP and group.WarmPoolConfiguration is not None
    side = replace(side, warm=_warm(reader, side.place.id) if pooled else ())
    if not group.settled or (strategy == WARM_POOL and side.warmed < group.pool_size):
        side = replace(side, activities=_activities(reader, side.place.id))
    if planning or (strategy != SCALE_UP and run.phase in {Phase.INSTANTIATE, Phase.REPLICATE}):
        side = replace(side, versions=versions_of(reader, group.template))
        side = replace(side, image=_image(reader, side.version))
    if (planning or (strategy == IMAGE_REFRESH and side.versions)) and (group.present or side.warm):
        refreshes = reader.read(
            "autoscaling", "DescribeInstanceRefreshes", Refreshes, AutoScalingGroupName=side.place.id, MaxRecords=5
        )
        side = replace(side, refreshes=tuple(refreshes.InstanceRefreshes))
    return side


def _warm(reader: Reader, name: str) -> tuple[Instance, ...]:
    pages = reader.pages("autoscaling", "DescribeWarmPool", WarmPool, AutoScalingGroupName=name)
    return tuple(present([each for page in pages for each in page.Instances]))


def _activities(reader: Reader, name: str) -> tuple[Activity, ...]:
    found = reader.read(
        "autoscaling", "DescribeScalingActivities", Activities, AutoScalingGroupName=name, MaxRecords=ACTIVITIES_READ
    )
    return tuple(found.Activities)


def versions_of(reader: Reader, spec: TemplateSpec | None) -> tuple[TemplateVersion, ...]:
    """Return the newest and the default version of a launch template, and the one that is named."""
    if spec is None:
        return ()
    wanted: list[JsonValue] = ["$Latest", "$Default"]
    if spec.Version and spec.Version.isdigit():
        wanted.append(spec.Version)
    found = reader.find(
        "ec2",
        "DescribeLaunchTemplateVersions",
        TemplateVersions,
        missing=TEMPLATE_MISSING,
        LaunchTemplateId=spec.LaunchTemplateId,
        Versions=wanted,
    )
    known = {each.VersionNumber: each for each in (found.LaunchTemplateVersions if found else [])}
    return tuple(known.values())


def _image(reader: Reader, version: TemplateVersion | None) -> Image | None:
    wanted = version.LaunchTemplateData.ImageId if version else ""
    if not wanted or wanted.startswith(SSM):
        return None
    by_id: JsonValue = [{"Name": "image-id", "Values": [wanted]}]
    found = reader.read("ec2", "DescribeImages", Images, Filters=by_id)  # by filter: an unknown id is no error then
    return found.Images[0] if found.Images else None


def same_image(one: Image | None, other: Image | None) -> bool:
    """Say whether AWS copied one image from the other."""
    if one is None or other is None:
        return False
    return one.ImageId in {other.SourceImageId, other.ImageId} or other.ImageId == one.SourceImageId


def _copies(reader: Reader, image: Image | None, there: Image | None) -> tuple[Image, ...]:
    """Return what was copied to the reader's Region of an image, unless that is what is used there already."""
    if image is None or same_image(image, there):
        return ()
    of_it: JsonValue = [{"Name": "source-image-id", "Values": [image.ImageId]}]
    return tuple(reader.read("ec2", "DescribeImages", Images, Owners=["self"], Filters=of_it).Images)
