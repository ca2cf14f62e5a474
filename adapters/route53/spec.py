"""The declaration of Route 53. Sources: Route 53 developer guide, "Active-passive failover", "How Route 53 determines the
status of health checks"; whitepaper "AWS Fault Isolation Boundaries" (its control plane lives in us-east-1).
"""

from __future__ import annotations

from adapters.permissions import REAL
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Phase, Use

_ZONE = "arn:{partition}:route53:::hostedzone/{name}"
_CHECKS = "arn:{partition}:route53:::healthcheck/*"
_MINUTES = {Phase.INSTANTIATE: 0.0, Phase.ACTIVATE: 2.0, Phase.CLEANUP: 0.0, Phase.REPLICATE: 0.0}
_ROLLBACK = "at any time, by moving the traffic back"

FAILOVER_ROUTING, WEIGHTED, ALARM = "failover-routing", "weighted", "alarm-health-check"
ROUTING_CONTROL, SIMPLE = "arc-routing-control", "simple-upsert"
_CONTROLS = "arn:{partition}:route53-recovery-control::{account}:controlpanel/*/routingcontrol/*"

SPEC = Spec(
    key="route53",
    title="Amazon Route 53",
    resource_types=("route53:healthcheck", "route53:hostedzone"),
    companion_types=("cloudwatch:alarm",),
    manifest_actions=("Route53", "DNS"),
    strategies=(
        Strategy(
            name=FAILOVER_ROUTING,
            title="A failover pair: the PRIMARY's health check moves traffic, by itself or forced",
            planned_loss="none",
            emergency_loss="none",
            typical_minutes=_MINUTES,
            rollback_until=_ROLLBACK,
        ),
        Strategy(
            name=WEIGHTED,
            title="A weighted pair: all weight on one side; needs Route 53's control plane in us-east-1",
            planned_loss="none",
            emergency_loss="none",
            typical_minutes=_MINUTES,
            rollback_until=_ROLLBACK,
        ),
        Strategy(
            name=ALARM,
            title="A failover pair whose check follows an alarm on the standby side: one metric value moves traffic",
            planned_loss="none",
            emergency_loss="none",
            typical_minutes=_MINUTES,
            rollback_until=_ROLLBACK,
        ),
        Strategy(
            name=ROUTING_CONTROL,
            title="A failover pair whose checks follow routing controls: switched through any of a cluster's five endpoints",
            planned_loss="none",
            emergency_loss="none",
            typical_minutes=_MINUTES,
            rollback_until=_ROLLBACK,
        ),
        Strategy(
            name=SIMPLE,
            title="A single record, rewritten to one side's value; needs Route 53's control plane in us-east-1",
            planned_loss="none",
            emergency_loss="none",
            typical_minutes=_MINUTES,
            rollback_until=_ROLLBACK,
        ),
    ),
    permissions=(
        Permission(
            actions=(
                "route53:ListHostedZones",
                "route53:ListResourceRecordSets",
                "route53:GetHostedZone",
                "route53:GetHealthCheck",
                "route53:ListTagsForResources",
            ),
            uses=frozenset({Use.DISCOVER}),
        ),
        Permission(actions=("route53:ListResourceRecordSets",), uses=frozenset({Use.OBSERVE}), resources=(_ZONE,)),
        Permission(actions=("route53:GetHealthCheck",), uses=frozenset({Use.OBSERVE}), resources=(_CHECKS,)),
        Permission(
            actions=("route53:GetChange",),
            uses=frozenset({Use.OBSERVE}),
            resources=("arn:{partition}:route53:::change/*",),
        ),
        Permission(actions=("cloudwatch:DescribeAlarms",), uses=frozenset({Use.OBSERVE})),
        Permission(
            actions=(
                "route53-recovery-control-config:DescribeControlPanel",
                "route53-recovery-control-config:DescribeCluster",
            ),
            uses=frozenset({Use.DISCOVER}),
            resources=(
                "arn:{partition}:route53-recovery-control::{account}:controlpanel/*",
                "arn:{partition}:route53-recovery-control::*:cluster/*",  # it may be shared by another account
            ),
        ),
        Permission(
            actions=("route53-recovery-cluster:GetRoutingControlState",),
            uses=frozenset({Use.OBSERVE}),
            resources=(_CONTROLS,),
        ),
        Permission(
            actions=("route53-recovery-cluster:UpdateRoutingControlStates",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_CONTROLS,),
            conditions={"BoolIfExists": {"route53-recovery-cluster:AllowSafetyRulesOverrides": "false"}},
            modes=REAL,
        ),
        Permission(
            actions=("route53:UpdateHealthCheck",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_CHECKS,),
            modes=REAL,
        ),
        Permission(
            actions=("route53:ChangeResourceRecordSets",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_ZONE,),
            conditions={"ForAllValues:StringEquals": {"route53:ChangeResourceRecordSetsActions": ["UPSERT"]}},
            modes=REAL,
        ),
        Permission(actions=("cloudwatch:PutMetricData",), uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}), modes=REAL),
    ),
    documentation="https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-types.html",
    poll_seconds=15,
    deadline_minutes=20,
    global_service=True,
    refuses=(
        "It never sets both weights of a pair to 0: Route 53 then treats them as equal, and answers with both sides.",
        "It moves no record that belongs to a traffic policy: its owner would write over the change.",
        "It swaps no PRIMARY and SECONDARY, and deletes no record and no health check: they are the way back.",
        "It makes no missing record, health check or alarm: a record must name its Region in its set identifier beforehand.",
        "It changes no record and no health check in an emergency whose target is not us-east-1: that control plane may be "
        "lost. It then waits for health checks to move DNS, or is blocked.",
        "It follows no alarm that lies outside the standby side: it would be lost together with the Region being left.",
        "It takes no tagged hosted zone in which no record uses a tagged health check, unless it is for simple-upsert: nothing of it "
        "would move.",
        "It rewrites a single record only if its zone's tags dr:record and dr:record-values tell its name and both sides' "
        "values, and never one that holds a third value; one such record per zone.",
        "It overrides no safety rule: a change of routing controls that one forbids is declined, and the rule is named.",
        "It switches no routing controls of another account than the zone's, nor of two clusters, nor behind weighted records; a "
        "cluster that another account shares (AWS RAM) will do, with panel and controls of the zone's account in it.",
        "It passes over no tagged health check that no record set names itself: nothing would move, so it is a red finding.",
        "It touches no production name in a drill; it only asks what the target side's value resolves to.",
    ),
    limits=(
        "Changes of records and health checks go through a control plane in us-east-1; DNS answers and health checks do not "
        "(whitepaper AWS Fault Isolation Boundaries, appendix A).",
        "Five API requests a second for all of an account (Route 53 developer guide, quotas); the rest is throttled and "
        "asked again.",
        "Changes to one hosted zone are made one after another; PriorRequestNotComplete is asked again (API reference, "
        "ChangeResourceRecordSets).",
        "Resolvers keep an answer for its TTL: above 60 seconds is a warning. Clients that keep names longer than that are "
        "not moved (Route 53 developer guide, values for failover records).",
        "Health checkers cannot reach private addresses: a private zone needs checks that follow an alarm, and what it "
        "answers can be asked inside its VPCs only (Route 53 developer guide, failover in a private hosted zone).",
        "A cluster keeps at least three of its five endpoints open, not always the same: each is tried in turn, except that "
        "of a lost Region (ARC developer guide, getting and updating routing control states using the API).",
        "Safety rules may ask for a wait between two changes: within it the change is asked again (ARC developer guide, "
        "safety rules).",
        "Records cannot be tagged; the tags of a health check stand for the record sets that use it (API reference, "
        "ChangeTagsForResource).",
    ),
    unconfirmed=(
        "Whether an account may describe a cluster that another one shares with it is documented nowhere: the inventory asks it "
        "for the five endpoints, and a refusal is told in AWS's words before anything is planned.",
        "How long health checkers take to act on a forced check is documented nowhere: DNS itself is asked until it answers "
        "with the target's value, for 20 minutes at most.",
        "Whether AllowSafetyRulesOverrides is in every request is documented nowhere: the role allows the change when it is "
        "false or absent, and the platform has no way to ask for an override.",
        "Whether an alarm follows one single value until the next one is promised nowhere unless missing data is ignored: any "
        "other setting of the alarm is a red finding.",
    ),
)

TTL_SECONDS = 60
"""The longest TTL that does not hold traffic on the side being left."""
FULL_WEIGHT = 100
ALARM_SECONDS = 180
"""How long an alarm may take to follow a value before the value is put again."""
HEALTH_CHECKS_AT_ONCE = 10
"""Resources of one route53:ListTagsForResources call."""
IDLE_REMEDY = "attach it to its record (the record itself must name it, not a calculated check above it), or remove dr:enabled from it."
CHANGE_MISSING = ("NoSuchChange",)
CHECK_MISSING = ("NoSuchHealthCheck",)
CONTROL_MISSING = ("ResourceNotFoundException",)
