"""CloudWatch in the embedded AWS: alarms that follow their data, metrics computed from live state, quotas."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from localaws.services.cloudwatch import CloudWatchService
from localaws.services.cloudwatch.alarms import AlarmState, decide_state
from tests.localaws.databases import ACCOUNT, SOURCE, TARGET, Shop, open_shop, refused

METRIC = {"Namespace": "Shop", "MetricName": "Healthy"}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return open_shop(monkeypatch)


def alarm(shop: Shop, **changes: Any) -> None:
    settings = {
        "AlarmName": "unhealthy",
        **METRIC,
        "Statistic": "Minimum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "Threshold": 1.0,
        "ComparisonOperator": "LessThanThreshold",
        **changes,
    }
    shop.client("cloudwatch", TARGET).put_metric_alarm(**settings)


def put(shop: Shop, value: float) -> None:
    data = [{"MetricName": "Healthy", "Value": value}]
    shop.client("cloudwatch", TARGET).put_metric_data(Namespace="Shop", MetricData=data)


def state(shop: Shop) -> str:
    shown = shop.client("cloudwatch", TARGET).describe_alarms(AlarmNames=["unhealthy"])["MetricAlarms"][0]
    service = shop.local.service("cloudwatch")
    assert isinstance(service, CloudWatchService)
    assert service.alarm_state(ACCOUNT, TARGET, "unhealthy") == shown["StateValue"]
    return str(shown["StateValue"])


def test_an_alarm_follows_its_data_and_ends_without_it(shop: Shop) -> None:
    alarm(shop)
    assert state(shop) == "INSUFFICIENT_DATA"
    put(shop, 1)
    assert state(shop) == "OK"
    shop.wait(minutes=1)
    put(shop, 0)
    assert state(shop) == "OK"  # one of two periods breaches
    shop.wait(minutes=1)
    put(shop, 0)
    assert state(shop) == "ALARM"
    shop.wait(minutes=1)
    put(shop, 1)
    assert state(shop) == "OK"
    shop.wait(minutes=30)
    assert state(shop) == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [("missing", "INSUFFICIENT_DATA"), ("ignore", "ALARM"), ("breaching", "ALARM"), ("notBreaching", "OK")],
)
def test_silence_means_what_the_alarm_says_it_means(shop: Shop, treatment: str, expected: str) -> None:
    alarm(shop, TreatMissingData=treatment, EvaluationPeriods=1)
    put(shop, 0)
    assert state(shop) == "ALARM"
    shop.wait(minutes=30)
    assert state(shop) == expected


def test_a_state_set_by_hand_holds_until_new_data_speaks(shop: Shop) -> None:
    alarm(shop, EvaluationPeriods=1)
    put(shop, 1)
    shop.client("cloudwatch", TARGET).set_alarm_state(AlarmName="unhealthy", StateValue="ALARM", StateReason="drill")
    assert state(shop) == "ALARM"
    shop.wait(minutes=20)
    assert state(shop) == "ALARM"
    put(shop, 1)
    assert state(shop) == "OK"
    with refused("ResourceNotFound"):
        shop.client("cloudwatch", TARGET).set_alarm_state(AlarmName="nope", StateValue="OK", StateReason="x")


def test_periods_are_shorter_when_the_clock_runs_faster(shop: Shop) -> None:
    shop.clock.speed = 60.0
    try:
        alarm(shop, EvaluationPeriods=1)
        put(shop, 0)
        assert state(shop) == "ALARM"
        shop.clock.advance(1)  # one wall second is a period now
        put(shop, 1)
        assert state(shop) == "OK"
    finally:
        shop.clock.speed = 1.0


def test_an_unknown_alarm_has_insufficient_data(shop: Shop) -> None:
    service = shop.local.service("cloudwatch")
    assert isinstance(service, CloudWatchService)
    assert service.alarm_state(ACCOUNT, TARGET, "nobody") == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("values", "expected"),
    [  # the "3 out of 3" table of the CloudWatch user guide; newest value last
        (("0", "-", "X", "-", "X"), ("OK", "OK", "OK", "OK")),
        (("0", "X", "X", "-", "X"), ("ALARM", "ALARM", "ALARM", "ALARM")),
        (("-", "-", "-", "-", "0"), ("OK", "kept", "OK", "OK")),
        (("-", "-", "-", "-", "-"), ("INSUFFICIENT_DATA", "kept", "ALARM", "OK")),
        (("-", "-", "X", "-", "-"), ("ALARM", "kept", "ALARM", "OK")),
    ],
)
def test_missing_data_is_decided_as_the_user_guide_lists_it(values: tuple[str, ...], expected: tuple[str, ...]) -> None:
    numbers = {"X": 9.0, "0": 0.0, "-": None}
    for treatment, wanted in zip(("missing", "ignore", "breaching", "notBreaching"), expected, strict=True):
        for current in AlarmState:
            decided = decide_state(
                [numbers[one] for one in reversed(values)],
                comparison="GreaterThanThreshold",
                threshold=1.0,
                periods=3,
                to_alarm=3,
                treat_missing=treatment,
                current=current,
            )
            assert decided == (current if wanted == "kept" else wanted), treatment


def test_an_alarm_on_replication_lag_follows_the_database(shop: Shop) -> None:
    shop.seed("rds-replica", lag_seconds=90)
    alarm(
        shop,
        Namespace="AWS/RDS",
        MetricName="ReplicaLag",
        Dimensions=[{"Name": "DBInstanceIdentifier", "Value": "orders"}],
        Threshold=30.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    assert state(shop) == "ALARM"
    shop.fence(SOURCE)
    shop.client("rds", SOURCE).reboot_db_instance(DBInstanceIdentifier="orders")
    shop.wait(minutes=5)
    assert state(shop) == "OK"


def test_another_module_can_provide_a_metric_and_it_is_listed_and_read_like_any_other(shop: Shop) -> None:
    service = shop.local.service("cloudwatch")
    assert isinstance(service, CloudWatchService)
    service.register_metric_source(
        "Test/Queue",
        lambda account, region, name, dimensions, at: 7.0 if (name, dimensions) == ("Depth", {"Q": "a"}) else None,
        lambda account, region: [("Depth", {"Q": "a"})],
    )
    cloudwatch = shop.client("cloudwatch", TARGET)
    listed = cloudwatch.list_metrics(Namespace="Test/Queue")["Metrics"]
    assert [one["MetricName"] for one in listed] == ["Depth"]
    now = shop.clock.now()
    about = {"Namespace": "Test/Queue", "MetricName": "Depth", "Dimensions": [{"Name": "Q", "Value": "a"}]}
    window = {"StartTime": now - timedelta(minutes=2), "EndTime": now}
    points = cloudwatch.get_metric_statistics(**about, **window, Period=60, Statistics=["Average", "Maximum"])
    assert {(one["Average"], one["Maximum"]) for one in points["Datapoints"]} == {(7.0, 7.0)}
    other = {**about, "Dimensions": [{"Name": "Q", "Value": "b"}]}
    queries = [
        {"Id": "known", "MetricStat": {"Metric": about, "Period": 60, "Stat": "Sum"}},
        {"Id": "other", "MetricStat": {"Metric": other, "Period": 60, "Stat": "Sum"}},
    ]
    results = cloudwatch.get_metric_data(MetricDataQueries=queries, **window)["MetricDataResults"]
    assert [set(one["Values"]) for one in results] == [{7.0}, set()]


def test_stored_data_is_read_per_period_with_every_statistic(shop: Shop) -> None:
    cloudwatch = shop.client("cloudwatch", TARGET)
    cloudwatch.put_metric_data(
        Namespace="Shop",
        MetricData=[
            {"MetricName": "Ms", "Values": [10.0, 20.0], "Counts": [3.0, 1.0]},
            {
                "MetricName": "Set",
                "StatisticValues": {"SampleCount": 4.0, "Sum": 8.0, "Minimum": 1.0, "Maximum": 5.0},
            },
        ],
    )
    now = shop.clock.now()
    window = {"StartTime": now - timedelta(minutes=1), "EndTime": now + timedelta(minutes=1), "Period": 60}
    stats = ["Average", "Sum", "SampleCount", "Minimum", "Maximum"]

    def read(name: str) -> tuple[float, ...]:
        reply = cloudwatch.get_metric_statistics(Namespace="Shop", MetricName=name, Statistics=stats, **window)
        return tuple(reply["Datapoints"][0][stat] for stat in stats)

    assert read("Ms") == (12.5, 50.0, 4.0, 10.0, 20.0)
    assert read("Set") == (2.0, 8.0, 4.0, 1.0, 5.0)
    slow = cloudwatch.get_metric_statistics(Namespace="Shop", MetricName="Ms", ExtendedStatistics=["p99"], **window)
    assert slow["Datapoints"][0]["ExtendedStatistics"] == {"p99": 20.0}


def test_quotas_have_defaults_that_an_estate_overrides(shop: Shop) -> None:
    quotas = shop.client("service-quotas", TARGET)
    assert quotas.get_service_quota(ServiceCode="drs", QuotaCode="L-B827C881")["Quota"]["Value"] == 100
    shop.seed("service-quota", name="cpu", service="ec2", code="L-1216C47A", value=8, region=TARGET)
    asked = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    assert quotas.get_service_quota(**asked)["Quota"]["Value"] == 8
    assert quotas.get_aws_default_service_quota(**asked)["Quota"]["Value"] == 640
    assert shop.client("service-quotas", SOURCE).get_service_quota(**asked)["Quota"]["Value"] == 640
    listed = quotas.list_service_quotas(ServiceCode="fargate")["Quotas"]
    assert "L-3032A538" in [one["QuotaCode"] for one in listed]
    with refused("NoSuchResourceException"):
        quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-00000000")


def test_dashboard_made_in_one_region_is_read_and_removed_in_another(shop: Shop) -> None:
    here, there = shop.client("cloudwatch", SOURCE), shop.client("cloudwatch", TARGET)
    here.put_dashboard(DashboardName="runs", DashboardBody='{"widgets": []}')
    assert there.get_dashboard(DashboardName="runs")["DashboardBody"] == '{"widgets": []}'
    there.delete_dashboards(DashboardNames=["runs"])
    assert here.list_dashboards()["DashboardEntries"] == []


def test_what_is_in_use_of_a_quota_is_a_metric_that_the_quota_names(shop: Shop) -> None:
    # Given an instance of two vCPUs, and one of a family that counts elsewhere
    ec2 = shop.client("ec2", TARGET)
    for kind in ("t3.medium", "p3.2xlarge"):
        ec2.run_instances(ImageId="ami-12c6146b", InstanceType=kind, MinCount=1, MaxCount=1)
    quota = shop.client("service-quotas", TARGET).get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
    metric = quota["UsageMetric"]
    dimensions = [{"Name": name, "Value": value} for name, value in metric["MetricDimensions"].items()]
    about = {"Namespace": metric["MetricNamespace"], "MetricName": metric["MetricName"], "Dimensions": dimensions}
    stat = {"Metric": about, "Period": 60, "Stat": metric["MetricStatisticRecommendation"]}
    now = shop.clock.now()
    # When the metric of the quota is read
    found = shop.client("cloudwatch", TARGET).get_metric_data(
        MetricDataQueries=[{"Id": "used", "MetricStat": stat}], StartTime=now - timedelta(hours=1), EndTime=now
    )["MetricDataResults"][0]
    # Then it tells the vCPUs of the one
    assert found["Values"][0] == 2
    # And a quota whose usage AWS does not publish names no metric
    asked = {"ServiceCode": "elasticache", "QuotaCode": "L-DFE45DF3"}
    assert "UsageMetric" not in shop.client("service-quotas", TARGET).get_service_quota(**asked)["Quota"]
