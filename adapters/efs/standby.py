"""What EFS replicates nothing of, brought to the target side: mount targets, access points, throughput, policy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.efs.fence import opened, when_available
from adapters.efs.models import AccessPoint
from adapters.efs.spec import FAILED_LIFE
from adapters.efs.view_sides import EfsSide, Landing
from adapters.reading import tag_list
from orchestrator.contract import Call, Later, Member, Param, RunContext, Step, blocked, busy, done, failed, todo
from orchestrator.words import Effect, Side

_LOOK = "aws efs describe-mount-targets --file-system-id"


def standing(side: EfsSide) -> Step:
    """Return the wait until the target side's file system is available."""
    name, life = "standing", side.fs.LifeCycleState if side.fs else "not there"
    shown = f"{side.id} is {life}"
    if life == "available":
        return done(name, shown)
    if side.fs is None or life in FAILED_LIFE:
        return failed(name, f"{shown}, expected available", "create the replica anew, then: dr plan")
    return busy(name, f"{shown}, expected available")


def mount_targets(side: EfsSide, landing: Landing) -> list[Step]:
    """Return the steps that make a mount target in every zone that was told; made at once, then waited for together."""
    taken = {each.AvailabilityZoneName for each in side.mounts if each.LifeCycleState != "deleted"}
    zones = dict(landing.zones)
    if side.fs is not None and side.fs.AvailabilityZoneName:  # One Zone: its mount target can be nowhere else
        zones = {zone: subnet for zone, subnet in zones.items() if zone == side.fs.AvailabilityZoneName}
    made = [_mount_target(side, landing, zone, subnet, zone in taken) for zone, subnet in zones.items()]
    return [*made, _mounted(side, len(zones))]


def _mount_target(side: EfsSide, landing: Landing, zone: str, subnet: str, there: bool) -> Step:
    name = f"mount-target-{zone}"
    params: dict[str, Param] = {
        "FileSystemId": side.fs.FileSystemId if side.fs else Later("id of the restored file system"),
        "SubnetId": subnet,
        **({"SecurityGroups": list(landing.security_groups)} if landing.security_groups else {}),
    }
    call = Call("efs", "CreateMountTarget", params, Side.TARGET)
    if there:
        return done(name, "there", effect=Effect.REVERSIBLE)
    if side.fs is None:
        return todo(name, call, Effect.REVERSIBLE, "not there")
    return when_available(name, side, call, f"{side.id} has no mount target in {zone}")


def _mounted(side: EfsSide, coming: int) -> Step:
    name = "mount-targets"
    states = ", ".join(f"{each.MountTargetId} is {each.LifeCycleState}" for each in side.mounts) or "there is none"
    if any(each.LifeCycleState == "error" for each in side.mounts):
        return failed(name, states, f"delete the failed one and retry: {_LOOK} {side.id}")
    up = [each for each in side.mounts if each.LifeCycleState == "available"]
    if up and len(up) >= coming and all(m.LifeCycleState in {"available", "deleting", "deleted"} for m in side.mounts):
        return done(name, f"{len(up)} available")
    if not side.mounts and not coming:
        why = f"{side.id} has no mount target, and nothing says in which subnets of {side.place.region} to make them"
        return blocked(name, why, tell_landing(side.place.region))
    return busy(name, f"{states}, expected available")


def tell_landing(region: str) -> str:
    """Return what to type so that the subnets are known."""
    return (
        f"name subnets of {region}, one a zone: in the manifest (config subnetIds, securityGroupIds), or in the tags "
        "dr:restore-subnets and dr:restore-security-groups of the source's file system; then: dr plan"
    )


def access_points(member: Member, side: EfsSide, run: RunContext) -> list[Step]:
    """Return the steps that make the access points that the source side had when the inventory was taken."""
    there = {each.shape: each for each in side.access_points}
    return [_access_point(f"access-point-{n}", each, there, side, run) for n, each in enumerate(wanted(member), 1)]


