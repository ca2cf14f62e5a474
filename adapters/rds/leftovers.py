"""The deletion of what runs have retired on an RDS database's source side: asked for, guarded, never without a last snapshot.

Deleting a source promotes its replicas (MySQL, MariaDB, Oracle) or ends their replication (PostgreSQL) without being asked, so
nothing that is replicated from is deleted. The automated backups stay (DeleteAutomatedBackups=False).
"""

from __future__ import annotations

from adapters.databases.shared import base_name, final_name, is_fenced
from adapters.leftovers import final_kept
from adapters.rds.making import not_yet
from adapters.rds.models import Instance
from adapters.rds.view import RdsView
from orchestrator.contract import Call, Param, Step, blocked, busy, done, skip, todo
from orchestrator.words import Effect, Side


def delete_retired(view: RdsView) -> list[Step]:
    """Return the steps that delete every retired instance, and wait until its final snapshot is complete."""
    base, region = base_name(view.member.source.id), view.member.source.region
    if not view.leftovers and not view.finals:
        return skip(f"no retired instance of {base} is left in {region}")
    names = sorted({each.DBInstanceIdentifier for each in view.leftovers} | {_of(final) for final in view.finals})
    by_name = {each.DBInstanceIdentifier: each for each in view.leftovers}
    return [step for name in names for step in _steps(view, name, by_name.get(name))]


def _of(final: str) -> str:
    return final.removesuffix("-final")


def _steps(view: RdsView, name: str, instance: Instance | None) -> list[Step]:
    if instance is None:
        return [done(f"delete-{name}", f"{name} is gone", effect=Effect.IRREVERSIBLE), _kept(view, name)]
    wrong = _reason_to_keep(view, instance)
    if wrong:
        return [blocked(f"delete-{name}", f"{wrong}: {name} is kept", "correct this, then retry; or skip it.")]
    return [*_unprotected(instance), _deleted(instance), _kept(view, name)]


def _reason_to_keep(view: RdsView, instance: Instance) -> str:
    """Return why an instance must not be deleted; empty when it may."""
    me, target = view.member, view.target
    if target is None or not view.promoted or target.DBInstanceStatus not in {"available", "backing-up"}:
        return f"{base_name(me.target.id)} does not serve on the target side"
    if instance.DBInstanceStatus == "deleting":
        return ""
    if not view.replicated:
        return f"{me.target.id} is not protected in {me.source.region}; REPLICATE comes first"
    if not is_fenced(instance.groups, view.fence):
        return "it is not behind the fence dr-fence, somebody may still use it"
    if instance.ReadReplicaDBInstanceIdentifiers or instance.ReadReplicaSourceDBInstanceIdentifier:
        replicas = ", ".join(instance.ReadReplicaDBInstanceIdentifiers)
        return f"{replicas} still replicates from it" if replicas else "it is a replica itself"
    return ""


def _unprotected(instance: Instance) -> list[Step]:
    name = f"unprotect-{instance.DBInstanceIdentifier}"
    params: dict[str, Param] = {
        "DBInstanceIdentifier": instance.DBInstanceIdentifier,
        "DeletionProtection": False,
        "ApplyImmediately": True,
    }
    call = Call("rds", "ModifyDBInstance", params, Side.SOURCE)
    if not instance.DeletionProtection:
        return [done(name, "it is not protected from deletion", effect=Effect.REVERSIBLE)]
    if instance.DBInstanceStatus != "available":
        return [not_yet(name, instance, effect=Effect.REVERSIBLE, call=call)]
    return [todo(name, call, Effect.REVERSIBLE, "it is protected from deletion")]


def _deleted(instance: Instance) -> Step:
    name, identifier = f"delete-{instance.DBInstanceIdentifier}", instance.DBInstanceIdentifier
    params: dict[str, Param] = {
        "DBInstanceIdentifier": identifier,
        "SkipFinalSnapshot": False,
        "FinalDBSnapshotIdentifier": final_name(identifier),
        "DeleteAutomatedBackups": False,
    }
    call = Call("rds", "DeleteDBInstance", params, Side.SOURCE)
    if instance.DBInstanceStatus == "deleting":
        return busy(name, f"{identifier} is deleting", effect=Effect.IRREVERSIBLE, call=call)
    if instance.DBInstanceStatus != "available":
        return not_yet(name, instance, effect=Effect.IRREVERSIBLE, call=call)
    why = f"{identifier} is fenced and replaced; its content goes to snapshot {final_name(identifier)}"
    return todo(name, call, Effect.IRREVERSIBLE, why)


def _kept(view: RdsView, name: str) -> Step:
    """Return the wait for the final snapshot."""
    remedy = f"restore {name} from its retained automated backups: aws rds restore-db-instance-to-point-in-time ..."
    return final_kept(final_name(name), view.finals.get(final_name(name), ""), f"final-{name}", remedy)
