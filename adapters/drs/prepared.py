"""Launching into a prepared instance: what must be true of it before, that the launch landed there, and its way back.

A launch replaces the volumes of the instance that the server's launch settings name. It is never terminated: REPLICATE
protects it against that, or the next launch does before it starts (whether DRS clears a recovery instance away that it
launches into again is documented nowhere), and a rollback stops and fences it. The fence is also what tells an instance that was given
back from one that served and was stopped by somebody: only the first may be launched into again by the same run.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from adapters.drs.models import Launch
from adapters.drs.spec import BIOS, FENCED, LAUNCH_INTO
from adapters.drs.view_machines import Machine
from adapters.drs.view_server import ServerView
from orchestrator.contract import Call, Step, blocked, busy, done, failed, todo
from orchestrator.tags import CUSTOMER, ENABLED, ENVIRONMENT
from orchestrator.words import Effect, Side

Servers = Sequence[ServerView]
Judged = tuple[list[Step], list[ServerView]]
Objection = tuple[str, str]
"""A finding's code, and what was observed and expected."""

REMEDY = "correct the instance or the server's launch settings in DRS, then: dr plan"

UNDRILLED = "DRS launches drills into the prepared instance as well, which would lose its volumes: only looked at"
REHEARSE = "to see a copy run: take the instance out of the launch settings, drill with drs-recovery, set it again."


def objections(view: ServerView) -> list[Objection]:
    """Return why DRS must not, or cannot, launch into the prepared instance now; judged from the target side alone."""
    server, region = view.member.target.id, view.member.target.region
    if not view.into:
        text = f"the launch settings of {server} name no instance to launch into, drs-launch-into needs one"
        return [("prepared-missing", text)]
    found: list[Objection] = []
    if view.launch is not None and view.launch.into != view.into:
        text = f"the launch settings of {server} name {view.launch.into or 'no instance'}, the plan has {view.into}"
        found.append(("prepared-changed", text))
    if view.prepared is None:
        return [*found, ("prepared-missing", f"{view.into} does not exist in {region}")]
    found += [("prepared-state", why) for why in _in_use(view, view.prepared)]
    found += [("prepared-unfit", why) for why in (*_unfit(view, view.prepared), *_licence(view, view.prepared))]
    found += [("prepared-foreign", why) for why in _foreign(view, view.prepared)]
    return found


def _in_use(view: ServerView, machine: Machine) -> list[str]:
    if machine.State.Name != "stopped":
        return [f"{view.into} is {machine.State.Name}, expected stopped: it may be serving"]
    before = [each for each in view.others if each.recoveryInstanceID == view.into and not each.isDrill]
    if not machine.fenced and any(each.failback.state != "FAILBACK_NOT_STARTED" for each in before):
        return [f"{view.into} was protected in the other direction and does not carry {FENCED}: it may hold newer data"]
    return []


def _unfit(view: ServerView, machine: Machine) -> list[str]:
    key, value = LAUNCH_INTO
    windows = view.server is not None and view.server.windows
    seen = {
        f"tag {key}": (machine.tag(key) or "missing", value),
        "architecture": (machine.Architecture, "x86_64"),
        "virtualization": (machine.VirtualizationType, "hvm"),
        "root device": (machine.RootDeviceType, "ebs"),
        "platform": ("Windows" if machine.windows else "Linux", "Windows" if windows else "Linux"),
    }
    if not windows:
        seen["boot mode"] = (machine.boot_mode, BIOS)
    elif view.source is not None:
        seen["boot mode"] = (machine.boot_mode, view.source.boot_mode)
    return [f"{view.into}: {what} is {is_}, expected {wanted}" for what, (is_, wanted) in seen.items() if is_ != wanted]


def _licence(view: ServerView, machine: Machine) -> list[str]:
    byol = view.launch is not None and view.launch.licensing.osByol
    if not (byol and machine.windows and machine.Placement.Tenancy != "host"):
        return []
    tenancy = machine.Placement.Tenancy or "default"
    return [f"{view.into}: tenancy is {tenancy}, a Windows licence of your own (osByol) needs a dedicated host"]