def wanted(member: Member) -> list[AccessPoint]:
    """Return the source side's access points as the inventory remembers them."""
    kept = member.source.facts.get("access_points")
    found = [AccessPoint.model_validate(each) for each in kept] if isinstance(kept, list | tuple) else []
    return sorted(found, key=lambda each: each.shape)


def missing(member: Member, side: EfsSide) -> list[AccessPoint]:
    """Return the access points that the target side lacks."""
    there = {each.shape for each in side.access_points}
    return [each for each in wanted(member) if each.shape not in there]


def _access_point(
    name: str, like: AccessPoint, there: Mapping[str, AccessPoint], side: EfsSide, run: RunContext
) -> Step:
    tags = {each.Key: each.Value for each in like.Tags if each.Key == "Name"}
    user: dict[str, Param] = {"PosixUser": dict(like.PosixUser)} if like.PosixUser else {}
    params: dict[str, Param] = {
        "FileSystemId": side.id,
        **user,
        "RootDirectory": dict(like.RootDirectory),
        "Tags": tag_list({**tags, **run.tags}),
    }
    call = Call("efs", "CreateAccessPoint", params, Side.TARGET, token="ClientToken")  # noqa: S106  a parameter's name
    path, found = like.RootDirectory.get("Path", "/"), there.get(like.shape)
    if found is None:
        return todo(name, call, Effect.REVERSIBLE, f"{side.id} has no access point for {path}")
    shown = f"{found.AccessPointId} for {path} is {found.LifeCycleState}"
    if found.LifeCycleState == "available":
        return done(name, shown, effect=Effect.REVERSIBLE)
    if found.LifeCycleState in FAILED_LIFE:
        return failed(name, shown, f"aws efs delete-access-point --access-point-id {found.AccessPointId}, then retry.")
    return busy(name, f"{shown}, expected available", effect=Effect.REVERSIBLE, call=call)


def throughput(member: Member, side: EfsSide) -> list[Step]:
    """Return the step that gives the target side the source's throughput; none when the inventory does not know it."""
    mode, wanted_mibps = member.source.facts.get("throughput_mode"), member.source.facts.get("throughput_mibps")
    if not mode or side.fs is None:
        return []
    have = (side.fs.ThroughputMode, side.fs.ProvisionedThroughputInMibps)
    amount: dict[str, Param] = {}
    if mode == "provisioned" and isinstance(wanted_mibps, int | float):
        amount = {"ProvisionedThroughputInMibps": wanted_mibps}
    shown = " ".join(str(each) for each in (have[0], have[1]) if each)
    if have[0] == mode and (mode != "provisioned" or have[1] == wanted_mibps):
        return [done("throughput", shown, effect=Effect.REVERSIBLE)]
    params: dict[str, Param] = {"FileSystemId": side.id, "ThroughputMode": str(mode), **amount}
    call = Call("efs", "UpdateFileSystem", params, Side.TARGET)
    return [when_available("throughput", side, call, f"{side.id} is {shown}, the source {mode}")]


def policy(source: EfsSide, target: EfsSide) -> list[Step]:
    """Return the step that copies the source's policy to a target side without one; none when the source has none."""
    name, own = "policy", opened(source.policy)
    if own is None:
        return []
    if opened(target.policy) is not None:
        return [done(name, f"{target.id} has a policy of its own", effect=Effect.REVERSIBLE)]
    text = own.replace(source.place.arn, target.place.arn)
    if source.place.region in text:
        why = f"the policy of {source.id} names things of {source.place.region}: write that of {target.id} by hand"
        return [done(name, "not copied", warning=why)]
    call = Call("efs", "PutFileSystemPolicy", {"FileSystemId": target.id, "Policy": text}, Side.TARGET)
    return [when_available(name, target, call, f"{target.id} lets every client in, {source.id} does not")]


def zones_of(facts: Mapping[str, JsonValue]) -> int:
    """Return in how many zones a side was mounted when the inventory was taken."""
    own = facts.get("own")
    subnets = own.get("subnets") if isinstance(own, Mapping) else None
    return len(subnets) if isinstance(subnets, Sequence) and not isinstance(subnets, str) else 0
