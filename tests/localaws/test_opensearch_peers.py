"""Managed replication of OpenSearch domains in the embedded AWS, told as an operator meets it."""

from __future__ import annotations

import pytest

from tests.localaws.datastores import ACCOUNT, SOURCE, TARGET, open_stores, refused
from tests.localaws.search_domains import Search

SOURCE_ARN = f"arn:aws:es:{SOURCE}:{ACCOUNT}:domain/search"
TARGET_ARN = f"arn:aws:es:{TARGET}:{ACCOUNT}:domain/search"
TO_TARGET = {"DomainName": "search", "PeerDomainArn": SOURCE_ARN}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Search:
    stores = open_stores(monkeypatch, "opensearch")
    opened = Search(stores.local, stores.client)
    opened.seed("opensearch-ccr", "search", replication="managed")
    return opened


def seen_from(shop: Search, region: str) -> tuple[str | None, str | None]:
    """Return the role of the Region's domain, and the status of its relationship."""
    shown = shop.client("opensearch", region).describe_domain_replication(DomainName="search")
    return shown.get("Role"), shown["Peers"][0]["Status"] if shown["Peers"] else None


def test_a_secondary_holds_every_index_of_its_primary_read_only(shop: Search) -> None:
    assert seen_from(shop, SOURCE) == ("PRIMARY", "ACTIVE")
    assert seen_from(shop, TARGET) == ("SECONDARY", "ACTIVE")
    shop.done(SOURCE, "PUT", "/fresh", {})
    names = [one["index"] for one in shop.done(TARGET, "GET", "/_cat/indices")]
    assert names == ["customers", "fresh", "orders"]
    assert shop.ask(TARGET, "DELETE", "/orders").kind == "cluster_block_exception"
    assert 0 <= shop.count("orders") - shop.count("orders", TARGET) <= 40


def test_a_switchover_exchanges_roles_without_loss_and_back(shop: Search) -> None:
    shop.target.switchover_replication(**TO_TARGET)
    with refused("ValidationException"):  # a blind second call
        shop.target.switchover_replication(**TO_TARGET)
    seen = shop.watch(lambda: seen_from(shop, TARGET), minutes=4)
    assert seen == [("SECONDARY", "SWITCHING_OVER"), ("PRIMARY", "ACTIVE")]
    with refused("ValidationException"):  # it is the primary already
        shop.target.switchover_replication(**TO_TARGET)
    assert shop.count("orders", TARGET) >= shop.count("orders")
    shop.source.switchover_replication(DomainName="search", PeerDomainArn=TARGET_ARN)
    shop.wait(minutes=3)
    assert seen_from(shop, SOURCE) == ("PRIMARY", "ACTIVE")


def test_a_failed_switchover_leaves_the_roles_and_says_so(shop: Search) -> None:
    shop.make("fail", "opensearch.switchover-replication")
    shop.target.switchover_replication(**TO_TARGET)
    shop.wait(minutes=3)
    assert seen_from(shop, TARGET) == ("SECONDARY", "ACTIVE")
    peer = shop.target.describe_domain_replication(DomainName="search")["Peers"][0]
    assert "failed" in peer["StatusMessage"]


def test_a_failover_without_the_primary_ejects_it_until_the_pair_is_made_anew(shop: Search) -> None:
    shop.clock.advance(60)
    shop.darken(SOURCE)
    with refused("ValidationException"):
        shop.target.switchover_replication(**TO_TARGET)
    with refused("ValidationException"):
        shop.target.failover_replication(**TO_TARGET, AllowDataLoss=False)
    shop.target.failover_replication(**TO_TARGET, AllowDataLoss=True)
    seen = shop.watch(lambda: seen_from(shop, TARGET), minutes=3)
    assert seen == [("SECONDARY", "FAILING_OVER"), ("PRIMARY", "DETACHED")]
    shop.done(TARGET, "PUT", "/written-after", {})

    shop.repair()
    assert seen_from(shop, SOURCE) == ("SECONDARY", "EJECTED")
    before = shop.count("orders")
    shop.clock.advance(60)
    assert shop.count("orders") == before  # read-only
    assert shop.ask(SOURCE, "PUT", "/lost", {}).kind == "cluster_block_exception"

    shop.source.remove_replication_peer(DomainName="search", PeerDomainArn=TARGET_ARN)
    shop.wait(minutes=3)
    assert (seen_from(shop, SOURCE), seen_from(shop, TARGET)) == ((None, None), (None, None))
    back = {"DomainName": "search", "PeerDomainArn": SOURCE_ARN}
    assert "Status" not in shop.target.add_replication_peer(**back, DryRun=True)
    assert seen_from(shop, TARGET) == (None, None)
    shop.target.add_replication_peer(**back)
    with refused("ResourceAlreadyExistsException"):
        shop.target.add_replication_peer(**back)
    seen = shop.watch(lambda: seen_from(shop, SOURCE), minutes=25, step_seconds=30)
    assert seen == [("SECONDARY", "PENDING_SETUP"), ("SECONDARY", "ACTIVE")]
    assert shop.ask(SOURCE, "GET", "/written-after/_count").status == 200


def test_an_ejected_primary_may_be_paired_with_again_at_once(shop: Search) -> None:
    shop.target.failover_replication(**TO_TARGET, AllowDataLoss=True)
    shop.wait(minutes=2)
    shop.target.add_replication_peer(**TO_TARGET)
    shop.wait(minutes=25)
    assert (seen_from(shop, SOURCE), seen_from(shop, TARGET)) == (("SECONDARY", "ACTIVE"), ("PRIMARY", "ACTIVE"))


def test_a_pair_that_cannot_be_set_up_shows_it_and_can_be_removed(shop: Search) -> None:
    shop.source.remove_replication_peer(DomainName="search", PeerDomainArn=TARGET_ARN)
    shop.wait(minutes=3)
    shop.make("fail", "opensearch.add-replication-peer")
    shop.source.add_replication_peer(DomainName="search", PeerDomainArn=TARGET_ARN)
    shop.wait(minutes=25)
    assert seen_from(shop, SOURCE) == ("PRIMARY", "FAILED")
    shop.source.remove_replication_peer(DomainName="search", PeerDomainArn=TARGET_ARN)
    shop.wait(minutes=3)
    assert seen_from(shop, SOURCE) == (None, None)


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        (f"arn:aws:es:{SOURCE}:{ACCOUNT}:domain/other", "ValidationException"),
        (f"arn:aws:es:{TARGET}:999999999999:domain/search", "ValidationException"),
        (f"arn:aws:es:{TARGET}:{ACCOUNT}:domain/nobody", "ResourceNotFoundException"),
        (TARGET_ARN, "ResourceAlreadyExistsException"),
    ],
)
def test_a_pair_asked_for_wrongly_changes_nothing(shop: Search, peer: str, code: str) -> None:
    with refused(code):
        shop.source.add_replication_peer(DomainName="search", PeerDomainArn=peer)
    assert seen_from(shop, SOURCE) == ("PRIMARY", "ACTIVE")
