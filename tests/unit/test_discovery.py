"""Finding the resources of a scope: where to look, what belongs together, what must not be taken."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator import discovery
from orchestrator.contract import Adapter, Found, Place
from orchestrator.discovery import pair, places, take
from orchestrator.errors import AccessDeniedError, ValidationError
from orchestrator.sources import Hit
from orchestrator.spec import Spec
from tests.unit.scripted_platform import ADAPTERS, APPS, SCOPE, SOURCE, START, TARGET, Cloud

REGIONS = (SOURCE, TARGET)
TAGS = {"Customer": SCOPE.customer, "Environment": SCOPE.environment, "dr:enabled": "true"}


def hit(name: str, kind: str = "fake:database", region: str = SOURCE, account: str = APPS) -> Hit:
    return Hit(f"arn:aws:fake:{region}:{account}:thing/{name}", account, region, kind)


def found(key: str, region: str, *, name: str = "", strategy: str | None = "switch", **more: Any) -> Found:
    place = Place(more.pop("account", APPS), region, key, more.pop("arn", f"arn:{region}:{key}"))
    return Found(key, name or key, place, more.pop("tags", TAGS), strategy, **more)


def fakes(*keys: str, **spec: Any) -> list[Adapter[Any]]:
    made: list[Adapter[Any]] = []
    for key in keys:
        fake = ADAPTERS[key](Cloud())
        if spec:
            fake.spec = Spec(**{**vars(fake.spec), **spec})  # type: ignore[misc]
        made.append(fake)
    return made


class TestPlaces:
    def test_each_technology_looks_once_per_account_and_region(self) -> None:
        hits = [hit("b"), hit("a"), hit("a", region=TARGET), hit("w", "fake:service"), hit("c", account="333333333333")]
        where = places(hits, fakes("database", "service"), [], REGIONS)
        assert [(p.adapter, p.account, p.region, len(p.arns)) for p in where] == [
            ("database", APPS, SOURCE, 2),
            ("service", APPS, SOURCE, 1),
            ("database", APPS, TARGET, 1),
            ("database", "333333333333", SOURCE, 1),
        ]

    def test_tagged_type_that_nobody_knows_is_refused_by_name(self) -> None:
        with pytest.raises(ValidationError) as refused:
            places([hit("a"), hit("q", "sqs:queue")], fakes("database"), [], REGIONS)
        assert refused.value.code == "UnknownType"
        assert f"arn:aws:fake:{SOURCE}:{APPS}:thing/q (sqs:queue)" in refused.value.message
        assert "dr:enabled" in refused.value.remedy

    def test_companion_of_a_known_resource_may_carry_its_tags(self) -> None:
        where = places(
            [hit("a"), hit("t", "fake:task")], fakes("database", companion_types=("fake:task",)), [], REGIONS
        )
        assert [len(p.arns) for p in where] == [1]

    def test_what_stands_in_for_a_missing_side_is_shown_to_every_technology_that_may_be_meant(self) -> None:
        both = fakes("database", "service", stand_in_types=("fake:place",))
        where = places([hit("p", "fake:place")], both, [], REGIONS)
        assert [(p.adapter, len(p.arns)) for p in where] == [("database", 1), ("service", 1)]

    def test_what_resource_explorer_cannot_see_is_looked_for_in_every_account(self) -> None:
        where = places([hit("a")], [*fakes("database"), *fakes("drs", native_listing=True)], ["444444444444"], REGIONS)
        listed = {(p.account, p.region) for p in where if p.adapter == "drs"}
        assert listed == {(account, region) for account in (APPS, "444444444444") for region in REGIONS}
        assert all(p.arns == () for p in where if p.adapter == "drs")

    def test_what_lists_itself_does_so_beside_the_named_ones_where_resource_explorer_has_no_index(self) -> None:
        explored = frozenset({(APPS, SOURCE)})
        adapters = fakes("drs", native_listing=True)
        where = places([hit("a", "fake:drs"), hit("b", "fake:drs", TARGET)], adapters, [], REGIONS, (), explored)
        assert [(p.region, len(p.arns)) for p in where] == [(SOURCE, 1), (TARGET, 0), (TARGET, 1)]

    def test_many_objects_of_one_place_are_shared_out_where_each_is_described_by_itself(self) -> None:
        hits = [hit(f"n{number:03d}") for number in range(50)]
        assert [len(p.arns) for p in places(hits, fakes("database"), [], REGIONS)] == [50]
        shares = places(hits, fakes("database", found_apart=True), [], REGIONS)
        assert [len(p.arns) for p in shares] == [20, 20, 10]
        assert sorted(arn for p in shares for arn in p.arns) == [each.arn for each in hits]

    def test_global_object_is_looked_at_from_one_region(self) -> None:
        (where,) = places([hit("zone", region="global")], fakes("database", global_service=True), [], REGIONS)
        assert where.region == SOURCE


class TestPair:
    def test_two_sides_become_one_resource(self) -> None:
        (resource,) = pair(SCOPE, [("database", found("orders", SOURCE)), ("database", found("orders", TARGET))])
        assert resource.resource_id == "database/orders"
        assert set(resource.sides) == set(REGIONS)
        assert resource.strategy == "switch"

    def test_object_of_another_customer_or_environment_is_not_taken(self) -> None:
        strangers = [{**TAGS, "Customer": "CustomerY"}, {**TAGS, "Environment": "staging"}, {"dr:enabled": "true"}]
        assert pair(SCOPE, [("database", found(str(n), SOURCE, tags=t)) for n, t in enumerate(strangers)]) == []

    def test_two_objects_claiming_one_side_are_refused(self) -> None:
        pieces = [("database", found("orders", SOURCE, arn=f"arn:{n}")) for n in "ab"]
        with pytest.raises(ValidationError, match=r"arn:a and arn:b both claim the side in us-east-1") as refused:
            pair(SCOPE, pieces)
        assert refused.value.code == "Ambiguous"

    def test_what_the_region_itself_tells_wins_over_what_the_other_side_tells(self) -> None:
        told = found("orders", TARGET, arn="arn:guess", counterpart=True)
        (resource,) = pair(SCOPE, [("database", told), ("database", found("orders", TARGET))])
        assert resource.sides[TARGET].arn == f"arn:{TARGET}:orders"
        (alone,) = pair(SCOPE, [("database", told)])
        assert alone.sides[TARGET].arn == "arn:guess"

    def test_sides_that_show_two_strategies_show_none(self) -> None:
        pieces = [found("orders", SOURCE, strategy="switch"), found("orders", TARGET, strategy="restore")]
        assert pair(SCOPE, [("database", piece) for piece in pieces])[0].strategy is None

    def test_one_name_in_two_accounts_is_two_resources_told_apart(self) -> None:
        pieces = [
            ("service", found(f"{account}/web", region, name="web", account=account))
            for account in (APPS, "333333333333")
            for region in REGIONS
        ]
        assert [r.resource_id for r in pair(SCOPE, pieces)] == [f"service/web@{APPS}", "service/web@333333333333"]

    def test_one_key_in_two_accounts_is_two_resources_when_both_have_both_sides(self) -> None:
        pieces = [
            ("service", found("web", region, account=account, arn=f"arn:{account}:{region}"))
            for account in (APPS, "333333333333")
            for region in REGIONS
        ]
        resources = pair(SCOPE, pieces)
        assert [r.resource_id for r in resources] == [f"service/web@{APPS}", "service/web@333333333333"]
        assert [{side.account for side in r.sides.values()} for r in resources] == [{APPS}, {"333333333333"}]

    def test_one_key_whose_sides_lie_in_two_accounts_is_one_resource(self) -> None:
        pieces = [
            ("service", found("web", region, account=account))
            for account, region in ((APPS, SOURCE), ("333333333333", TARGET))
        ]
        assert [r.resource_id for r in pair(SCOPE, pieces)] == ["service/web"]

    def test_one_name_twice_in_an_account_is_refused(self) -> None:
        pieces = [("service", found(key, SOURCE, name="web")) for key in ("a", "b")]
        with pytest.raises(ValidationError, match="several resources are called service/web"):
            pair(SCOPE, pieces)


class TestTake:
    def test_place_that_cannot_be_read_is_named_and_the_rest_is_there(self) -> None:
        # Given two accounts, one of which refuses
        cloud = Cloud()
        cloud.add("orders")
        platform = cloud.platform()
        where = [discovery.Place("database", account, SOURCE, ("x/orders",)) for account in (APPS, "333333333333")]

        def open_reader(account: str, region: str, technology: str) -> Any:
            if account != APPS:
                raise AccessDeniedError(f"role dr-spoke-{technology} in {account}", "update the StackSet")
            return platform.open_reader(account, region, technology)

        # When
        snapshot = take(SCOPE, START, where, platform.adapter, open_reader)
        # Then
        assert [r.resource_id for r in snapshot.resources] == ["database/orders"]
        assert "update the StackSet" in snapshot.missing_accounts["333333333333/us-east-1/database"]

    def test_resource_seen_from_a_run_has_source_and_target(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = cloud.platform()
        from orchestrator.stocktaking import refresh

        snapshot = refresh(platform, SCOPE, REGIONS)
        member = snapshot.resources[0].member(TARGET, SOURCE)
        assert (member.source.region, member.target.region, member.source.facts) == (TARGET, SOURCE, {"count": 2})
        with pytest.raises(KeyError):
            snapshot.resources[0].member(SOURCE, "eu-west-1")
