"""What a group's launch template and the group itself name, and the Region must hold: image, keys, groups, profile, reservation.

A template may take its image from a parameter (`resolve:ssm:NAME`, EC2 user guide, "Use a Systems Manager parameter instead of an
AMI ID"): that one is read, for only its value tells the image. Reservations that a resource group names cannot be seen.
"""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, JsonValue

from adapters.asg.models import Group
from adapters.asg.states import (
    GROUP_MISSING,
    IMAGE_READY,
    KEY_PAIR_MISSING,
    PROFILE_MISSING,
    RESERVATION_MISSING,
    SSM,
)
from adapters.asg.view_parts import Anything, Images, TemplateData
from adapters.balancers import balancer_lacks
from adapters.needed import Lack, key_lacks, key_states, unless_denied
from orchestrator.contract import Reader, RunContext
from orchestrator.words import Mode

MAKE_OR_NAME = "make it there, or name another in the launch template"


class _Parameters(BaseModel):
    class _Parameter(BaseModel):
        Value: str = ""

    Parameters: list[_Parameter] = []


class _Profile(BaseModel):
    class _Described(BaseModel):
        Roles: list[dict[str, JsonValue | datetime]] = []

    InstanceProfile: _Described = _Described()


class Reservation(BaseModel):
    """A capacity reservation that a launch template names."""

    CapacityReservationId: str = ""
    InstanceType: str = ""
    State: str = "not there"
    AvailableInstanceCount: int = 0


class _Reservations(BaseModel):
    CapacityReservations: list[Reservation] = []


def lacks(reader: Reader, group: Group, data: TemplateData | None, run: RunContext) -> list[Lack]:
    """Judge what instances of a group need of the Region."""
    found = balancer_lacks(reader, group.TargetGroupARNs, run.now)
    if data is None:
        return found
    found += [*_security_groups(reader, data), *_key_pair(reader, data), *_image(reader, data)]
    found += key_lacks(reader.region, key_states(reader, *data.keys), "the template's volumes")
    if run.mode is not Mode.EMERGENCY:  # IAM's control plane lives elsewhere, and may be what is lost
        profile = data.IamInstanceProfile.name if data.IamInstanceProfile else ""
        found += unless_denied(f"instance profile {profile}", lambda: _profile(reader, profile)) if profile else []
    return found


def _security_groups(reader: Reader, data: TemplateData) -> list[Lack]:
    found = []
    for each in data.security_groups:
        asked: list[JsonValue] = [each]
        if not reader.find("ec2", "DescribeSecurityGroups", Anything, missing=GROUP_MISSING, GroupIds=asked):
            found.append(Lack("not-there", f"the security group {each} is not there in {reader.region}", MAKE_OR_NAME))
    return found


def _key_pair(reader: Reader, data: TemplateData) -> list[Lack]:
    names: list[JsonValue] = [data.KeyName]
    if not data.KeyName or reader.find("ec2", "DescribeKeyPairs", Anything, missing=KEY_PAIR_MISSING, KeyNames=names):
        return []
    remedy = f"aws ec2 import-key-pair --region {reader.region} --key-name {data.KeyName} ..."
    return [Lack("not-there", f"the key pair {data.KeyName} is not there in {reader.region}", remedy)]


def _image(reader: Reader, data: TemplateData) -> list[Lack]:
    """Judge an image that a parameter names."""
    if not data.ImageId.startswith(SSM):
        return []
    return unless_denied(f"image {data.ImageId}", lambda: _named_image(reader, data.ImageId))


def _named_image(reader: Reader, named: str) -> list[Lack]:
    names: list[JsonValue] = [named.removeprefix(SSM)]
    told = reader.read("ssm", "GetParameters", _Parameters, Names=names).Parameters
    if not told:
        remedy = f"aws ssm put-parameter --region {reader.region} --data-type aws:ec2:image --name ..."
        return [Lack("image", f"parameter {named} does not exist in {reader.region}", remedy)]
    by_id: JsonValue = [{"Name": "image-id", "Values": [told[0].Value]}]
    images = reader.read("ec2", "DescribeImages", Images, Filters=by_id).Images
    state = images[0].State if images else "not there"
    if state == IMAGE_READY:
        return []
    text = f"image {told[0].Value} that {named} names in {reader.region} is {state}, expected {IMAGE_READY}"
    return [Lack("image", text, "copy the image there and put its id into the parameter")]


def reservation(reader: Reader, data: TemplateData) -> Reservation | None:
    """Return the capacity reservation that a template names; None when it names none."""
    asked: list[JsonValue] = [data.reservation]
    if not data.reservation:
        return None
    found = reader.find(
        "ec2", "DescribeCapacityReservations", _Reservations, RESERVATION_MISSING, CapacityReservationIds=asked
    )
    seen = found.CapacityReservations if found else []
    return seen[0] if seen else Reservation(CapacityReservationId=data.reservation)


def _profile(reader: Reader, name: str) -> list[Lack]:
    found = reader.find("iam", "GetInstanceProfile", _Profile, PROFILE_MISSING, InstanceProfileName=name)
    if found is None:
        remedy = f"aws iam create-instance-profile --instance-profile-name {name}, or name another"
        return [Lack("profile", f"instance profile {name} does not exist", remedy)]
    if not found.InstanceProfile.Roles:
        remedy = f"aws iam add-role-to-instance-profile --instance-profile-name {name} --role-name ..."
        return [Lack("profile", f"instance profile {name} has no role", remedy)]
    return []
