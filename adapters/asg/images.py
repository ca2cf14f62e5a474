"""image-refresh: one side gets a copy of the image that the other side starts from, in its own launch template.

Which image is a copy of which, AWS itself tells (EC2 API reference, Image.SourceImageId), so a copy made by anybody counts.
A group on $Default follows the template's default version, on $Latest the newest, else it names a number: each is moved
its own way. An image is never deregistered and a version never deleted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters.asg.models import TemplateSpec
from adapters.asg.states import (
    FAILED_IMAGES,
    FAILED_REFRESHES,
    IMAGE_COMING,
    IMAGE_READY,
    REFRESHED,
    REFRESHING,
    SSM,
)
from adapters.asg.view import AsgSide, AsgView, same_image
from adapters.asg.view_checks import image_key
from adapters.asg.view_parts import Image, TemplateData, TemplateVersion
from adapters.reading import tag_list, tag_map
from orchestrator.contract import Call, Later, Param, RunContext, Step, blocked, busy, done, failed, skip, todo
from orchestrator.errors import UpstreamError
from orchestrator.words import Effect, Side

_REVERSIBLE = Effect.REVERSIBLE
_OWN_TAGS = ("aws:", "dr:execution-id", "dr:drill-id")
_FROM = re.compile(r"after version (\d+)")
REFRESH_PREFERENCES: dict[str, JsonValue] = {"MinHealthyPercentage": 90, "SkipMatching": True}


def bring(view: AsgView, origin: AsgSide, side: AsgSide, where: Side, run: RunContext) -> list[Step]:
    """Return the steps that make `side` start from what `origin` starts from."""
    if side.version is not None and same_image(origin.image, side.image):
        seen = f"{side.place.id} starts from {side.image.ImageId if side.image else ''} already"
        return [done("copy-image", seen, effect=_REVERSIBLE), *refresh(side, side.version, where, run)]
    why = unfit(view, side)
    if why:
        return [blocked("copy-image", why, "use the strategy scale-up and let your own pipeline carry images.")]
    if origin.image is None:
        what = f"the image of {origin.place.id} in {origin.place.region} cannot be read"
        return [blocked("copy-image", what, "correct its launch template, then retry.")]
    if side.version is None or side.group is None:
        what = f"{side.place.id} in {side.place.region} has no launch template version to start from"
        return [blocked("template-version", what, "give the group a launch template, then retry.")]
    copied = _copy(view, origin, origin.image, side, where, run)
    copy = _newest(side.copies, IMAGE_READY)
    made, number = _version(origin.image, side, side.version, copy, where, run)
    return [copied, made, _use(side, number, where), *_refresh_later(side, where)]


def unfit(view: AsgView, side: AsgSide) -> str:
    """Return why images cannot be brought to a side, or nothing."""
    group = side.group
    if view.member.source.account != view.member.target.account:
        return f"the sides of {view.member.name} lie in different accounts; images are copied within one"
    if group is None or group.LaunchConfigurationName:
        return f"{side.place.id} in {side.place.region} has no launch template"
    if side.version is not None and side.version.LaunchTemplateData.ImageId.startswith(SSM):
        return f"the launch template of {side.place.id} takes its image from an SSM parameter"
    policy = group.MixedInstancesPolicy
    if policy is not None and (policy.LaunchTemplate.LaunchTemplateSpecification.Version or "").isdigit():
        return f"the mixed instances policy of {side.place.id} names a version number, expected $Default or $Latest"
    if policy is not None and any(each.LaunchTemplateSpecification for each in policy.LaunchTemplate.Overrides):
        return f"the mixed instances policy of {side.place.id} names templates per instance type"
    return ""


def _newest(copies: Sequence[Image], *states: str) -> Image | None:
    found = [each for each in copies if each.State in states]
    return max(found, key=lambda each: (each.CreationDate is not None, each.CreationDate), default=None)


def _copy(view: AsgView, origin: AsgSide, image: Image, side: AsgSide, where: Side, run: RunContext) -> Step:
    name, ready = "copy-image", _newest(side.copies, IMAGE_READY)
    if ready is not None:
        return done(name, f"{ready.ImageId} is a copy of {image.ImageId}", effect=_REVERSIBLE)
    call = _copy_call(view, origin, image, side, where, run)
    unknown = [c for c in side.copies if c.State not in IMAGE_COMING | FAILED_IMAGES]
    if unknown:
        raise UpstreamError(f"image {unknown[0].ImageId} is {unknown[0].State}, which is not known here.", "report it.")
    coming = _newest(side.copies, *IMAGE_COMING)
    if coming is not None:
        return busy(name, f"{coming.ImageId} is {coming.State}", effect=_REVERSIBLE, call=call)
    broken = [c for c in side.copies if c.CreationDate is None or c.CreationDate >= run.began]
    if broken:
        remedy = "look at its state reason in the console (a key that may not be used, mostly), then retry."
        return failed(name, f"the copy {broken[0].ImageId} of {image.ImageId} is {broken[0].State}", remedy)
    seen = f"{side.place.region} holds no copy of {image.ImageId} ({image.Name})"
    return todo(name, call, _REVERSIBLE, seen)


def _copy_call(view: AsgView, origin: AsgSide, image: Image, side: AsgSide, where: Side, run: RunContext) -> Call:
    kept = {k: v for k, v in tag_map(image.Tags).items() if not k.startswith(_OWN_TAGS)}
    tags = tag_list({**kept, **run.tags})
    key = image_key(view.member, side.place.region)
    again = f"-{len(side.copies) + 1}" if side.copies else ""
    params: dict[str, Param] = {
        "Name": f"{view.member.name[:90]}-{image.ImageId}-{run.short_id}{again}",
        "SourceImageId": image.ImageId,
        "SourceRegion": origin.place.region,
        "TagSpecifications": [{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
        **({"Encrypted": True} if image.encrypted or key else {}),
        **({"KmsKeyId": key} if key else {}),
    }
    return Call("ec2", "CopyImage", params, where, keep={"image": "ImageId"}, token="ClientToken")


def _version(
    origin: Image, side: AsgSide, now: TemplateVersion, copy: Image | None, where: Side, run: RunContext
) -> tuple[Step, int | None]:
    """Return the step that makes the template's version, and its number once it is there."""
    name, latest = "template-version", side.latest
    if copy is not None and latest is not None and latest.LaunchTemplateData.ImageId == copy.ImageId:
        return done(
            name, f"version {latest.VersionNumber} names {copy.ImageId}", effect=_REVERSIBLE
        ), latest.VersionNumber
    params: dict[str, Param] = {
        "LaunchTemplateId": _template_id(side),
        "SourceVersion": str(now.VersionNumber),
        "VersionDescription": f"{origin.ImageId} by {run.short_id}, after version {now.VersionNumber}",
        "LaunchTemplateData": {"ImageId": copy.ImageId if copy else Later("id of the copied image")},
    }
    call = Call("ec2", "CreateLaunchTemplateVersion", params, where, token="ClientToken")
    seen = f"version {now.VersionNumber} names {now.LaunchTemplateData.ImageId}, no copy of {origin.ImageId}"
    return todo(name, call, _REVERSIBLE, seen), None


