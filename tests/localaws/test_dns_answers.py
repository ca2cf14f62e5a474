"""What the embedded Route 53 answers: routing policies, health, faults; by function and over a real socket."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from typing import Any

import dns.resolver
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from localaws import admin
from localaws import dns as local_dns
from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.estate import Estate
from localaws.scenario import parse_fault

ACCOUNT = "222222222222"
SOURCE, TARGET = "us-east-1", "us-west-2"
ON_SOURCE, ON_TARGET = ["store.us-east-1.elb.example"], ["store.us-west-2.elb.example"]
NAME = "store.shop.example.com"


@cache
def embedded_aws() -> LocalAws:
    return LocalAws({ACCOUNT: "apps"}, clock=ManualClock())


@cache
def client(service: str, region: str) -> Any:
    once = Config(retries={"total_max_attempts": 1})
    return embedded_aws().session(ACCOUNT, region).client(service, config=once)


class Shop:
    """One DNS entry of an estate, its Regions, and how the world treats them."""

    def __init__(self, kind: str, *others: dict[str, Any], **settings: Any) -> None:
        self.local = embedded_aws()
        self.local.reset()
        self.local.faults.remove()
        self.clock = self.local.clock = ManualClock()
        entry = {"kind": kind, "account": "apps", "name": "store-dns", "zone": "shop.example.com"}
        estates.seed(self.local, estate_of([{**entry, "tags": {"dr:enabled": "true"}, **settings}, *others]))
        self.clock.advance(60)
        self.route53 = client("route53", SOURCE)

    def answers(self) -> list[str]:
        return local_dns.resolve(self.local, NAME, "A")

    def check(self, text: str = SOURCE) -> dict[str, Any]:
        checks = self.route53.list_health_checks()["HealthChecks"]
        return next(each for each in checks if text in str(each["HealthCheckConfig"]))

    def update_check(self, **changes: Any) -> None:
        self.route53.update_health_check(HealthCheckId=self.check()["Id"], **changes)

    def is_healthy(self, text: str = SOURCE) -> bool:
        reply = self.route53.get_health_check_status(HealthCheckId=self.check(text)["Id"])
        words = {each["StatusReport"]["Status"].split(":")[0] for each in reply["HealthCheckObservations"]}
        assert len(words) == 1
        return words == {"Success"}

    def set_weights(self, source: int, target: int) -> None:
        zone = self.route53.list_hosted_zones()["HostedZones"][0]["Id"]
        listed = self.route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
        weights = {SOURCE: source, TARGET: target}
        changes = [
            {"Action": "UPSERT", "ResourceRecordSet": {**record, "Weight": weights[record["SetIdentifier"]]}}
            for record in listed
            if "Weight" in record
        ]
        self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
        self.clock.advance(60)

    def put_switch(self, value: float) -> None:
        datum = {
            "MetricName": "StandbyTakesOver",
            "Dimensions": [{"Name": "Record", "Value": NAME}],
            "Value": value,
        }
        client("cloudwatch", TARGET).put_metric_data(Namespace="DR/Switch", MetricData=[datum])

    def go_dark(self, *regions: str) -> None:
        for region in regions:
            self.local.faults.add(parse_fault({"effect": "blackout", "region": region}))

    def come_back(self) -> None:
        self.local.faults.remove()

    def take_control_plane_down(self) -> None:
        self.local.faults.add(parse_fault({"effect": "control-plane-down", "service": "route53"}))


def estate_of(resources: list[dict[str, Any]]) -> Estate:
    return estates.parse(
        {
            "name": "test",
            "organization": {"id": "o-exampleorg1", "root": "r-abcd"},
            "hub": {"account": "apps", "regions": [SOURCE, TARGET]},
            "accounts": {"apps": ACCOUNT},
            "primary_region": SOURCE,
            "dr_region": TARGET,
            "resources": resources,
        },
        "test",
    )


def test_failover_follows_a_dead_region_by_itself_and_returns_with_it() -> None:
    shop = Shop("dns-failover")
    assert shop.answers() == ON_SOURCE

    shop.go_dark(SOURCE)
    shop.clock.advance(45)
    assert shop.answers() == ON_TARGET

    shop.come_back()
    shop.clock.advance(45)
    assert shop.answers() == ON_SOURCE


def test_a_dead_endpoint_is_noticed_only_after_the_checkers_agree() -> None:
    shop = Shop("dns-failover")
    assert shop.answers() == ON_SOURCE

    shop.go_dark(SOURCE)
    shop.clock.advance(10)
    assert shop.answers() == ON_SOURCE
    shop.clock.advance(25)

    assert shop.answers() == ON_TARGET


def test_disabled_and_inverted_forces_the_check_unhealthy_whatever_the_endpoint_does() -> None:
    shop = Shop("dns-failover")
    version = shop.check()["HealthCheckVersion"]

    shop.update_check(HealthCheckVersion=version, Disabled=True, Inverted=True)
    assert shop.answers() == ON_SOURCE
    shop.clock.advance(30)

    assert shop.answers() == ON_TARGET
    assert not shop.is_healthy()
    assert shop.check()["HealthCheckVersion"] == version + 1
    shop.update_check(Disabled=False, Inverted=False)
    shop.clock.advance(30)
    assert shop.answers() == ON_SOURCE


def test_a_disabled_check_counts_as_healthy_over_a_dead_endpoint() -> None:
    shop = Shop("dns-failover")
    shop.update_check(Disabled=True)
    shop.go_dark(SOURCE)

    shop.clock.advance(600)

    assert shop.answers() == ON_SOURCE


def test_an_old_version_of_a_check_is_not_overwritten() -> None:
    shop = Shop("dns-failover")
    shop.update_check(HealthCheckVersion=1, FailureThreshold=2)

    with pytest.raises(ClientError, match="HealthCheckVersionMismatch"):
        shop.update_check(HealthCheckVersion=1, Inverted=True)


def test_weights_move_in_one_change_and_zero_weights_wait_in_reserve() -> None:
    shop = Shop("dns-weighted")
    assert shop.answers() == ON_SOURCE

    shop.set_weights(0, 100)
    assert shop.answers() == ON_TARGET

    shop.go_dark(TARGET)
    shop.clock.advance(45)
    assert shop.answers() == ON_SOURCE


def test_weights_of_zero_and_zero_share_the_traffic_equally() -> None:
    shop = Shop("dns-weighted")

    shop.set_weights(0, 0)

    answered = {tuple(shop.answers()) for _ in range(50)}
    assert answered == {tuple(ON_SOURCE), tuple(ON_TARGET)}


def test_when_nothing_is_healthy_the_primary_is_answered() -> None:
    shop = Shop("dns-weighted")
    shop.go_dark(SOURCE, TARGET)

    shop.clock.advance(60)

    assert shop.answers() == ON_SOURCE


def test_the_standby_takes_over_by_an_alarm_while_source_region_and_control_plane_are_down() -> None:
    shop = Shop("dns-alarm")
    shop.go_dark(SOURCE)
    shop.take_control_plane_down()
    shop.clock.advance(60)
    assert shop.answers() == ON_SOURCE

    client("cloudwatch", TARGET).set_alarm_state(
        AlarmName=f"dr-switch-{NAME}", StateValue="ALARM", StateReason="standby takes over"
    )
    shop.clock.advance(45)

    assert shop.answers() == ON_TARGET
    with pytest.raises(ConnectionClosedError):
        shop.route53.list_hosted_zones()


def test_answers_go_on_while_only_the_control_plane_is_down() -> None:
    shop = Shop("dns-failover")
    shop.take_control_plane_down()

    with pytest.raises(ClientError, match="ServiceUnavailable"):
        shop.route53.list_hosted_zones()

    assert shop.answers() == ON_SOURCE


def test_one_metric_value_switches_and_holds_until_the_next() -> None:
    shop = Shop("dns-alarm")
    alarm = client("cloudwatch", TARGET).describe_alarms()["MetricAlarms"][0]
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["Threshold"]) == (10, 1, 1.0)

    shop.put_switch(1)
    assert shop.answers() == ON_SOURCE
    shop.clock.advance(3600)
    assert shop.answers() == ON_TARGET

    shop.put_switch(0)
    shop.clock.advance(45)
    assert shop.answers() == ON_SOURCE


def test_the_health_check_status_metric_tells_the_truth_in_us_east_1_only() -> None:
    shop = Shop("dns-failover")
    shop.update_check(Disabled=True, Inverted=True)
    shop.clock.advance(60)

    def minimum(region: str) -> list[float]:
        reply = client("cloudwatch", region).get_metric_statistics(
            Namespace="AWS/Route53",
            MetricName="HealthCheckStatus",
            Dimensions=[{"Name": "HealthCheckId", "Value": shop.check()["Id"]}],
            StartTime=shop.clock.now() - timedelta(seconds=60),
            EndTime=shop.clock.now(),
            Period=60,
            Statistics=["Minimum"],
        )
        return [each["Minimum"] for each in reply["Datapoints"]]

    assert shop.answers() == ON_TARGET
    assert minimum("us-east-1") == [0.0]
    assert minimum("us-west-2") == []


def test_an_endpoint_before_an_ecs_service_serves_while_tasks_run() -> None:
    service = {"kind": "ecs-service", "account": "apps", "name": "web-store", "desired_count": 1, "min_capacity": 0}
    shop = Shop("dns-failover", service, tags={"dr:dependencies": "web-store"})
    assert shop.answers() == ON_SOURCE

    client("ecs", SOURCE).update_service(cluster="apps", service="web-store", desiredCount=0)
    shop.clock.advance(90)

    assert shop.answers() == ON_TARGET


def test_a_calculated_check_needs_enough_healthy_children() -> None:
    shop = Shop("dns-weighted")
    children = [shop.check(SOURCE)["Id"], shop.check(TARGET)["Id"]]
    config = {"Type": "CALCULATED", "ChildHealthChecks": children, "HealthThreshold": 2}
    check = shop.route53.create_health_check(CallerReference="both", HealthCheckConfig=config)["HealthCheck"]
    zone = shop.route53.list_hosted_zones()["HostedZones"][0]["Id"]
    pair = [("PRIMARY", "primary.example.org", {"HealthCheckId": check["Id"]}), ("SECONDARY", "backup.example.org", {})]
    records = [
        {
            "Name": "both.shop.example.com",
            "Type": "CNAME",
            "SetIdentifier": role,
            "Failover": role,
            "TTL": 60,
            "ResourceRecords": [{"Value": value}],
            **extra,
        }
        for role, value, extra in pair
    ]
    changes = [{"Action": "CREATE", "ResourceRecordSet": record} for record in records]
    shop.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    shop.clock.advance(60)
    assert local_dns.resolve(shop.local, "both.shop.example.com") == ["primary.example.org"]

    shop.go_dark(TARGET)
    shop.clock.advance(60)
    local_dns.resolve(shop.local, "both.shop.example.com")
    shop.clock.advance(60)

    assert local_dns.resolve(shop.local, "both.shop.example.com") == ["backup.example.org"]
    with pytest.raises(ClientError, match="InvalidInput.*calculated"):
        shop.route53.get_health_check_status(HealthCheckId=check["Id"])


def test_the_seeded_check_carries_the_entrys_tags() -> None:
    shop = Shop("dns-alarm")

    tags = shop.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=shop.check(TARGET)["Id"])

    assert {"Key": "dr:enabled", "Value": "true"} in tags["ResourceTagSet"]["Tags"]


def test_test_dns_answer_says_what_the_name_servers_say() -> None:
    shop = Shop("dns-failover")
    zone = shop.route53.list_hosted_zones()["HostedZones"][0]["Id"]

    answer = shop.route53.test_dns_answer(HostedZoneId=zone, RecordName=NAME, RecordType="CNAME")
    missing = shop.route53.test_dns_answer(HostedZoneId=zone, RecordName=f"no.{NAME}", RecordType="A")

    assert (answer["RecordData"], answer["ResponseCode"]) == ([ON_SOURCE[0]], "NOERROR")
    assert missing["ResponseCode"] == "NXDOMAIN"


def test_the_admin_page_shows_the_live_answer() -> None:
    shop = Shop("dns-failover")
    environ = {
        "PATH_INFO": "/_localaws/dns",
        "QUERY_STRING": f"name={NAME}&type=A",
        "REQUEST_METHOD": "GET",
        "wsgi.input": io.BytesIO(),
    }

    answer = json.loads(admin.respond(shop.local, environ).body)
    nameless = admin.respond(shop.local, {**environ, "QUERY_STRING": ""})

    assert (answer["zone"], answer["exists"]) == ("shop.example.com.", True)
    assert [(each["type"], each["ttl"]) for each in answer["records"]] == [("CNAME", 60)]
    assert nameless.status == 400


@pytest.fixture
def served() -> Iterator[tuple[Shop, dns.resolver.Resolver]]:
    shop = Shop("dns-failover")
    server = local_dns.DnsServer(shop.local).start()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = server.port
    resolver.lifetime = 5
    yield shop, resolver
    server.stop()


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_real_resolver_gets_the_live_answer_with_its_ttl(
    served: tuple[Shop, dns.resolver.Resolver], tcp: bool
) -> None:
    shop, resolver = served
    before = resolver.resolve(NAME, "CNAME", tcp=tcp)
    shop.go_dark(SOURCE)
    shop.take_control_plane_down()
    shop.clock.advance(60)

    after = resolver.resolve(NAME, "CNAME", tcp=tcp)

    assert before.rrset is not None
    assert before.rrset.ttl == 60
    assert [str(each.target) for each in before] == ["store.us-east-1.elb.example."]
    assert [str(each.target) for each in after] == ["store.us-west-2.elb.example."]


def test_a_real_resolver_learns_what_does_not_exist(served: tuple[Shop, dns.resolver.Resolver]) -> None:
    _, resolver = served

    with pytest.raises(dns.resolver.NXDOMAIN):
        resolver.resolve("nothing.shop.example.com", "A")
    with pytest.raises(dns.resolver.NoAnswer):
        resolver.resolve("shop.example.com", "TXT")
    with pytest.raises(dns.resolver.NoNameservers, match="REFUSED"):
        resolver.resolve("example.org", "A")


def test_a_load_balancers_own_name_has_an_address_although_nobody_here_hosts_it(
    served: tuple[Shop, dns.resolver.Resolver],
) -> None:
    _, resolver = served

    addresses = [str(each) for each in resolver.resolve("store.us-west-2.elb.example", "A")]

    assert len(addresses) == 1
    assert addresses[0].startswith("198.18.")
