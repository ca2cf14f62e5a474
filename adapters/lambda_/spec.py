"""The declaration of Lambda. Sources: Lambda API reference; Lambda developer guide, chapters "function states", "versions",
"reserved concurrency", "provisioned concurrency", "quotas"; service authorization reference.
"""

from __future__ import annotations

from adapters.permissions import (
    DESCRIBE_KEY,
    DRILL,
    DRILL_OWNS,
    ENABLED,
    ENABLES,
    MADE_BY_DRILL,
    NOT_EMERGENCY,
    PLANNED,
    REAL,
)
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Phase, Use

ALIAS_SHIFT = "alias-shift"
DEPLOY = "deploy-from-source"

ARTIFACT = "dr:artifact"
"""Tag: Region -> where the code lies there, `us-east-1=s3://bucket/key us-west-2=s3://bucket/key` (or image URIs)."""
SAVED_CAPACITY = "dr:saved-capacity"
"""Tag: the reserved concurrency in production (a number, or `unreserved`), where no side shows it."""
DRILL_SAFE = "dr:drill-safe"
"""Tag: `true` lets a drill call its copy of the function with a health event."""

NOT_FOUND = ("ResourceNotFoundException",)
OBJECT_MISSING = ("404", "NoSuchKey", "NoSuchBucket", "403", "AccessDenied")
"""Without s3:ListBucket, S3 answers 403 for an object that does not exist."""
NAME_LIMIT = 64
LEAST_UNRESERVED = 100
"""What must stay unreserved in an account (PutFunctionConcurrency)."""
VERSIONS_KEPT = 3
"""How many of the newest versions decommissioning leaves, besides those that an alias or a mapping calls."""

_FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{name}"
_QUALIFIED = f"{_FUNCTION}:*"
_COPY = "arn:{partition}:lambda:{region}:{account}:function:drill-*"
_OWN_ACCOUNT = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}
_DEPLOYING = frozenset({Use.INSTANTIATE, Use.ACTIVATE})
_SWITCHING = frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK})

_TYPICAL = {Phase.INSTANTIATE: 2.0, Phase.ACTIVATE: 3.0, Phase.CLEANUP: 1.0, Phase.REPLICATE: 1.0}
_UNTIL = "at any time: the aliases, the concurrency and the event source mappings are set back to what they were"

