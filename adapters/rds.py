"""RDS read replica: the replica in the target Region is promoted, and a new replica takes the old primary's place and name.

instantiate  wait until the replica is available; rds.ModifyDBInstance to the manifest's class and Multi-AZ, if it names any;
             drill: snapshot of the replica, restored behind a security group of its own
activate     planned: fence the source instance (ec2.CreateSecurityGroup, rds.AddTagsToResource, rds.ModifyDBInstance,
             rds.RebootDBInstance), wait for lag zero, rds.PromoteReadReplica; emergency: rds.PromoteReadReplica at once
cleanup      keep the old primary fenced; free its name with rds.ModifyDBInstance (`<id>-retired-<run>`); drill: delete the copies
replicate    rds.ModifyDBInstance for backups, rds.CreateDBInstanceReadReplica in the source Region under the freed name,
             rds.RemoveTagsFromResource (dr:enabled of the retired instance), wait until it replicates

It deletes nothing and stops nothing: a retired instance stays, fenced and out of the scope, until somebody removes it. After a
failover and a failback the estate is as it was, except for the retired instances. See `adapters.rds_source` for the fence.
Both sides should bear one name: after an emergency nothing but the name tells that they belong together.
Promotion: available, modifying, rebooting, backing-up, available; done when nothing is replicated from (RDS user guide,
"Promoting a read replica to be a standalone DB instance"). It cannot be undone. Aurora has its own adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from adapters import rds_source as source_side
from adapters import rds_target as target_side
from adapters.drills import rds as drill
from adapters.fencing import FENCED_TAG, SecurityGroup
from adapters.rds_readiness import findings
from adapters.reading import KeyValue, tag_map
from adapters.specs.rds import KNOWN_ENGINES, SPEC
from adapters.views.rds import DrillCopy, RdsView, base_name, look, retired_name
from adapters.views.rds_models import Instance, Instances
from orchestrator.contract import (
    Adapter,
    Check,
    Clients,
    Finding,
    Found,
    Loss,
    Place,
    Reader,
    RunContext,
    Step,
    Target,
    blocked,
    busy,
    skip,
)
from orchestrator.errors import ValidationError
from orchestrator.words import CheckState, Mode, Phase


class RdsAdapter(Adapter[RdsView]):
    """See the module docstring."""

    spec = SPEC

    def discover(self, aws: Reader, arns: Sequence[str]) -> list[Found]:
        """Return the tagged instances; a replica names its source, which makes the pair."""
        pages = aws.pages("rds", "DescribeDBInstances", Instances)
        # The instances of an Aurora cluster may carry the cluster's tags; they move with it.
        tagged = [each for page in pages for each in page.DBInstances if each.DBInstanceArn in arns]
        return [_found(aws, each) for each in tagged if not each.Engine.startswith("aurora")]

    def observe(self, target: Target, aws: Clients, run: RunContext) -> RdsView:
        """Read both sides, as far as the run may reach them."""
        return look(target, aws, run)

    def readiness(self, view: RdsView, run: RunContext) -> list[Finding]:
        """Judge replica, source, keys and quota; see `adapters.rds_readiness`."""
        return findings(view, run)

    def loss(self, view: RdsView, run: RunContext) -> list[Loss]:
        """Report the last known replication lag."""
        known = [each for each in view.lag_seconds if each >= 0]
        return [Loss(view.member.resource_id, known[0] if known else None, "last known ReplicaLag")]

    def instantiate(self, view: RdsView, run: RunContext) -> list[Step]:
        """Wait for the replica and grow it; in a drill, make the copy."""
        if run.mode is Mode.DRILL:
            return drill.make(view, run)
        return [target_side.standing(view, "replica-available"), *target_side.grow(view)]

    def activate(self, view: RdsView, run: RunContext) -> list[Step]:
        """Promote the replica, in a planned run behind the fence and without lag."""
        if run.mode is Mode.DRILL:
            return skip("a drill promotes nothing; its copy is writable from birth")
        before: list[Step] = []
        if run.mode is Mode.PLANNED:
            before = [*source_side.fence(view, run), source_side.cut(view, run), source_side.drained(view, run)]
        after = [target_side.standing(view, "stands-alone"), target_side.backups(view)]
        grown = target_side.grow(view) if run.mode is Mode.EMERGENCY else []
        return [*before, target_side.promote(view, run), *after, *grown]

    def cleanup(self, view: RdsView, run: RunContext) -> list[Step]:
        """Keep the old primary fenced and free its name; in a drill, delete the copy."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if not view.promoted:
            why = f"{view.member.target.id} still replicates from {view.member.source.id}"
            return [blocked("fence", f"{why}: the source is not retired before ACTIVATE", "run ACTIVATE first")]
        if view.reversed:
            return skip("the name is freed and taken by the new replica already")
        renamed = source_side.rename("free-name", view, view.old, retired_name(view.member, run))
        return [*source_side.fence(view, run), renamed]

    def replicate(self, view: RdsView, run: RunContext) -> list[Step]:
        """Create a replica where the old primary was and wait until it follows."""
        if run.mode is Mode.DRILL:
            return skip("a drill leaves replication as it is")
        return [target_side.standing(view, "stands-alone"), target_side.backups(view), *source_side.replica(view, run)]

    def rollback(self, phase: Phase, view: RdsView, run: RunContext) -> list[Step]:
        """Open the source again while the replica is not promoted; give the old primary its name back."""
        if run.mode is Mode.DRILL:
            return drill.delete(view, run)
        if phase is Phase.CLEANUP and not view.reversed:
            return [source_side.rename("restore-name", view, view.old, base_name(view.member.source.id))]
        if phase is not Phase.ACTIVATE:
            return skip(f"{phase} changed nothing that must be undone")
        if view.promoted:
            return [blocked("unfence", "a promotion cannot be undone", "later: dr start --operation failback")]
        if run.mode is Mode.EMERGENCY:
            return skip("nothing was promoted and nothing was fenced")
        if "promote" in run.called_at and view.target and view.target.DBInstanceStatus != "available":
            return [busy("unfence", f"the promotion is under way: {view.target.DBInstanceStatus}")]
        return source_side.reopen(view)

    def health(self, view: RdsView, run: RunContext) -> list[Check]:
        """Check that the target stands alone and is up, and after REPLICATE that it is followed; in a drill, the copy."""
        if run.mode is Mode.DRILL:
            return drill.health(view)
        me, target = view.member.resource_id, view.target
        status = target.DBInstanceStatus if target else "not there"
        up = {"available": CheckState.HEALTHY, "backing-up": CheckState.HEALTHY}.get(status, CheckState.SETTLING)
        role = CheckState.HEALTHY if view.promoted else CheckState.UNHEALTHY
        follows = target.ReadReplicaSourceDBInstanceIdentifier if target else None
        checks = [
            Check(me, "role", role, f"{view.member.target.id} replicates from {follows or 'nobody'}"),
            Check(me, "instance", up, f"{view.member.target.id} is {status}"),
        ]
        if run.phase is not Phase.REPLICATE:
            return checks
        shown = view.source.replication if view.source and view.reversed else "not there"
        state = CheckState.HEALTHY if shown == "replicating" else CheckState.SETTLING
        return [
            *checks,
            Check(me, "protection", state, f"replication of {base_name(view.member.source.id)} is {shown}"),
        ]

    def after(self, phase: Phase, view: RdsView, run: RunContext) -> RdsView:
        """Foresee fence and promotion, the freed name, the new replica, and the copy of a drill."""
        if run.mode is Mode.DRILL:
            there = DrillCopy("the drill's group", "available", "available")
            return replace(view, copy=DrillCopy() if phase is Phase.CLEANUP else there)
        if phase is Phase.ACTIVATE:
            return _activated(view, run)
        if phase is Phase.CLEANUP and view.old is not None and not view.reversed:
            renamed = {"DBInstanceIdentifier": retired_name(view.member, run), "DBInstanceStatus": "available"}
            return replace(view, source=None, retired=view.old.model_copy(update=renamed))
        return view


