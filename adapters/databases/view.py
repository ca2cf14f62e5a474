"""What RDS replies alike of instances and of clusters, and the reads that both need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, JsonValue

from adapters.databases.shared import INSTANCE, Kind, own_groups
from adapters.databases.spec import (
    EVENT_RESTARTED,
    OPTION_GROUP_MISSING,
    PARAMETER_GROUP_MISSING,
    SUBNET_GROUP_MISSING,
)
from adapters.quotas import Room
from adapters.reading import KeyValue, tag_map
from orchestrator.contract import Member, Reader, RunContext


class GroupOn(BaseModel):
    """A security group on an instance or a cluster."""

    VpcSecurityGroupId: str
    Status: str = "active"


class ManagedSecret(BaseModel):
    """The secret of a master password that RDS manages; "impaired": RDS cannot rotate it."""

    SecretArn: str
    SecretStatus: str = ""
    KmsKeyId: str | None = None


class ServerCertificate(BaseModel):
    """What an instance shows to clients that want TLS."""

    CAIdentifier: str = ""
    ValidTill: datetime | None = None


class Guarded(BaseModel):
    """What has security groups and tags."""

    MasterUserSecret: ManagedSecret | None = None

    VpcSecurityGroups: list[GroupOn] = []
    TagList: list[KeyValue] = []

    @property
    def tags(self) -> dict[str, str]:
        """Return its tags."""
        return tag_map(self.TagList)

    @property
    def secret_key(self) -> str | None:
        """Return the key of the secret of its master password, if RDS manages that."""
        return self.MasterUserSecret.KmsKeyId if self.MasterUserSecret else None

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the ids of the security groups in force."""
        return tuple(sorted(group.VpcSecurityGroupId for group in self.VpcSecurityGroups if group.Status != "removing"))

    @property
    def settled_groups(self) -> bool:
        """Say whether no security group is being added or removed."""
        return all(group.Status == "active" for group in self.VpcSecurityGroups)

    @property
    def own_groups(self) -> tuple[str, ...]:
        """Return the security groups it has when it is not fenced."""
        return own_groups(self.tags, self.groups)


class SubnetGroup(BaseModel):
    """A DB subnet group."""

    DBSubnetGroupName: str = ""
    VpcId: str = ""
    SubnetGroupStatus: str = "Complete"


class PlaceGroup(SubnetGroup):
    """A DB subnet group, described by itself."""

    DBSubnetGroupArn: str = ""


class PlaceGroups(BaseModel):
    """rds:DescribeDBSubnetGroups."""

    DBSubnetGroups: list[PlaceGroup] = []


class ParameterGroups(BaseModel):
    """rds:DescribeDBParameterGroups and rds:DescribeDBClusterParameterGroups."""

    DBParameterGroups: list[dict[str, JsonValue]] = []
    DBClusterParameterGroups: list[dict[str, JsonValue]] = []


class OptionGroups(BaseModel):
    """rds:DescribeOptionGroups."""

    OptionGroupsList: list[dict[str, JsonValue]] = []


class Tags(BaseModel):
    """rds:ListTagsForResource."""

    TagList: list[KeyValue] = []


class Event(BaseModel):
    """An event of an instance."""

    Message: str = ""
    Date: datetime


class Events(BaseModel):
    """rds:DescribeEvents."""

    Events: list[Event] = []


class Quota(BaseModel):
    """A quota of the account."""

    AccountQuotaName: str = ""
    Used: int = 0
    Max: int = 0


class Quotas(BaseModel):
    """rds:DescribeAccountAttributes."""

    AccountQuotas: list[Quota] = []


class Orderable(BaseModel):
    """rds:DescribeOrderableDBInstanceOptions."""

    OrderableDBInstanceOptions: list[dict[str, JsonValue]] = []