SPEC = Spec(
    key="lambda",
    title="AWS Lambda function",
    resource_types=("lambda:function",),
    found_apart=True,
    companion_types=("lambda:event-source-mapping", "lambda:code-signing-config", "sqs:queue"),
    manifest_actions=("Lambda", "LambdaFunction"),
    strategies=(
        Strategy(
            name=ALIAS_SHIFT,
            title="The function exists in both Regions; aliases, concurrency and event source mappings move",
            planned_loss="none (stateless); messages left in the source side's queues stay there",
            emergency_loss="none (stateless); messages in the lost Region's queues wait there until it returns",
            typical_minutes=_TYPICAL,
            rollback_until=_UNTIL,
        ),
        Strategy(
            name=DEPLOY,
            title="The function is made in the target Region, from an object or an image that lies there already",
            planned_loss="none (stateless); messages left in the source side's queues stay there",
            emergency_loss="none (stateless); what an emergency makes the function from is the last inventory",
            typical_minutes={**_TYPICAL, Phase.INSTANTIATE: 4.0, Phase.ACTIVATE: 5.0},
            rollback_until=f"{_UNTIL}; a function that was made stays, closed",
        ),
    ),
    permissions=(
        Permission(
            actions=(
                "lambda:GetFunction",
                "lambda:GetFunctionConcurrency",
                "lambda:ListAliases",
                "lambda:ListProvisionedConcurrencyConfigs",
                "lambda:ListVersionsByFunction",
            ),
            uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
            resources=(_FUNCTION, _QUALIFIED),
        ),
        Permission(actions=("lambda:ListEventSourceMappings",), uses=frozenset({Use.DISCOVER, Use.OBSERVE})),
        Permission(actions=("lambda:GetAccountSettings",), uses=frozenset({Use.OBSERVE})),
        Permission(
            actions=("iam:GetRole",),
            uses=frozenset({Use.PLAN}),
            resources=("arn:{partition}:iam::{account}:role/*",),
            modes=NOT_EMERGENCY,
        ),
        DESCRIBE_KEY,
        Permission(
            actions=(
                "application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingPolicies",
                "application-autoscaling:DescribeScheduledActions",
            ),
            uses=frozenset({Use.PLAN}),
            modes=REAL,
            session_actions=("application-autoscaling:Describe*",),
        ),
        Permission(
            actions=("ecr:DescribeImages",),
            uses=frozenset({Use.OBSERVE}),
            resources=("arn:{partition}:ecr:{region}:{account}:repository/*",),
        ),
        Permission(
            # The code's object: asked for by HeadObject, and by Lambda on the caller's behalf when it deploys.
            actions=("s3:GetObject",),
            uses=frozenset({Use.OBSERVE, *_DEPLOYING, Use.REPLICATE}),
            resources=("arn:{partition}:s3:::*/*",),
            conditions=_OWN_ACCOUNT,
        ),
        Permission(
            actions=("lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:PublishVersion"),
            uses=_DEPLOYING | {Use.REPLICATE},
            resources=(_FUNCTION,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("lambda:CreateAlias",),
            uses=_DEPLOYING | {Use.REPLICATE},
            resources=(_FUNCTION, _QUALIFIED),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("lambda:CreateFunction", "lambda:TagResource"),
            uses=_DEPLOYING,
            resources=(_FUNCTION,),
            conditions=ENABLES,
            modes=REAL,
        ),
        Permission(
            actions=("lambda:CreateFunction", "lambda:TagResource"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_COPY,),
            conditions=MADE_BY_DRILL,
            modes=DRILL,
        ),
        Permission(
            actions=("iam:PassRole",),
            uses=_DEPLOYING,
            resources=("arn:{partition}:iam::{account}:role/*",),
            conditions={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}},
        ),
        Permission(
            # Lambda asks for these on the caller's behalf when a function has layers or lies in a VPC.
            actions=(
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ),
            uses=_DEPLOYING | {Use.PLAN},
        ),
        Permission(
            actions=("lambda:GetLayerVersion",),
            uses=_DEPLOYING | {Use.PLAN},
            resources=("arn:{partition}:lambda:{region}:{account}:layer:*",),
        ),
        Permission(
            actions=("lambda:PutFunctionConcurrency",),
            uses=_SWITCHING | {Use.INSTANTIATE},
            resources=(_FUNCTION,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("lambda:DeleteFunctionConcurrency",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_FUNCTION,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("lambda:UpdateAlias", "lambda:PutProvisionedConcurrencyConfig"),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_FUNCTION, _QUALIFIED),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("lambda:DeleteProvisionedConcurrencyConfig",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(_FUNCTION, _QUALIFIED),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            # Mappings carry no tags of their function: the function they call narrows them.
            actions=("lambda:UpdateEventSourceMapping",),
            uses=_SWITCHING,
            resources=("arn:{partition}:lambda:{region}:{account}:event-source-mapping:*",),
            conditions={"ArnLike": {"lambda:FunctionArn": [_FUNCTION, _QUALIFIED]}},
            modes=REAL,
        ),
        Permission(
            # The call carries the version's number, always; which form of the ARN AWS judges is not documented.
            actions=("lambda:DeleteFunction",),
            uses=frozenset({Use.DECOMMISSION}),
            resources=(_FUNCTION, _QUALIFIED),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(actions=("lambda:GetFunction",), uses=frozenset({Use.OBSERVE}), resources=(_COPY,), modes=DRILL),
        Permission(
            actions=("lambda:InvokeFunction",),
            uses=frozenset({Use.ACTIVATE}),
            resources=(_COPY,),
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
        Permission(
            actions=("lambda:DeleteFunction",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(_COPY,),
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html",
    poll_seconds=15,
    deadline_minutes=30,
    refuses=(
        "It deletes no function, alias, mapping or $LATEST; decommissioning deletes old versions only.",
        "It moves no active-active pair, in which both sides consume: nothing stands by there, and closing a side would "
        "stop live traffic. After an emergency both sides consume too: CLEANUP alone then stops the returned one.",
        "It enables no event source mapping on the target side before those of the source side are Disabled (planned).",
        "It moves no alias that splits its calls between versions: a canary ends before the move.",
        "It makes no event source mappings: their starting position is their owner's decision.",
        "It makes no function whose layers, network, KMS key or dead-letter queue lie in the source Region, unless the "
        "manifest names those of the target Region; none with file systems, SnapStart, durable or tenant settings.",
    ),
    limits=(
        "Reserved concurrency is one number per function, over all versions and aliases; 0 answers calls with 429, and "
        "asynchronous events are retried for up to six hours (Lambda developer guide, reserved concurrency).",
        "100 of an account's concurrency per Region must stay unreserved (PutFunctionConcurrency).",
        "Provisioned concurrency cannot exceed the reserved one, and takes minutes (PutProvisionedConcurrencyConfig). "
        "Where Application Auto Scaling manages it, its scalable target is neither moved nor held: a warning says how.",
        "All control-plane calls but GetFunction share 15 requests per second (Lambda quotas).",
        "A function that was made has no resource policy, URL, destinations or mappings: whatever triggers it belongs to "
        "the tool that deploys it. Its environment is copied by value and stands in inventory and plan: keep secrets in "
        "Secrets Manager.",
        "A tag value has 256 characters: dr:artifact must name both Regions in them (AWS tagging).",
        "Deployed images need a repository policy that lets lambda.amazonaws.com read; it is not written here.",
        "A function scales by 1,000 executions every ten seconds (Lambda developer guide, scaling behaviour): many functions that "
        "move at once start slower than one. Provisioned concurrency is there from the first call.",
        "What the code fetches by itself (secrets through the extension or the API, tables, endpoints) cannot be seen in advance: only "
        "the names of variables that name the Region being left are told.",
        "Health looks at the function, its aliases and its mappings. It calls nothing in a real run: a call is work; a URL of the "
        "application is asked with dr:health-check-url. Triggers that are no mappings (S3, SNS, EventBridge, API Gateway, load "
        "balancers) are neither moved nor judged.",
    ),
    unconfirmed=(
        "Which form of the ARN IAM judges when DeleteFunction names a version: the role allows both, the call always "
        "carries the version's number.",
        "Whether ListEventSourceMappings by a function's name tells those of its aliases: all are listed, and filtered.",
    ),
)
