"""What databases on either side need first: subnet group, security group, encryption key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.seeds.network import default_network

if TYPE_CHECKING:
    from localaws.estate import Entry
    from localaws.world import World

# Clients of every estate live in private address space.
CLIENT_NETWORK = "10.0.0.0/8"
PORTS = {"postgres": 5432, "mysql": 3306, "mariadb": 3306, "oracle-ee": 1521, "sqlserver-ee": 1433}


@dataclass(frozen=True)
class Surroundings:
    """The regional things a database is created with."""

    subnet_group: str
    security_group_id: str
    kms_key_arn: str | None


def port_of(engine: str) -> int:
    """Return the port an engine listens on."""
    return PORTS["postgres" if "postgres" in engine else "mysql" if "mysql" in engine else engine]


def owner_password(entry: Entry) -> dict[str, Any]:
    """Return the master password, or that RDS is to manage one (setting `managed_password`)."""
    if entry.setting("managed_password", False):
        return {"ManageMasterUserPassword": True}
    return {"MasterUserPassword": "kept-in-the-estate"}


def surroundings(world: World, account: str, region: str, name: str, port: int, *, encrypted: bool) -> Surroundings:
    """Create subnet group `<name>-subnets`, security group `<name>-db` with one rule, and key `alias/<name>`."""
    network = default_network(world, account, region)
    subnet_group = f"{name}-subnets"
    world.call(
        "rds",
        "CreateDBSubnetGroup",
        account,
        region,
        DBSubnetGroupName=subnet_group,
        DBSubnetGroupDescription=f"Private subnets of {name}",
        SubnetIds=list(network.subnet_ids),
    )
    group_id = client_group(world, account, region, name, port)
    key_arn = encryption_key(world, account, region, name) if encrypted else None
    return Surroundings(subnet_group, group_id, key_arn)


def client_group(world: World, account: str, region: str, name: str, port: int) -> str:
    """Create security group `<name>-db`, which admits clients to `port`; return its id."""
    reply = world.call(
        "ec2",
        "CreateSecurityGroup",
        account,
        region,
        GroupName=f"{name}-db",
        Description=f"Clients of {name}",
        VpcId=default_network(world, account, region).vpc_id,
    )
    group_id = str(reply["GroupId"])
    rule = {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "IpRanges": [{"CidrIp": CLIENT_NETWORK, "Description": "application servers"}],
    }
    world.call("ec2", "AuthorizeSecurityGroupIngress", account, region, GroupId=group_id, IpPermissions=[rule])
    return group_id


def encryption_key(world: World, account: str, region: str, name: str) -> str:
    """Create a key with alias `alias/<name>`; return its ARN."""
    key = world.call("kms", "CreateKey", account, region, Description=f"Data of {name}")["KeyMetadata"]
    world.call("kms", "CreateAlias", account, region, AliasName=f"alias/{name}", TargetKeyId=key["KeyId"])
    return str(key["Arn"])
