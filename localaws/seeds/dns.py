"""`dns-failover`, `dns-weighted`, `dns-alarm`, `dns-arc`, `dns-simple`: a pair of CNAME records, one for each side.

The record is `<name without -dns>.<zone>`; the set identifiers are the Regions; the values are the endpoints
`<name without -dns>.<Region>.elb.example`, which live in their Region. An endpoint serves while its Region is
up and, when the entry depends on an `ecs-service` of the estate, while that service runs tasks there.

The health checks carry the entry's tags (records cannot be tagged). The hosted zone is shared by all entries of
an account that name it; it carries only its name and the first entry's Customer.

Settings: `zone` (required), `record` (the full name), `ttl_seconds` (60), `depends_on_service` (name of an
`ecs-service`; default: the first one in the tag `dr:dependencies`), `missing_data` (dns-alarm: what the alarm
makes of missing data, `ignore`), `wait_ms` (dns-arc: the safety rule's wait period, 5000), `cluster_account` (dns-arc: the id of the
account that owns the cluster and shares it, the entry's own).

dns-failover: PRIMARY with an HTTPS check of the source endpoint, SECONDARY without a check.
dns-weighted: 100 and 0, each with an HTTPS check of its endpoint.
dns-alarm: PRIMARY's check follows the alarm `dr-switch-<record>` on the target side: namespace `DR/Switch`, metric
`StandbyTakesOver`, dimension Record=<record>, 1 or more within 10 s raises it.
dns-arc: PRIMARY and SECONDARY whose checks follow routing controls `<record>-<Region>`, the source side's On. They are
in the control panel `<record>` of the account's cluster `estate`; a safety rule keeps at least one of them On.
dns-simple: one record, `www.<name without -dns>.<zone>`, in a zone of its own, `<name without -dns>.<zone>`, which carries the
entry's tags, `dr:record` and `dr:record-values`; it holds the source endpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from localaws.seeds.network import tag_list
from localaws.services.arc import RecoveryClusterService, RecoveryControlConfigService
from localaws.services.ecs import EcsService
from localaws.services.route53 import Route53Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localaws.estate import Entry, Estate
    from localaws.world import World

CONTROL_REGION = "us-east-1"
ARC_REGION = "us-west-2"
SWITCH_NAMESPACE = "DR/Switch"
SWITCH_METRIC = "StandbyTakesOver"
SWITCH_PERIOD_SECONDS = 10


@dataclass(frozen=True)
class _Pair:
    world: World
    estate: Estate
    entry: Entry

    @property
    def account(self) -> str:
        return self.estate.account_id(self.entry.account)

    @property
    def label(self) -> str:
        return self.entry.name.removesuffix("-dns")

    @property
    def zone(self) -> str:
        zone = self.entry.setting("zone")
        if not zone:
            raise LookupError("zone is missing: give the name of the hosted zone")
        return str(zone).rstrip(".")

    @property
    def record(self) -> str:
        return str(self.entry.setting("record", f"{self.label}.{self.zone}")).rstrip(".")

    @property
    def tags(self) -> dict[str, str]:
        return {"Name": self.entry.name, **self.estate.tags(self.entry)}

    @property
    def route53(self) -> Route53Service:
        service = self.world.service("route53")
        assert isinstance(service, Route53Service)
        return service

    def endpoint(self, region: str) -> str:
        return f"{self.label}.{region}.elb.example"

    def call(self, operation: str, **params: Any) -> Any:
        return self.world.call("route53", operation, self.account, CONTROL_REGION, **params)


class _Single(_Pair):
    @property
    def zone(self) -> str:
        return f"{self.label}.{super().zone}"

    @property
    def record(self) -> str:
        return f"www.{self.zone}"


def seed_simple(world: World, estate: Estate, entry: Entry) -> None:
    """Make a single record that holds the source endpoint, in a zone whose tags tell both sides' values."""
    single = _Single(world, estate, entry)
    zone_id = _zone(single)
    for region in estate.regions:
        _register_endpoint(single, region)
    values = " ".join(f"{region}={single.endpoint(region)}" for region in estate.regions)
    tags = {**single.tags, "dr:record": single.record, "dr:record-values": values}
    single.call("ChangeTagsForResource", ResourceType="hostedzone", ResourceId=zone_id, AddTags=tag_list(tags))
    record = {
        "Name": single.record,
        "Type": "CNAME",
        "TTL": int(entry.setting("ttl_seconds", 60)),
        "ResourceRecords": [{"Value": single.endpoint(estate.primary_region)}],
    }
    single.route53.put_records(single.account, zone_id, [record])