def _use(side: AsgSide, number: int | None, where: Side) -> Step:
    """Return the step that makes the group use a version, by the way it follows its template."""
    name, spec = "use-version", side.group.template if side.group else None
    assert spec is not None
    wanted = str(number) if number is not None else Later("number of the new version")
    follows = spec.Version or "$Default"
    if follows == "$Latest":
        return done(name, f"{side.place.id} follows the newest version", effect=_REVERSIBLE)
    if follows == "$Default":
        params: dict[str, Param] = {"LaunchTemplateId": spec.LaunchTemplateId, "DefaultVersion": wanted}
        call = Call("ec2", "ModifyLaunchTemplate", params, where)
    else:
        template: Param = {"LaunchTemplateId": spec.LaunchTemplateId, "Version": wanted}
        params = {"AutoScalingGroupName": side.place.id, "LaunchTemplate": template}
        call = Call("autoscaling", "UpdateAutoScalingGroup", params, where)
    seen = side.version.VersionNumber if side.version else "none"
    return todo(name, call, _REVERSIBLE, f"{side.place.id} uses version {seen} ({follows})")


def _refresh_later(side: AsgSide, where: Side) -> list[Step]:
    """Return the step that will replace what runs now, if anything does."""
    running = [*(side.group.present if side.group else []), *side.warm]
    if not running:
        return [done("instance-refresh", "no instance runs")]
    return [
        todo(
            "instance-refresh",
            _refresh_call(side, where),
            _REVERSIBLE,
            f"{len(running)} instance(s) run an older version",
        )
    ]


