"""The declaration of Auto Scaling. Sources: EC2 Auto Scaling API reference and user guide; EC2 API reference CopyImage."""

from __future__ import annotations

from adapters.permissions import (
    DESCRIBE_CERTIFICATE,
    DESCRIBE_KEY,
    DRILL,
    DRILL_OWNS,
    ENABLED,
    KEYS,
    MADE_BY_DRILL,
    NOT_EMERGENCY,
    PLANNED,
    REAL,
)
from adapters.quotas import READ_USAGE, reads_quota
from orchestrator.spec import Permission, Quota, Spec, Strategy
from orchestrator.words import Phase, Side, Use

_GROUP = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{name}"
_DRILL_GROUP = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/drill-*"
_TEMPLATE = "arn:{partition}:ec2:{region}:{account}:launch-template/*"
_IMAGES = ("arn:{partition}:ec2:{region}::image/*", "arn:{partition}:ec2:{region}::snapshot/*")
_LAUNCHED = tuple(
    f"arn:{{partition}}:ec2:{{region}}:{{account}}:{kind}/*"
    for kind in ("instance", "key-pair", "network-interface", "security-group", "subnet", "volume")
)

SCALE_UP, WARM_POOL, IMAGE_REFRESH = "scale-up", "warm-pool", "image-refresh"
_STATELESS = "none (stateless)"
_UNTIL = "at any time, by scaling back"

