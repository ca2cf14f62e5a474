"""Route 53 through the real engine, judged by what a real resolver is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.resolver
import pytest

from adapters.route53.models import Facts
from orchestrator.errors import RefusedError
from orchestrator.words import Operation, Outcome, Phase
from tests.support.driver import APPS, DNS_SERVER, SOURCE, TARGET, Journey, World, open_world

NAME = "store.shop.example.com"
ON = {region: [f"store.{region}.elb.example."] for region in (SOURCE, TARGET)}
KINDS = ("dns-failover", "dns-weighted", "dns-alarm", "dns-arc")

Open = Callable[..., "Shop"]


class Shop:
    """A world with one name, and a resolver of its answers."""

    def __init__(self, world: World) -> None:
        self.world = world
        host, port = DNS_SERVER.split(":")
        self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.nameservers = [host]
        self._resolver.port = int(port)
        self.route53 = world.aws("route53", SOURCE)

    def answers(self) -> list[str]:
        return [str(each) for each in self._resolver.resolve(NAME, "CNAME")]

    def start(self, operation: Operation = Operation.FAILOVER, **request: Any) -> Journey:
        return self.world.start(operation, **request)

    def lose(self, region: str = SOURCE) -> None:
        """Take an inventory, then lose a Region and wait until Route 53's checkers have noticed."""
        self.world.inventory()
        self.world.darken(region)
        self.world.fault(effect="control-plane-down", service="route53")
        self.world.wait(2)
        self.world.local.call_log.clear()

    @property
    def zone(self) -> str:
        return str(self.route53.list_hosted_zones()["HostedZones"][0]["Id"])

    def records(self) -> dict[str, dict[str, Any]]:
        listed = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        return {record["SetIdentifier"]: record for record in listed if "SetIdentifier" in record}

    def change(self, **actions: dict[str, Any]) -> None:
        changes = [{"Action": action, "ResourceRecordSet": record} for action, record in actions.items()]
        self.route53.change_resource_record_sets(HostedZoneId=self.zone, ChangeBatch={"Changes": changes})
        self.world.wait(1)

    def check(self) -> dict[str, Any]:
        found: dict[str, Any] = self.route53.list_health_checks()["HealthChecks"][0]
        return found


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_shop(kind: str, *others: dict[str, Any], **settings: Any) -> Shop:
        entry = {"kind": kind, "name": "store-dns", "zone": "shop.example.com", **settings}
        return Shop(open_world(monkeypatch, entry, *others))

    return open_shop


@pytest.mark.parametrize("kind", KINDS)
def test_traffic_moves_and_comes_back(shop: Open, kind: str) -> None:
    here = shop(kind)
    original = here.records()
    for operation, region in ((Operation.FAILOVER, TARGET), (Operation.FAILBACK, SOURCE)):
        run = here.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED, ended
        assert {ended[p].outcome for p in (Phase.INSTANTIATE, Phase.CLEANUP, Phase.REPLICATE)} == {Outcome.SKIPPED}
        assert run.made() == foreseen
        assert len(foreseen) == 1
        assert here.answers() == ON[region]
        run.end()
        here.world.wait(60)
        assert here.answers() == ON[region], "what was switched must hold"
    assert here.records() == original
    assert here.world.refusals() == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_finds_the_traffic_moved_and_changes_nothing(shop: Open, kind: str) -> None:
    here = shop(kind)
    first = here.start()
    first.all()
    first.end()

    again = here.start()
    ended = again.all()

    assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED
    assert again.made() == []


@pytest.mark.parametrize("kind", KINDS)
def test_rollback_moves_the_traffic_back(shop: Open, kind: str) -> None:
    here = shop(kind)
    run = here.start()
    run.all()
    assert here.answers() == ON[TARGET]

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert here.answers() == ON[SOURCE]
    assert here.world.refusals() == []


def test_emergency_with_failover_routing_waits_for_route53_and_calls_nothing(shop: Open) -> None:
    here = shop("dns-failover")
    here.lose()

    run = here.start(emergency=True, AcceptDataLoss=True)
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == []
    assert here.world.calls("route53") == []
    assert here.answers() == ON[TARGET]


def test_emergency_by_alarm_puts_one_value_beside_the_standby(shop: Open) -> None:
    here = shop("dns-alarm")
    here.lose()
    assert here.answers() == ON[SOURCE], "an alarm follows nothing but its metric"

    run = here.start(emergency=True, AcceptDataLoss=True)
    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["PutMetricData"]
    assert {(call.service, call.region) for call in here.world.calls("route53")} == {("cloudwatch", TARGET)}
    assert here.answers() == ON[TARGET]


