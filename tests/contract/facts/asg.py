"""Auto Scaling groups in the contract tests."""

from __future__ import annotations

from adapters.asg.states import (
    FAILED_ACTIVITIES,
    FAILED_IMAGES,
    FAILED_REFRESHES,
    IMAGE_COMING,
    IMAGE_READY,
    IN_SERVICE,
    ON_THE_WAY,
    OVER,
    REFRESHED,
    REFRESHING,
    STUCK,
    WARM,
)
from tests.contract.facts import Facts, Statuses

ENCRYPTED = (
    "only where images are encrypted with a key of the customer: not in an ordinary run; its story is in tests/adapters"
)

NAMED = "asked only where a launch template names one, or a listener shows one: their story is in tests/adapters"

HEALTH_ONLY = "a health check looks at it, nothing waits for it"
SETTING = "a setting, not a state"
REPLACED = "Auto Scaling replaces what is Unhealthy by itself, and the instance that comes is waited for"
NEVER_DELETED = "set while a warm pool is deleted, which no run does"

FACTS = Facts(
    estates={
        "scale-up": ({"kind": "asg", "name": "orders", "protected": True, "key_pair": True},),
        "warm-pool": ({"kind": "asg", "name": "orders"},),
        "image-refresh": ({"kind": "asg", "name": "orders", "target_min": 1, "target_desired": 1},),
    },
    unused={
        "acm:DescribeCertificate": NAMED,
        "ec2:DescribeCapacityReservations": NAMED,
        "elasticloadbalancing:DescribeListenerCertificates": NAMED,
        "iam:GetInstanceProfile": NAMED,
        "ssm:GetParameters": NAMED,
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
    statuses=(
        Statuses(
            "autoscaling.DescribeAutoScalingGroups AutoScalingGroups[].Instances[].LifecycleState",
            good=(IN_SERVICE, *OVER, *WARM),
            passing=tuple(ON_THE_WAY),
            failed=tuple(STUCK),
        ),
        Statuses(
            "autoscaling.DescribeWarmPool Instances[].LifecycleState",
            good=(IN_SERVICE, *OVER, *WARM),
            passing=tuple(ON_THE_WAY),
            failed=tuple(STUCK),
        ),
        Statuses(
            "autoscaling.DescribeInstanceRefreshes InstanceRefreshes[].Status",
            good=(REFRESHED,),
            passing=REFRESHING,
            failed=FAILED_REFRESHES,
        ),
        Statuses(
            "autoscaling.DescribeScalingActivities Activities[].StatusCode",
            good=("Successful",),
            passing=(
                "InPlaceUpdateInProgress",
                "InProgress",
                "MidLifecycleAction",
                "PendingSpotBidPlacement",
                "PreInService",
                "WaitingForConnectionDraining",
                "WaitingForELBConnectionDraining",
                "WaitingForInPlaceUpdateToFinalize",
                "WaitingForInPlaceUpdateToStart",
                "WaitingForInstanceId",
                "WaitingForInstanceWarmup",
                "WaitingForSpotInstanceId",
                "WaitingForSpotInstanceRequestId",
            ),
            failed=FAILED_ACTIVITIES,
        ),
        Statuses(
            "ec2.DescribeImages Images[].State",
            good=(IMAGE_READY,),
            passing=IMAGE_COMING,
            failed=FAILED_IMAGES,
        ),
    ),
    judged={
        "autoscaling.DescribeAutoScalingGroups AutoScalingGroups[].Instances[].HealthStatus": REPLACED,
        "autoscaling.DescribeWarmPool Instances[].HealthStatus": REPLACED,
        "autoscaling.DescribeAutoScalingGroups AutoScalingGroups[].Status": "set while a group is deleted, which no run does",
        "autoscaling.DescribeAutoScalingGroups AutoScalingGroups[].WarmPoolConfiguration.PoolState": SETTING,
        "autoscaling.DescribeAutoScalingGroups AutoScalingGroups[].WarmPoolConfiguration.Status": NEVER_DELETED,
        "elbv2.DescribeTargetHealth TargetHealthDescriptions[].TargetHealth.State": HEALTH_ONLY,
    },
)
