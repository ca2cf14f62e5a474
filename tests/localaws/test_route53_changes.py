"""Route 53's control plane in the embedded AWS: changes take time, refusals are AWS's."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from localaws import dns
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.scenario import parse_fault
from localaws.service import Call, Reply

ACCOUNT = "222222222222"
NAME = "store.shop.example.com"


def has_the_documented_shape(call: Call, reply: Reply) -> Reply:
    """Fail any test whose answers carry a field or a type that botocore's model does not know."""
    shape = get_service_model(call.service).operation_model(call.operation).output_shape
    if call.service == "route53" and shape is not None:
        report = ParamValidator().validate(dict(reply), shape)
        assert not report.has_errors(), report.generate_report()
    return reply


@cache
def embedded_aws() -> LocalAws:
    local = LocalAws({ACCOUNT: "network"}, clock=ManualClock())
    local.after.append(has_the_documented_shape)
    return local


@cache
def client() -> Any:
    once = Config(retries={"total_max_attempts": 1})
    return embedded_aws().session(ACCOUNT, "us-west-2").client("route53", config=once)


class Zone:
    """A hosted zone and what its owner does with it."""

    def __init__(self) -> None:
        self.local = embedded_aws()
        self.local.reset()
        self.local.faults.remove()
        self.clock = self.local.clock = ManualClock()
        self.route53 = client()
        reply = self.route53.create_hosted_zone(Name="shop.example.com", CallerReference="zone")
        self.id = reply["HostedZone"]["Id"]

    def change(self, *changes: tuple[str, dict[str, Any]]) -> dict[str, Any]:
        batch = [{"Action": action, "ResourceRecordSet": record} for action, record in changes]
        reply = self.route53.change_resource_record_sets(HostedZoneId=self.id, ChangeBatch={"Changes": batch})
        info: dict[str, Any] = reply["ChangeInfo"]
        return info

    def settle(self, *changes: tuple[str, dict[str, Any]]) -> None:
        self.change(*changes)
        self.clock.advance(60)

    def status(self, change: dict[str, Any]) -> str:
        return str(self.route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"])

    def records(self, **options: Any) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.route53.list_resource_record_sets(HostedZoneId=self.id, **options)[
            "ResourceRecordSets"
        ]
        return listed

    def answers(self, name: str = NAME, rtype: str = "CNAME") -> list[str]:
        return dns.resolve(self.local, name, rtype)


@pytest.fixture
def zone() -> Zone:
    return Zone()


def cname(value: str, name: str = NAME, **routing: Any) -> dict[str, Any]:
    return {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": value}], **routing}


def weighted(region: str, weight: int) -> dict[str, Any]:
    return cname(f"store.{region}.elb.example", SetIdentifier=region, Weight=weight)


def test_a_change_is_listed_at_once_and_answered_when_in_sync(zone: Zone) -> None:
    zone.settle(("CREATE", cname("old.example.org")))
    change = zone.change(("UPSERT", cname("new.example.org")))

    assert zone.status(change) == "PENDING"
    assert zone.records(StartRecordName=NAME)[0]["ResourceRecords"] == [{"Value": "new.example.org"}]
    assert zone.answers() == ["old.example.org"]

    zone.clock.advance(60)

    assert zone.status(change) == "INSYNC"
    assert zone.answers() == ["new.example.org"]


def test_a_second_change_right_behind_the_first_is_refused(zone: Zone) -> None:
    zone.change(("CREATE", cname("a.example.org")))
    with pytest.raises(ClientError, match="PriorRequestNotComplete"):
        zone.change(("UPSERT", cname("b.example.org")))

    zone.clock.advance(3)

    assert zone.status(zone.change(("UPSERT", cname("b.example.org")))) == "PENDING"


def test_a_change_that_sticks_stays_pending_and_unanswered_until_a_later_one_overtakes_it(zone: Zone) -> None:
    zone.settle(("CREATE", cname("old.example.org")))
    zone.local.faults.add(parse_fault({"kind": "route53.*", "effect": "stuck"}))
    stuck = zone.change(("UPSERT", cname("lost.example.org")))
    zone.clock.advance(3600)
    assert zone.status(stuck) == "PENDING"
    assert zone.answers() == ["old.example.org"]

    zone.local.faults.remove()
    zone.settle(("UPSERT", cname("again.example.org")))

    assert zone.answers() == ["again.example.org"]


def test_an_unknown_change_is_not_found(zone: Zone) -> None:
    with pytest.raises(ClientError, match="NoSuchChange"):
        zone.route53.get_change(Id="/change/C0000000000000000000")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ([("CREATE", cname("a.example.org"))], "InvalidChangeBatch.*already exists"),
        ([("DELETE", cname("wrong.example.org"))], "InvalidChangeBatch.*do not match the current values"),
        ([("DELETE", cname("a", name="no.shop.example.com"))], "InvalidChangeBatch.*but it was not found"),
        ([("UPSERT", cname("a", name="other.example.org"))], "InvalidChangeBatch.*not permitted in zone"),
        ([("UPSERT", cname("a", name="shop.example.com"))], "InvalidChangeBatch.*not permitted at apex"),
        ([("UPSERT", weighted("us-east-1", 100))], "InvalidChangeBatch.*different routing policy"),
        ([("UPSERT", {**cname("192.0.2.1"), "Type": "A"})], "InvalidChangeBatch.*conflicts with other records"),
        ([("UPSERT", {"Name": NAME, "Type": "CNAME"})], "InvalidInput.*found none"),
        ([("UPSERT", cname("a", Weight=1))], "InvalidInput.*SetIdentifier"),
        ([("UPSERT", cname("a", SetIdentifier="x"))], "InvalidInput.*found none"),
        ([("UPSERT", cname("a", HealthCheckId="0-0"))], "NoSuchHealthCheck"),
    ],
)
def test_a_batch_that_aws_would_refuse_is_refused_and_changes_nothing(
    zone: Zone, changes: list[tuple[str, dict[str, Any]]], error: str
) -> None:
    zone.settle(("CREATE", cname("a.example.org")))
    before = zone.records()

    with pytest.raises(ClientError, match=error):
        zone.change(("UPSERT", cname("b.example.org", name="new.shop.example.com")), *changes)

    assert zone.records() == before