def _foreign(view: ServerView, machine: Machine) -> list[str]:
    wanted = {key: view.member.tags.get(key, "") for key in (CUSTOMER, ENVIRONMENT)} | {ENABLED: "true"}
    return [
        f'{view.into} carries {key}="{machine.tag(key)}", expected "{value}"'
        for key, value in wanted.items()
        if machine.tag(key) != value
    ]


def unknown(view: ServerView) -> str:
    """Say what of the prepared instance only the source side could tell; empty when nothing is left to ask."""
    if view.prepared is None or view.source is not None or not (view.server and view.server.windows):
        return ""
    return f"{view.into} boots in {view.prepared.boot_mode}; whether the Windows source does, nobody could be asked."


def no_way_back(view: ServerView) -> str:
    """Say why the original instance cannot be launched into on the way back; empty when it can, or was not read."""
    if view.source is None or (view.server and view.server.windows) or view.source.boot_mode == BIOS:
        return ""
    return f"{view.source.InstanceId} boots in {view.source.boot_mode}: DRS cannot launch into it on the way back."


def settled(launch: Launch) -> bool:
    """Say whether launch settings allow launching into an instance, and start it."""
    return launch.launchDisposition == "STARTED" and not launch.copyTags and not launch.copyPrivateIp


def settings_call(server_id: str, into: str, side: Side) -> Call:
    """Return the call that lets launches of a server go into an instance."""
    params: dict[str, JsonValue] = {
        "sourceServerID": server_id,
        "launchDisposition": "STARTED",
        "copyTags": False,
        "copyPrivateIp": False,
        "launchIntoInstanceProperties": {"launchIntoEC2InstanceID": into},
    }
    return Call("drs", "UpdateLaunchConfiguration", params, side)


def guarded(servers: Servers) -> Judged:
    """Protect the prepared instances that DRS launched before, so that another launch cannot clear them away."""
    steps, _ = protected([v for v in servers if v.exposed and v.prepared_locked is not None])
    return steps, list(servers)


def protected(servers: Servers) -> Judged:
    """Protect the prepared instances against termination, by DRS or by anybody."""
    steps: list[Step] = []
    for view in servers:
        if not view.into:
            continue
        name = f"protect-prepared-{view.member.name}"
        params: dict[str, JsonValue] = {"InstanceId": view.into, "DisableApiTermination": {"Value": True}}
        if view.prepared_locked:
            steps.append(done(name, f"{view.into} cannot be terminated", effect=Effect.REVERSIBLE))
        else:
            call = Call("ec2", "ModifyInstanceAttribute", params, Side.TARGET)
            reason = f"{view.into} could be terminated, expected termination protection"
            steps.append(todo(name, call, Effect.REVERSIBLE, reason, members=(view.id,)))
    return steps, list(servers)


def landed(servers: Servers) -> Judged:
    """Refuse a launch that went anywhere but into the prepared instance."""
    steps: list[Step] = []
    astray = [v for v in servers if v.into and v.own is not None and not v.landed]
    for view in astray:
        reason = f"launched {view.launched_id or (view.own and view.own.recoveryInstanceID)}, expected {view.into}"
        remedy = (
            "roll back: the new instance is terminated; then name the prepared one in the server's launch settings."
        )
        steps.append(failed(f"landed-{view.member.name}", reason, remedy, members=(view.id,)))
    return steps, [v for v in servers if v not in astray]


def released(servers: Servers) -> Judged:
    """Take the fence off the prepared instances that were launched into: they may run now."""
    prepared = [v for v in servers if v.into]
    ids = [v.into for v in prepared if v.prepared and v.prepared.fenced]
    if not prepared:
        return [], list(servers)
    if not ids:
        return [done("release-prepared", f"none carries {FENCED}", effect=Effect.REVERSIBLE)], list(servers)
    params: dict[str, JsonValue] = {"Resources": [*ids], "Tags": [{"Key": FENCED}]}
    call = Call("ec2", "DeleteTags", params, Side.TARGET)
    return [todo("release-prepared", call, Effect.REVERSIBLE, f"{len(ids)} carry {FENCED} and hold new data")], list(
        servers
    )


