"""Routing controls: the target's control On and the source's Off, in one change of the cluster's data plane.

What it takes in an emergency, the controls and the five endpoints of their cluster, is captured before; each look and each
change tries one endpoint after another, the target Region's first. Safety rules are never overridden: a change that one of
them forbids is declined and told. The control plane in us-west-2 is only asked when an inventory is taken.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from adapters.judging import red
from adapters.route53.models import ControlPanel, Endpoint, GotCluster, GotHealthCheck, HealthCheck, Record
from adapters.route53.view import RecordView
from orchestrator.contract import Call, Finding, Reader, RunContext, Step, blocked, done, failed, todo
from orchestrator.errors import ValidationError
from orchestrator.words import Effect, Mode, Side

SWITCH_STEP = "switch-routing-controls"


def controls_of(aws: Reader, records: Mapping[str, Record], name: str) -> dict[str, str]:
    """Return the routing control of each record's health check by Region; raise `ValidationError` when one has none."""
    found: dict[str, str] = {}
    for region, record in records.items():
        check = check_of(aws, record)
        arn = check.HealthCheckConfig.RoutingControlArn if check else None
        if arn is None:
            raise ValidationError(
                f"{name}: the record of {region} follows no routing control, and the other one does.",
                "give both records health checks that follow routing controls of one cluster.",
                code="OneControl",
            )
        if arn.split(":")[4] != aws.account:
            raise ValidationError(
                f"{name}: routing control {arn} of {region} lies in another account than its zone ({aws.account}).",
                f"share their cluster with {aws.account} (AWS RAM) and make panel and controls there, then attach them: aws "
                f"route53-recovery-control-config create-control-panel --region us-west-2 --cluster-arn ARN "
                f"--control-panel-name {name}; the role there cannot switch another account's.",
                code="ControlElsewhere",
            )
        found[region] = arn
    return found


def endpoints_of(aws: Reader, controls: Mapping[str, str], name: str) -> list[Endpoint]:
    """Return the endpoints of the one cluster that holds all controls; raise `ValidationError` for two."""
    panels = {arn.partition("/routingcontrol/")[0] for arn in controls.values()}
    clusters = {
        aws.read(
            "route53-recovery-control-config", "DescribeControlPanel", ControlPanel, ControlPanelArn=panel
        ).ControlPanel.ClusterArn
        for panel in sorted(panels)
    }
    if len(clusters) != 1:
        raise ValidationError(
            f"{name}: its routing controls are in the clusters {', '.join(sorted(clusters))}, expected one.",
            "make both routing controls in one cluster: only then can both be switched at once.",
            code="TwoClusters",
        )
    cluster = aws.read("route53-recovery-control-config", "DescribeCluster", GotCluster, ClusterArn=clusters.pop())
    if not cluster.Cluster.ClusterEndpoints:
        raise ValidationError(
            f"{name}: the cluster of its routing controls has no endpoints yet.",
            "wait until it is DEPLOYED, then: dr plan",
            code="NoEndpoints",
        )
    return cluster.Cluster.ClusterEndpoints


def switch(view: RecordView, run: RunContext, to: str, away_from: str) -> list[Step]:
    """Turn one side's control On and the other's Off, at once."""
    arns, states = view.facts.controls, view.controls
    missing = [region for region in (to, away_from) if region not in states]
    if missing:
        text = f"the routing control of {view.facts.name} for {', '.join(missing)} does not exist"
        return [failed(SWITCH_STEP, text, "make it again, attach it to the record's health check, then: dr plan")]
    overridden = _overridden(view)
    if overridden:
        return [blocked(SWITCH_STEP, overridden, "enable the health check, and do not invert it, then retry.")]
    seen = f"{states[to]} in {to}, {states[away_from]} in {away_from}"
    if (states[to], states[away_from]) == ("On", "Off"):
        return [done(SWITCH_STEP, seen, effect=Effect.REVERSIBLE)]
    entries: JsonValue = [
        {"RoutingControlArn": arns[to], "RoutingControlState": "On"},
        {"RoutingControlArn": arns[away_from], "RoutingControlState": "Off"},
    ]
    lost = run.source_region if run.mode is Mode.EMERGENCY else None  # what is shown to people must not name it either
    params: dict[str, JsonValue] = {
        "Endpoints": [each.model_dump() for each in view.facts.endpoints if each.Region != lost],
        "UpdateRoutingControlStateEntries": entries,
    }
    call = Call("route53-recovery-cluster", "UpdateRoutingControlStates", params, Side.TARGET)
    return [todo(SWITCH_STEP, call, Effect.REVERSIBLE, f"{seen}, expected On and Off")]


def findings(view: RecordView) -> list[Finding]:
    """Judge that both controls exist, answer, and are heard."""
    me = view.member.resource_id
    found = [
        red(me, "no-control", f"routing control {arn} of {view.facts.name} for {region} does not exist.")
        for region, arn in view.facts.controls.items()
        if region not in view.controls
    ]
    overridden = _overridden(view)
    return [*found, red(me, "check-overridden", f"{overridden}.")] if overridden else found


def _overridden(view: RecordView) -> str:
    if view.check is None or view.check.natural:
        return ""
    return f"health check {view.check.Id} is disabled or inverted: its routing control is unheard"


def check_of(aws: Reader, record: Record) -> HealthCheck | None:
    """Return the health check of a record."""
    if record.HealthCheckId is None:
        return None
    return aws.read("route53", "GetHealthCheck", GotHealthCheck, HealthCheckId=record.HealthCheckId).HealthCheck