def test_two_primaries_are_refused(zone: Zone) -> None:
    with pytest.raises(ClientError, match="InvalidChangeBatch.*same Failover value"):
        zone.change(
            ("CREATE", cname("a", SetIdentifier="us-east-1", Failover="PRIMARY")),
            ("CREATE", cname("b", SetIdentifier="us-west-2", Failover="PRIMARY")),
        )


def test_a_batch_of_more_than_a_thousand_records_is_refused_and_upserts_count_twice(zone: Zone) -> None:
    records = [{"Value": f"192.0.2.{number % 250}"} for number in range(501)]
    record = {"Name": NAME, "Type": "A", "TTL": 60, "ResourceRecords": records}

    with pytest.raises(ClientError, match="InvalidChangeBatch.*limit of 1000"):
        zone.change(("UPSERT", record))

    assert zone.change(("CREATE", record))["Status"] == "PENDING"


def test_deleting_one_of_a_pair_leaves_the_other_and_every_other_name(zone: Zone) -> None:
    other = cname("c", name="api.shop.example.com", SetIdentifier="us-east-1", Weight=1)
    zone.settle(("CREATE", weighted("us-east-1", 100)), ("CREATE", weighted("us-west-2", 0)), ("CREATE", other))

    zone.settle(("DELETE", weighted("us-east-1", 100)))

    left = [(r["Name"], r.get("SetIdentifier")) for r in zone.records() if r["Type"] == "CNAME"]
    assert left == [("api.shop.example.com.", "us-east-1"), (f"{NAME}.", "us-west-2")]