def test_emergency_with_weights_is_blocked_while_dns_points_at_the_lost_side(shop: Open) -> None:
    here = shop("dns-weighted")
    records = here.records()
    here.change(UPSERT={k: v for k, v in records[SOURCE].items() if k != "HealthCheckId"})
    here.lose()
    assert here.answers() == ON[SOURCE]

    run = here.start(emergency=True, AcceptDataLoss=True)
    action = run.phase(Phase.ACTIVATE)

    assert "us-east-1" in run.findings["control-plane"]
    assert action.outcome is Outcome.FAILED
    assert "may not call" in action.detail
    assert "alarm-health-check" in action.remedy
    assert here.world.calls("route53") == []


def test_emergency_with_weights_is_content_when_health_checks_have_moved_dns(shop: Open) -> None:
    here = shop("dns-weighted")
    here.lose()
    assert here.answers() == ON[TARGET]

    action = here.start(emergency=True, AcceptDataLoss=True).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED_WITH_WARNINGS
    assert "set them later" in action.detail


def test_emergency_back_to_us_east_1_may_use_the_control_plane(shop: Open) -> None:
    here = shop("dns-failover")
    first = here.start()
    first.all()
    first.end()
    here.world.inventory()
    here.world.darken(TARGET)
    here.world.wait(2)

    back = here.start(Operation.FAILBACK, emergency=True, AcceptDataLoss=True)
    action = back.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert back.made() == ["UpdateHealthCheck"]
    assert here.answers() == ON[SOURCE]


def test_a_drill_resolves_the_standby_and_touches_no_name(shop: Open) -> None:
    here = shop("dns-failover")
    run = here.start(Operation.TEST)
    assert run.ready, run.findings

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SKIPPED}
    assert here.world.operations() == []
    assert here.answers() == ON[SOURCE]


def test_a_lost_answer_to_the_change_is_not_followed_by_a_second_one(shop: Open) -> None:
    here = shop("dns-weighted")
    run = here.start()
    here.world.fault(effect="lost-answer", service="route53", operation="ChangeResourceRecordSets", first=1)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert action.call_counts == {"change-weights": 1}
    assert here.answers() == ON[TARGET]


def test_a_change_that_route53_forgot_is_submitted_again(shop: Open) -> None:
    here = shop("dns-weighted")
    run = here.start()
    here.world.fault(effect="stuck", kind="route53.change-resource-record-sets")
    run.until(Phase.ACTIVATE, "change-weights")
    here.world.repair()
    here.world.fault(effect="error", service="route53", operation="GetChange", code="NoSuchChange", status=404, first=8)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert action.call_counts == {"change-weights": 2}
    assert here.answers() == ON[TARGET]


def test_a_busy_zone_is_asked_again(shop: Open) -> None:
    here = shop("dns-weighted")
    run = here.start()
    here.world.fault(
        effect="error",
        service="route53",
        operation="ChangeResourceRecordSets",
        code="PriorRequestNotComplete",
        first=2,
    )

    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_a_health_check_changed_by_somebody_else_meanwhile_is_read_again(shop: Open) -> None:
    here = shop("dns-failover")
    run = here.start()
    here.world.fault(
        effect="error",
        service="route53",
        operation="UpdateHealthCheck",
        code="HealthCheckVersionMismatch",
        status=409,
        first=1,
    )

    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert here.answers() == ON[TARGET]


def test_a_standby_that_dns_never_answers_with_ends_in_a_timeout(shop: Open) -> None:
    service = {"kind": "ecs-service", "name": "store", "desired_count": 1}
    here = shop("dns-weighted", service, depends_on_service="store")
    run = here.start()
    stage = next(s for s in run.platform.ledger.stages(run.run_id) if s.phase is Phase.ACTIVATE)
    action_id = next(a for group in stage.groups for a in group if "route53" in a)

    for _ in range(200):
        tick = run.platform.engine.advance(run.run_id, stage.stage_id, action_id)
        here.world.clock.advance(tick.wait_seconds)
        if tick.done:
            break

    action = run.platform.ledger.action(run.run_id, action_id)
    assert action.outcome is Outcome.TIMED_OUT, action.detail
    assert "answers-moved" in action.detail
    assert here.answers() == ON[SOURCE], "a weight on a dead side moves nothing"


@pytest.mark.parametrize(
    ("kind", "settings", "code", "words"),
    [
        ("dns-failover", {"ttl_seconds": 300}, "ttl", "TTL of 300 s"),
        ("dns-alarm", {"missing_data": "notBreaching"}, "alarm-forgets", "one value would not hold"),
        ("dns-arc", {"tags": {"dr:rto-target": "1"}}, "rto", "usually takes 2 minutes"),
    ],
)
def test_readiness_tells_what_would_hold_the_traffic(
    shop: Open, kind: str, settings: dict[str, Any], code: str, words: str
) -> None:
    assert words in shop(kind, **settings).start().findings[code]


