"""EventBridge in two Regions: rules in standby, global endpoints, replays over time, rules nobody may touch."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from localaws.services.resource_explorer_2.collect import collect
from tests.localaws.workbench import ACCOUNT, SOURCE, TARGET, Client, Workbench, open_workbench, refused

NAME = "orders"
ENTRY = {"Source": "shop", "DetailType": "OrderPlaced", "Detail": "{}", "EventBusName": NAME}
ARCHIVE = f"arn:aws:events:{SOURCE}:{ACCOUNT}:archive/{NAME}"
BUS = f"arn:aws:events:{SOURCE}:{ACCOUNT}:event-bus/{NAME}"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


def received(bench: Workbench, region: str) -> list[dict[str, Any]]:
    """Take what is in the rules' queue."""
    sqs = bench.client("sqs", region)
    address = sqs.get_queue_url(QueueName=f"{NAME}-events")["QueueUrl"]
    found = sqs.receive_message(QueueUrl=address, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(QueueUrl=address, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in found]


def endpoint(bench: Workbench, region: str = SOURCE) -> dict[str, Any]:
    found: dict[str, Any] = bench.client("events", region).describe_endpoint(Name=NAME, HomeRegion=SOURCE)
    return found


def put_to_endpoint(bench: Workbench) -> None:
    """Publish as the endpoint would; botocore signs that only with its CRT."""
    bench.local.call("events", "PutEvents", ACCOUNT, SOURCE, EndpointId=endpoint(bench)["EndpointId"], Entries=[ENTRY])


def replay(events: Client, bench: Workbench, name: str = "again") -> None:
    now = bench.clock.now()
    events.start_replay(
        ReplayName=name,
        EventSourceArn=ARCHIVE,
        EventStartTime=now - timedelta(hours=1),
        EventEndTime=now,
        Destination={"Arn": BUS},
    )


def test_the_standby_rules_wait_until_they_are_enabled(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    standby = bench.client("events", TARGET)
    standby.put_events(Entries=[ENTRY])
    assert received(bench, TARGET) == []

    bench.client("events", SOURCE).disable_rule(Name="orders-placed", EventBusName=NAME)
    standby.enable_rule(Name="orders-placed", EventBusName=NAME)

    standby.put_events(Entries=[ENTRY])
    bench.client("events", SOURCE).put_events(Entries=[ENTRY])
    assert [event["region"] for event in received(bench, TARGET)] == [TARGET]
    assert received(bench, SOURCE) == []


def test_an_endpoint_sends_to_the_healthy_region_and_copies_to_the_other(bench: Workbench) -> None:
    bench.seed("eventbridge-rules", endpoint=True)
    bench.client("events", TARGET).enable_rule(Name="orders-placed", EventBusName=NAME)
    assert endpoint(bench)["State"] == endpoint(bench, TARGET)["State"] == "ACTIVE"
    put_to_endpoint(bench)
    assert (len(received(bench, SOURCE)), len(received(bench, TARGET))) == (1, 1)

    bench.client("events", SOURCE).update_endpoint(Name=NAME, ReplicationConfig={"State": "DISABLED"})
    with refused("ConcurrentModificationException"):
        bench.client("events", SOURCE).update_endpoint(Name=NAME, ReplicationConfig={"State": "ENABLED"})
    assert bench.watch(lambda: endpoint(bench)["State"], minutes=2) == ["UPDATING", "ACTIVE"]
    check = endpoint(bench)["RoutingConfig"]["FailoverConfig"]["Primary"]["HealthCheck"].rpartition("/")[2]
    put_to_endpoint(bench)
    assert (len(received(bench, SOURCE)), len(received(bench, TARGET))) == (1, 0)

    bench.client("route53", SOURCE).update_health_check(HealthCheckId=check, Disabled=True, Inverted=True)
    bench.wait(2)
    put_to_endpoint(bench)
    assert (len(received(bench, SOURCE)), len(received(bench, TARGET))) == (0, 1)


def test_an_endpoint_belongs_to_its_home_region(bench: Workbench) -> None:
    bench.seed("eventbridge-rules", endpoint=True)
    with refused("ResourceNotFoundException"):
        bench.client("events", TARGET).update_endpoint(Name=NAME, Description="from elsewhere")
    with refused("ResourceNotFoundException"):
        bench.client("events", TARGET).describe_endpoint(Name=NAME)
    found = [r.type for r in collect(bench.local, ACCOUNT, SOURCE) if r.service == "events"]
    assert "events:endpoint" in found
    bench.client("events", SOURCE).delete_endpoint(Name=NAME)
    bench.wait(2)
    assert bench.client("events", SOURCE).list_endpoints()["Endpoints"] == []


def test_an_endpoint_is_checked_before_it_is_made_and_may_fail_later(bench: Workbench) -> None:
    bench.seed("eventbridge-rules", endpoint=True)
    events = bench.client("events", SOURCE)
    known = endpoint(bench)
    asked = {key: known[key] for key in ("RoutingConfig", "EventBuses", "RoleArn")}
    with refused("ResourceAlreadyExistsException"):
        events.create_endpoint(Name=NAME, **asked)
    with refused("ValidationException"):
        events.create_endpoint(Name="one", RoutingConfig=asked["RoutingConfig"], EventBuses=asked["EventBuses"])
    with refused("ValidationException"):
        events.create_endpoint(Name="one", **{**asked, "EventBuses": asked["EventBuses"][:1] * 2})
    bench.make("fail", "events.create-endpoint")
    events.create_endpoint(Name="one", **asked)
    bench.wait(2)
    failed = events.describe_endpoint(Name="one")
    assert (failed["State"], bool(failed["StateReason"])) == ("CREATE_FAILED", True)


def test_a_replay_sends_archived_events_again_over_time(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    events.put_events(Entries=[ENTRY])
    assert len(received(bench, SOURCE)) == 1
    bench.wait(5)

    replay(events, bench)

    def state() -> str:
        return str(events.describe_replay(ReplayName="again")["State"])

    assert bench.watch(state, minutes=3) == ["STARTING", "RUNNING", "COMPLETED"]
    assert [event["replay-name"] for event in received(bench, SOURCE)] == ["again"]
    with refused("ResourceAlreadyExistsException"):
        replay(events, bench)
    with refused("IllegalStatusException"):
        events.cancel_replay(ReplayName="again")


def test_a_replay_that_fails_or_is_cancelled_sends_nothing(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    events.put_events(Entries=[ENTRY])
    received(bench, SOURCE)
    replay(events, bench, "cancelled")
    events.cancel_replay(ReplayName="cancelled")
    bench.make("fail", "events.replay")
    replay(events, bench, "failed")
    bench.wait(3)
    states = {name: events.describe_replay(ReplayName=name)["State"] for name in ("cancelled", "failed")}
    assert states == {"cancelled": "CANCELLED", "failed": "FAILED"}
    assert received(bench, SOURCE) == []


def test_a_rule_that_a_service_manages_is_not_for_customers(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    managed = next(rule for rule in events.list_rules(EventBusName=NAME)["Rules"] if rule.get("ManagedBy"))
    for change in (events.disable_rule, events.enable_rule, events.delete_rule):
        with refused("ManagedRuleException"):
            change(Name=managed["Name"], EventBusName=NAME)
    assert events.describe_rule(Name=managed["Name"], EventBusName=NAME)["State"] == "ENABLED"


def test_search_finds_rules_and_buses_on_both_sides_with_their_tags(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    for region in (SOURCE, TARGET):
        found = {r.type for r in collect(bench.local, ACCOUNT, region) if r.tags.get("Customer") == "CustomerX"}
        assert {"events:rule", "events:event-bus"} <= found


def test_replacing_a_rule_replaces_all_it_says_but_not_its_tags(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    made = {"Name": "new", "EventBusName": NAME, "EventPattern": '{"source": ["shop"]}'}
    arn = events.put_rule(**made, Description="first", Tags=[{"Key": "owner", "Value": "a"}])["RuleArn"]

    events.put_rule(**made, State="DISABLED", Tags=[{"Key": "owner", "Value": "b"}, {"Key": "more", "Value": "c"}])

    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "owner", "Value": "a"}]
    replaced = events.describe_rule(Name="new", EventBusName=NAME)
    assert (replaced["State"], replaced.get("Description")) == ("DISABLED", None)


def test_a_rule_takes_five_targets_and_a_prefix_is_taken_literally(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    queue = f"arn:aws:sqs:{SOURCE}:{ACCOUNT}:{NAME}-events"
    where = {"Rule": "orders-placed", "EventBusName": NAME}
    events.put_targets(**where, Targets=[{"Id": f"more-{n}", "Arn": queue} for n in range(4)])
    with refused("LimitExceededException"):
        events.put_targets(**where, Targets=[{"Id": "sixth", "Arn": queue}])
    events.put_targets(**where, Targets=[{"Id": "more-0", "Arn": queue, "Input": "{}"}])

    assert events.list_rules(EventBusName=NAME, NamePrefix="orders.")["Rules"] == []
    assert [r["Name"] for r in events.list_rules(EventBusName=NAME, NamePrefix="orders-")["Rules"]] == ["orders-placed"]


def test_a_bus_has_room_for_three_hundred_rules(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", TARGET)
    bus = bench.local.backend("events", ACCOUNT, TARGET).event_buses[NAME]
    bus.rules.update({f"filler-{n}": bus.rules["orders-placed"] for n in range(300 - len(bus.rules))})
    with refused("LimitExceededException"):
        events.put_rule(Name="one-more", EventBusName=NAME, EventPattern='{"source": ["shop"]}')


def test_deleting_a_rule_twice_is_fine_but_its_bus_must_be_there(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    events.delete_rule(Name="never-was", EventBusName=NAME)
    with refused("ResourceNotFoundException"):
        events.delete_rule(Name="never-was", EventBusName="no-such-bus")


def failed_invocations(bench: Workbench, *dimensions: tuple[str, str]) -> list[float]:
    metric = {
        "Namespace": "AWS/Events",
        "MetricName": "FailedInvocations",
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
    }
    found = bench.client("cloudwatch", SOURCE).get_metric_data(
        MetricDataQueries=[{"Id": "failed", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}],
        StartTime=bench.clock.now() - timedelta(minutes=5),
        EndTime=bench.clock.now() + timedelta(minutes=1),
    )
    values: list[float] = found["MetricDataResults"][0]["Values"]
    return values


def test_an_invocation_that_fails_for_good_is_counted_with_its_bus_unless_a_queue_takes_it(bench: Workbench) -> None:
    bench.seed("eventbridge-rules")
    events = bench.client("events", SOURCE)
    gone = f"arn:aws:sqs:{SOURCE}:{ACCOUNT}:no-such-queue"
    for name, extra in (
        ("lost", {}),
        ("kept", {"DeadLetterConfig": {"Arn": f"arn:aws:sqs:{SOURCE}:{ACCOUNT}:{NAME}-events-dlq"}}),
    ):
        events.put_rule(Name=name, EventBusName=NAME, EventPattern='{"source": ["shop"]}')
        events.put_targets(Rule=name, EventBusName=NAME, Targets=[{"Id": "1", "Arn": gone, **extra}])

    events.put_events(Entries=[ENTRY])

    assert failed_invocations(bench, ("EventBusName", NAME), ("RuleName", "lost")) == [1.0]
    assert failed_invocations(bench, ("EventBusName", NAME), ("RuleName", "kept")) == []
    assert failed_invocations(bench, ("RuleName", "lost")) == []