def test_records_are_listed_by_labels_from_the_right_page_by_page(zone: Zone) -> None:
    names = ["b.shop.example.com", "a.b.shop.example.com", "a-b.shop.example.com", "*.shop.example.com"]
    zone.settle(
        *(("CREATE", cname("x", name=name)) for name in names),
        ("CREATE", weighted("us-west-2", 0)),
        ("CREATE", weighted("us-east-1", 100)),
    )

    page = zone.route53.list_resource_record_sets(HostedZoneId=zone.id, MaxItems="7")
    pages = zone.route53.get_paginator("list_resource_record_sets").paginate(
        HostedZoneId=zone.id, PaginationConfig={"PageSize": 1}
    )

    listed = [(r["Name"], r.get("SetIdentifier")) for each in pages for r in each["ResourceRecordSets"]]
    assert listed == [
        ("shop.example.com.", None),
        ("shop.example.com.", None),
        ("\\052.shop.example.com.", None),
        ("a-b.shop.example.com.", None),
        ("b.shop.example.com.", None),
        ("a.b.shop.example.com.", None),
        (f"{NAME}.", "us-east-1"),
        (f"{NAME}.", "us-west-2"),
    ]
    assert (page["IsTruncated"], page["NextRecordName"], page["NextRecordIdentifier"]) == (
        True,
        f"{NAME}.",
        "us-west-2",
    )


def test_a_protected_record_cannot_be_changed(zone: Zone) -> None:
    protection = {"RecordName": NAME, "RecordType": "CNAME"}
    zone.route53.create_resource_record_set_protections(HostedZoneId=zone.id, Protections=[protection])
    listed = zone.route53.list_resource_record_set_protections(HostedZoneId=zone.id)["ResourceRecordSetProtections"]
    assert [each["RecordName"] for each in listed] == [f"{NAME}."]

    with pytest.raises(ClientError, match="InvalidChangeBatch.*protected"):
        zone.change(("CREATE", cname("a")))
    zone.route53.delete_resource_record_set_protections(HostedZoneId=zone.id, Protections=[protection])

    assert zone.change(("CREATE", cname("a")))["Status"] == "PENDING"


def test_accelerated_recovery_takes_its_time_and_keeps_the_zone(zone: Zone) -> None:
    def status() -> str:
        features = zone.route53.get_hosted_zone(Id=zone.id)["HostedZone"]["Features"]
        return str(features["AcceleratedRecoveryStatus"])

    assert status() == "DISABLED"
    zone.route53.update_hosted_zone_features(HostedZoneId=zone.id, EnableAcceleratedRecovery=True)
    assert status() == "ENABLING"

    zone.clock.advance(3600)

    assert status() == "ENABLED"
    with pytest.raises(ClientError, match="InvalidInput.*accelerated recovery"):
        zone.route53.delete_hosted_zone(Id=zone.id)


def test_tags_belong_to_zones_and_health_checks_that_exist(zone: Zone) -> None:
    check = zone.route53.create_health_check(
        CallerReference="check",
        HealthCheckConfig={"Type": "TCP", "FullyQualifiedDomainName": "a.example", "Port": 5432},
    )["HealthCheck"]["Id"]
    zone.route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=check, AddTags=[{"Key": "dr:enabled", "Value": "true"}]
    )

    tagged = zone.route53.list_tags_for_resources(ResourceType="healthcheck", ResourceIds=[check])["ResourceTagSets"]

    assert tagged[0]["Tags"] == [{"Key": "dr:enabled", "Value": "true"}]
    with pytest.raises(ClientError, match="NoSuchHealthCheck"):
        zone.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId="0-0")
    with pytest.raises(ClientError, match="NoSuchHostedZone"):
        zone.route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId="Z0")


def test_the_control_plane_answers_in_us_east_1(zone: Zone) -> None:
    zone.records()

    assert {line.region for line in zone.local.call_log if line.service == "route53"} == {"us-east-1"}