def _found(aws: Reader, instance: Instance) -> Found:
    if instance.DBClusterIdentifier or not instance.Engine.startswith(KNOWN_ENGINES):
        what = f"cluster {instance.DBClusterIdentifier}" if instance.DBClusterIdentifier else instance.Engine
        raise ValidationError(
            f"{instance.DBInstanceArn} belongs to {what}; expected a DB instance of {', '.join(KNOWN_ENGINES)}.",
            "remove dr:enabled from it: this is not supported.",
            code="UnsupportedEngine",
        )
    source = instance.ReadReplicaSourceDBInstanceIdentifier
    name = base_name(instance.DBInstanceIdentifier)
    followed = base_name(source.rpartition(":")[2]) if source else name
    place = Place(aws.account, aws.region, instance.DBInstanceIdentifier, instance.DBInstanceArn, _facts(instance))
    return Found(f"{aws.account}/{followed}", name, place, tag_map(instance.TagList), "read-replica")


def _facts(instance: Instance) -> dict[str, JsonValue]:
    """Return what a successor of the instance is made of, as it is when it is not fenced."""
    options = [
        g.OptionGroupName for g in instance.OptionGroupMemberships if not g.OptionGroupName.startswith("default")
    ]
    parameters = [g.DBParameterGroupName for g in instance.DBParameterGroups]
    return {
        "engine": instance.Engine,
        "version": instance.EngineVersion,
        "class": instance.DBInstanceClass,
        "multi_az": instance.MultiAZ,
        "backup_days": instance.BackupRetentionPeriod,
        "deletion_protection": instance.DeletionProtection,
        "kms_key": instance.KmsKeyId if instance.StorageEncrypted else None,
        "subnet_group": instance.DBSubnetGroup.DBSubnetGroupName if instance.DBSubnetGroup else None,
        "parameter_group": parameters[0] if parameters else None,
        "option_group": options[0] if options else None,
        "security_groups": list(instance.own_groups),
    }


def _activated(view: RdsView, run: RunContext) -> RdsView:
    target = (
        view.target.model_copy(
            update={
                "ReadReplicaSourceDBInstanceIdentifier": None,
                "DBInstanceStatus": "available",
                "BackupRetentionPeriod": target_side.backup_days(view),
            }
        )
        if view.target
        else None
    )
    if run.mode is Mode.EMERGENCY or view.old is None or view.source is None:
        return replace(view, target=target)
    fence = view.fence or SecurityGroup(GroupId="dr-fence")
    remembered = [*view.source.TagList, KeyValue(Key=FENCED_TAG, Value=" ".join(view.source.own_groups))]
    groups = type(view.source).model_validate(
        {
            **view.source.model_dump(),
            "VpcSecurityGroups": [{"VpcSecurityGroupId": fence.GroupId}],
            "TagList": [tag.model_dump() for tag in remembered],
        }
    )
    return replace(view, target=target, fence=fence, source=groups, restarted_at=run.now)
