"""MemoryDB in the embedded AWS, told as an operator meets it: members that all accept writes, copies, exports."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localaws.datastores import ACCOUNT, SOURCE, TARGET, Stores, open_stores, refused

SHARED = "ldgnf-session"
LAG = ("AWS/MemoryDB", "MultiRegionClusterReplicationLag")


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Stores:
    return open_stores(monkeypatch, "memorydb")


@pytest.fixture
def shop(empty: Stores) -> Stores:
    empty.seed("memorydb-multi-region", "session")
    return empty


def cluster(shop: Stores, region: str, name: str = "session") -> dict[str, Any]:
    found = shop.client("memorydb", region).describe_clusters(ClusterName=name, ShowShardDetails=True)
    return dict(found["Clusters"][0])


def members(shop: Stores, region: str = TARGET) -> dict[str, str]:
    client = shop.client("memorydb", region)
    found = client.describe_multi_region_clusters(MultiRegionClusterName=SHARED, ShowClusterDetails=True)
    return {one["Region"]: one["Status"] for one in found["MultiRegionClusters"][0]["Clusters"]}


def create(shop: Stores, region: str, name: str = "session", **settings: Any) -> dict[str, Any]:
    usual = {"NodeType": "db.r7g.xlarge", "ACLName": "open-access"}
    made = shop.client("memorydb", region).create_cluster(ClusterName=name, **{**usual, **settings})
    return dict(made["Cluster"])


def test_a_seeded_multi_region_cluster_reads_the_same_from_both_regions(shop: Stores) -> None:
    shown = [
        shop.client("memorydb", region).describe_multi_region_clusters(ShowClusterDetails=True)["MultiRegionClusters"]
        for region in (SOURCE, TARGET)
    ]
    assert shown[0] == shown[1]
    assert (shown[0][0]["Status"], shown[0][0]["Engine"]) == ("available", "valkey")
    assert members(shop) == {SOURCE: "available", TARGET: "available"}
    here = cluster(shop, TARGET)
    assert (here["MultiRegionClusterName"], here["Status"]) == (SHARED, "available")
    assert [node["Status"] for shard in here["Shards"] for node in shard["Nodes"]] == ["available", "available"]
    tags = shop.target.list_tags(ResourceArn=here["ARN"])["TagList"]
    assert tags == shop.target.list_tags(ResourceArn=shown[0][0]["ARN"])["TagList"]
    assert tags == [{"Key": "Customer", "Value": "CustomerX"}]
    acl = shop.target.describe_acls(ACLName="open-access")["ACLs"][0]
    assert (acl["Status"], acl["Clusters"]) == ("active", ["session"])
    with refused("ACLNotFoundFault"):
        shop.target.describe_acls(ACLName="nobody")


def test_lag_falls_to_nothing_when_the_other_regions_writers_are_fenced(shop: Stores) -> None:
    assert shop.measure(TARGET, LAG, ClusterName="session")[0] == 350.0
    shop.fence(SOURCE, "session")
    assert shop.measure(TARGET, LAG, ClusterName="session")[0] == 0.0
    assert shop.measure(SOURCE, LAG, ClusterName="session")[0] == 350.0  # the target side writes on


def test_a_region_left_alone_stays_available_and_keeps_its_last_known_lag(shop: Stores) -> None:
    shop.darken(SOURCE)
    shop.clock.advance(60)
    assert cluster(shop, TARGET)["Status"] == "available"
    assert shop.measure(TARGET, LAG, ClusterName="session")[-1] == 350.0
    shop.clock.advance(600)
    assert shop.measure(TARGET, LAG, ClusterName="session") == []

    shop.target.update_cluster(ClusterName="session", ReplicaConfiguration={"ReplicaCount": 3})
    assert shop.watch(lambda: cluster(shop, TARGET)["Status"], minutes=6) == ["updating", "available"]
    assert cluster(shop, TARGET)["Shards"][0]["NumberOfNodes"] == 4
    with refused("InvalidMultiRegionClusterStateFault"):  # the whole needs every Region
        shop.target.update_multi_region_cluster(MultiRegionClusterName=SHARED, NodeType="db.r7g.2xlarge")

    shop.repair()
    assert members(shop, SOURCE) == {SOURCE: "available", TARGET: "available"}
    assert shop.measure(TARGET, LAG, ClusterName="session")[0] == 350.0


def test_a_member_is_added_with_what_it_inherits_and_removed_by_name(shop: Stores) -> None:
    with refused("InvalidParameterCombinationException"):  # a member must be named with its multi-Region cluster
        shop.target.delete_cluster(ClusterName="session")
    shop.target.delete_cluster(ClusterName="session", MultiRegionClusterName=SHARED, FinalSnapshotName="session-final")
    assert shop.watch(lambda: members(shop).get(TARGET), minutes=8) == ["snapshotting", "deleting", None]
    assert shop.target.describe_snapshots(SnapshotName="session-final")["Snapshots"][0]["Status"] == "available"

    joining = {"MultiRegionClusterName": SHARED, "SubnetGroupName": "session-subnets"}
    with refused("InvalidParameterCombinationException"):
        create(shop, TARGET, **joining, NodeType="db.r7g.2xlarge")
    with refused("InvalidParameterCombinationException"):  # there are data already
        create(shop, TARGET, **joining, SnapshotName="session-final")
    with refused("ACLNotFoundFault"):
        create(shop, TARGET, **joining, ACLName="nobody")
    made = create(shop, TARGET, **joining)
    assert (made["Status"], made["Engine"], "ClusterEndpoint" in made) == ("creating", "valkey", False)
    with refused("ClusterAlreadyExistsFault"):  # a blind second call
        create(shop, TARGET, **joining)
    assert shop.watch(lambda: members(shop)[TARGET], minutes=12) == ["creating", "available"]
    assert cluster(shop, TARGET)["ClusterEndpoint"]["Address"].startswith("clustercfg.session.")


def test_a_member_whose_creation_fails_is_no_member(shop: Stores) -> None:
    shop.target.delete_cluster(ClusterName="session", MultiRegionClusterName=SHARED)
    shop.wait(minutes=5)
    shop.make("fail", "memorydb.create-cluster")
    create(shop, TARGET, MultiRegionClusterName=SHARED)
    shop.wait(minutes=12)
    assert cluster(shop, TARGET)["Status"] == "create-failed"
    assert members(shop) == {SOURCE: "available"}
    shop.target.delete_cluster(ClusterName="session")
    shop.wait(minutes=5)
    assert shop.target.describe_clusters()["Clusters"] == []


@pytest.mark.parametrize(
    "settings",
    [
        {"NodeType": "db.t4g.small"},
        {"NodeType": "db.r7g.large"},
        {"NodeType": "db.r7g.xlarge", "Engine": "redis"},
        {"NodeType": "db.r7g.xlarge", "EngineVersion": "7.2"},
    ],
)
def test_multi_region_clusters_need_new_engines_on_large_nodes(empty: Stores, settings: dict[str, str]) -> None:
    with refused("InvalidParameterValueException"):
        empty.source.create_multi_region_cluster(MultiRegionClusterNameSuffix="session", **settings)


def test_the_whole_is_updated_at_once_and_deleted_last(shop: Stores) -> None:
    with refused("InvalidParameterCombinationException"):
        shop.target.update_cluster(ClusterName="session", NodeType="db.r7g.2xlarge")
    shop.source.update_multi_region_cluster(
        MultiRegionClusterName=SHARED, NodeType="db.r7g.2xlarge", ShardConfiguration={"ShardCount": 2}
    )
    assert set(members(shop).values()) == {"updating"}
    shop.wait(minutes=8)
    for region in (SOURCE, TARGET):
        assert (cluster(shop, region)["NodeType"], cluster(shop, region)["NumberOfShards"]) == ("db.r7g.2xlarge", 2)

    with refused("InvalidMultiRegionClusterStateFault"):
        shop.source.delete_multi_region_cluster(MultiRegionClusterName=SHARED)
    for region in (SOURCE, TARGET):
        shop.client("memorydb", region).delete_cluster(ClusterName="session", MultiRegionClusterName=SHARED)
    shop.wait(minutes=5)
    shop.target.delete_multi_region_cluster(MultiRegionClusterName=SHARED)
    shop.wait(minutes=2)
    with refused("MultiRegionClusterNotFoundFault"):
        members(shop)


def test_a_drill_copy_is_restored_from_a_snapshot(shop: Stores) -> None:
    shop.target.create_snapshot(ClusterName="session", SnapshotName="drill-1-session")
    assert cluster(shop, TARGET)["Status"] == "snapshotting"
    shop.wait(minutes=3)
    create(shop, TARGET, "drill-1-session", SnapshotName="drill-1-session")
    shop.wait(minutes=13)
    copy = cluster(shop, TARGET, "drill-1-session")
    assert (copy["Status"], "MultiRegionClusterName" in copy, copy["Engine"]) == ("available", False, "valkey")
    shop.target.delete_cluster(ClusterName="drill-1-session")
    shop.target.delete_snapshot(SnapshotName="drill-1-session")
    shop.wait(minutes=5)
    assert [one["Name"] for one in shop.target.describe_clusters()["Clusters"]] == ["session"]
    with refused("SnapshotNotFoundFault"):
        shop.target.describe_snapshots(SnapshotName="drill-1-session")


def test_an_export_travels_with_its_bucket_and_seeds_a_cluster_in_the_other_region(empty: Stores) -> None:
    empty.seed("memorydb-multi-region", "session", multi_region=False)
    empty.bucket("exports-west", TARGET)
    empty.bucket("exports-east", SOURCE, replicate_to="exports-west")
    empty.source.create_snapshot(ClusterName="session", SnapshotName="nightly")
    empty.wait(minutes=3)
    export = {"SourceSnapshotName": "nightly", "TargetSnapshotName": "session-export"}
    with refused("InvalidParameterValueException"):  # a bucket of another Region
        empty.source.copy_snapshot(**export, TargetBucket="exports-west")
    empty.source.copy_snapshot(**export, TargetBucket="exports-east")
    settings = {"Engine": "valkey", "SnapshotArns": ["arn:aws:s3:::exports-west/session-export-0001.rdb"]}
    with refused("InvalidParameterValueException"):  # not there yet
        create(empty, TARGET, **settings)
    empty.wait(minutes=2)
    create(empty, TARGET, **settings)
    empty.wait(minutes=13)
    assert cluster(empty, TARGET)["Status"] == "available"


def test_an_export_is_never_overwritten_and_a_day_has_twenty_snapshots(empty: Stores) -> None:
    empty.seed("memorydb-multi-region", "session", multi_region=False)
    empty.bucket("exports-east", SOURCE)
    for number in range(20):
        empty.source.create_snapshot(ClusterName="session", SnapshotName=f"s-{number}")
        empty.wait(minutes=3)
    with refused("SnapshotQuotaExceededFault"):
        empty.source.create_snapshot(ClusterName="session", SnapshotName="one-more")
    export = {"SourceSnapshotName": "s-0", "TargetSnapshotName": "session.export", "TargetBucket": "exports-east"}
    empty.source.copy_snapshot(**export)
    empty.wait(minutes=2)
    with refused("InvalidParameterValueException"):
        empty.source.copy_snapshot(**export)
    (object_,) = empty.client("s3", SOURCE).list_objects_v2(Bucket="exports-east")["Contents"]
    assert object_["LastModified"] <= empty.clock.now()
    empty.wait(minutes=24 * 60)
    empty.source.create_snapshot(ClusterName="session", SnapshotName="one-more")


def test_a_snapshot_is_restoring_while_it_is_restored_and_a_restore_may_fail(shop: Stores) -> None:
    def status() -> str:
        return str(shop.target.describe_snapshots(SnapshotName="nightly")["Snapshots"][0]["Status"])

    shop.target.create_snapshot(ClusterName="session", SnapshotName="nightly")
    shop.wait(minutes=3)
    create(shop, TARGET, "copy", SnapshotName="nightly")
    assert shop.watch(status, minutes=14) == ["restoring", "available"]
    shop.make("fail", "memorydb.restore-cluster")
    create(shop, TARGET, "broken", SnapshotName="nightly")
    with refused("InvalidSnapshotStateFault"):
        shop.target.delete_snapshot(SnapshotName="nightly")
    shop.wait(minutes=14)
    broken = cluster(shop, TARGET, "broken")
    assert (broken["Status"], "ClusterEndpoint" in broken, status()) == ("restore-failed", False, "available")
    shop.target.delete_cluster(ClusterName="broken")


def test_tags_of_a_cluster_that_is_not_available_cannot_be_changed(shop: Stores) -> None:
    here = cluster(shop, TARGET)
    tag = [{"Key": "k", "Value": "v"}]
    with refused("NoOperationFault"):
        shop.target.update_cluster(ClusterName="session", ReplicaConfiguration={"ReplicaCount": 1})
    shop.target.update_cluster(ClusterName="session", ReplicaConfiguration={"ReplicaCount": 2})
    assert shop.target.list_tags(ResourceArn=here["ARN"])["TagList"]
    with refused("InvalidClusterStateFault"):
        shop.target.tag_resource(ResourceArn=here["ARN"], Tags=tag)
    with refused("InvalidClusterStateFault"):
        shop.target.untag_resource(ResourceArn=here["ARN"], TagKeys=["Customer"])
    made = create(shop, TARGET, "young")
    with refused("InvalidClusterStateFault"):
        shop.target.list_tags(ResourceArn=made["ARN"])
    with refused("InvalidParameterValueException"):
        create(shop, TARGET, "a-name-that-has-more-than-forty-characters")


def test_what_a_restore_on_the_other_side_needs_is_seeded_and_can_be_discovered(empty: Stores) -> None:
    empty.seed("memorydb-multi-region", "session", multi_region=False, exports=True)
    for region in (SOURCE, TARGET):
        (stored,) = empty.client("s3", region).list_objects_v2(Bucket=f"session-exports-{region}")["Contents"]
        assert stored["Key"] == "session.nightly-0001.rdb"
    explorer = empty.client("resourcegroupstaggingapi", TARGET)
    found = explorer.get_resources(TagFilters=[{"Key": "dr:standby-for", "Values": ["session"]}])
    (one,) = found["ResourceTagMappingList"]
    assert one["ResourceARN"] == f"arn:aws:memorydb:{TARGET}:{ACCOUNT}:subnetgroup/session-subnets"
    told = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
    assert told["dr:export-bucket"] == f"session-exports-{TARGET}"
    assert told["dr:security-groups"].startswith("sg-")
    assert told["Customer"] == "CustomerX"


def test_a_shard_fails_over_within_its_region(shop: Stores) -> None:
    def nodes() -> list[str]:
        return [node["Name"] for node in cluster(shop, TARGET)["Shards"][0]["Nodes"]]

    assert nodes() == ["session-0001-001", "session-0001-002"]
    shop.target.failover_shard(ClusterName="session", ShardName="0001")
    assert shop.watch(lambda: cluster(shop, TARGET)["Status"], minutes=2) == ["updating", "available"]
    assert nodes() == ["session-0001-002", "session-0001-001"]
    with refused("ShardNotFoundFault"):
        shop.target.failover_shard(ClusterName="session", ShardName="0009")


def test_discovery_lists_caches_and_clusters_with_their_tags(shop: Stores) -> None:
    shop.seed("elasticache-global", "cart")
    found = shop.client("resourcegroupstaggingapi", TARGET).get_resources(
        TagFilters=[{"Key": "Customer", "Values": ["CustomerX"]}]
    )
    arns = {one["ResourceARN"] for one in found["ResourceTagMappingList"]}
    prefix = f"arn:aws:elasticache:{TARGET}:{ACCOUNT}"
    assert {
        f"arn:aws:memorydb:{TARGET}:{ACCOUNT}:cluster/session",
        f"{prefix}:replicationgroup:cart",
        f"{prefix}:cluster:cart-001",
    } <= arns
