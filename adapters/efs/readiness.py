"""What is judged of an EFS file system before a run. Pure."""

from __future__ import annotations

from adapters.efs.models import Life, Sync
from adapters.efs.spec import FAILED_LIFE, SPEC
from adapters.efs.standby import missing, tell_landing, zones_of
from adapters.efs.switch import vouch
from adapters.efs.view_replication import ReplicationView
from adapters.efs.view_restore import RestoreView
from adapters.efs.view_sides import EfsSide, Landing
from adapters.judging import ready, red, warning
from adapters.needed import key_findings
from orchestrator.contract import Finding, Member, RunContext
from orchestrator.tags import RTO
from orchestrator.words import Mode, Phase

_SWITCHING = (Phase.INSTANTIATE, Phase.ACTIVATE)


def replication_findings(view: ReplicationView, run: RunContext) -> list[Finding]:
    """Return every finding of a replication; in an emergency only the target side counts."""
    me, target, where = view.member.resource_id, view.target, view.member.target.region
    if target.fs is None:
        return [
            red(me, "no-target", f"there is no file system {target.id} in {where}.", "replicate to it, then: dr plan")
        ]
    found = [*_life(me, target, "target"), *_replication(view, run)]
    if run.phase in _SWITCHING and run.mode is not Mode.DRILL and not view.serving:
        found += [
            *_mounts(view),
            *_landing(me, where, view.landing),
            *key_findings(me, where, view.key_states, target.id),
        ]
        lacking = missing(view.member, target)
        if lacking:
            found.append(
                warning(me, "access-points", f"{target.id} lacks {len(lacking)} access point(s): they are made.")
            )
    if run.mode is Mode.DRILL and view.copy.point is None:
        found.append(warning(me, "no-recovery-point", f"no recovery point lies in {where}: the drill only looks."))
    if run.mode is Mode.PLANNED:
        found += _source(view)
    return [*found, *_time(view.member, view.strategy, run)] or [ready(me, _lag(view, run))]


def _lag(view: ReplicationView, run: RunContext) -> str:
    held = view.target.replication
    synced = held.to.LastReplicatedTimestamp if held else None
    age = f"last sync {(run.now - synced).total_seconds() / 60:.0f} min ago" if synced else "no replication"
    return f"{view.target.id} can take over, {age}."


def _life(me: str, side: EfsSide, code: str) -> list[Finding]:
    life = side.fs.LifeCycleState if side.fs else Life.DELETED
    if life is Life.AVAILABLE:
        return []
    text = f"{side.id} is {life}, expected available."
    return [red(me, code, text)] if life in FAILED_LIFE else [warning(me, code, f"{text} The run waits for it.")]


def _replication(view: ReplicationView, run: RunContext) -> list[Finding]:
    me, held, target = view.member.resource_id, view.target.replication, view.target
    if view.reversed:
        return []  # it was moved before: nothing is left to be done
    if held is None and view.activated:
        text = (
            f"{target.id} replicates from nobody: it was activated before, and is protected by nothing until REPLICATE."
        )
        return [warning(me, "activated", text)] if run.mode is Mode.PLANNED else [red(me, "not-a-replica", text)]
    if held is None:
        text = f"{target.id} replicates from nobody, and nothing tells that it ever did: what it holds is unknown."
        return [red(me, "not-a-replica", text, vouch(view))]
    if not view.replicates:
        text = f"{target.id} is in a replication from {held.SourceFileSystemId} to {held.to.FileSystemId}"
        return [red(me, "other-source", f"{text}, expected from {view.member.source.id}.")]
    found = []
    if held.to.Status is Sync.DELETING and run.mode is Mode.EMERGENCY:
        found.append(warning(me, "ending", f"the replication to {target.id} is being ended already."))
    elif held.to.Status is not Sync.ENABLED:
        text = f"the replication to {target.id} is {held.shown}, expected ENABLED."
        found.append(red(me, "replication", text, "repair what the message names, then: dr plan"))
    synced, limit = held.to.LastReplicatedTimestamp, run.rpo_minutes.get(me)
    if synced is None:
        found.append(
            red(me, "lag", f"no sync to {target.id} was ever completed.", "wait for the first one, then: dr plan")
        )
    elif limit is not None and (run.now - synced).total_seconds() > limit * 60:
        age = (run.now - synced).total_seconds() / 60
        found.append(red(me, "lag", f"the last completed sync is {age:.0f} min old, dr:rpo-target is {limit} min."))
    return found


def _mounts(view: ReplicationView) -> list[Finding]:
    me, target = view.member.resource_id, view.target
    up, there = len(target.mounts), set(view.landing.zones) - {each.AvailabilityZoneName for each in target.mounts}
    if not up and not view.landing.zones:
        return [red(me, "mount-targets", f"{target.id} has no mount target.", tell_landing(target.place.region))]
    wanted = zones_of(view.member.source.facts)
    if up + len(there) < wanted:
        text = f"{target.id} is mounted in {up + len(there)} zone(s), its source in {wanted}."
        return [warning(me, "zones", text, tell_landing(target.place.region))]
    return (
        [warning(me, "mount-targets", f"{target.id} lacks {len(there)} mount target(s): they are made.")]
        if there
        else []
    )