def test_an_alarm_nobody_hears_is_red(shop: Open) -> None:
    here = shop("dns-alarm")
    here.route53.update_health_check(HealthCheckId=here.check()["Id"], Disabled=True)

    run = here.start()

    assert not run.ready
    assert "its alarm is unheard" in run.findings["check-overridden"]


def test_a_record_removed_after_the_inventory_is_noticed(shop: Open) -> None:
    here = shop("dns-failover")
    run = here.start()
    here.change(DELETE=here.records()[TARGET])

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "expected us-west-2 and us-east-1" in action.detail
    assert here.world.operations() == []


def test_records_whose_side_cannot_be_told_are_refused(shop: Open) -> None:
    here = shop("dns-weighted")
    record = here.records()[TARGET]
    here.change(DELETE=record, CREATE={**record, "SetIdentifier": "the other one"})

    with pytest.raises(RefusedError, match='set identifier "the other one" names no Region'):
        here.start()


def test_an_alarm_on_the_wrong_side_is_refused(shop: Open) -> None:
    here = shop("dns-alarm")
    alarm = here.world.aws("cloudwatch", TARGET).describe_alarms()["MetricAlarms"][0]
    kept = {k: alarm[k] for k in ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic", "Period")}
    here.world.aws("cloudwatch", SOURCE).put_metric_alarm(
        **kept, EvaluationPeriods=1, Threshold=1.0, ComparisonOperator=alarm["ComparisonOperator"]
    )
    here.route53.update_health_check(
        HealthCheckId=here.check()["Id"], AlarmIdentifier={"Region": SOURCE, "Name": alarm["AlarmName"]}
    )

    with pytest.raises(RefusedError, match="is in us-east-1, expected a metric alarm in us-west-2"):
        here.start()


def test_health_checks_of_one_name_must_agree_on_its_tags(shop: Open) -> None:
    here = shop("dns-weighted")
    here.route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=here.check()["Id"], AddTags=[{"Key": "dr:wave", "Value": "7"}]
    )

    with pytest.raises(RefusedError, match=f"the health checks of {NAME} give dr:wave"):
        here.start()


def test_the_inventory_keeps_all_that_an_emergency_needs(shop: Open) -> None:
    here = shop("dns-alarm")

    (resource,) = here.world.inventory().resources

    (side,) = resource.sides.values()
    assert (resource.resource_id, side.account, side.region) == (f"route53/{NAME}", APPS, "global")
    assert resource.side(SOURCE) == resource.side(TARGET) == side
    assert {"zone_id", "name_servers", "records", "check"} <= set(side.facts)
    check = Facts.model_validate(dict(side.facts)).check
    assert check is not None
    assert check.HealthCheckConfig.AlarmIdentifier is not None
    assert check.HealthCheckConfig.AlarmIdentifier.model_dump() == {"Region": TARGET, "Name": f"dr-switch-{NAME}"}


def test_a_tagged_zone_in_which_nothing_would_move_is_refused_with_what_to_do(shop: Open) -> None:
    # Given a zone that carries the tags, and records whose health checks do not
    here = shop("dns-failover")
    tags = here.route53.list_tags_for_resource(ResourceType="healthcheck", ResourceId=here.check()["Id"])
    zone = here.zone.rsplit("/", 1)[-1]
    mine = [tag for tag in tags["ResourceTagSet"]["Tags"] if tag["Key"] != "Name"]
    here.route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=mine)
    assert here.start().ready, "a tagged zone whose records have a tagged health check is not in the way"
    here.route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=here.check()["Id"], RemoveTagKeys=["dr:enabled"]
    )
    here.world.wait(60)

    # Then the inventory names the zone, and says where its tags belong
    missing = "".join(here.world.inventory().missing_accounts.values())
    assert f"hosted zone shop.example.com ({zone}) is tagged" in missing
    assert "nothing would move" in missing


def test_nothing_of_a_name_is_left_to_decommission(shop: Open) -> None:
    here = shop("dns-failover")
    run = here.start(Decommission=True)

    action = run.all()[Phase.DECOMMISSION]

    assert action.outcome is Outcome.SKIPPED
    assert "is global" in action.detail
    assert "DeleteHealthCheck" not in run.made()


def test_records_whose_health_check_changed_hands_after_the_inventory_are_left_alone(shop: Open) -> None:
    here = shop("dns-failover")
    run = here.start()
    here.route53.change_tags_for_resource(
        ResourceType="healthcheck", ResourceId=here.check()["Id"], AddTags=[{"Key": "Customer", "Value": "CustomerZ"}]
    )

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert 'carries Customer="CustomerZ"' in action.detail
    assert here.world.operations() == []
