"""Aurora global databases in the embedded AWS, told as an operator meets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localaws.databases import ACCOUNT, MINUTE, SOURCE, TARGET, Shop, open_shop, refused

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{ACCOUNT}:cluster:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{ACCOUNT}:cluster:orders"
TO_TARGET = {"GlobalClusterIdentifier": "orders", "TargetDbClusterIdentifier": TARGET_ARN}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    opened = open_shop(monkeypatch)
    opened.seed("aurora-global")
    return opened


def writer(shop: Shop, region: str = TARGET) -> str:
    members = shop.global_cluster(region)["GlobalClusterMembers"]
    return next(str(one["DBClusterArn"]) for one in members if one["IsWriter"])


def sync(shop: Shop) -> dict[str, str]:
    return {m["DBClusterArn"]: m["SynchronizationStatus"] for m in shop.global_cluster()["GlobalClusterMembers"]}


def progress(shop: Shop) -> tuple[str, str | None]:
    shown = shop.global_cluster()
    return shown["Status"], shown.get("FailoverState", {}).get("Status")


def writers_of(shop: Shop, region: str, name: str = "orders") -> list[str]:
    members = shop.cluster(region, name)["DBClusterMembers"]
    return [one["DBInstanceIdentifier"] for one in members if one["IsClusterWriter"]]


def test_a_seeded_global_database_reads_the_same_from_both_regions(shop: Shop) -> None:
    assert shop.global_cluster(SOURCE) == shop.global_cluster(TARGET)
    shown = shop.global_cluster()
    assert (shown["Status"], "FailoverState" in shown) == ("available", False)
    assert shown["Endpoint"].startswith("orders.global-")
    by_arn = {one["DBClusterArn"]: one for one in shown["GlobalClusterMembers"]}
    assert (by_arn[SOURCE_ARN]["IsWriter"], by_arn[TARGET_ARN]["IsWriter"]) == (True, False)
    assert by_arn[SOURCE_ARN]["Readers"] == [TARGET_ARN]
    assert by_arn[TARGET_ARN]["GlobalWriteForwardingStatus"] == "disabled"
    assert set(sync(shop).values()) == {"connected"}
    assert (writers_of(shop, SOURCE), writers_of(shop, TARGET)) == (["orders-1"], [])
    assert shop.cluster(TARGET)["GlobalClusterIdentifier"] == "orders"
    assert shop.metric(TARGET, "AuroraGlobalDBRPOLag", "DBClusterIdentifier")[0] == 120.0
    assert shop.metric(SOURCE, "AuroraGlobalDBRPOLag", "DBClusterIdentifier") == []
    tags = shop.target.list_tags_for_resource(ResourceName=shown["GlobalClusterArn"])["TagList"]
    assert tags == [{"Key": "Customer", "Value": "CustomerX"}]


def test_a_switchover_exchanges_roles_without_a_resync(shop: Shop) -> None:
    started = shop.source.switchover_global_cluster(**TO_TARGET)["GlobalCluster"]
    assert started["FailoverState"] == {
        "Status": "pending",
        "FromDbClusterArn": SOURCE_ARN,
        "ToDbClusterArn": TARGET_ARN,
        "IsDataLossAllowed": False,
    }
    with refused("InvalidGlobalClusterStateFault"):  # a blind second call
        shop.source.switchover_global_cluster(**TO_TARGET)

    assert shop.watch(lambda: progress(shop), minutes=4) == [
        ("switching-over", "pending"),
        ("switching-over", "failing-over"),
        ("available", None),
    ]
    assert writer(shop) == TARGET_ARN
    assert set(sync(shop).values()) == {"connected"}
    assert (writers_of(shop, SOURCE), writers_of(shop, TARGET)) == ([], ["orders-1"])
    assert shop.cluster(TARGET)["Status"] == "available"

    # And back again, from what is now the primary Region.
    shop.target.switchover_global_cluster(**{**TO_TARGET, "TargetDbClusterIdentifier": SOURCE_ARN})
    shop.wait(minutes=3)
    assert writer(shop) == SOURCE_ARN


@pytest.mark.parametrize(
    ("region", "change", "code"),
    [
        (TARGET, {}, "InvalidGlobalClusterStateFault"),
        (SOURCE, {"TargetDbClusterIdentifier": "orders"}, "InvalidParameterValue"),
        (SOURCE, {"TargetDbClusterIdentifier": f"{TARGET_ARN}-x"}, "DBClusterNotFoundFault"),
        (SOURCE, {"TargetDbClusterIdentifier": SOURCE_ARN}, "InvalidGlobalClusterStateFault"),
        (SOURCE, {"GlobalClusterIdentifier": "nobody"}, "GlobalClusterNotFoundFault"),
    ],
)
def test_a_switchover_asked_wrongly_changes_nothing(shop: Shop, region: str, change: dict[str, Any], code: str) -> None:
    with refused(code):
        shop.client("rds", region).switchover_global_cluster(**{**TO_TARGET, **change})
    shop.wait(minutes=5)
    assert writer(shop) == SOURCE_ARN


def test_a_switchover_needs_equal_versions_and_instances_on_the_other_side(shop: Shop) -> None:
    shop.target.modify_db_cluster(DBClusterIdentifier="orders", EngineVersion="16.6", ApplyImmediately=True)
    shop.wait(minutes=2)
    with refused("InvalidGlobalClusterStateFault"):
        shop.source.switchover_global_cluster(**TO_TARGET)
    shop.target.modify_global_cluster(GlobalClusterIdentifier="orders", EngineVersion="16.6")

    for name in ("orders-1", "orders-2"):
        shop.target.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
    shop.wait(minutes=3)
    assert shop.cluster(TARGET)["DBClusterMembers"] == []
    with refused("InvalidDBClusterStateFault"):
        shop.source.switchover_global_cluster(**TO_TARGET)

    shop.target.create_db_instance(
        DBInstanceIdentifier="orders-1",
        DBClusterIdentifier="orders",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    shop.wait(minutes=6)
    shop.source.switchover_global_cluster(**TO_TARGET)
    shop.wait(minutes=3)
    assert writer(shop) == TARGET_ARN


def test_a_failing_switchover_is_cancelled_with_the_old_writer(shop: Shop) -> None:
    shop.make("fail", "rds.switchover-global-cluster")
    shop.source.switchover_global_cluster(**TO_TARGET)
    assert [one[1] for one in shop.watch(lambda: progress(shop), minutes=4)] == [
        "pending",
        "failing-over",
        "cancelling",
        None,
    ]
    assert writer(shop) == SOURCE_ARN
    assert shop.cluster(SOURCE)["Status"] == "available"


def test_an_emergency_failover_succeeds_without_the_old_region_which_is_rebuilt_later(shop: Shop) -> None:
    shop.darken(SOURCE)
    shop.clock.advance(2 * MINUTE)
    lost = shop.metric(TARGET, "AuroraGlobalDBRPOLag", "DBClusterIdentifier")
    assert lost[0] > lost[-1] == 120.0
    with refused("InvalidParameterCombination"):
        shop.target.failover_global_cluster(**TO_TARGET, AllowDataLoss=True, Switchover=True)

    started = shop.target.failover_global_cluster(**TO_TARGET, AllowDataLoss=True)["GlobalCluster"]
    assert started["FailoverState"]["IsDataLossAllowed"] is True
    shop.wait(minutes=3)
    assert (writer(shop), progress(shop)) == (TARGET_ARN, ("available", None))
    assert sync(shop) == {SOURCE_ARN: "pending-resync", TARGET_ARN: "connected"}
    assert writers_of(shop, TARGET) == ["orders-1"]
    shop.wait(minutes=60)
    assert sync(shop)[SOURCE_ARN] == "pending-resync"
    back = {**TO_TARGET, "TargetDbClusterIdentifier": SOURCE_ARN}
    with refused("InvalidGlobalClusterStateFault"):
        shop.target.switchover_global_cluster(**back)

    shop.repair()
    shop.wait(minutes=7)
    assert set(sync(shop).values()) == {"connected"}
    snapshots = shop.source.describe_db_cluster_snapshots(DBClusterIdentifier="orders", SnapshotType="automated")
    kept = [one["DBClusterSnapshotIdentifier"] for one in snapshots["DBClusterSnapshots"]]
    assert len(kept) == 1
    assert kept[0].startswith("rds:unplanned-global-failover-orders-")
    shop.source.copy_db_cluster_snapshot(
        SourceDBClusterSnapshotIdentifier=kept[0], TargetDBClusterSnapshotIdentifier="lost-writes"
    )
    shop.target.switchover_global_cluster(**back)
    shop.wait(minutes=3)
    assert writer(shop) == SOURCE_ARN


def test_a_failover_with_data_loss_is_refused_outside_the_target_region(shop: Shop) -> None:
    with refused("InvalidGlobalClusterStateFault"):
        shop.source.failover_global_cluster(**TO_TARGET, AllowDataLoss=True)
    assert "FailoverState" not in shop.global_cluster()


def test_a_failover_without_data_loss_hangs_on_a_dead_primary(shop: Shop) -> None:
    shop.darken(SOURCE)
    shop.target.failover_global_cluster(**TO_TARGET)
    shop.wait(minutes=60)
    assert progress(shop) == ("switching-over", "pending")
    with refused("InvalidGlobalClusterStateFault"):
        shop.target.failover_global_cluster(**TO_TARGET, AllowDataLoss=True)
    shop.repair()
    shop.wait(minutes=3)
    assert writer(shop) == TARGET_ARN


def test_a_secondary_is_detached_and_promoted_while_the_primary_is_gone(shop: Shop) -> None:
    shop.darken(SOURCE)
    shop.target.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=TARGET_ARN)
    assert shop.cluster(TARGET)["Status"] == "promoting"
    shop.wait(minutes=3)
    alone = shop.cluster(TARGET)
    assert (alone["Status"], "GlobalClusterIdentifier" in alone) == ("available", False)
    assert writers_of(shop, TARGET) == ["orders-1"]
    assert [one["DBClusterArn"] for one in shop.global_cluster()["GlobalClusterMembers"]] == [SOURCE_ARN]
    with refused("DBClusterNotFoundFault"):
        shop.target.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=TARGET_ARN)

    # Replicate again after the disaster: dismantle the old global database, build a new one around the new primary.
    shop.repair()
    shop.source.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=SOURCE_ARN)
    with refused("InvalidGlobalClusterStateFault"):
        shop.source.delete_global_cluster(GlobalClusterIdentifier="orders")
    shop.wait(minutes=3)
    shop.source.delete_global_cluster(GlobalClusterIdentifier="orders")
    created = shop.target.create_global_cluster(
        GlobalClusterIdentifier="orders-2", SourceDBClusterIdentifier=TARGET_ARN
    )["GlobalCluster"]
    assert created["GlobalClusterMembers"][0]["IsWriter"] is True
    shop.wait(minutes=2)
    secondary = {
        "DBClusterIdentifier": "orders-new",
        "Engine": "aurora-postgresql",
        "GlobalClusterIdentifier": "orders-2",
        "DBSubnetGroupName": "orders-subnets",
    }
    with refused("InvalidParameterCombination"):
        shop.source.create_db_cluster(**secondary, MasterUsername="a", MasterUserPassword="long-enough")
    assert shop.source.create_db_cluster(**secondary)["DBCluster"]["Status"] == "creating"
    shop.wait(minutes=2)
    assert shop.cluster(SOURCE, "orders-new")["Status"] == "available"
    members = shop.global_cluster(name="orders-2")["GlobalClusterMembers"]
    assert [one["IsWriter"] for one in members] == [True, False]
    with refused("InvalidGlobalClusterStateFault"):
        shop.source.create_db_cluster(**{**secondary, "DBClusterIdentifier": "orders-third"})


def test_a_stuck_failover_is_left_by_detaching_the_target(shop: Shop) -> None:
    shop.darken(SOURCE)
    shop.make("stuck", "rds.failover-global-cluster")
    shop.target.failover_global_cluster(**TO_TARGET, AllowDataLoss=True)
    shop.wait(minutes=20)
    assert progress(shop) == ("failing-over", "failing-over")

    shop.target.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=TARGET_ARN)
    shop.wait(minutes=3)
    assert shop.cluster(TARGET)["Status"] == "available"
    assert writers_of(shop, TARGET) == ["orders-1"]
    assert "GlobalClusterIdentifier" not in shop.cluster(TARGET)


def test_a_switchover_whose_primary_dies_midway_hangs_and_the_target_can_be_detached(shop: Shop) -> None:
    shop.source.switchover_global_cluster(**TO_TARGET)
    with refused("InvalidGlobalClusterStateFault"):
        shop.target.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=TARGET_ARN)
    shop.wait(minutes=0.5)
    shop.darken(SOURCE)
    shop.wait(minutes=20)
    assert progress(shop) == ("switching-over", "failing-over")
    shop.target.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=TARGET_ARN)
    shop.wait(minutes=3)
    assert writers_of(shop, TARGET) == ["orders-1"]


def test_members_of_a_global_database_are_protected(shop: Shop) -> None:
    with refused("InvalidDBClusterStateFault"):
        shop.target.stop_db_cluster(DBClusterIdentifier="orders")
    with refused("InvalidDBClusterStateFault"):
        shop.target.delete_db_cluster(DBClusterIdentifier="orders", SkipFinalSnapshot=True)
    with refused("InvalidGlobalClusterStateFault"):  # the primary goes last
        shop.source.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=SOURCE_ARN)
    with refused("InvalidParameterCombination"):
        shop.target.stop_db_instance(DBInstanceIdentifier="orders-1")
    with refused("GlobalClusterNotFoundFault"):
        shop.target.delete_global_cluster(GlobalClusterIdentifier="nobody")
    with refused("GlobalClusterNotFoundFault"):
        shop.target.describe_global_clusters(GlobalClusterIdentifier="nobody")
    with refused("DBClusterNotFoundFault"):
        shop.target.modify_db_cluster(DBClusterIdentifier="nobody")


def test_a_drill_clones_the_secondary_and_takes_the_clone_away_again(shop: Shop) -> None:
    clone = {
        "DBClusterIdentifier": "drill-1-orders",
        "SourceDBClusterIdentifier": "orders",
        "RestoreType": "copy-on-write",
        "DBSubnetGroupName": "orders-subnets",
        "Tags": [{"Key": "dr:drill-id", "Value": "d1"}],
    }
    with refused("InvalidParameterCombination"):
        shop.target.restore_db_cluster_to_point_in_time(**clone)
    shop.target.restore_db_cluster_to_point_in_time(**clone, UseLatestRestorableTime=True)
    with refused("DBClusterAlreadyExistsFault"):
        shop.target.restore_db_cluster_to_point_in_time(**clone, UseLatestRestorableTime=True)
    shop.wait(minutes=3)
    restored = shop.cluster(TARGET, "drill-1-orders")
    assert (restored["Status"], restored["DBClusterMembers"]) == ("available", [])
    assert "GlobalClusterIdentifier" not in restored
    shop.target.create_db_instance(
        DBInstanceIdentifier="drill-1-orders-1",
        DBClusterIdentifier="drill-1-orders",
        Engine="aurora-postgresql",
        DBInstanceClass="db.r6g.large",
    )
    shop.wait(minutes=6)
    assert writers_of(shop, TARGET, "drill-1-orders") == ["drill-1-orders-1"]
    with refused("InvalidDBClusterStateFault"):
        shop.target.delete_db_cluster(DBClusterIdentifier="drill-1-orders", SkipFinalSnapshot=True)
    shop.target.delete_db_instance(DBInstanceIdentifier="drill-1-orders-1", SkipFinalSnapshot=True)
    shop.target.delete_db_cluster(DBClusterIdentifier="drill-1-orders", SkipFinalSnapshot=True)
    shop.wait(minutes=3)
    with refused("DBClusterNotFoundFault"):
        shop.cluster(TARGET, "drill-1-orders")
    assert set(sync(shop).values()) == {"connected"}


def test_a_cluster_snapshot_travels_and_is_restored_in_the_other_region(shop: Shop) -> None:
    shop.source.create_db_cluster_snapshot(DBClusterIdentifier="orders", DBClusterSnapshotIdentifier="s1")
    copy = {
        "SourceDBClusterSnapshotIdentifier": f"arn:aws:rds:{SOURCE}:{ACCOUNT}:cluster-snapshot:s1",
        "TargetDBClusterSnapshotIdentifier": "s1",
        "KmsKeyId": shop.client("kms", TARGET).describe_key(KeyId="alias/orders")["KeyMetadata"]["Arn"],
    }
    with refused("InvalidDBClusterSnapshotStateFault"):
        shop.target.copy_db_cluster_snapshot(**copy, SourceRegion=SOURCE)
    shop.wait(minutes=2)
    shop.target.copy_db_cluster_snapshot(**copy, SourceRegion=SOURCE)
    with refused("DBClusterSnapshotAlreadyExistsFault"):
        shop.target.copy_db_cluster_snapshot(**copy, SourceRegion=SOURCE)
    shop.wait(minutes=3)
    shop.target.restore_db_cluster_from_snapshot(
        DBClusterIdentifier="restored", SnapshotIdentifier="s1", Engine="aurora-postgresql"
    )
    shop.wait(minutes=5)
    assert shop.cluster(TARGET, "restored")["Status"] == "available"
    shop.target.delete_db_cluster_snapshot(DBClusterSnapshotIdentifier="s1")
    with refused("DBClusterSnapshotNotFoundFault"):
        shop.target.describe_db_cluster_snapshots(DBClusterSnapshotIdentifier="s1")


def test_a_binlog_replica_cluster_is_promoted_once(shop: Shop) -> None:
    shop.seed("aurora-global", name="catalog", engine="aurora-mysql", encrypted=False)
    shop.target.remove_from_global_cluster(
        GlobalClusterIdentifier="catalog", DbClusterIdentifier=TARGET_ARN.replace("orders", "catalog")
    )
    shop.wait(minutes=3)
    source = SOURCE_ARN.replace("orders", "catalog")
    shop.target.create_db_cluster(
        DBClusterIdentifier="catalog-replica", Engine="aurora-mysql", ReplicationSourceIdentifier=source
    )
    shop.wait(minutes=3)
    replica_arn = TARGET_ARN.replace("orders", "catalog-replica")
    assert shop.cluster(TARGET, "catalog-replica")["ReplicationSourceIdentifier"] == source
    assert shop.cluster(SOURCE, "catalog")["ReadReplicaIdentifiers"] == [replica_arn]
    shop.target.promote_read_replica_db_cluster(DBClusterIdentifier="catalog-replica")
    shop.wait(minutes=3)
    promoted = shop.cluster(TARGET, "catalog-replica")
    assert (promoted["Status"], "ReplicationSourceIdentifier" in promoted) == ("available", False)
    assert shop.cluster(SOURCE, "catalog")["ReadReplicaIdentifiers"] == []
    with refused("InvalidDBClusterStateFault"):
        shop.target.promote_read_replica_db_cluster(DBClusterIdentifier="catalog-replica")


def test_a_failover_inside_a_cluster_and_a_stop_outside_a_global_database(shop: Shop) -> None:
    shop.source.failover_db_cluster(DBClusterIdentifier="orders")
    shop.wait(minutes=1)
    assert writers_of(shop, SOURCE) == ["orders-2"]

    shop.target.remove_from_global_cluster(GlobalClusterIdentifier="orders", DbClusterIdentifier=TARGET_ARN)
    shop.wait(minutes=3)
    shop.target.stop_db_cluster(DBClusterIdentifier="orders")
    shop.wait(minutes=3)
    assert shop.cluster(TARGET)["Status"] == "stopped"
    assert shop.instance(TARGET, "orders-1")["DBInstanceStatus"] == "stopped"
    shop.target.start_db_cluster(DBClusterIdentifier="orders")
    shop.wait(minutes=4)
    assert shop.cluster(TARGET)["Status"] == "available"


def test_a_renamed_cluster_stays_in_its_global_database(shop: Shop) -> None:
    shop.target.modify_db_cluster(
        DBClusterIdentifier="orders", NewDBClusterIdentifier="orders-west", ApplyImmediately=True
    )
    shop.wait(minutes=2)
    assert f"{TARGET_ARN}-west" in sync(shop)
    assert len(shop.cluster(TARGET, "orders-west")["DBClusterMembers"]) == 2
