"""What is judged of an RDS database before a run; of a restore see `adapters.rds.restore_readiness`. Pure."""

from __future__ import annotations

import re

from adapters.databases.needs import MODIFY_INSTANCE, no_replica, password_stays, standing
from adapters.databases.shared import base_name
from adapters.judging import ready, red, too_slow, warning
from adapters.needed import key_findings
from adapters.rds.models import Instance
from adapters.rds.restore_readiness import restores
from adapters.rds.spec import READ_REPLICA, REPLICATED_ENGINES, SPEC
from adapters.rds.view import RdsView
from adapters.restoring_readiness import made
from adapters.restoring_readiness import place as place_of
from orchestrator.contract import Claim, Finding, RunContext
from orchestrator.words import Mode


def findings(view: RdsView, run: RunContext) -> list[Finding]:
    """Return every finding; in an emergency only the target side counts."""
    me, target = view.member.resource_id, view.target
    slow = [] if run.mode is Mode.DRILL else too_slow(view.member, SPEC.strategy(view.strategy))
    if view.strategy != READ_REPLICA:
        return [*restores(view, run), *slow] or [ready(me, f"{base_name(view.member.target.id)} can be restored.")]
    if target is None:
        return slow + _missing(me, view, run)
    found = slow + _accounts(me, view) + _engine(me, target, run) + _target(me, target, view)
    shown = {target.DBInstanceIdentifier: target.CertificateDetails}
    found += standing(view.member, target.MasterUserSecret, shown, view.key_states, run)
    if not view.reversed and target.MasterUserSecret is None:
        found += password_stays(view.member, view.old.MasterUserSecret if view.old else None, MODIFY_INSTANCE)
    if run.mode is not Mode.EMERGENCY:
        found += _link(me, target, view, run)
    if run.mode is Mode.PLANNED:
        found += _source(me, target, view)
    lag = f"lag {view.lag_seconds[0]:.0f} s" if view.lag_seconds and view.lag_seconds[0] >= 0 else "lag unknown"
    return found or [ready(me, f"{target.DBInstanceIdentifier} can take over, {lag}.")]


def claims(view: RdsView, run: RunContext) -> list[Claim]:
    """Return the instance that the run makes: the missing one, or the new replica on the side that was left."""
    member, rooms = view.member, {} if view.room is None else {"DBInstances": view.room}
    if view.target is None:
        return made(member, member.target, rooms, {"DBInstances": 1}, "the instance to be made")
    if run.mode is not Mode.PLANNED or view.strategy != READ_REPLICA:
        return []
    return made(member, member.source, rooms, {"DBInstances": 1}, "the replica that REPLICATE makes")


def _missing(me: str, view: RdsView, run: RunContext) -> list[Finding]:
    """Judge whether the replica that is missing can be made."""
    place, source = view.member.target, view.old
    text = f"there is no DB instance {place.id} in {place.region}"
    if run.mode is not Mode.PLANNED or not view.stands_in:
        remedy = "create the replica, or set dr:recovery-strategy to one that restores; then: dr plan"
        return [red(me, "no-target", f"{text}.", remedy)]
    found = [warning(me, "no-target", f"{text}: INSTANTIATE makes a replica, which takes hours for large ones.")]
    found += (
        _accounts(me, view)
        + key_findings(me, place.region, view.key_states)
        + no_replica(view.member, source.MasterUserSecret if source else None, MODIFY_INSTANCE)
        + place_of(view.member, view.carried.missing)
    )
    if source is None or source.DBInstanceStatus not in {"available", "backing-up"}:
        shown = source.DBInstanceStatus if source else "not there"
        return [*found, red(me, "source-status", f"{view.member.source.arn} is {shown}, expected available.")]
    if not source.BackupRetentionPeriod:
        remedy = "set its backup retention period above 0, then: dr plan"
        found.append(red(me, "backups", f"{source.DBInstanceIdentifier} has no backups: AWS makes no replica.", remedy))
    return found + _engine(me, source, run)


