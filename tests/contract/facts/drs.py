"""DRS in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

BY_DRS = "DRS uses it with its caller's rights while it launches; the embedded AWS names only what it calls itself"

FACTS = Facts(
    estates={"drs-recovery": ({"kind": "drs-server", "name": "orders-1"}, {"kind": "drs-server", "name": "orders-2"})},
    unused={
        "drs:UpdateLaunchConfiguration": "only where launches would not start: not in an ordinary run; its story is in "
        "tests/adapters",
        "drs:CreateRecoveryInstanceForDrs": BY_DRS,
        "drs:ListTagsForResource": BY_DRS,
        "iam:PassRole": BY_DRS,
        "ec2:AttachVolume": BY_DRS,
        "ec2:AuthorizeSecurityGroupEgress": BY_DRS,
        "ec2:AuthorizeSecurityGroupIngress": BY_DRS,
        "ec2:CreateLaunchTemplate": BY_DRS,
        "ec2:CreateLaunchTemplateVersion": BY_DRS,
        "ec2:CreateSnapshot": BY_DRS,
        "ec2:CreateVolume": BY_DRS,
        "ec2:DeleteLaunchTemplateVersions": BY_DRS,
        "ec2:DeleteSnapshot": BY_DRS,
        "ec2:DeleteVolume": BY_DRS,
        "ec2:DescribeAccountAttributes": BY_DRS,
        "ec2:DescribeAvailabilityZones": BY_DRS,
        "ec2:DescribeImages": BY_DRS,
        "ec2:DescribeInstanceTypes": BY_DRS,
        "ec2:DescribeLaunchTemplates": BY_DRS,
        "ec2:DescribeSecurityGroups": BY_DRS,
        "ec2:DescribeSnapshots": BY_DRS,
        "ec2:DescribeSubnets": BY_DRS,
        "ec2:DescribeVolumes": BY_DRS,
        "ec2:DetachVolume": BY_DRS,
        "ec2:ModifyInstanceAttribute": BY_DRS,
        "ec2:ModifyLaunchTemplate": BY_DRS,
        "ec2:RevokeSecurityGroupEgress": BY_DRS,
    },
    overtaken={
        "drs.TagResource": "going back, DRS takes up the source server of the first direction, which has its tags",
    },
    images=True,
)
