"""Aurora MySQL binlog replicas in the embedded AWS, told as an operator meets them."""

from __future__ import annotations

import pytest

from tests.localaws.databases import ACCOUNT, SOURCE, TARGET, Shop, open_shop

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{ACCOUNT}:cluster:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{ACCOUNT}:cluster:orders"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(monkeypatch)
    opened.seed("aurora-replica")
    return opened


def lag(shop: Shop) -> list[float]:
    return shop.metric(TARGET, "AuroraBinlogReplicaLag", "DBClusterIdentifier")


def test_a_seeded_replica_names_its_source_and_only_reads(shop: Shop) -> None:
    replica = shop.cluster(TARGET)
    assert (replica["Engine"], replica["ReplicationSourceIdentifier"]) == ("aurora-mysql", SOURCE_ARN)
    assert shop.cluster(SOURCE)["ReadReplicaIdentifiers"] == [TARGET_ARN]
    assert not any(each["IsClusterWriter"] for each in replica["DBClusterMembers"])
    assert lag(shop)[0] == 1.0


def test_an_instance_of_a_cluster_tells_the_subnet_group_of_its_cluster(shop: Shop) -> None:
    assert shop.instance(SOURCE, "orders-1")["DBSubnetGroup"]["DBSubnetGroupName"] == "orders-subnets"


def test_the_lag_is_zero_only_when_nobody_is_connected_to_the_writer(shop: Shop) -> None:
    # Given a closed security group, which open connections outlive
    shop.fence(SOURCE)
    shop.wait(minutes=5)
    assert lag(shop)[0] == 1.0

    # When the reader restarts nothing changes, when the writer does, the replica catches up
    shop.source.reboot_db_instance(DBInstanceIdentifier="orders-2")
    shop.wait(minutes=5)
    assert lag(shop)[0] == 1.0
    shop.source.reboot_db_instance(DBInstanceIdentifier="orders-1")
    shop.wait(minutes=5)
    assert lag(shop)[0] == 0.0


def test_the_lag_of_a_replica_whose_source_is_lost_is_minus_one(shop: Shop) -> None:
    shop.wait(minutes=3)
    shop.darken(SOURCE)
    shop.wait(minutes=1)
    assert lag(shop)[-1] == 1.0, "what was measured before stays readable"
    shop.wait(minutes=4)
    assert set(lag(shop)) == {-1.0}


def test_a_replica_without_instance_reports_no_lag(shop: Shop) -> None:
    for name in ("orders-2", "orders-1"):
        shop.target.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    shop.wait(minutes=10)
    assert lag(shop) == []


def test_a_promoted_replica_writes_and_both_sides_forget_each_other(shop: Shop) -> None:
    shop.target.promote_read_replica_db_cluster(DBClusterIdentifier="orders")
    assert shop.watch(lambda: shop.cluster(TARGET)["Status"], minutes=5) == ["promoting", "available"]
    promoted = shop.cluster(TARGET)
    assert not promoted.get("ReplicationSourceIdentifier")
    assert [each["IsClusterWriter"] for each in promoted["DBClusterMembers"]] == [True, False]
    assert not shop.cluster(SOURCE).get("ReadReplicaIdentifiers")
