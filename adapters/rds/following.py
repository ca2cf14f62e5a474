"""Read replicas that a run makes: the standby that is missing, and the one that follows the promoted instance. Pure."""

from __future__ import annotations

from adapters.databases.shared import base_name, own_tags
from adapters.rds.making import not_yet
from adapters.rds.models import Instance
from adapters.rds.source import release
from adapters.rds.view import RdsView
from adapters.reading import tag_list
from orchestrator.contract import Call, Param, RunContext, Step, blocked, busy, done, todo
from orchestrator.words import Effect, Side


def standby(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that make the replica that is missing on the target side, and wait until it follows."""
    place, there = view.member.target, view.target
    call = Call("rds", "CreateDBInstanceReadReplica", _replica_params(view, run, Side.TARGET), Side.TARGET)
    made = (
        todo("replica", call, Effect.COMPENSABLE, f"there is no {place.id} in {place.region}")
        if there is None
        else done("replica", f"{place.id} is there", effect=Effect.COMPENSABLE)
    )
    return [made, _follows(there, place.id)]


def replica(view: RdsView, run: RunContext) -> list[Step]:
    """Return the steps that put a replica of the target where the old primary was, and wait until it follows."""
    member, there = view.member, view.source
    name = base_name(member.source.id)
    call = Call("rds", "CreateDBInstanceReadReplica", _replica_params(view, run, Side.SOURCE), Side.SOURCE)
    if there is not None and not view.reversed:
        why = f"{there.DBInstanceArn} holds the name and is no replica of {member.target.arn}"
        return [blocked("replica", why, "run CLEANUP for it first", call=call)]
    made = (
        todo("replica", call, Effect.COMPENSABLE, f"there is no {name} in {member.source.region}")
        if there is None
        else done("replica", f"{name} is a replica of {member.target.arn}", effect=Effect.COMPENSABLE)
    )
    return [made, release(view, run), _follows(view.source, name)]


def _follows(there: Instance | None, name: str) -> Step:
    if there is None:
        return busy("replicating", f"{name} is not there yet")
    if there.DBInstanceStatus != "available":
        return not_yet("replicating", there, remedy="delete it, then retry.")
    observed = f"{name} is available, replication is {there.replication or 'not there'}"
    return (done if there.replication == "replicating" else busy)("replicating", observed)


def _replica_params(view: RdsView, run: RunContext, side: Side) -> dict[str, Param]:
    """Return the parameters of a replica on a side: everything Regional as that side has it, AWS copies none of it."""
    member, facts = view.member, view.member.source.facts
    place, origin = (member.source, member.target) if side is Side.SOURCE else (member.target, member.source)
    retired = view.retired if side is Side.SOURCE else None
    groups = retired.own_groups if retired else place.facts.get("security_groups")
    key = place.facts.get("kms_key") if facts.get("kms_key") else None
    regional: dict[str, Param] = {
        "KmsKeyId": key,
        "DBSubnetGroupName": place.facts.get("subnet_group"),
        "DBParameterGroupName": facts.get("parameter_group"),
        "OptionGroupName": facts.get("option_group"),
        "DBInstanceClass": (member.settings.get("instanceClass") if side is Side.TARGET else None)
        or facts.get("class"),
        "VpcSecurityGroupIds": list(groups) if isinstance(groups, list | tuple) else None,
    }
    return {
        "DBInstanceIdentifier": base_name(place.id),
        "SourceDBInstanceIdentifier": origin.arn,
        "SourceRegion": origin.region,
        **{key: value for key, value in regional.items() if value},
        "MultiAZ": bool(facts.get("multi_az")),
        "DeletionProtection": bool(facts.get("deletion_protection")),
        "Tags": tag_list({**own_tags(member), **run.tags}),
    }