def subnet_group(reader: Reader, name: object) -> PlaceGroup | None:
    """Return a DB subnet group; None when there is none of that name, or no name."""
    if not isinstance(name, str):
        return None
    reply = reader.find("rds", "DescribeDBSubnetGroups", PlaceGroups, SUBNET_GROUP_MISSING, DBSubnetGroupName=name)
    return reply.DBSubnetGroups[0] if reply and reply.DBSubnetGroups else None


def missing(
    reader: Reader, member: Member, group: SubnetGroup | None, kind: Kind, default_class: str | None = None
) -> tuple[str, ...]:
    """Return what a database to be made on the target side needs and is not there; `group` is its subnet group."""
    facts = member.source.facts
    found: list[str] = []
    if group is None:
        found.append(f"subnet group {member.target.facts.get('subnet_group') or '(none named)'}")
    parameters = facts.get("parameter_group")
    if isinstance(parameters, str) and not _has_parameters(reader, kind, parameters):
        found.append(f"{'' if kind is INSTANCE else 'cluster '}parameter group {parameters}")
    options = facts.get("option_group")
    if isinstance(options, str) and not _has_options(reader, options):
        found.append(f"option group {options}")
    found += not_offered(reader, facts, member.settings.get("instanceClass") or facts.get("class") or default_class)
    return tuple(found)


def _has_parameters(reader: Reader, kind: Kind, name: str) -> bool:
    if name.startswith("default."):
        return True
    absent = PARAMETER_GROUP_MISSING
    if kind is INSTANCE:
        found = reader.find("rds", "DescribeDBParameterGroups", ParameterGroups, absent, DBParameterGroupName=name)
        return bool(found and found.DBParameterGroups)
    of_clusters: dict[str, JsonValue] = {"DBClusterParameterGroupName": name}
    found = reader.find("rds", "DescribeDBClusterParameterGroups", ParameterGroups, absent, **of_clusters)
    return bool(found and found.DBClusterParameterGroups)


def _has_options(reader: Reader, name: str) -> bool:
    found = reader.find("rds", "DescribeOptionGroups", OptionGroups, OPTION_GROUP_MISSING, OptionGroupName=name)
    return found is not None and bool(found.OptionGroupsList)


def not_offered(reader: Reader, facts: Mapping[str, JsonValue], instance_class: JsonValue) -> list[str]:
    """Return the class that RDS does not offer in this Region for a database's engine and version, or nothing."""
    asked: dict[str, JsonValue] = {
        "Engine": facts.get("engine"),
        "EngineVersion": facts.get("version"),
        "DBInstanceClass": instance_class,
    }
    if not all(asked.values()):
        return []
    offers = reader.read("rds", "DescribeOrderableDBInstanceOptions", Orderable, **asked)
    if offers.OrderableDBInstanceOptions:
        return []
    return [f"class {instance_class} for {asked['Engine']} {asked['EngineVersion']}"]


def tags_of(reader: Reader, arn: str) -> dict[str, str]:
    """Return the tags of what has no tags in its description."""
    return tag_map(reader.read("rds", "ListTagsForResource", Tags, ResourceName=arn).TagList)


def rooms(reader: Reader) -> Mapping[str, Room]:
    """Return how many of each thing the account may have in this Region, and has (rds:DescribeAccountAttributes)."""
    quotas = reader.read("rds", "DescribeAccountAttributes", Quotas).AccountQuotas
    return {quota.AccountQuotaName: Room(quota.Max, quota.Used) for quota in quotas}


def restarted_at(reader: Reader, instance: str, run: RunContext) -> datetime | None:
    """Return when an instance was last restarted since this action, or its fence, began (rds:DescribeEvents)."""
    began = min(run.called_at.get("fence", run.started_at), run.started_at)
    reply = reader.read(
        "rds",
        "DescribeEvents",
        Events,
        SourceIdentifier=instance,
        SourceType="db-instance",
        StartTime=began - timedelta(seconds=1),
        EndTime=run.now + timedelta(minutes=1),
    )
    return max((event.Date for event in reply.Events if EVENT_RESTARTED in event.Message), default=None)
