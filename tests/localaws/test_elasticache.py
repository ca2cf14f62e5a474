"""ElastiCache in the embedded AWS, told as an operator meets it: groups, global datastores, snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localaws.datastores import ACCOUNT, MINUTE, SOURCE, TARGET, Stores, open_stores, refused

GLOBAL = "ldgnf-cart"
LAG = ("AWS/ElastiCache", "GlobalDatastoreReplicationLag")
PROMOTE = {"GlobalReplicationGroupId": GLOBAL, "PrimaryRegion": TARGET, "PrimaryReplicationGroupId": "cart"}
LEAVE = {"GlobalReplicationGroupId": GLOBAL, "ReplicationGroupRegion": TARGET, "ReplicationGroupId": "cart"}


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Stores:
    return open_stores(monkeypatch, "elasticache")


@pytest.fixture
def shop(empty: Stores) -> Stores:
    empty.seed("elasticache-global", "cart")
    return empty


def group(shop: Stores, region: str, name: str = "cart") -> dict[str, Any]:
    found = shop.client("elasticache", region).describe_replication_groups(ReplicationGroupId=name)
    return dict(found["ReplicationGroups"][0])


def datastore(shop: Stores, region: str = TARGET, name: str = GLOBAL) -> dict[str, Any]:
    client = shop.client("elasticache", region)
    found = client.describe_global_replication_groups(GlobalReplicationGroupId=name, ShowMemberInfo=True)
    return dict(found["GlobalReplicationGroups"][0])


def members(shop: Stores, region: str = TARGET) -> dict[str, tuple[str, str]]:
    return {one["ReplicationGroupRegion"]: (one["Role"], one["Status"]) for one in datastore(shop, region)["Members"]}


def create(shop: Stores, region: str, name: str = "cart", **settings: Any) -> dict[str, Any]:
    description = {"ReplicationGroupDescription": "Cache of a story"}
    client = shop.client("elasticache", region)
    return dict(client.create_replication_group(ReplicationGroupId=name, **description, **settings)["ReplicationGroup"])


def test_a_seeded_global_datastore_is_seen_from_both_regions(shop: Stores) -> None:
    assert datastore(shop, SOURCE) == datastore(shop, TARGET)
    assert datastore(shop)["Status"] == "available"
    assert members(shop) == {SOURCE: ("PRIMARY", "associated"), TARGET: ("SECONDARY", "associated")}
    info = group(shop, TARGET)["GlobalReplicationGroupInfo"]
    assert info == {"GlobalReplicationGroupId": GLOBAL, "GlobalReplicationGroupMemberRole": "SECONDARY"}
    roles = [one["CurrentRole"] for one in group(shop, TARGET)["NodeGroups"][0]["NodeGroupMembers"]]
    assert roles == ["primary", "replica"]

    nodes = shop.target.describe_cache_clusters(CacheClusterId="cart-002", ShowCacheNodeInfo=True)["CacheClusters"]
    assert nodes[0]["CacheNodes"][0]["CacheNodeStatus"] == "available"
    assert nodes[0]["ReplicationGroupId"] == "cart"
    tags = shop.target.list_tags_for_resource(ResourceName=group(shop, TARGET)["ARN"])["TagList"]
    assert tags == [{"Key": "Customer", "Value": "CustomerX"}]
    with refused("GlobalReplicationGroupNotFoundFault"):
        elsewhere = shop.local.session(ACCOUNT, "eu-west-1").client("elasticache")
        elsewhere.describe_global_replication_groups(GlobalReplicationGroupId=GLOBAL)


def test_lag_is_measured_where_the_secondary_is_and_falls_to_nothing_when_the_writer_is_fenced(shop: Stores) -> None:
    assert shop.measure(TARGET, LAG, CacheClusterId="cart-001")[0] == 0.6
    assert shop.measure(SOURCE, LAG, CacheClusterId="cart-001") == []
    assert shop.measure(TARGET, LAG, CacheClusterId="cart-002") == []

    shop.fence(SOURCE, "cart")
    assert shop.measure(TARGET, LAG, CacheClusterId="cart-001")[0] == 0.0


def test_a_promotion_exchanges_roles_and_can_be_taken_back(shop: Stores) -> None:
    shop.target.failover_global_replication_group(**PROMOTE)
    with refused("InvalidGlobalReplicationGroupState"):  # a blind second call
        shop.target.failover_global_replication_group(**PROMOTE)

    seen = shop.watch(lambda: (datastore(shop)["Status"], group(shop, TARGET)["Status"]), minutes=3)
    assert seen == [("modifying", "modifying"), ("available", "available")]
    assert members(shop) == {SOURCE: ("SECONDARY", "associated"), TARGET: ("PRIMARY", "associated")}
    assert shop.measure(SOURCE, LAG, CacheClusterId="cart-001") != []

    shop.source.failover_global_replication_group(**{**PROMOTE, "PrimaryRegion": SOURCE})
    shop.wait(minutes=3)
    assert members(shop)[SOURCE] == ("PRIMARY", "associated")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"PrimaryRegion": SOURCE}, "InvalidParameterValue"),
        ({"PrimaryReplicationGroupId": "nobody"}, "InvalidParameterValue"),
        ({"GlobalReplicationGroupId": "ldgnf-nobody"}, "GlobalReplicationGroupNotFoundFault"),
    ],
)
def test_a_promotion_asked_wrongly_changes_nothing(shop: Stores, change: dict[str, str], code: str) -> None:
    with refused(code):
        shop.target.failover_global_replication_group(**{**PROMOTE, **change})
    assert members(shop)[SOURCE] == ("PRIMARY", "associated")


def test_a_promotion_works_without_the_old_region_which_is_synchronised_later(shop: Stores) -> None:
    shop.darken(SOURCE)
    shop.clock.advance(MINUTE)
    lag = shop.measure(TARGET, LAG, CacheClusterId="cart-001")
    assert lag[-1] == 0.6  # the last known lag

    shop.target.failover_global_replication_group(**PROMOTE)
    shop.wait(minutes=2)
    assert members(shop) == {SOURCE: ("SECONDARY", "associating"), TARGET: ("PRIMARY", "associated")}
    assert datastore(shop)["Status"] == "available"

    shop.repair()
    shop.wait(minutes=7)
    assert members(shop)[SOURCE] == ("SECONDARY", "associated")


def test_a_failed_promotion_leaves_the_roles_as_they_were(shop: Stores) -> None:
    shop.make("fail", "elasticache.failover-global-replication-group")
    shop.target.failover_global_replication_group(**PROMOTE)
    shop.wait(minutes=3)
    assert members(shop)[SOURCE] == ("PRIMARY", "associated")
    assert (datastore(shop)["Status"], group(shop, TARGET)["Status"]) == ("available", "available")


def test_a_stuck_promotion_is_left_by_disassociating_the_secondary(shop: Stores) -> None:
    shop.darken(SOURCE)
    shop.make("stuck", "elasticache.failover-global-replication-group")
    shop.target.failover_global_replication_group(**PROMOTE)
    shop.wait(minutes=30)
    assert datastore(shop)["Status"] == "modifying"

    shop.target.disassociate_global_replication_group(**LEAVE)
    shop.wait(minutes=3)
    alone = group(shop, TARGET)
    assert (alone["Status"], "GlobalReplicationGroupInfo" in alone) == ("available", False)
    with refused("GlobalReplicationGroupNotFoundFault"):
        datastore(shop, TARGET)

    shop.repair()
    assert datastore(shop, SOURCE)["Status"] == "primary-only"


def test_the_way_back_after_a_disassociation_leads_over_a_new_global_datastore(shop: Stores) -> None:
    shop.target.disassociate_global_replication_group(**LEAVE)
    shop.wait(minutes=3)
    with refused("InvalidReplicationGroupState"):  # still the primary of the old one
        shop.source.delete_replication_group(ReplicationGroupId="cart")
    shop.source.delete_global_replication_group(GlobalReplicationGroupId=GLOBAL, RetainPrimaryReplicationGroup=True)
    shop.wait(minutes=2)
    shop.source.delete_replication_group(ReplicationGroupId="cart", FinalSnapshotIdentifier="cart-final")
    seen = shop.watch(lambda: _status_or_gone(shop, SOURCE), minutes=8)
    assert seen == ["snapshotting", "deleting", "ReplicationGroupNotFoundFault"]
    snapshots = shop.source.describe_snapshots(SnapshotName="cart-final")["Snapshots"]
    assert snapshots[0]["SnapshotStatus"] == "available"
    assert shop.source.describe_cache_clusters()["CacheClusters"] == []

    made = shop.target.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="cart", PrimaryReplicationGroupId="cart"
    )["GlobalReplicationGroup"]
    assert made["GlobalReplicationGroupId"] == "sgaui-cart"
    shop.wait(minutes=4)
    assert datastore(shop, name="sgaui-cart")["Status"] == "primary-only"
    create(shop, SOURCE, GlobalReplicationGroupId="sgaui-cart", CacheSubnetGroupName="cart-subnets")
    states = shop.watch(lambda: [one["Status"] for one in datastore(shop, name="sgaui-cart")["Members"]], minutes=14)
    assert states == [["associated", "associating"], ["associated", "associated"]]
    assert datastore(shop, name="sgaui-cart")["Status"] == "available"


def _status_or_gone(shop: Stores, region: str) -> str:
    try:
        return str(group(shop, region)["Status"])
    except shop.source.exceptions.ReplicationGroupNotFoundFault as error:
        return str(error.response["Error"]["Code"])


@pytest.mark.parametrize("passed", [{"CacheNodeType": "cache.r7g.large"}, {"NumNodeGroups": 2}, {"Engine": "valkey"}])
def test_a_secondary_inherits_and_refuses_to_be_told(empty: Stores, passed: dict[str, Any]) -> None:
    empty.seed("elasticache-global", "cart", **{"global": False})
    empty.source.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="cart", PrimaryReplicationGroupId="cart"
    )
    empty.wait(minutes=4)
    with refused("InvalidParameterCombination"):
        create(empty, TARGET, GlobalReplicationGroupId=GLOBAL, **passed)
    made = create(empty, TARGET, GlobalReplicationGroupId=GLOBAL)
    assert (made["Status"], made["CacheNodeType"], made["Engine"]) == ("creating", "cache.r7g.large", "valkey")


def test_a_secondary_whose_creation_fails_is_no_member(empty: Stores) -> None:
    empty.seed("elasticache-global", "cart", **{"global": False})
    empty.source.create_global_replication_group(
        GlobalReplicationGroupIdSuffix="cart", PrimaryReplicationGroupId="cart"
    )
    empty.wait(minutes=4)
    empty.make("fail", "elasticache.create-replication-group")
    create(empty, TARGET, GlobalReplicationGroupId=GLOBAL)
    empty.wait(minutes=15)
    assert group(empty, TARGET)["Status"] == "create-failed"
    assert datastore(empty, SOURCE)["Status"] == "primary-only"


def test_burstable_nodes_cannot_replicate_globally(empty: Stores) -> None:
    empty.seed("elasticache-global", "cart", node_type="cache.t4g.small", **{"global": False})
    with refused("InvalidParameterValue"):
        empty.source.create_global_replication_group(
            GlobalReplicationGroupIdSuffix="cart", PrimaryReplicationGroupId="cart"
        )


def test_replicas_are_added_while_the_group_is_modifying(shop: Stores) -> None:
    more = {"ReplicationGroupId": "cart", "NewReplicaCount": 3, "ApplyImmediately": True}
    shop.target.increase_replica_count(**more)
    with refused("InvalidReplicationGroupState"):
        shop.target.increase_replica_count(**more)
    assert shop.watch(lambda: group(shop, TARGET)["Status"], minutes=6) == ["modifying", "available"]
    assert group(shop, TARGET)["MemberClusters"] == ["cart-001", "cart-002", "cart-003", "cart-004"]
    with refused("NoOperationFault"):
        shop.target.increase_replica_count(**more)
    shop.target.decrease_replica_count(**{**more, "NewReplicaCount": 1})
    shop.wait(minutes=6)
    assert len(shop.target.describe_cache_clusters()["CacheClusters"]) == 2


def test_a_drill_copy_is_restored_from_a_snapshot_of_the_secondary(shop: Stores) -> None:
    shop.target.create_snapshot(ReplicationGroupId="cart", SnapshotName="drill-1-cart")
    assert group(shop, TARGET)["Status"] == "snapshotting"
    with refused("InvalidSnapshotState"):
        create(shop, TARGET, "drill-1-cart", SnapshotName="drill-1-cart")
    shop.wait(minutes=3)
    create(shop, TARGET, "drill-1-cart", SnapshotName="drill-1-cart")
    assert shop.watch(lambda: group(shop, TARGET, "drill-1-cart")["Status"], minutes=12) == ["creating", "available"]
    copy = group(shop, TARGET, "drill-1-cart")
    assert (copy["Engine"], "GlobalReplicationGroupInfo" in copy) == ("valkey", False)
    shop.target.delete_replication_group(ReplicationGroupId="drill-1-cart")
    shop.wait(minutes=5)
    shop.target.delete_snapshot(SnapshotName="drill-1-cart")
    assert [one["ReplicationGroupId"] for one in shop.target.describe_replication_groups()["ReplicationGroups"]] == [
        "cart"
    ]


def test_an_export_travels_with_its_bucket_and_seeds_a_group_in_the_other_region(empty: Stores) -> None:
    empty.seed("elasticache-global", "cart", **{"global": False})
    empty.bucket("exports-west", TARGET)
    empty.bucket("exports-east", SOURCE, replicate_to="exports-west")
    empty.source.create_snapshot(ReplicationGroupId="cart", SnapshotName="nightly")
    empty.wait(minutes=3)
    export = {"SourceSnapshotName": "nightly", "TargetSnapshotName": "cart-export"}
    with refused("InvalidParameterValue"):  # a bucket of another Region
        empty.source.copy_snapshot(**export, TargetBucket="exports-west")
    empty.source.copy_snapshot(**export, TargetBucket="exports-east")
    assert empty.source.describe_snapshots(SnapshotName="nightly")["Snapshots"][0]["SnapshotStatus"] == "exporting"
    arns = ["arn:aws:s3:::exports-west/cart-export-0001.rdb"]
    settings = {"CacheNodeType": "cache.r7g.large", "Engine": "valkey", "SnapshotArns": arns}
    with refused("InvalidParameterValue"):  # not there yet
        create(empty, TARGET, **settings)

    empty.wait(minutes=3)
    create(empty, TARGET, **settings)
    empty.wait(minutes=11)
    assert group(empty, TARGET)["Status"] == "available"


def test_a_group_is_made_only_with_parameter_and_user_groups_of_its_region(empty: Stores) -> None:
    with refused("CacheParameterGroupNotFound"):
        create(empty, TARGET, CacheParameterGroupName="cart-params")
    with refused("UserGroupNotFound"):
        create(empty, TARGET, UserGroupIds=["cart-users"])
    empty.target.create_cache_parameter_group(
        CacheParameterGroupName="cart-params", CacheParameterGroupFamily="valkey8", Description="of the cart"
    )
    empty.target.create_user_group(UserGroupId="cart-users", Engine="valkey")
    made = create(empty, TARGET, CacheParameterGroupName="cart-params", UserGroupIds=["cart-users"], Engine="valkey")
    assert made["UserGroupIds"] == ["cart-users"]
    with refused("CacheParameterGroupNotFound"):
        empty.source.describe_cache_parameter_groups(CacheParameterGroupName="cart-params")
    assert empty.source.describe_cache_parameter_groups(CacheParameterGroupName="default.valkey8")


def test_a_subnet_group_is_found_by_its_tags_and_an_export_keeps_its_time_when_it_is_replicated(empty: Stores) -> None:
    empty.seed("elasticache-standalone", "cart")
    before = empty.clock.now()
    empty.clock.advance(90 * MINUTE)
    s3 = empty.client("s3", SOURCE)
    s3.put_object(Bucket="cart-exports-us-east-1", Key="cart.late-0001.rdb", Body=b"")
    listed = empty.client("s3", TARGET).list_objects_v2(Bucket="cart-exports-us-west-2")["Contents"]
    times = {one["Key"]: one["LastModified"] for one in listed}
    assert (times["cart.nightly-0001.rdb"] - before).total_seconds() <= 1
    assert (times["cart.late-0001.rdb"] - times["cart.nightly-0001.rdb"]).total_seconds() == 90 * MINUTE
    arn = empty.target.describe_cache_subnet_groups()["CacheSubnetGroups"][0]["ARN"]
    tags = {one["Key"]: one["Value"] for one in empty.target.list_tags_for_resource(ResourceName=arn)["TagList"]}
    assert (tags["dr:standby-for"], tags["dr:export-bucket"]) == ("cart", "cart-exports-us-west-2")


def test_a_change_of_the_whole_datastore_reaches_every_member(shop: Stores) -> None:
    with refused("InvalidReplicationGroupState"):
        shop.target.modify_replication_group(ReplicationGroupId="cart", CacheNodeType="cache.r7g.xlarge")
    shop.source.modify_global_replication_group(
        GlobalReplicationGroupId=GLOBAL, CacheNodeType="cache.r7g.xlarge", ApplyImmediately=True
    )
    with refused("InvalidGlobalReplicationGroupState"):
        shop.target.disassociate_global_replication_group(**LEAVE)
    shop.wait(minutes=5)
    assert {group(shop, region)["CacheNodeType"] for region in (SOURCE, TARGET)} == {"cache.r7g.xlarge"}