def refresh(side: AsgSide, version: TemplateVersion, where: Side, run: RunContext) -> list[Step]:
    """Return the step that replaces instances, warm ones too, which another version started."""
    name, old = "instance-refresh", side.outdated
    latest = side.refreshes[0] if side.refreshes else None
    if latest is not None and latest.Status in REFRESHING:
        call = _refresh_call(side, where)
        return [busy(name, f"is {latest.Status}, {latest.PercentageComplete} %", effect=_REVERSIBLE, call=call)]
    if not old:
        return [done(name, f"every instance runs version {version.VersionNumber}", effect=_REVERSIBLE)]
    if latest is not None and latest.Status not in FAILED_REFRESHES | {REFRESHED}:
        raise UpstreamError(
            f"the instance refresh of {side.place.id} is {latest.Status}, not known here.", "report it."
        )
    mine = latest is not None and latest.StartTime is not None and latest.StartTime >= run.began
    if latest is not None and mine and latest.Status in FAILED_REFRESHES:
        seen = f"is {latest.Status}: {latest.StatusReason or 'no reason given'}"
        return [failed(name, seen, f"look at the activities of {side.place.id}, then retry.")]
    seen = f"{len(old)} instance(s) run another version than {version.VersionNumber}"
    return [todo(name, _refresh_call(side, where), _REVERSIBLE, seen)]


def _refresh_call(side: AsgSide, where: Side) -> Call:
    params: dict[str, Param] = {"AutoScalingGroupName": side.place.id, "Preferences": REFRESH_PREFERENCES}
    return Call("autoscaling", "StartInstanceRefresh", params, where)


def restore(side: AsgSide, where: Side, run: RunContext) -> list[Step]:
    """Return the steps that go back to the version before this run's; what it copied stays."""
    now = side.version
    match = _FROM.search(now.VersionDescription) if now and run.short_id in now.VersionDescription else None
    spec = side.group.template if side.group else None
    if now is None or spec is None or match is None:
        before = [done("use-version", "the group uses no version of this run", effect=_REVERSIBLE)]
        return [*before, *(refresh(side, now, where, run) if now else [])]
    if spec.Version == "$Latest":
        return skip(f"{side.place.id} follows $Latest: version {now.VersionNumber} stays until there is a newer one")
    return [_use(side, int(match.group(1)), where), *_refresh_later(side, where)]


def _template_id(side: AsgSide) -> str:
    spec = side.group.template if side.group else None
    return (spec or TemplateSpec()).LaunchTemplateId


def refreshed(origin: AsgSide, side: AsgSide) -> AsgSide:
    """Return a side as it is foreseen with the other side's image."""
    if origin.image is None or side.version is None or same_image(origin.image, side.image):
        return side
    image = Image(ImageId="ami-copied", SourceImageId=origin.image.ImageId)
    version = TemplateVersion(
        VersionNumber=max(each.VersionNumber for each in side.versions) + 1,
        DefaultVersion=True,
        LaunchTemplateData=TemplateData(ImageId=image.ImageId),
    )
    spec = TemplateSpec(LaunchTemplateId=_template_id(side), Version=str(version.VersionNumber))
    number = spec.model_copy()
    group = side.group
    if group is not None:
        renewed = [each.model_copy(update={"LaunchTemplate": number}) for each in group.Instances]
        group = group.model_copy(update={"Instances": renewed, "LaunchTemplate": spec, "MixedInstancesPolicy": None})
    return replace(side, image=image, versions=(version,), group=group, copies=())
