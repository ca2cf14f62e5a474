"""Which tagged DB instances and subnet groups are the two sides of one resource, and what an emergency must know of them.

A replica names its source, others belong together by name (without the suffix of a retired one). Where nothing stands yet a
DB subnet group is the side: its tag `dr:standby-for` names the instances that are to be restored in it, `dr:security-groups`
and `dr:kms-key` the rest of what is Regional. A subnet group without that tag is nobody's side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.databases.needs import SECRET_FACT
from adapters.databases.shared import base_name
from adapters.rds.models import Instance, Instances
from adapters.rds.spec import BACKUPS, KNOWN_ENGINES, OTHER_SERVICES, READ_REPLICA
from adapters.standing_in import INSTANCES, StandIn, stand_ins
from orchestrator.contract import Found, Place, Reader
from orchestrator.errors import ValidationError


def discover(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged instances, and the subnet groups that stand in for missing ones."""
    pages = aws.pages("rds", "DescribeDBInstances", Instances)
    # The instances of an Aurora cluster may carry the cluster's tags; they move with it.
    tagged = [each for page in pages for each in page.DBInstances if each.DBInstanceArn in arns]
    places = stand_ins(aws, arns, INSTANCES)
    standing = [e for e in tagged if not e.Engine.startswith("aurora") and e.DBInstanceStatus != "deleting"]
    found = [_instance(aws, each, places) for each in standing]
    taken = {each.pair_key for each in found}
    for name, there in sorted(places.items()):
        if (key := f"{aws.account}/{name}") not in taken:
            found.append(Found(key, name, there.place, there.tags, None, counterpart=True))
    return found


def _instance(aws: Reader, instance: Instance, places: Mapping[str, StandIn]) -> Found:
    _refuse_others(instance)
    source = instance.ReadReplicaSourceDBInstanceIdentifier
    name = base_name(instance.DBInstanceIdentifier)
    followed = base_name(source.rpartition(":")[2]) if source else name
    facts = _facts(instance)
    if followed in places:
        facts["place"] = places[followed].place.arn
    place = Place(aws.account, aws.region, instance.DBInstanceIdentifier, instance.DBInstanceArn, facts)
    return Found(f"{aws.account}/{followed}", name, place, instance.tags, _strategy(instance))


def _refuse_others(instance: Instance) -> None:
    if not instance.DBClusterIdentifier and instance.Engine.startswith(KNOWN_ENGINES):
        return
    other = next((name for start, name in OTHER_SERVICES.items() if instance.Engine.startswith(start)), "")
    what = f"{other}, which only looks like RDS" if other else f"engine {instance.Engine}"
    if instance.DBClusterIdentifier and not other:
        what = f"cluster {instance.DBClusterIdentifier}"
    raise ValidationError(
        f"{instance.DBInstanceArn} belongs to {what}; expected a DB instance of {', '.join(KNOWN_ENGINES)}.",
        f"it is not moved by this platform: aws rds remove-tags-from-resource --resource-name {instance.DBInstanceArn} "
        "--tag-keys dr:enabled",
        code="UnsupportedEngine",
    )


def _strategy(instance: Instance) -> str | None:
    """Return what the instance shows; one that nothing follows may be the source of any strategy."""
    elsewhere = [arn for arn in instance.ReadReplicaDBInstanceIdentifiers if arn.startswith("arn:")]
    if instance.ReadReplicaSourceDBInstanceIdentifier or elsewhere:
        return READ_REPLICA
    return BACKUPS if instance.DBInstanceAutomatedBackupsReplications else None


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
        "public": instance.PubliclyAccessible,
        "kms_key": instance.KmsKeyId if instance.StorageEncrypted else None,
        "subnet_group": instance.DBSubnetGroup.DBSubnetGroupName if instance.DBSubnetGroup else None,
        "parameter_group": parameters[0] if parameters else None,
        "option_group": options[0] if options else None,
        "security_groups": list(instance.own_groups),
        SECRET_FACT: instance.MasterUserSecret.SecretArn if instance.MasterUserSecret else None,
    }
