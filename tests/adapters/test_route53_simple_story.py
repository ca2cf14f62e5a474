"""A single record, rewritten: its zone's tags tell which one, and what it holds while each side serves."""

from __future__ import annotations

from typing import Any

import dns.resolver
import pytest

from orchestrator.errors import RefusedError
from orchestrator.words import Operation, Outcome, Phase
from tests.adapters.test_route53_story import ON, Shop
from tests.support.driver import SOURCE, TARGET, open_world

NAME = "www.store.shop.example.com"


class SingleShop(Shop):
    """A shop with one record."""

    def answers(self) -> list[str]:
        try:
            return [str(each) for each in self._resolver.resolve(NAME, "CNAME")]
        except dns.resolver.NoAnswer:
            return []

    def record(self) -> dict[str, Any]:
        listed = self.route53.list_resource_record_sets(HostedZoneId=self.zone)["ResourceRecordSets"]
        found: dict[str, Any] = next(each for each in listed if each["Type"] == "CNAME")
        return found

    def tag(self, **tags: str) -> None:
        named = [{"Key": key.replace("_", ":", 1).replace("_", "-"), "Value": value} for key, value in tags.items()]
        zone = self.zone.rsplit("/", 1)[-1]
        self.route53.change_tags_for_resource(ResourceType="hostedzone", ResourceId=zone, AddTags=named)

    def hold(self, value: str) -> None:
        self.change(UPSERT={**self.record(), "ResourceRecords": [{"Value": value}]})


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> SingleShop:
    tags = {"dr:recovery-strategy": "simple-upsert"}
    entry = {"kind": "dns-simple", "name": "store-dns", "zone": "shop.example.com", "tags": tags}
    return SingleShop(open_world(monkeypatch, entry))


def test_the_record_is_rewritten_and_comes_back_as_it_was(shop: SingleShop) -> None:
    original = shop.record()
    for operation, region in ((Operation.FAILOVER, TARGET), (Operation.FAILBACK, SOURCE)):
        run = shop.start(operation)
        assert run.ready, run.findings
        foreseen = run.previewed_calls()

        ended = run.all()

        assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED, ended
        assert run.made() == foreseen == ["ChangeResourceRecordSets"]
        assert shop.answers() == ON[region]
        run.end()
    assert shop.record() == original
    assert shop.world.refusals() == []


def test_rollback_writes_the_source_sides_value_again(shop: SingleShop) -> None:
    run = shop.start()
    run.all()

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.ROLLED_BACK, action.detail
    assert shop.answers() == ON[SOURCE]


def test_an_emergency_that_has_lost_the_control_plane_is_blocked(shop: SingleShop) -> None:
    shop.lose()

    run = shop.start(emergency=True, AcceptDataLoss=True)
    action = run.phase(Phase.ACTIVATE)

    assert "us-east-1" in run.findings["control-plane"]
    assert action.outcome is Outcome.FAILED
    assert "may not call" in action.detail
    assert shop.world.calls("route53") == []


def test_an_emergency_back_to_us_east_1_rewrites_the_record(shop: SingleShop) -> None:
    first = shop.start()
    first.all()
    first.end()
    shop.world.inventory()
    shop.world.darken(TARGET)

    action = shop.start(Operation.FAILBACK, emergency=True, AcceptDataLoss=True).phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert shop.answers() == ON[SOURCE]


def test_a_record_that_holds_a_third_value_is_left_alone(shop: SingleShop) -> None:
    shop.hold("elsewhere.example")

    run = shop.start()
    action = run.phase(Phase.ACTIVATE)

    assert "holds elsewhere.example" in run.findings["foreign-value"]
    assert action.outcome is Outcome.FAILED
    assert shop.answers() == ["elsewhere.example."]


def test_a_record_deleted_after_the_inventory_is_not_made_again(shop: SingleShop) -> None:
    run = shop.start()
    shop.change(DELETE=shop.record())

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert shop.world.operations() == []


def test_a_drill_leaves_the_record(shop: SingleShop) -> None:
    run = shop.start(Operation.TEST)

    assert {action.outcome for action in run.all().values()} == {Outcome.SKIPPED}
    assert shop.world.operations() == []


def test_a_forgotten_change_is_submitted_again(shop: SingleShop) -> None:
    run = shop.start()
    shop.world.fault(effect="stuck", kind="route53.change-resource-record-sets")
    run.until(Phase.ACTIVATE, "change-record")
    shop.world.repair()
    shop.world.fault(effect="error", service="route53", operation="GetChange", code="NoSuchChange", status=404, first=8)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert shop.answers() == ON[TARGET]


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"dr_record": "other.shop.example.com"}, "which is no single record"),
        ({"dr_record_values": f"{SOURCE}=one.example"}, 'dr:record-values is "us-east-1=one.example"'),
    ],
)
def test_tags_that_do_not_tell_all_are_refused(shop: SingleShop, tags: dict[str, str], words: str) -> None:
    shop.tag(**tags)

    with pytest.raises(RefusedError, match=words):
        shop.start()