def seed_failover(world: World, estate: Estate, entry: Entry) -> None:
    """Make a failover pair that follows the source endpoint by itself."""
    pair = _Pair(world, estate, entry)
    check = _endpoint_check(pair, estate.primary_region)
    _put_failover(pair, check)


def seed_weighted(world: World, estate: Estate, entry: Entry) -> None:
    """Make a weighted pair, all weight on the source side."""
    pair = _Pair(world, estate, entry)
    weights = {estate.primary_region: 100, estate.dr_region: 0}
    _put(pair, {r: {"Weight": w, "HealthCheckId": _endpoint_check(pair, r)} for r, w in weights.items()})


def seed_alarm(world: World, estate: Estate, entry: Entry) -> None:
    """Make a failover pair that the target side switches by writing a metric."""
    pair = _Pair(world, estate, entry)
    alarm = f"dr-switch-{pair.record}"
    world.call(
        "cloudwatch",
        "PutMetricAlarm",
        pair.account,
        estate.dr_region,
        AlarmName=alarm,
        AlarmDescription=f"Standby takes over {pair.record}: 1 moves traffic to {estate.dr_region}, 0 moves it back",
        Namespace=SWITCH_NAMESPACE,
        MetricName=SWITCH_METRIC,
        Dimensions=[{"Name": "Record", "Value": pair.record}],
        Statistic="Maximum",
        Period=SWITCH_PERIOD_SECONDS,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData=entry.setting("missing_data", "ignore"),
        Tags=tag_list(pair.tags),
    )
    config = {
        "Type": "CLOUDWATCH_METRIC",
        "AlarmIdentifier": {"Region": estate.dr_region, "Name": alarm},
        "InsufficientDataHealthStatus": "Healthy",
    }
    _put_failover(pair, _check(pair, "switch", config))
    for region in estate.regions:
        _register_endpoint(pair, region)


def seed_arc(world: World, estate: Estate, entry: Entry) -> None:
    """Make a failover pair that routing controls switch."""
    pair = _Pair(world, estate, entry)
    controls = _routing_controls(pair)
    routing: dict[str, dict[str, Any]] = {}
    for region, role in zip(estate.regions, ("PRIMARY", "SECONDARY"), strict=True):
        _register_endpoint(pair, region)
        config = {"Type": "RECOVERY_CONTROL", "RoutingControlArn": controls[region]}
        routing[region] = {"Failover": role, "HealthCheckId": _check(pair, f"arc-{region}", config)}
    _put(pair, routing)


def _routing_controls(pair: _Pair) -> dict[str, str]:
    """Return the routing control of each side by Region."""
    config = pair.world.service("route53-recovery-control-config")
    cluster = pair.world.service("route53-recovery-cluster")
    assert isinstance(config, RecoveryControlConfigService)
    assert isinstance(cluster, RecoveryClusterService)

    def make(operation: str, account: str = pair.account, **params: Any) -> Any:
        reply = pair.world.call(config.name, operation, account, ARC_REGION, **params)
        config.settle()
        return reply

    wanted = {"ClusterName": "estate", "ClientToken": "estate"}
    owner = str(pair.entry.setting("cluster_account", pair.account))
    home = {"ClusterArn": make("CreateCluster", owner, **wanted)["Cluster"]["ClusterArn"]}
    config.share(home["ClusterArn"], pair.account)
    panel = make("CreateControlPanel", **home, ControlPanelName=pair.record, Tags=pair.tags)["ControlPanel"]
    home["ControlPanelArn"] = panel["ControlPanelArn"]
    names = {region: f"{pair.record}-{region}" for region in pair.estate.regions}
    controls = {
        region: str(
            make("CreateRoutingControl", **home, RoutingControlName=name)["RoutingControl"]["RoutingControlArn"]
        )
        for region, name in names.items()
    }
    cluster.switch(controls[pair.estate.primary_region], "On")
    rule = {
        "Name": f"{pair.record}-serves",
        "ControlPanelArn": home["ControlPanelArn"],
        "AssertedControls": list(controls.values()),
        "RuleConfig": {"Type": "ATLEAST", "Threshold": 1, "Inverted": False},
        "WaitPeriodMs": int(pair.entry.setting("wait_ms", 5000)),
    }
    make("CreateSafetyRule", AssertionRule=rule)
    return controls