def _landing(me: str, region: str, landing: Landing) -> list[Finding]:
    return [
        red(me, "subnets", f"subnet {each} does not exist in {region}.", tell_landing(region))
        for each in landing.missing
    ]


def _source(view: ReplicationView) -> list[Finding]:
    me, source, target = view.member.resource_id, view.source, view.target
    if source.fs is None:
        text = f"there is no file system {source.id} in {view.member.source.region}."
        return [red(me, "no-source", text, "if the Region is lost, start again with Emergency.")]
    found = _life(me, source, "source")
    if source.fs.Encrypted is False and target.fs is not None and target.fs.Encrypted:
        text = f"{target.id} is encrypted, {source.id} is not: EFS will not replicate back to it."
        found.append(warning(me, "encryption", text, "replicate back to a new file system by hand"))
    if view.member.source.account != view.member.target.account and not view.member.settings.get("replicationRoleArn"):
        text = (
            f"{source.id} and {target.id} are in two accounts: replicating back needs a role in {target.place.account}."
        )
        found.append(red(me, "role", text, "name it in the manifest (config replicationRoleArn), then: dr plan"))
    mode = source.fs.ThroughputMode
    if run_differs(view) and not view.serving:
        text = (
            f"{target.id} has the throughput mode {target.fs.ThroughputMode if target.fs else ''}, its source {mode}."
        )
        found.append(warning(me, "throughput", f"{text} It is changed."))
    return found


def run_differs(view: ReplicationView) -> bool:
    """Say whether the two sides have different throughput modes."""
    sides = (view.source.fs, view.target.fs)
    return len({fs.ThroughputMode for fs in sides if fs is not None}) > 1


def restore_findings(view: RestoreView, run: RunContext) -> list[Finding]:
    """Return every finding of a recovery by AWS Backup; in an emergency only the target side counts."""
    me, member = view.member.resource_id, view.member
    if run.mode is Mode.DRILL:
        if view.copy.point is None:
            return [_no_point(view)]
        return [ready(me, f"{view.copy.point.arn} can be restored in {member.target.region}.")]
    if view.target.fs is not None and not view.is_mine(run):
        return _standing(view, run) or [ready(me, f"{view.target.id} serves on the target side already.")]
    found = [*_points(view, run), *_landing(me, member.target.region, view.landing)]
    if not view.landing.zones:
        text = f"nothing says in which subnets of {member.target.region} it is mounted."
        found.append(red(me, "mount-targets", text, tell_landing(member.target.region)))
    found += key_findings(me, member.target.region, view.key_states)
    if run.mode is Mode.PLANNED:
        if view.source.fs is None:
            found.append(red(me, "no-source", f"there is no file system {view.source.id} in {member.source.region}."))
        else:
            found += _life(me, view.source, "source")
    points = member.source.facts.get("access_points")
    after = f", then make its {len(points)} access point(s)" if isinstance(points, list | tuple) and points else ""
    text = "AWS Backup restores into /aws-backup-restore_<datetime>, never to the root."
    found.append(warning(me, "directory", text, f"plan who moves it to the root after the restore{after}"))
    return [*found, *_time(member, view.strategy, run)]


def _standing(view: RestoreView, run: RunContext) -> list[Finding]:
    me = view.member.resource_id
    if view.source.fs is None and view.successor:
        return []
    text = (
        f"{view.source.id} and {view.target.id} both stand in the scope: only a person can tell which one is current."
    )
    if run.phase not in _SWITCHING or (view.successor and view.source.fenced):
        return [warning(me, "two-file-systems", text)]
    remedy = f"if {view.target.id} is current: dr start with Phases CLEANUP,REPLICATE; otherwise take dr:enabled off it"
    return [red(me, "two-file-systems", text, remedy)]


def _points(view: RestoreView, run: RunContext) -> list[Finding]:
    me, limit = view.member.resource_id, run.rpo_minutes.get(view.member.resource_id)
    if view.newest_taken is None:
        return [_no_point(view)]
    age = (run.now - view.newest_taken).total_seconds() / 60
    if limit is not None and age > limit:
        text = f"the newest copied recovery point is {age:.0f} min old, dr:rpo-target is {limit} min."
        # A planned run takes a backup of its own.
        return [warning(me, "age", text) if run.mode is Mode.PLANNED else red(me, "age", text, "copy more often")]
    return []


def _no_point(view: RestoreView) -> Finding:
    text = f"no recovery point of {view.member.name} is COMPLETED in {view.member.target.region}."
    return red(view.member.resource_id, "no-recovery-point", text, "let the backup plan copy one there, then: dr plan")


def _time(member: Member, strategy: str, run: RunContext) -> list[Finding]:
    wanted, takes = member.tags.get(RTO, ""), SPEC.strategy(strategy).typical_minutes[Phase.ACTIVATE]
    if run.mode is Mode.DRILL or not wanted.isdigit() or int(wanted) >= takes:
        return []
    text = f"{strategy} takes about {takes:.0f} min to activate, {RTO} is {wanted} min."
    return [warning(member.resource_id, "rto", text, "use a faster strategy, or a longer target")]
