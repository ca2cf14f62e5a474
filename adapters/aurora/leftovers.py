"""The deletion of what runs have retired on an Aurora cluster's source side: asked for, guarded, never without a last snapshot.

A cluster is deleted when its instances are (Aurora user guide, "Deleting Aurora DB clusters and DB instances"), with
FinalDBSnapshotIdentifier; nothing that something replicates from is deleted.
"""

from __future__ import annotations

from adapters.aurora.view import Cluster, Instance
from adapters.aurora.view_sides import TwoSides
from adapters.databases.shared import CLUSTER, base_name, final_name, is_fenced, not_yet
from adapters.fence_steps import when_available
from adapters.judging import gone
from adapters.leftovers import final_kept
from orchestrator.contract import Call, Param, Step, blocked, busy, done, skip, todo
from orchestrator.tags import ENABLED
from orchestrator.words import Effect, Side

_RESTORE = "restore it from the continuous backup: aws rds restore-db-cluster-to-point-in-time ..."


def delete_retired(view: TwoSides, *, protected: bool) -> list[Step]:
    """Return the steps that delete every retired cluster, and wait until its final snapshot is complete.

    `protected` says whether the source side could take over from the target again.
    """
    base, region = base_name(view.member.source.id), view.member.source.region
    if not view.leftovers and not view.finals:
        return skip(f"no retired cluster of {base} is left in {region}")
    by_name = {each.DBClusterIdentifier: each for each in view.leftovers}
    names = sorted({*by_name, *(final.removesuffix("-final") for final in view.finals)})
    return [step for name in names for step in _steps(view, name, by_name.get(name), protected)]


def _steps(view: TwoSides, name: str, cluster: Cluster | None, protected: bool) -> list[Step]:
    kept = final_kept(final_name(name), view.finals.get(final_name(name), ""), f"final-{name}", _RESTORE)
    if cluster is None:
        return [done(f"delete-{name}", f"{name} is gone", effect=Effect.IRREVERSIBLE), kept]
    instances = view.leftover_instances.get(name, ())
    wrong, remedy = _reason_to_keep(view, cluster, instances, protected)
    if wrong:
        return [
            blocked(f"delete-{name}", f"{wrong}: {name} is kept", remedy or "correct this, then retry; or skip it.")
        ]
    emptied = [_instance_gone(each) for each in instances]
    return [_unprotected(cluster), *emptied, _deleted(cluster, instances), kept]


def _reason_to_keep(
    view: TwoSides, cluster: Cluster, instances: tuple[Instance, ...], protected: bool
) -> tuple[str, str]:
    """Return why a cluster must not be deleted, and what would change that; empty when it may."""
    me, target = view.member, view.target
    if not view.promoted or target.Status not in {"available", "backing-up"}:
        return f"{base_name(me.target.id)} does not serve on the target side", ""
    if cluster.Status == "deleting":
        return "", ""
    if not protected:
        return f"{me.target.id} is not protected in {me.source.region}; REPLICATE comes first", ""
    if not is_fenced(cluster.groups, view.fence):
        return "it is not behind the fence dr-fence, somebody may still use it", ""
    if cluster.ReadReplicaIdentifiers:
        return f"{', '.join(cluster.ReadReplicaIdentifiers)} still replicates from it", ""
    if cluster.ReplicationSourceIdentifier:
        return "it is a replica itself", ""
    for each in instances:
        if ENABLED in each.tags:
            untag = f"aws rds remove-tags-from-resource --resource-name {each.DBInstanceArn} --tag-keys {ENABLED}"
            return f"its instance {each.DBInstanceIdentifier} carries {ENABLED}", f"{untag}; then retry."
    return "", ""


def _unprotected(cluster: Cluster) -> Step:
    name = f"unprotect-{cluster.DBClusterIdentifier}"
    if not cluster.DeletionProtection or cluster.Status == "deleting":
        return done(name, "it is not protected from deletion", effect=Effect.REVERSIBLE)
    old = cluster.database("")
    call = old.modify(Side.SOURCE, DeletionProtection=False)
    return when_available(name, old, call, "it is protected from deletion")


def _instance_gone(instance: Instance) -> Step:
    name = instance.DBInstanceIdentifier
    params: dict[str, Param] = {"DBInstanceIdentifier": name, "SkipFinalSnapshot": True}
    call = Call("rds", "DeleteDBInstance", params, Side.SOURCE)
    return gone(f"delete-instance-{name}", instance.DBInstanceStatus, call)


def _deleted(cluster: Cluster, instances: tuple[Instance, ...]) -> Step:
    name, identifier = f"delete-{cluster.DBClusterIdentifier}", cluster.DBClusterIdentifier
    params: dict[str, Param] = {
        "DBClusterIdentifier": identifier,
        "SkipFinalSnapshot": False,
        "FinalDBSnapshotIdentifier": final_name(identifier),
    }
    call = Call("rds", "DeleteDBCluster", params, Side.SOURCE)
    if cluster.Status == "deleting":
        return busy(name, f"{identifier} is deleting", effect=Effect.IRREVERSIBLE, call=call)
    if cluster.Status != "available":
        return not_yet(name, identifier, cluster.Status, CLUSTER, effect=Effect.IRREVERSIBLE, call=call)
    why = f"{identifier} is fenced and replaced; its content goes to snapshot {final_name(identifier)}"
    return todo(name, call, Effect.IRREVERSIBLE, why)
