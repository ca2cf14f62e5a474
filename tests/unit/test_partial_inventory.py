"""An inventory with gaps: never used in silence, and never worse than the one before."""

from __future__ import annotations

from datetime import timedelta

from orchestrator import stocktaking
from orchestrator.carrying import carried
from orchestrator.inventory import Resource, SideRecord, Snapshot
from orchestrator.ledger.records import Scope
from tests.unit.scripted_platform import SCOPE, SOURCE, START, TARGET, Cloud

OTHER = "333333333333"


def resource(name: str, account: str, *regions: str, count: int = 2) -> Resource:
    sides = {
        region: SideRecord(account=account, region=region, id=name, arn=f"arn:{region}:{name}", facts={"count": count})
        for region in regions
    }
    return Resource(resource_id=f"database/{name}", adapter="database", name=name, sides=sides)


def snapshot(*resources: Resource, minutes: int = 0, scope: Scope = SCOPE, **more: object) -> Snapshot:
    at = START + timedelta(minutes=minutes)
    return Snapshot(scope=scope, taken_at=at, resources=resources, **more)  # type: ignore[arg-type]


BOTH = (SOURCE, TARGET)
BEFORE = snapshot(resource("orders", "1", *BOTH), resource("stock", OTHER, *BOTH))


class TestCarrying:
    def test_what_could_not_be_read_stays_as_it_was_known_and_the_rest_is_fresh(self) -> None:
        fresh = snapshot(
            resource("orders", "1", *BOTH, count=5), minutes=30, missing_accounts={f"{OTHER}/{SOURCE}": "no"}
        )
        kept = carried(fresh, BEFORE)
        assert [(r.name, r.sides[SOURCE].facts["count"]) for r in kept.resources] == [("orders", 5), ("stock", 2)]
        assert kept.last_read == {f"{OTHER}/{SOURCE}": START}

    def test_side_that_could_not_be_read_is_given_back_to_its_resource(self) -> None:
        half = snapshot(resource("orders", "1", TARGET, count=5), missing_accounts={f"1/{SOURCE}/database": "dark"})
        (orders,) = carried(half, snapshot(resource("orders", "1", *BOTH))).resources
        assert {region: side.facts["count"] for region, side in orders.sides.items()} == {SOURCE: 2, TARGET: 5}

    def test_what_is_gone_where_everything_was_read_is_not_carried(self) -> None:
        fresh = snapshot(missing_accounts={f"{OTHER}/{SOURCE}/cache": "no"})
        assert carried(fresh, BEFORE).resources == ()

    def test_age_of_what_is_carried_twice_is_the_age_of_the_first_look(self) -> None:
        gap = {"missing_accounts": {f"{OTHER}/{SOURCE}": "no"}}
        once = carried(snapshot(minutes=30, **gap), BEFORE)
        twice = carried(snapshot(minutes=60, **gap), once)
        assert twice.last_read == {f"{OTHER}/{SOURCE}": START}
        assert [r.name for r in twice.resources] == ["stock"]


def a_cloud() -> Cloud:
    cloud = Cloud()
    cloud.add("orders")
    cloud.add("web", adapter="service")
    return cloud


def test_emergency_says_what_could_not_be_read_and_how_old_what_it_knows_of_it_is() -> None:
    # Given a good inventory, and half an hour later one in which a technology could not be read
    cloud = a_cloud()
    platform = cloud.platform()
    stocktaking.refresh(platform, SCOPE, BOTH)
    cloud.clock.advance(30 * 60)
    cloud.dark_technologies = {"service"}
    stocktaking.refresh(platform, SCOPE, BOTH)
    # When
    cloud.accept(platform, Emergency=True)
    # Then it moves everything, and tells
    run = cloud.ledger.run("run-1")
    gaps = [each for each in run.findings if each.code == "not-read"]
    assert len(gaps) == 2
    assert "what is known of it is of 2026-03-01 02:00 UTC" in gaps[0].message
    assert len(cloud.ledger.actions("run-1")) == 2
    assert any("readiness warning" in each.subject for each in cloud.notifier.sent)