def _put_failover(pair: _Pair, check: str) -> None:
    source, target = pair.estate.regions
    _register_endpoint(pair, target)
    primary = {"Failover": "PRIMARY", "HealthCheckId": check}
    _put(pair, {source: primary, target: {"Failover": "SECONDARY"}})


def _put(pair: _Pair, routing: Mapping[str, Mapping[str, Any]]) -> None:
    zone_id = _zone(pair)
    records = [
        {
            "Name": pair.record,
            "Type": "CNAME",
            "SetIdentifier": region,
            "TTL": int(pair.entry.setting("ttl_seconds", 60)),
            "ResourceRecords": [{"Value": pair.endpoint(region)}],
            **policy,
        }
        for region, policy in routing.items()
    ]
    pair.route53.put_records(pair.account, zone_id, records)


def _zone(pair: _Pair) -> str:
    for zone in pair.world.backend("route53", pair.account, CONTROL_REGION).zones.values():
        if zone.name == f"{pair.zone}.":
            return str(zone.resource_id)
    reply = pair.call("CreateHostedZone", Name=pair.zone, CallerReference=f"estate-{pair.zone}")
    zone_id = str(reply["HostedZone"]["Id"]).rsplit("/", 1)[-1]
    tags = {key: value for key, value in pair.tags.items() if key == "Customer"}
    pair.call(
        "ChangeTagsForResource",
        ResourceType="hostedzone",
        ResourceId=zone_id,
        AddTags=tag_list({"Name": pair.zone, **tags}),
    )
    return zone_id


def _endpoint_check(pair: _Pair, region: str) -> str:
    _register_endpoint(pair, region)
    config = {
        "Type": "HTTPS",
        "FullyQualifiedDomainName": pair.endpoint(region),
        "Port": 443,
        "ResourcePath": "/health",
        "RequestInterval": 10,
        "FailureThreshold": 3,
    }
    return _check(pair, region, config)


def _check(pair: _Pair, suffix: str, config: Mapping[str, Any]) -> str:
    reference = f"estate-{pair.record}-{suffix}"
    check_id = str(
        pair.call("CreateHealthCheck", CallerReference=reference, HealthCheckConfig=dict(config))["HealthCheck"]["Id"]
    )
    pair.call("ChangeTagsForResource", ResourceType="healthcheck", ResourceId=check_id, AddTags=tag_list(pair.tags))
    return check_id


def _register_endpoint(pair: _Pair, region: str) -> None:
    service = _service_behind(pair)
    ecs = pair.world.service("ecs")
    assert isinstance(ecs, EcsService)
    if service is None:
        pair.route53.health.register_endpoint(pair.endpoint(region), lambda: True, region)
        return
    account = pair.estate.account_id(service.account)
    cluster = str(service.setting("cluster", service.account))
    count = partial(ecs.running_count, account, region, cluster, service.name)
    pair.route53.health.register_endpoint(pair.endpoint(region), lambda: count() > 0, region)


def _service_behind(pair: _Pair) -> Entry | None:
    wanted = pair.entry.setting("depends_on_service") or pair.tags.get("dr:dependencies", "")
    names = [name.strip() for name in str(wanted).replace(" ", ",").split(",")]
    services = [entry for entry in pair.estate.resources if entry.kind == "ecs-service" and entry.name in names]
    return services[0] if services else None
