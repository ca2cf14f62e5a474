"""DB instances and their cross-Region replicas in the embedded AWS, told as an operator meets them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localaws.databases import ACCOUNT, SOURCE, TARGET, Shop, open_shop, refused

SOURCE_ARN = f"arn:aws:rds:{SOURCE}:{ACCOUNT}:db:orders"
TARGET_ARN = f"arn:aws:rds:{TARGET}:{ACCOUNT}:db:orders"


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    return open_shop(monkeypatch)


def status(shop: Shop, region: str, name: str = "orders") -> str:
    return str(shop.instance(region, name)["DBInstanceStatus"])


def test_a_seeded_replica_names_its_source_and_replicates(shop: Shop) -> None:
    shop.seed("rds-replica")

    replica, source = shop.instance(TARGET), shop.instance(SOURCE)
    assert replica["ReadReplicaSourceDBInstanceIdentifier"] == SOURCE_ARN
    assert source["ReadReplicaDBInstanceIdentifiers"] == [TARGET_ARN]
    assert replica["StatusInfos"] == [{"StatusType": "read replication", "Normal": True, "Status": "replicating"}]
    assert source["StatusInfos"] == []
    assert replica["DbiResourceId"] != source["DbiResourceId"]
    assert set(shop.metric(TARGET, "ReplicaLag", "DBInstanceIdentifier")) == {2.0}
    for region in (SOURCE, TARGET):
        listed = shop.client("resourcegroupstaggingapi", region).get_resources(
            TagFilters=[{"Key": "Customer", "Values": ["CustomerX"]}]
        )
        arns = [one["ResourceARN"] for one in listed["ResourceTagMappingList"]]
        assert arns == [f"arn:aws:rds:{region}:{ACCOUNT}:db:orders"]


def test_a_promotion_passes_its_statuses_and_frees_both_sides(shop: Shop) -> None:
    shop.seed("rds-replica")
    endpoint = shop.instance(TARGET)["Endpoint"]

    answer = shop.target.promote_read_replica(DBInstanceIdentifier="orders", BackupRetentionPeriod=7)

    # Right after the call nothing shows yet: `available` alone proves no promotion.
    assert answer["DBInstance"]["DBInstanceStatus"] == "available"
    assert answer["DBInstance"]["ReadReplicaSourceDBInstanceIdentifier"] == SOURCE_ARN
    assert shop.watch(lambda: status(shop, TARGET)) == [
        "available",
        "modifying",
        "rebooting",
        "backing-up",
        "available",
    ]
    promoted = shop.instance(TARGET)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in promoted
    assert promoted["StatusInfos"] == []
    assert promoted["BackupRetentionPeriod"] == 7
    assert promoted["Endpoint"] == endpoint
    assert shop.instance(SOURCE)["ReadReplicaDBInstanceIdentifiers"] == []
    events = shop.target.describe_events(SourceIdentifier="orders", SourceType="db-instance", Duration=120)
    assert any("Promoted" in event["Message"] for event in events["Events"])


def test_only_an_available_replica_can_be_promoted(shop: Shop) -> None:
    shop.seed("rds-replica")
    with refused("InvalidDBInstanceState"):
        shop.source.promote_read_replica(DBInstanceIdentifier="orders")
    with refused("DBInstanceNotFound"):
        shop.target.promote_read_replica(DBInstanceIdentifier="nobody")

    shop.target.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="drill-1")
    assert status(shop, TARGET) == "backing-up"
    with refused("InvalidDBInstanceState"):
        shop.target.promote_read_replica(DBInstanceIdentifier="orders")

    shop.wait(minutes=2)
    shop.target.promote_read_replica(DBInstanceIdentifier="orders")
    with refused("InvalidDBInstanceState"):  # a blind second call
        shop.target.promote_read_replica(DBInstanceIdentifier="orders")


def test_a_failed_promotion_leaves_a_replica_that_a_reboot_repairs(shop: Shop) -> None:
    shop.seed("rds-replica")
    shop.make("fail", "rds.promote-read-replica")
    shop.target.promote_read_replica(DBInstanceIdentifier="orders")
    shop.wait()
    assert status(shop, TARGET) == "incompatible-parameters"
    assert shop.instance(TARGET)["ReadReplicaSourceDBInstanceIdentifier"] == SOURCE_ARN

    shop.repair()
    shop.target.reboot_db_instance(DBInstanceIdentifier="orders")
    shop.wait(minutes=2)
    shop.target.promote_read_replica(DBInstanceIdentifier="orders")
    shop.wait()
    assert "ReadReplicaSourceDBInstanceIdentifier" not in shop.instance(TARGET)


def test_a_stuck_promotion_never_ends(shop: Shop) -> None:
    shop.seed("rds-replica")
    shop.make("stuck", "rds.promote-read-replica")
    shop.target.promote_read_replica(DBInstanceIdentifier="orders")
    assert shop.watch(lambda: status(shop, TARGET), minutes=600, step_seconds=600)[-1] == "modifying"


def test_failback_frees_the_name_and_builds_a_replica_with_it(shop: Shop) -> None:
    """Promote, rename the old primary, create the new replica under the freed name: the whole replicate phase."""
    shop.seed("rds-replica")
    shop.target.promote_read_replica(DBInstanceIdentifier="orders", BackupRetentionPeriod=7)
    shop.wait()

    shop.source.modify_db_instance(
        DBInstanceIdentifier="orders", NewDBInstanceIdentifier="orders-retired-1", ApplyImmediately=True
    )
    assert shop.instance(SOURCE)["PendingModifiedValues"] == {"DBInstanceIdentifier": "orders-retired-1"}
    shop.wait(minutes=3)
    retired = shop.instance(SOURCE, "orders-retired-1")
    assert retired["DBInstanceStatus"] == "available"
    assert retired["DBInstanceArn"].endswith(":db:orders-retired-1")
    assert retired["Endpoint"]["Address"].startswith("orders-retired-1.")

    key = shop.client("kms", SOURCE).describe_key(KeyId="alias/orders")["KeyMetadata"]["Arn"]
    created = shop.source.create_db_instance_read_replica(
        DBInstanceIdentifier="orders",
        SourceDBInstanceIdentifier=TARGET_ARN,
        SourceRegion=TARGET,
        KmsKeyId=key,
        DBParameterGroupName="orders-params",
        DBSubnetGroupName="orders-subnets",
        Tags=[{"Key": "dr:execution-id", "Value": "run-1"}],
    )["DBInstance"]
    assert created["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in created
    assert created["TagList"] == [{"Key": "dr:execution-id", "Value": "run-1"}]
    shop.wait()
    replica = shop.instance(SOURCE)
    assert replica["DBInstanceStatus"] == "available"
    assert replica["StatusInfos"][0]["Status"] == "replicating"
    assert replica["KmsKeyId"] == key
    assert shop.instance(TARGET)["ReadReplicaDBInstanceIdentifiers"] == [SOURCE_ARN]


def test_the_rename_of_a_source_is_followed_by_its_replica(shop: Shop) -> None:
    shop.seed("rds-replica")
    shop.source.modify_db_instance(
        DBInstanceIdentifier="orders", NewDBInstanceIdentifier="orders2", ApplyImmediately=True
    )
    shop.wait(minutes=3)
    assert shop.instance(TARGET)["ReadReplicaSourceDBInstanceIdentifier"] == f"{SOURCE_ARN}2"
    assert shop.instance(SOURCE, "orders2")["ReadReplicaDBInstanceIdentifiers"] == [TARGET_ARN]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SourceDBInstanceIdentifier": "orders-x"}, "DBInstanceNotFound"),
        ({"SourceDBInstanceIdentifier": "arn:aws:rds:us-east-1:999999999999:db:orders"}, "InvalidParameterValue"),
        ({"KmsKeyId": None}, "InvalidParameterCombination"),
        ({"KmsKeyId": f"arn:aws:kms:{SOURCE}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"},
         "KMSKeyNotAccessibleFault"),
        ({"DBInstanceIdentifier": "orders"}, "DBInstanceAlreadyExists"),
        ({"DBParameterGroupName": "nope"}, "DBParameterGroupNotFound"),
    ],
)  # fmt: skip
def test_a_replica_cannot_be_created_wrongly(shop: Shop, change: dict[str, Any], code: str) -> None:
    shop.seed("rds-replica")
    params = {
        "DBInstanceIdentifier": "orders-2",
        "SourceDBInstanceIdentifier": SOURCE_ARN,
        "KmsKeyId": shop.client("kms", TARGET).describe_key(KeyId="alias/orders")["KeyMetadata"]["Arn"],
        **change,
    }
    with refused(code):
        shop.target.create_db_instance_read_replica(**{k: v for k, v in params.items() if v is not None})
    assert [one["DBInstanceIdentifier"] for one in shop.target.describe_db_instances()["DBInstances"]] == ["orders"]


def test_a_source_without_backups_cannot_be_replicated(shop: Shop) -> None:
    shop.seed("rds-replica", encrypted=False)
    shop.source.create_db_instance(
        DBInstanceIdentifier="plain",
        Engine="mysql",
        DBInstanceClass="db.r6g.large",
        MasterUsername="a",
        MasterUserPassword="long-enough",
        BackupRetentionPeriod=0,
    )
    replica = {
        "DBInstanceIdentifier": "plain",
        "SourceDBInstanceIdentifier": f"arn:aws:rds:{SOURCE}:{ACCOUNT}:db:plain",
    }
    with refused("InvalidDBInstanceState"):  # still creating
        shop.target.create_db_instance_read_replica(**replica)
    shop.wait()
    with refused("InvalidDBInstanceState"):  # no backups
        shop.target.create_db_instance_read_replica(**replica)
    shop.source.modify_db_instance(DBInstanceIdentifier="plain", BackupRetentionPeriod=3, ApplyImmediately=True)
    assert "backing-up" in shop.watch(lambda: status(shop, SOURCE, "plain"))
    shop.target.create_db_instance_read_replica(**replica)
    shop.wait()
    assert status(shop, TARGET, "plain") == "available"


def test_with_the_source_region_dark_promotion_works_and_replication_does_not(shop: Shop) -> None:
    shop.seed("rds-replica")
    shop.darken(SOURCE)
    assert shop.instance(TARGET)["StatusInfos"][0]["Status"] == "error"
    lag = shop.metric(TARGET, "ReplicaLag", "DBInstanceIdentifier")
    assert lag[0] == -1.0
    assert lag[-1] == 2.0  # the last known lag can still be read
    with refused("InvalidDBInstanceState"):
        shop.target.create_db_instance_read_replica(
            DBInstanceIdentifier="orders-2", SourceDBInstanceIdentifier=SOURCE_ARN
        )

    shop.target.promote_read_replica(DBInstanceIdentifier="orders", BackupRetentionPeriod=7)
    shop.wait()
    assert "ReadReplicaSourceDBInstanceIdentifier" not in shop.instance(TARGET)


def test_fencing_ends_connections_only_with_a_reboot_and_then_lag_reaches_zero(shop: Shop) -> None:
    shop.seed("rds-replica")
    connections = ("DatabaseConnections", "DBInstanceIdentifier")
    assert shop.metric(SOURCE, *connections)[0] == 24

    shop.fence(SOURCE)
    assert shop.metric(SOURCE, *connections)[0] == 24  # tracked connections survive the rule change
    assert shop.metric(TARGET, "ReplicaLag", "DBInstanceIdentifier")[0] == 2.0

    shop.source.reboot_db_instance(DBInstanceIdentifier="orders")
    shop.wait(minutes=2)
    assert shop.metric(SOURCE, *connections)[0] == 0
    assert set(shop.metric(TARGET, "ReplicaLag", "DBInstanceIdentifier")) == {0.0}


def test_an_idle_postgres_source_shows_climbing_lag_but_an_empty_slot(shop: Shop) -> None:
    shop.seed("rds-replica", engine="postgres")
    assert shop.metric(SOURCE, "OldestReplicationSlotLag", "DBInstanceIdentifier")[0] > 0
    shop.fence(SOURCE)
    shop.source.reboot_db_instance(DBInstanceIdentifier="orders")
    shop.wait(minutes=4)
    assert max(shop.metric(TARGET, "ReplicaLag", "DBInstanceIdentifier")) > 60
    assert shop.metric(SOURCE, "OldestReplicationSlotLag", "DBInstanceIdentifier")[0] == 0


def test_a_source_and_its_replica_cannot_be_stopped_but_a_promoted_pair_can(shop: Shop) -> None:
    shop.seed("rds-replica")
    for rds in (shop.source, shop.target):
        with refused("InvalidDBInstanceState"):
            rds.stop_db_instance(DBInstanceIdentifier="orders")
    shop.target.promote_read_replica(DBInstanceIdentifier="orders")
    shop.wait()
    shop.source.stop_db_instance(DBInstanceIdentifier="orders")
    assert shop.watch(lambda: status(shop, SOURCE), minutes=5) == ["stopping", "stopped"]
    shop.wait(minutes=7 * 24 * 60 + 10)  # AWS starts it again after seven days
    assert status(shop, SOURCE) == "available"


def test_changes_wait_for_the_window_unless_applied_immediately(shop: Shop) -> None:
    shop.seed("rds-replica")
    change = {"DBInstanceIdentifier": "orders", "DBInstanceClass": "db.r6g.2xlarge", "MultiAZ": True}
    shop.target.modify_db_instance(**change)
    shop.wait()
    waiting = shop.instance(TARGET)
    assert waiting["DBInstanceClass"] == "db.r6g.large"
    assert waiting["PendingModifiedValues"] == {"DBInstanceClass": "db.r6g.2xlarge", "MultiAZ": True}

    shop.target.modify_db_instance(**change, ApplyImmediately=True)
    assert shop.watch(lambda: status(shop, TARGET)) == ["available", "modifying", "available"]
    grown = shop.instance(TARGET)
    assert (grown["DBInstanceClass"], grown["MultiAZ"]) == ("db.r6g.2xlarge", True)
    assert grown["PendingModifiedValues"] == {}


@pytest.mark.parametrize(("engine", "expected"), [("mysql", "promoted"), ("postgres", "terminated")])
def test_deleting_a_source_leaves_its_replica_as_its_engine_documents(shop: Shop, engine: str, expected: str) -> None:
    shop.seed("rds-replica", engine=engine, deletion_protection=True)
    final = {"DBInstanceIdentifier": "orders", "FinalDBSnapshotIdentifier": "orders-final"}
    with refused("InvalidParameterCombination"):
        shop.source.delete_db_instance(**final)
    shop.source.modify_db_instance(DBInstanceIdentifier="orders", DeletionProtection=False)
    with refused("InvalidParameterCombination"):
        shop.source.delete_db_instance(DBInstanceIdentifier="orders")

    assert shop.source.delete_db_instance(**final)["DBInstance"]["DBInstanceStatus"] == "deleting"
    shop.wait()

    with refused("DBInstanceNotFound"):
        shop.instance(SOURCE)
    kept = shop.source.describe_db_snapshots(DBSnapshotIdentifier="orders-final")["DBSnapshots"][0]
    assert kept["Status"] == "available"
    replica = shop.instance(TARGET)
    if expected == "promoted":
        assert "ReadReplicaSourceDBInstanceIdentifier" not in replica
    else:
        assert replica["StatusInfos"][0]["Status"] == "terminated"
        assert shop.metric(TARGET, "ReplicaLag", "DBInstanceIdentifier")[0] == -1


def test_a_drill_restores_a_snapshot_of_the_replica_and_leaves_the_replica_alone(shop: Shop) -> None:
    shop.seed("rds-replica")
    snapshot = {"DBSnapshotIdentifier": "drill-1-orders"}
    shop.target.create_db_snapshot(DBInstanceIdentifier="orders", **snapshot)
    restore = {"DBInstanceIdentifier": "drill-1-orders", "DBSubnetGroupName": "orders-subnets", **snapshot}
    with refused("InvalidDBSnapshotState"):
        shop.target.restore_db_instance_from_db_snapshot(**restore)
    with refused("DBSnapshotAlreadyExists"):
        shop.target.create_db_snapshot(DBInstanceIdentifier="orders", **snapshot)
    shop.wait(minutes=3)
    shop.target.restore_db_instance_from_db_snapshot(**restore, Tags=[{"Key": "dr:drill-id", "Value": "d1"}])
    shop.wait()
    copy = shop.instance(TARGET, "drill-1-orders")
    assert copy["DBInstanceStatus"] == "available"
    assert copy["TagList"] == [{"Key": "dr:drill-id", "Value": "d1"}]
    assert "ReadReplicaSourceDBInstanceIdentifier" not in copy
    assert shop.instance(TARGET)["StatusInfos"][0]["Status"] == "replicating"

    shop.target.delete_db_instance(DBInstanceIdentifier="drill-1-orders", SkipFinalSnapshot=True)
    shop.target.delete_db_snapshot(**snapshot)
    shop.wait(minutes=3)
    with refused("DBInstanceNotFound"):
        shop.instance(TARGET, "drill-1-orders")
    with refused("DBSnapshotNotFound"):
        shop.target.describe_db_snapshots(**snapshot)


def test_a_snapshot_is_copied_to_the_other_region_while_that_one_lives(shop: Shop) -> None:
    shop.seed("rds-replica")
    shop.source.create_db_snapshot(DBInstanceIdentifier="orders", DBSnapshotIdentifier="fenced-1")
    arn = f"arn:aws:rds:{SOURCE}:{ACCOUNT}:snapshot:fenced-1"
    key = shop.client("kms", TARGET).describe_key(KeyId="alias/orders")["KeyMetadata"]["Arn"]
    copy = {"SourceDBSnapshotIdentifier": arn, "TargetDBSnapshotIdentifier": "fenced-1", "KmsKeyId": key}
    with refused("InvalidDBSnapshotState"):
        shop.target.copy_db_snapshot(**copy, SourceRegion=SOURCE)
    shop.wait(minutes=2)
    assert shop.target.copy_db_snapshot(**copy, SourceRegion=SOURCE)["DBSnapshot"]["Status"] == "creating"
    with refused("DBSnapshotAlreadyExists"):
        shop.target.copy_db_snapshot(**copy, SourceRegion=SOURCE)
    shop.wait(minutes=3)
    arrived = shop.target.describe_db_snapshots(DBSnapshotIdentifier="fenced-1")["DBSnapshots"][0]
    assert (arrived["Status"], arrived["SourceRegion"], arrived["KmsKeyId"]) == ("available", SOURCE, key)
    shop.darken(SOURCE)
    with refused("DBSnapshotNotFound"):
        shop.target.copy_db_snapshot(**{**copy, "TargetDBSnapshotIdentifier": "fenced-2"})


def test_replicated_backups_restore_in_the_other_region_after_its_loss(shop: Shop) -> None:
    shop.seed("rds-replica")
    key = shop.client("kms", TARGET).describe_key(KeyId="alias/orders")["KeyMetadata"]["Arn"]
    started = shop.target.start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=SOURCE_ARN, KmsKeyId=key, BackupRetentionPeriod=3
    )["DBInstanceAutomatedBackup"]
    assert started["Status"] == "pending"
    shop.wait(minutes=5)
    arn = started["DBInstanceAutomatedBackupsArn"]

    def backup() -> Any:
        found = shop.target.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=arn)
        return found["DBInstanceAutomatedBackups"][0]

    assert backup()["Status"] == "replicating"
    shop.darken(SOURCE)
    loss_point = backup()["RestoreWindow"]["LatestTime"]
    shop.wait(minutes=30)
    assert backup()["RestoreWindow"]["LatestTime"] == loss_point

    shop.target.restore_db_instance_to_point_in_time(
        SourceDBInstanceAutomatedBackupsArn=arn,
        TargetDBInstanceIdentifier="orders-restored",
        UseLatestRestorableTime=True,
        DBInstanceClass="db.r6g.xlarge",
    )
    shop.wait()
    restored = shop.instance(TARGET, "orders-restored")
    assert (restored["DBInstanceStatus"], restored["DBInstanceClass"]) == ("available", "db.r6g.xlarge")
    stopped = shop.target.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=SOURCE_ARN)
    assert stopped["DBInstanceAutomatedBackup"]["Status"] == "retained"
    with refused("DBInstanceAutomatedBackupNotFound"):
        shop.target.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=f"{arn}x")


def test_an_oracle_switchover_reverses_roles_and_other_engines_refuse(shop: Shop) -> None:
    shop.seed("rds-replica", engine="oracle-ee")
    shop.target.switchover_read_replica(DBInstanceIdentifier="orders")
    assert status(shop, SOURCE) == "modifying"
    shop.wait()
    primary, standby = shop.instance(TARGET), shop.instance(SOURCE)
    assert "ReadReplicaSourceDBInstanceIdentifier" not in primary
    assert primary["ReadReplicaDBInstanceIdentifiers"] == [SOURCE_ARN]
    assert standby["ReadReplicaSourceDBInstanceIdentifier"] == TARGET_ARN
    assert standby["StatusInfos"][0]["Status"] == "replicating"
    shop.seed("rds-replica", name="carts", engine="mysql")
    with refused("InvalidDBInstanceState"):
        shop.target.switchover_read_replica(DBInstanceIdentifier="carts")


def test_account_quotas_and_orderable_classes_can_be_read(shop: Shop) -> None:
    shop.seed("rds-replica")
    quotas = {one["AccountQuotaName"]: one for one in shop.target.describe_account_attributes()["AccountQuotas"]}
    assert (quotas["DBInstances"]["Used"], quotas["DBInstances"]["Max"]) == (1, 40)
    options = shop.target.describe_orderable_db_instance_options(Engine="mysql", DBInstanceClass="db.r6g.large")
    assert options["OrderableDBInstanceOptions"][0]["ReadReplicaCapable"]
    shop.target.add_tags_to_resource(ResourceName=TARGET_ARN, Tags=[{"Key": "a", "Value": "b"}])
    assert {"Key": "a", "Value": "b"} in shop.target.list_tags_for_resource(ResourceName=TARGET_ARN)["TagList"]
    with refused("DBInstanceNotFound"):
        shop.target.list_tags_for_resource(ResourceName=f"{TARGET_ARN}-x")