SPEC = Spec(
    key="asg",
    title="EC2 Auto Scaling group",
    resource_types=("autoscaling:autoScalingGroup",),
    companion_types=("ec2:instance", "ec2:image", "ec2:snapshot", "ec2:volume", "ec2:launch-template"),
    native_listing=True,
    manifest_actions=("AutoScaling", "AutoScalingGroup"),
    strategies=(
        Strategy(
            name=SCALE_UP,
            title="The group exists in both Regions; the target side is scaled up, the source side to zero",
            planned_loss=_STATELESS,
            emergency_loss=_STATELESS,
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 6, Phase.CLEANUP: 6, Phase.REPLICATE: 1},
            rollback_until=_UNTIL,
        ),
        Strategy(
            name=WARM_POOL,
            title="As scale-up, from stopped instances that have booted before and wait beside the target side's group",
            planned_loss=_STATELESS,
            emergency_loss=_STATELESS,
            typical_minutes={Phase.INSTANTIATE: 8, Phase.ACTIVATE: 3, Phase.CLEANUP: 6, Phase.REPLICATE: 8},
            rollback_until=_UNTIL,
        ),
        Strategy(
            name=IMAGE_REFRESH,
            title="The source side's machine image is copied and put into the target side's launch template, then scale-up",
            planned_loss=_STATELESS,
            emergency_loss="none (stateless); the target side starts from the image that was copied last",
            typical_minutes={Phase.INSTANTIATE: 25, Phase.ACTIVATE: 6, Phase.CLEANUP: 6, Phase.REPLICATE: 1},
            rollback_until=_UNTIL,
        ),
    ),
    permissions=(
        Permission(
            actions=("autoscaling:DescribeAutoScalingGroups", "ec2:DescribeLaunchTemplateVersions"),
            uses=frozenset({Use.DISCOVER}),
        ),
        Permission(
            actions=(
                "autoscaling:DescribeAccountLimits",
                "autoscaling:DescribeAutoScalingGroups",
                "autoscaling:DescribeInstanceRefreshes",
                "autoscaling:DescribeScalingActivities",
                "autoscaling:DescribeScheduledActions",
                "autoscaling:DescribeWarmPool",
            ),
            uses=frozenset({Use.OBSERVE}),
            session_actions=("autoscaling:Describe*",),
        ),
        Permission(
            actions=(
                "ec2:DescribeImages",
                "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeInstanceTypes",
                "ec2:DescribeKeyPairs",
                "ec2:DescribeLaunchTemplateVersions",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
            ),
            uses=frozenset({Use.OBSERVE}),
            session_actions=("ec2:Describe*",),
        ),
        Permission(
            actions=(
                "elasticloadbalancing:DescribeListeners",
                "elasticloadbalancing:DescribeLoadBalancers",
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
            ),
            uses=frozenset({Use.OBSERVE}),
            session_actions=("elasticloadbalancing:Describe*",),
        ),
        Permission(actions=("autoscaling:DescribePolicies",), uses=frozenset({Use.PLAN}), modes=REAL),
        reads_quota("ec2"),
        READ_USAGE,
        Permission(
            actions=("ec2:DescribeCapacityReservations", "elasticloadbalancing:DescribeListenerCertificates"),
            uses=frozenset({Use.PLAN}),
        ),
        Permission(
            actions=("iam:GetInstanceProfile",),
            uses=frozenset({Use.PLAN}),
            resources=("arn:{partition}:iam::{account}:instance-profile/*",),
            modes=NOT_EMERGENCY,
        ),
        Permission(  # a launch template may take its image from a parameter, whose value alone tells which
            actions=("ssm:GetParameters",),
            uses=frozenset({Use.PLAN}),
            resources=(
                "arn:{partition}:ssm:{region}:{account}:parameter/*",
                "arn:{partition}:ssm:{region}::parameter/*",
            ),
        ),
        DESCRIBE_CERTIFICATE,
        DESCRIBE_KEY,
        Permission(
            actions=("autoscaling:ResumeProcesses", "autoscaling:SuspendProcesses"),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=(_GROUP,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("autoscaling:UpdateAutoScalingGroup",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=(_GROUP,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("autoscaling:SetInstanceProtection",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(_GROUP,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("autoscaling:CreateOrUpdateTags",),
            uses=frozenset({Use.CLEANUP}),
            resources=(_GROUP,),
            conditions={**ENABLED, "ForAllValues:StringEquals": {"aws:TagKeys": ["dr:saved-capacity"]}},
            modes=PLANNED,
        ),
        Permission(
            actions=("autoscaling:PutWarmPool", "autoscaling:StartInstanceRefresh"),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE, Use.ROLLBACK}),
            resources=(_GROUP,),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("ec2:CopyImage",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=_IMAGES,
            modes=PLANNED,
        ),
        Permission(
            actions=("ec2:CreateTags",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=_IMAGES,
            conditions={"StringEquals": {"ec2:CreateAction": "CopyImage"}},
            modes=PLANNED,
        ),
        Permission(
            actions=("ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate"),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE, Use.ROLLBACK}),
            resources=(_TEMPLATE,),
            modes=PLANNED,
        ),
        Permission(  # Auto Scaling asks whether its caller could launch from a template that it is given
            actions=("ec2:RunInstances",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE, Use.ROLLBACK}),
            resources=(*_LAUNCHED, _TEMPLATE, *_IMAGES),
            modes=NOT_EMERGENCY,
        ),
        Permission(
            actions=("iam:PassRole",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE, Use.ROLLBACK}),
            resources=("arn:{partition}:iam::{account}:role/*",),
            conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            modes=NOT_EMERGENCY,
        ),
        Permission(  # copying an encrypted image reads with one key and writes with the other, both in the caller's name
            actions=(
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=(KEYS,),
            conditions={"StringLike": {"kms:ViaService": "ec2.*.amazonaws.com"}},
            modes=PLANNED,
            session_actions=("kms:*",),
        ),
        Permission(
            actions=("autoscaling:CreateAutoScalingGroup",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_DRILL_GROUP,),
            conditions=MADE_BY_DRILL,
            modes=DRILL,
        ),
        Permission(
            actions=("autoscaling:DeleteAutoScalingGroup",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(_DRILL_GROUP,),
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/autoscaling/ec2/userguide/what-is-amazon-ec2-auto-scaling.html",
    poll_seconds=15,
    deadline_minutes=120,
    refuses=(
        "It never deletes a group, also not to decommission the old side: asleep at zero instances it is the standby.",
        "The source side is not put to sleep before the target side carries the production size.",
        "A group with a launch configuration is red: a launch configuration has no versions to be changed or gone back to.",
        "image-refresh is red when the two sides lie in different accounts (a shared image needs its snapshots and keys "
        "shared as well), when the image comes from an SSM parameter (its own pipeline sets that), and for a mixed "
        "instances policy that names a version number or templates of its own per instance type.",
        "Instances in Standby are red in a planned run: no size takes them out of service.",
    ),
    limits=(
        "A suspended Launch makes every scale-out wait without an error, a suspended Terminate every scale-in; both are "
        "resumed where they stand in the way (EC2 Auto Scaling user guide, Suspend and resume processes).",
        "After 24 hours of failed launches AWS may suspend processes by itself (same source).",
        "Warm instances keep the launch template version they were started with until an instance refresh "
        "(AWS::AutoScaling::WarmPool reference); warm pools and refreshes exclude each other while they change.",
        "An image encrypted with a customer managed key launches only when Auto Scaling's service-linked role may use "
        "that key (user guide, Required AWS KMS key policy for use with encrypted volumes); nothing else shows that before.",
        "Reservations that a resource group holds are not looked at. What is in use of the quota of standard instances is known as "
        "CloudWatch shows it, minutes old; quotas of other families are not looked at.",
        "Capacity of the target Region is contended while a Region is lost: warm pools or capacity reservations help.",
        "A drill's instance starts from the production launch template, outside the load balancer: what the image does "
        "at boot (consume a queue, for instance) it does.",
        "Health looks at instances and their targets; a URL of the application is asked with dr:health-check-url.",
        "At most 50 instances change their protection in one call (API reference, SetInstanceProtection).",
    ),
    quotas=(
        Quota(
            "copies of machine images into the Region (counted as one snapshot each)",
            20,
            {Phase.INSTANTIATE: Side.TARGET, Phase.REPLICATE: Side.SOURCE},
            "EBS user guide, Quotas: concurrent snapshot copies per destination Region",
            modes=PLANNED,
            strategies=(IMAGE_REFRESH,),
        ),
    ),
    unconfirmed=(
        "Whether CopyImage accepts the name of an existing image: every copy gets a name of its own.",
        "Whether a tag given to CopyImage wins over one it copies: tags are not copied but all given.",
    ),
)
