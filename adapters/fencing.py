"""The fence that data stores share: a security group without ingress rules, and the tag that remembers the own ones.

The group `dr-fence` is one per VPC and is put on a single store; revoking the rules of the store's own groups would lock
out bystanders, for such groups are commonly shared.
"""

from __future__ import annotations

from pydantic import BaseModel, JsonValue

from adapters.reading import KeyValue, tag_list
from orchestrator.contract import Call, Param, Reader, RunContext
from orchestrator.words import Side

FENCE_GROUP = "dr-fence"
FENCED_TAG = "dr:fenced"
"""On a fenced store: its own security groups, separated by spaces."""


class SecurityGroup(BaseModel):
    """A security group; without ingress permissions nobody gets in."""

    GroupId: str
    IpPermissions: list[dict[str, JsonValue]] = []
    Tags: list[KeyValue] = []


class SecurityGroups(BaseModel):
    """ec2:DescribeSecurityGroups."""

    SecurityGroups: list[SecurityGroup] = []


def find_group(reader: Reader, name: str, vpc_id: str) -> SecurityGroup | None:
    """Return the security group of that name in a VPC (ec2:DescribeSecurityGroups)."""
    filters: JsonValue = [{"Name": "group-name", "Values": [name]}, {"Name": "vpc-id", "Values": [vpc_id]}]
    found = reader.read("ec2", "DescribeSecurityGroups", SecurityGroups, Filters=filters).SecurityGroups
    return found[0] if found else None


def group_call(name: str, description: str, vpc_id: str, run: RunContext, side: Side) -> Call:
    """Return the call that makes a security group without ingress rules."""
    tags = tag_list({"Name": name, **run.tags})
    params: dict[str, Param] = {
        "GroupName": name,
        "Description": description,
        "VpcId": vpc_id,
        "TagSpecifications": [{"ResourceType": "security-group", "Tags": tags}],
    }
    return Call("ec2", "CreateSecurityGroup", params, side)
