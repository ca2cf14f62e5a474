"""Auto Scaling groups in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts

ENCRYPTED = (
    "only where images are encrypted with a key of the customer: not in an ordinary run; its story is in tests/adapters"
)

FACTS = Facts(
    estates={
        "scale-up": ({"kind": "asg", "name": "orders", "protected": True, "key_pair": True},),
        "warm-pool": ({"kind": "asg", "name": "orders"},),
        "image-refresh": ({"kind": "asg", "name": "orders", "target_min": 1, "target_desired": 1},),
    },
    unused={
        "iam:PassRole": "AWS asks for it when a launch template names an instance profile; the embedded AWS does not",
        "kms:CreateGrant": ENCRYPTED,
        "kms:Decrypt": ENCRYPTED,
        "kms:DescribeKey": ENCRYPTED,
        "kms:GenerateDataKeyWithoutPlaintext": ENCRYPTED,
        "kms:ReEncryptFrom": ENCRYPTED,
        "kms:ReEncryptTo": ENCRYPTED,
    },
    left_out={
        ("servicequotas:GetServiceQuota", "*"): "AWS judges it by quota now (Service Authorization Reference)",
        ("ec2:CopyImage", "*"): "AWS judges copies by image and snapshot since October 2024 (EC2 user guide)",
    },
)
