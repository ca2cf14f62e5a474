"""Aurora cluster snapshots in the embedded AWS: taken, copied across Regions, restored."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localaws.databases import SOURCE, TARGET, Shop, open_shop


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(monkeypatch)
    opened.seed("aurora-single")
    return opened


def take(shop: Shop, name: str) -> str:
    reply = shop.source.create_db_cluster_snapshot(DBClusterIdentifier="orders", DBClusterSnapshotIdentifier=name)
    shop.wait(minutes=5)
    return str(reply["DBClusterSnapshot"]["DBClusterSnapshotArn"])


def copy(shop: Shop, arn: str, name: str, **more: Any) -> None:
    (group,) = shop.target.describe_db_subnet_groups(DBSubnetGroupName="orders-subnets")["DBSubnetGroups"]
    tags = shop.target.list_tags_for_resource(ResourceName=group["DBSubnetGroupArn"])["TagList"]
    key = next(tag["Value"] for tag in tags if tag["Key"] == "dr:kms-key")
    shop.target.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=arn,
        TargetDBClusterSnapshotIdentifier=name,
        SourceRegion=SOURCE,
        **{"KmsKeyId": key, **more},
    )


def snapshot(shop: Shop, name: str) -> dict[str, Any]:
    found = shop.target.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier=name)["DBClusterSnapshots"]
    return dict(found[0])


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_a_place_stands_in_for_the_cluster_on_either_side(shop: Shop) -> None:
    for region in (SOURCE, TARGET):
        rds = shop.client("rds", region)
        (group,) = rds.describe_db_subnet_groups(DBSubnetGroupName="orders-subnets")["DBSubnetGroups"]
        tags = rds.list_tags_for_resource(ResourceName=group["DBSubnetGroupArn"])["TagList"]
        assert {"Key": "dr:standby-for", "Value": "cluster:orders"} in tags


def test_a_copy_passes_copying_and_names_what_it_is_a_copy_of(shop: Shop) -> None:
    arn = take(shop, "first")
    copy(shop, arn, "first")

    assert shop.watch(lambda: snapshot(shop, "first")["Status"], minutes=5) == ["copying", "available"]
    there = snapshot(shop, "first")
    assert there["SourceDBClusterSnapshotArn"] == arn
    assert there["DBClusterIdentifier"] == "orders"
    assert "OriginalSnapshotCreateTime" not in there, "RDS keeps that for DB snapshots only"


def test_five_copies_at_a_time_come_into_a_region(shop: Shop) -> None:
    arn = take(shop, "first")
    for number in range(5):
        copy(shop, arn, f"copy-{number}")
    with pytest.raises(ClientError) as sixth:
        copy(shop, arn, "copy-5")
    assert refused(sixth) == "SnapshotQuotaExceeded"

    shop.wait(minutes=5)
    copy(shop, arn, "copy-5")


def test_an_incomplete_snapshot_is_neither_copied_nor_restored(shop: Shop) -> None:
    reply = shop.source.create_db_cluster_snapshot(DBClusterIdentifier="orders", DBClusterSnapshotIdentifier="first")
    with pytest.raises(ClientError) as early:
        copy(shop, reply["DBClusterSnapshot"]["DBClusterSnapshotArn"], "first")
    assert refused(early) == "InvalidDBClusterSnapshotStateFault"


def test_a_restored_cluster_has_neither_instances_nor_tags_and_takes_instances_when_it_is_available(shop: Shop) -> None:
    copy(shop, take(shop, "first"), "first")
    shop.wait(minutes=5)
    rds, wanted = shop.target, {"Engine": "aurora-postgresql", "DBSubnetGroupName": "orders-subnets"}
    rds.restore_db_cluster_from_snapshot(DBClusterIdentifier="orders", SnapshotIdentifier="first", **wanted)
    instance = {"DBInstanceIdentifier": "orders-1", "DBClusterIdentifier": "orders", "DBInstanceClass": "db.r6g.large"}

    with pytest.raises(ClientError) as early:
        rds.create_db_instance(Engine="aurora-postgresql", **instance)
    assert refused(early) == "InvalidDBClusterStateFault"

    assert shop.watch(lambda: shop.cluster(TARGET)["Status"], minutes=6) == ["creating", "available"]
    restored = shop.cluster(TARGET)
    assert (restored["DBClusterMembers"], restored.get("TagList", [])) == ([], [])
    assert restored["StorageEncrypted"]
    assert restored["DBClusterParameterGroup"] == "default.aurora-postgresql16"
    rds.create_db_instance(Engine="aurora-postgresql", **instance)
    shop.wait(minutes=10)
    assert [each["IsClusterWriter"] for each in shop.cluster(TARGET)["DBClusterMembers"]] == [True]


def test_nothing_is_copied_out_of_a_lost_region(shop: Shop) -> None:
    arn = take(shop, "first")
    shop.darken(SOURCE)
    with pytest.raises(ClientError) as lost:
        copy(shop, arn, "first")
    assert refused(lost) == "DBClusterSnapshotNotFoundFault"