def given_back(servers: Servers) -> list[Step]:
    """Stop and fence the prepared instances that this run launched into; they are never terminated."""
    mine = [v for v in servers if v.landed and v.prepared is not None]
    if not mine:
        return []
    states = {str(v.into): v.prepared.State.Name for v in mine if v.prepared}
    up = [each for each, state in states.items() if state in {"running", "pending"}]
    bare = [str(v.into) for v in mine if v.prepared and not v.prepared.fenced]
    stop = Call("ec2", "StopInstances", {"InstanceIds": [*up]}, Side.TARGET)
    mark: dict[str, JsonValue] = {"Resources": [*bare], "Tags": [{"Key": FENCED, "Value": "rolled-back"}]}
    steps = [
        todo("stop-prepared", stop, Effect.REVERSIBLE, f"{', '.join(up[:5])} run(s), expected stopped")
        if up
        else done("stop-prepared", "no prepared instance runs", effect=Effect.REVERSIBLE),
        todo(
            "fence-prepared",
            Call("ec2", "CreateTags", mark, Side.TARGET),
            Effect.REVERSIBLE,
            f"{len(bare)} without {FENCED}",
        )
        if bare
        else done("fence-prepared", f"all carry {FENCED}", effect=Effect.REVERSIBLE),
    ]
    waiting = {each: state for each, state in states.items() if state != "stopped"}
    seen = "; ".join(f"{each} is {state}" for each, state in list(waiting.items())[:5])
    return [
        *steps,
        busy("prepared-stopped", f"{seen}, expected stopped") if waiting else done("prepared-stopped", "all are"),
    ]


def marked(servers: Servers) -> Judged:
    """Allow DRS to launch into the original instances: the way back goes there."""
    originals = [v.source for v in servers if v.into is not None and v.source and not v.source.gone]
    ids = [each.InstanceId for each in originals if not each.launch_into]
    key, value = LAUNCH_INTO
    if not any(v.into is not None for v in servers):
        return [], list(servers)
    if not ids:
        return [done("mark-originals", f"all carry {key}={value}", effect=Effect.REVERSIBLE)], list(servers)
    params: dict[str, JsonValue] = {"Resources": [*ids], "Tags": [{"Key": key, "Value": value}]}
    call = Call("ec2", "CreateTags", params, Side.SOURCE)
    return [todo("mark-originals", call, Effect.REVERSIBLE, f"{len(ids)} without {key}={value}")], list(servers)


def led_back(servers: Servers) -> Judged:
    """Let the reverse source servers launch into the original instances."""
    steps: list[Step] = []
    lost: list[ServerView] = []
    for view in servers:
        if view.into is None:
            continue
        name, launch = f"launch-back-{view.member.name}", view.reverse_launch
        original = view.source.InstanceId if view.source and not view.source.gone else ""
        if launch is not None and launch.into and settled(launch):
            steps.append(done(name, f"launches go into {launch.into}", effect=Effect.REVERSIBLE))
        elif not original:
            reason = f"there is no instance left in {view.member.source.region} to launch into on the way back"
            remedy = "prepare a stopped instance there and name it in the reverse source server's launch settings, then retry."
            steps.append(blocked(name, reason, remedy, members=(view.id,)))
            lost.append(view)
        else:
            call = settings_call(view.reverse.sourceServerID if view.reverse else "", original, Side.SOURCE)
            reason = f"launches of {view.reverse.sourceServerID if view.reverse else 'it'} make a new instance"
            steps.append(todo(name, call, Effect.REVERSIBLE, f"{reason}, expected {original}", members=(view.id,)))
    return steps, [v for v in servers if v not in lost]
