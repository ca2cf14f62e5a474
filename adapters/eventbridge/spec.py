"""The declaration of EventBridge. Sources: EventBridge API reference (PutRule, EnableRule, DisableRule, StartReplay); EventBridge
user guide, "Making applications Regional-fault tolerant with global endpoints", "Monitoring Amazon EventBridge", "Quotas".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.permissions import DESCRIBE_KEY, DRILL, DRILL_OWNS, ENABLED, ENABLES, MADE_BY_DRILL, PLANNED, REAL
from orchestrator.spec import Permission, Quota, Spec, Strategy
from orchestrator.words import Phase, Side, Use

RULE_TOGGLE, GLOBAL_ENDPOINT = "rule-toggle", "global-endpoint"

_RULE = "arn:{partition}:events:{region}:{account}:rule/{name}"
_RULES = "arn:{partition}:events:{region}:{account}:rule/*"
_BUSES = "arn:{partition}:events:{region}:{account}:event-bus/*"
_DRILL_RULES = (
    "arn:{partition}:events:{region}:{account}:rule/drill-*",
    "arn:{partition}:events:{region}:{account}:rule/*/drill-*",
)
_DRILL_QUEUES = ("arn:{partition}:sqs:{region}:{account}:drill-*",)
_CHECKS = "arn:{partition}:route53:::healthcheck/*"
_TO_EVENTS = {"StringEquals": {"iam:PassedToService": "events.amazonaws.com"}}
_STANDBY = frozenset({Use.INSTANTIATE, Use.REPLICATE})

SPEC = Spec(
    key="eventbridge",
    title="Amazon EventBridge",
    resource_types=("events:rule", "events:event-bus"),
    companion_types=("events:archive", "events:connection", "events:api-destination", "sqs:queue"),
    manifest_actions=("EventBridge", "EventBridgeRules"),
    default_strategy=RULE_TOGGLE,
    strategies=(
        Strategy(
            name=RULE_TOGGLE,
            title="The same rules in both Regions: disabled on the side that stands by, enabled on the side that serves",
            planned_loss="events that reach the source side's bus after its rules are disabled stay in its archive",
            emergency_loss="events the lost Region took and did not deliver stay there, until they are replayed",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 3, Phase.CLEANUP: 1, Phase.REPLICATE: 1},
            rollback_until="at any time, by toggling back",
        ),
        Strategy(
            name=GLOBAL_ENDPOINT,
            title="Publishers use a global endpoint: its health check sends their events to one Region or the other",
            planned_loss="none; some events are handled twice while both Regions' rules are enabled",
            emergency_loss="none with event replication, else the events of 6 to 7 minutes stay in the lost Region",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 7, Phase.CLEANUP: 1, Phase.REPLICATE: 1},
            rollback_until="at any time, by pointing the endpoint back",
        ),
    ),
    permissions=(
        Permission(actions=("events:ListRules", "events:ListEndpoints"), uses=frozenset({Use.DISCOVER})),
        Permission(
            actions=("events:DescribeEventBus", "events:ListTagsForResource"),
            uses=frozenset({Use.DISCOVER}),
            resources=(_BUSES, _RULES),
        ),
        Permission(actions=("route53:GetHealthCheck",), uses=frozenset({Use.DISCOVER}), resources=(_CHECKS,)),
        Permission(actions=("events:ListRules", "cloudwatch:GetMetricData"), uses=frozenset({Use.OBSERVE})),
        Permission(
            actions=("events:ListTargetsByRule", "events:ListTagsForResource"),
            uses=frozenset({Use.OBSERVE}),
            resources=(_RULE,),
        ),
        Permission(
            actions=("events:DescribeEndpoint", "events:DescribeReplay", "route53:GetHealthCheck"),
            uses=frozenset({Use.OBSERVE}),
            resources=(
                "arn:{partition}:events:{region}:{account}:endpoint/*",
                "arn:{partition}:events:{region}:{account}:replay/dr-*",
                _CHECKS,
            ),
        ),
        Permission(
            actions=("events:DescribeApiDestination", "events:DescribeConnection"),
            uses=frozenset({Use.PLAN}),
            resources=(
                "arn:{partition}:events:{region}:{account}:api-destination/*",
                "arn:{partition}:events:{region}:{account}:connection/*",
            ),
        ),
        DESCRIBE_KEY,
        Permission(
            actions=(
                "sqs:GetQueueUrl",
                "lambda:GetFunctionConfiguration",
                "sns:GetTopicAttributes",
                "states:DescribeStateMachine",
                "events:DescribeEventBus",
            ),
            uses=frozenset({Use.OBSERVE}),
            resources=(
                "arn:{partition}:sqs:{region}:{account}:*",
                "arn:{partition}:lambda:{region}:{account}:function:*",
                "arn:{partition}:sns:{region}:{account}:*",
                "arn:{partition}:states:{region}:{account}:stateMachine:*",
                _BUSES,
            ),
            modes=REAL,
        ),
        Permission(
            actions=("events:EnableRule",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_RULE,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("events:DisableRule",),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=(_RULE,),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("route53:UpdateHealthCheck",),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.ROLLBACK}),
            resources=(_CHECKS,),
            modes=REAL,
        ),
        Permission(
            actions=("events:PutRule", "events:TagResource"),
            uses=_STANDBY,
            resources=(_RULE,),
            conditions=ENABLES,
            modes=PLANNED,
        ),
        Permission(
            actions=("events:PutTargets",), uses=_STANDBY, resources=(_RULE,), conditions=ENABLED, modes=PLANNED
        ),
        Permission(
            actions=("iam:PassRole",),
            uses=_STANDBY,
            resources=("arn:{partition}:iam::{account}:role/*",),
            conditions=_TO_EVENTS,
            modes=PLANNED,
        ),
        Permission(
            actions=("events:StartReplay",),
            uses=frozenset({Use.CLEANUP}),
            resources=(
                "arn:{partition}:events:{region}:{account}:archive/*",
                "arn:{partition}:events:{region}:{account}:replay/dr-*",
                _BUSES,
            ),
            modes=PLANNED,
        ),
        Permission(
            actions=("events:ListTargetsByRule", "events:ListTagsForResource"),
            uses=frozenset({Use.DRILL}),
            resources=_DRILL_RULES,
            modes=DRILL,
        ),
        Permission(
            actions=("sqs:GetQueueUrl", "sqs:ListQueueTags"),
            uses=frozenset({Use.DRILL}),
            resources=_DRILL_QUEUES,
            modes=DRILL,
        ),
        Permission(
            actions=("events:PutRule", "events:TagResource"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=_DRILL_RULES,
            conditions=MADE_BY_DRILL,
            modes=DRILL,
        ),
        Permission(
            actions=("sqs:CreateQueue", "sqs:TagQueue"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=_DRILL_QUEUES,
            conditions=MADE_BY_DRILL,
            modes=DRILL,
        ),
        Permission(
            actions=("events:PutTargets",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=_DRILL_RULES,
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
        Permission(
            actions=("events:RemoveTargets", "events:DeleteRule"),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=_DRILL_RULES,
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
        Permission(
            actions=("sqs:DeleteQueue",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=_DRILL_QUEUES,
            conditions=DRILL_OWNS,
            modes=DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-global-endpoints.html",
    poll_seconds=15,
    deadline_minutes=60,
    refuses=(
        "It never enables a rule on the target side while the same schedule runs on a source side that it can reach: "
        "the work would be done twice.",
        "It changes no rule that an AWS service manages (ManagedBy), and none that lacks dr:enabled=true.",
        "It deletes no rule, target, bus, archive or endpoint of production: the source side's rules are the way back.",
        "It overwrites no rule that stands by and differs from the one that serves, unless the manifest says "
        '"definitions": "sync": the difference may be meant.',
        "It copies no target that names subnets, security groups or an API destination: those exist in one Region only.",
        "It moves no rule in the state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS: EnableRule cannot bring that back.",
        "A tag on the default bus stands for nothing, since AWS's own events share it: tag the rules there.",
        "It makes no global endpoint and does not swap its Regions: publishers would have to be told of it first.",
        "It does not move EventBridge Scheduler's schedules and Pipes, which are services of their own.",
    ),
    limits=(
        "300 rules per bus (100 in some Regions) and 5 targets per rule by default (EventBridge user guide, Quotas).",
        "A rule that is disabled may match events for a short while yet (API reference, DisableRule): a planned run "
        "waits a minute before it enables the other side.",
        "A tagged bus moves its rules one after the other, a few seconds each; rules that carry the tags alone, on a "
        "bus that has none, move side by side.",
        "Global endpoints carry custom events only, between buses of one name in one account; with the prescribed alarm "
        "RTO and RPO are 360 s, 420 s at most (EventBridge user guide, global endpoints).",
        "While a planned move holds a global endpoint on its secondary Region, its health check is overridden: it will "
        "not fail over by itself until the failback restores the check.",
        "PutEvents to a global endpoint is signed with SigV4A: publishers need the AWS CRT (boto3: the extra crt).",
        "With event replication both Regions see every event of a global endpoint: consumers must bear one twice (EventBridge user "
        "guide, global endpoints).",
        "An event that a target declines for 24 hours is dropped unless the target has a dead-letter queue (user guide, retry policy): "
        "queues that are named must exist, a missing one is not remarked upon.",
        "Health counts invocations that failed; that events arrive at all is not judged, since there may be none.",
        "A replay goes to the bus its events came from, never to another Region (API reference, StartReplay).",
    ),
    quotas=(
        Quota(
            "replays",
            10,
            {Phase.CLEANUP: Side.SOURCE},
            "EventBridge user guide, Replaying archived events",
            modes=PLANNED,
            setting="replay",
        ),
    ),
    unconfirmed=(
        "No API tells which Region a global endpoint serves from: the adapter judges by the health check's settings and "
        "waits two minutes, and asks for the rules of the target side to be enabled before.",
        "Whether UpdateEndpoint can exchange primary and secondary is documented nowhere: the adapter does not try, and "
        "fails back by restoring the health check.",
        "How long a disabled rule goes on matching is documented as a short period only: the adapter waits 60 s.",
    ),
)

REST_SECONDS = 60.0
"""How long a rule that was just disabled may still match events."""
ENDPOINT_SECONDS = 120.0
"""How long Route 53 and the endpoint may take to follow a health check that was just overridden or restored."""
RULES_LIMIT = 300
"""The default quota of rules per bus."""
METRICS_AT_ONCE = 500
"""Queries of one cloudwatch:GetMetricData."""
DRILL_RULES = 20
"""More rules than these are not copied by a drill: the bus has a quota."""
REPLICATION_MINUTES = 7
"""What an endpoint without event replication may leave in a lost Region (AWS: 420 s at most)."""
MISSING = ("ResourceNotFoundException",)
QUEUE_MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
FAILED_ENDPOINTS: Mapping[str, str] = {
    "CREATE_FAILED": "delete it and create it again",
    "UPDATE_FAILED": "update it again with valid buses, health check and role",
    "DELETING": "somebody is deleting it: find out who, and create it again",
    "DELETE_FAILED": "somebody tried to delete it: delete it for good, or create it again",
}
FAILED_REPLAYS: Mapping[str, str] = {
    "FAILED": "read its StateReason, then replay by hand under another name",
    "CANCELLING": "somebody cancels it: replay by hand under another name if it is wanted after all",
    "CANCELLED": "somebody cancelled it: replay by hand under another name if it is wanted after all",
}
ONE_REGION_ONLY = re.compile(r"\b(?:subnet|sg|vpc|eni)-[0-9a-f]{8,17}\b|:api-destination/")
"""What of a definition names a thing that has another id in the other Region."""
