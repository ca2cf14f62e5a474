"""Replies of EC2 and Elastic Load Balancing, as far as an Auto Scaling group is made of them: templates, images, targets."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel

from adapters.reading import KeyValue


class _Interface(BaseModel):
    Groups: list[str] = []
    SubnetId: str = ""


class _Profile(BaseModel):
    Arn: str = ""
    Name: str = ""

    @property
    def name(self) -> str:
        """Return the profile's name, whichever way it is given."""
        return self.Name or self.Arn.rpartition("/")[2]


class _ReservationTarget(BaseModel):
    CapacityReservationId: str = ""


class _Reservation(BaseModel):
    CapacityReservationTarget: _ReservationTarget | None = None


class _TemplateEbs(BaseModel):
    KmsKeyId: str | None = None


class _TemplateDisk(BaseModel):
    Ebs: _TemplateEbs | None = None


class TemplateData(BaseModel):
    """What a launch template launches."""

    ImageId: str = ""
    InstanceType: str = ""
    KeyName: str | None = None
    SecurityGroupIds: list[str] = []
    NetworkInterfaces: list[_Interface] = []
    IamInstanceProfile: _Profile | None = None
    CapacityReservationSpecification: _Reservation | None = None
    BlockDeviceMappings: list[_TemplateDisk] = []

    @property
    def reservation(self) -> str:
        """Return the capacity reservation that instances are to run in; empty when it names none."""
        asked = self.CapacityReservationSpecification
        return (
            asked.CapacityReservationTarget.CapacityReservationId if asked and asked.CapacityReservationTarget else ""
        )

    @property
    def keys(self) -> list[str]:
        """Return the keys that it names for volumes."""
        return [each.Ebs.KmsKeyId for each in self.BlockDeviceMappings if each.Ebs and each.Ebs.KmsKeyId]

    @property
    def subnet(self) -> str:
        """Return the subnet of the first network interface; empty when the template leaves it to whoever launches."""
        return self.NetworkInterfaces[0].SubnetId if self.NetworkInterfaces else ""

    @property
    def security_groups(self) -> list[str]:
        """Return the security groups, wherever the template names them."""
        return sorted({*self.SecurityGroupIds, *(each for one in self.NetworkInterfaces for each in one.Groups)})


class TemplateVersion(BaseModel):
    """One version of a launch template."""

    LaunchTemplateId: str = ""
    VersionNumber: int
    VersionDescription: str = ""
    DefaultVersion: bool = False
    LaunchTemplateData: TemplateData = TemplateData()


class TemplateVersions(BaseModel):
    """ec2:DescribeLaunchTemplateVersions."""

    LaunchTemplateVersions: list[TemplateVersion] = []


class _Ebs(BaseModel):
    Encrypted: bool = False


class _Mapping(BaseModel):
    Ebs: _Ebs | None = None


class Image(BaseModel):
    """A machine image. `SourceImageId` is there when AWS copied it from another."""

    ImageId: str
    Name: str = ""
    State: str = "available"
    CreationDate: datetime | None = None
    SourceImageId: str | None = None
    BlockDeviceMappings: list[_Mapping] = []
    Tags: list[KeyValue] = []

    @property
    def encrypted(self) -> bool:
        """Say whether any of its snapshots is encrypted."""
        return any(each.Ebs is not None and each.Ebs.Encrypted for each in self.BlockDeviceMappings)


class Images(BaseModel):
    """ec2:DescribeImages."""

    Images: list[Image] = []


class _Offering(BaseModel):
    Location: str


class Offerings(BaseModel):
    """ec2:DescribeInstanceTypeOfferings."""

    InstanceTypeOfferings: list[_Offering] = []


class _Cpu(BaseModel):
    DefaultVCpus: int = 0


class _Type(BaseModel):
    InstanceType: str = ""
    VCpuInfo: _Cpu = _Cpu()


class InstanceTypes(BaseModel):
    """ec2:DescribeInstanceTypes."""

    InstanceTypes: list[_Type] = []


class _Subnet(BaseModel):
    AvailableIpAddressCount: int = 0


class Subnets(BaseModel):
    """ec2:DescribeSubnets."""

    Subnets: list[_Subnet] = []


class Anything(BaseModel):
    """A reply of which only matters that it came."""