def _accounts(me: str, view: RdsView) -> list[Finding]:
    mine, theirs = view.member.source.account, view.member.target.account
    if mine == theirs:
        return []
    text = f"the sides are in accounts {mine} and {theirs}: {view.strategy} stays within one account."
    return [red(me, "accounts", text, "keep both sides in one account, then: dr plan")]


def _engine(me: str, target: Instance, run: RunContext) -> list[Finding]:
    if target.Engine in REPLICATED_ENGINES:
        return []
    text = f"{target.Engine} is not moved by this adapter, expected one of {', '.join(REPLICATED_ENGINES)}."
    if run.mode is Mode.EMERGENCY:
        return [warning(me, "engine", f"{text} The promotion is tried; the way back is by hand.")]
    return [red(me, "engine", text, "set dr:enabled to false, and move it by hand")]


def _target(me: str, target: Instance, view: RdsView) -> list[Finding]:
    name, status = target.DBInstanceIdentifier, target.DBInstanceStatus
    found = []
    if status == "backing-up":
        found.append(warning(me, "backing-up", f"{name} is backing up: it can be promoted when that has ended."))
    elif status != "available":
        found.append(red(me, "status", f"{name} is {status}, expected available."))
    group = target.DBSubnetGroup
    if group is None or group.SubnetGroupStatus != "Complete":
        shown = group.SubnetGroupStatus if group else "not there"
        found.append(red(me, "subnet-group", f"the subnet group of {name} is {shown}, expected Complete."))
    found += [
        warning(me, "parameter-group", f"{each.DBParameterGroupName} on {name} is {each.ParameterApplyStatus}.")
        for each in target.DBParameterGroups
        if each.ParameterApplyStatus not in {"in-sync", "applying"}
    ]
    return found


def _link(me: str, target: Instance, view: RdsView, run: RunContext) -> list[Finding]:
    name, follows = target.DBInstanceIdentifier, target.ReadReplicaSourceDBInstanceIdentifier
    if view.promoted:
        if view.reversed:
            return []  # it was moved before: nothing is left to be done
        text = f"{name} replicates from nobody: it was promoted before, and is protected by nothing until REPLICATE."
        return [warning(me, "promoted", text)] if run.mode is Mode.PLANNED else [red(me, "not-a-replica", text)]
    found = []
    if follows not in {view.member.source.arn, view.member.source.id}:
        found.append(red(me, "other-source", f"{name} replicates from {follows}, expected {view.member.source.arn}."))
    if target.replication != "replicating":
        found.append(red(me, "replication", f"replication of {name} is {target.replication}, expected replicating."))
    limit, lag = run.rpo_minutes.get(me), view.lag_seconds
    if not lag or lag[0] < 0:
        found.append(red(me, "lag", f"{name} reports no replication lag: it does not replicate."))
    elif limit is not None and min(lag) > limit * 60:
        found.append(red(me, "lag", f"replication lag is {lag[0]:.0f} s, dr:rpo-target is {limit} min."))
    return found


def _source(me: str, target: Instance, view: RdsView) -> list[Finding]:
    source = view.old
    if source is None:
        return []
    found = []
    if not view.promoted and source.DBInstanceStatus not in {"available", "backing-up"}:
        found.append(
            red(me, "source-status", f"{source.DBInstanceArn} is {source.DBInstanceStatus}, expected available.")
        )
    if _version(target) < _version(source):
        text = f"{target.DBInstanceIdentifier} runs {target.EngineVersion}, its source {source.EngineVersion}."
        found.append(red(me, "version", f"{text} A replica must not be older."))
    if target.DBInstanceClass != source.DBInstanceClass and "instanceClass" not in view.member.settings:
        text = f"{target.DBInstanceIdentifier} is a {target.DBInstanceClass}, its source a {source.DBInstanceClass}."
        found.append(
            warning(me, "class", text, "grow it before the switch: aws rds modify-db-instance --db-instance-class ...")
        )
    if not source.BackupRetentionPeriod:
        found.append(
            warning(me, "backups", f"{source.DBInstanceIdentifier} has no backups; its successor gets one day.")
        )
    return found


def _version(instance: Instance) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", instance.EngineVersion)][:2]
