"""Global tables, transactions and bucket replication: what a ledger in two Regions relies on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws

HUB = "111111111111"
EAST, WEST = "us-east-1", "us-west-2"
KEY = {"pk": {"S": "run"}, "sk": {"S": "1"}}


@pytest.fixture(scope="module")
def world() -> LocalAws:
    return LocalAws({HUB: "hub"}, clock=ManualClock())


@pytest.fixture
def local(world: LocalAws) -> Iterator[LocalAws]:
    yield world
    world.reset()


def client(local: LocalAws, service: str, region: str) -> Any:
    return local.session(HUB, region).client(service)


def global_table(local: LocalAws) -> tuple[Any, Any]:
    """Return clients of both Regions of a table with a replica."""
    east, west = client(local, "dynamodb", EAST), client(local, "dynamodb", WEST)
    east.create_table(
        TableName="runs",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    east.update_table(TableName="runs", ReplicaUpdates=[{"Create": {"RegionName": WEST}}])
    return east, west


def test_item_written_in_either_region_is_read_in_the_other(local: LocalAws) -> None:
    # Given a global table in two Regions
    east, west = global_table(local)

    # When each Region writes
    east.put_item(TableName="runs", Item={**KEY, "from": {"S": "east"}})
    seen_in_west = west.get_item(TableName="runs", Key=KEY)["Item"]
    west.update_item(
        TableName="runs",
        Key=KEY,
        UpdateExpression="SET #f = :w",
        ExpressionAttributeNames={"#f": "from"},
        ExpressionAttributeValues={":w": {"S": "west"}},
    )

    # Then the other Region reads it, and each names the other as its replica
    assert seen_in_west["from"] == {"S": "east"}
    assert east.get_item(TableName="runs", Key=KEY)["Item"]["from"] == {"S": "west"}
    replicas = {
        region: c.describe_table(TableName="runs")["Table"]["Replicas"] for region, c in ((EAST, east), (WEST, west))
    }
    assert replicas[EAST] == [{"RegionName": WEST, "ReplicaStatus": "ACTIVE"}]
    assert replicas[WEST] == [{"RegionName": EAST, "ReplicaStatus": "ACTIVE"}]


def test_query_reads_one_partition_in_order_and_an_index_across_partitions(local: LocalAws) -> None:
    # Given items of three runs, and an index on their state
    east, _west = global_table(local)
    east.update_table(
        TableName="runs",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "state")],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-state",
                    "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    for run in ("a", "b", "c"):
        for step in ("3", "1", "2"):
            state = {"S": "open" if step == "2" else "done"}
            east.put_item(TableName="runs", Item={"pk": {"S": run}, "sk": {"S": step}, "state": state})

    # When one partition is read page by page, and the index once
    found: list[str] = []
    start: dict[str, Any] = {}
    while True:
        values = {":p": {"S": "b"}}
        page = east.query(
            TableName="runs", KeyConditionExpression="pk = :p", ExpressionAttributeValues=values, Limit=2, **start
        )
        found += [item["sk"]["S"] for item in page["Items"]]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    opened = east.query(
        TableName="runs",
        IndexName="by-state",
        KeyConditionExpression="#s = :s",
        ExpressionAttributeNames={"#s": "state"},
        ExpressionAttributeValues={":s": {"S": "open"}},
    )["Items"]

    # Then the partition comes in order, and the index has one item of each run
    assert found == ["1", "2", "3"]
    assert sorted(item["pk"]["S"] for item in opened) == ["a", "b", "c"]
    assert east.scan(TableName="runs")["Count"] == 9


def test_table_of_the_other_region_is_gone_after_its_replica_is_removed(local: LocalAws) -> None:
    # Given a global table with an item
    east, west = global_table(local)
    east.put_item(TableName="runs", Item=KEY)

    # When the replica is removed
    east.update_table(TableName="runs", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])

    # Then the other Region has no table, and the first keeps its item
    with pytest.raises(west.exceptions.ResourceNotFoundException):
        west.describe_table(TableName="runs")
    assert east.get_item(TableName="runs", Key=KEY)["Item"] == KEY
    assert "Replicas" not in east.describe_table(TableName="runs")["Table"]


def test_transaction_with_a_failed_condition_changes_nothing_and_says_which(local: LocalAws) -> None:
    # Given a lock that somebody holds
    east, west = global_table(local)
    east.put_item(TableName="runs", Item={**KEY, "owner": {"S": "first"}})
    other = {"pk": {"S": "run"}, "sk": {"S": "2"}}

    # When a transaction writes an item and wants the lock
    with pytest.raises(ClientError) as caught:
        west.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": "runs", "Item": other}},
                {
                    "Update": {
                        "TableName": "runs",
                        "Key": KEY,
                        "UpdateExpression": "SET #o = :me",
                        "ConditionExpression": "attribute_not_exists(#o)",
                        "ExpressionAttributeNames": {"#o": "owner"},
                        "ExpressionAttributeValues": {":me": {"S": "second"}},
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
            ]
        )

    # Then neither happened, in neither Region, and the reason names the second action
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert reasons[1]["Item"]["owner"] == {"S": "first"}
    assert "Item" not in east.get_item(TableName="runs", Key=other)
    assert west.get_item(TableName="runs", Key=KEY)["Item"]["owner"] == {"S": "first"}


def test_transaction_repeated_with_its_token_has_no_second_effect(local: LocalAws) -> None:
    # Given a transaction that counts
    east, _west = global_table(local)
    count = {
        "Update": {
            "TableName": "runs",
            "Key": KEY,
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }

    # When it is sent twice with one token, as after a lost answer
    for _ in range(2):
        east.transact_write_items(TransactItems=[count], ClientRequestToken="token-1")

    # Then it counted once; other contents under the same token are refused
    assert east.get_item(TableName="runs", Key=KEY)["Item"]["n"] == {"N": "1"}
    with pytest.raises(east.exceptions.IdempotentParameterMismatchException):
        east.transact_write_items(
            TransactItems=[{"Delete": {"TableName": "runs", "Key": KEY}}], ClientRequestToken="token-1"
        )


def replicated_buckets(local: LocalAws) -> tuple[Any, Any]:
    east, west = client(local, "s3", EAST), client(local, "s3", WEST)
    east.create_bucket(Bucket="plans-east")
    west.create_bucket(Bucket="plans-west", CreateBucketConfiguration={"LocationConstraint": WEST})
    for bucket in ("plans-east", "plans-west"):
        east.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "ID": "all",
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": "plans/"},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": "arn:aws:s3:::plans-west"},
    }
    role = f"arn:aws:iam::{HUB}:role/replication"
    east.put_bucket_replication(Bucket="plans-east", ReplicationConfiguration={"Role": role, "Rules": [rule]})
    return east, west


def test_object_put_into_a_replicated_bucket_appears_in_the_other_with_its_version(local: LocalAws) -> None:
    # Given two versioned buckets, one replicated to the other for one prefix
    east, west = replicated_buckets(local)

    # When objects are put inside and outside the prefix, and one is deleted
    version = east.put_object(Bucket="plans-east", Key="plans/1.json", Body=b"{}", Metadata={"hash": "x"})["VersionId"]
    east.put_object(Bucket="plans-east", Key="other", Body=b"-")
    copied = west.get_object(Bucket="plans-west", Key="plans/1.json")
    east.delete_object(Bucket="plans-east", Key="plans/1.json")

    # Then the one inside was copied whole, the one outside was not, and the delete marker followed
    assert copied["Body"].read() == b"{}"
    assert copied["VersionId"] == version
    assert copied["Metadata"] == {"hash": "x"}
    with pytest.raises(west.exceptions.NoSuchKey):
        west.get_object(Bucket="plans-west", Key="other")
    with pytest.raises(west.exceptions.NoSuchKey):
        west.get_object(Bucket="plans-west", Key="plans/1.json")
    assert west.get_object(Bucket="plans-west", Key="plans/1.json", VersionId=version)["Body"].read() == b"{}"


def test_replication_to_a_bucket_without_versions_is_refused(local: LocalAws) -> None:
    # Given a destination that keeps no versions
    east = client(local, "s3", EAST)
    for bucket in ("kept", "not-kept"):
        east.create_bucket(Bucket=bucket)
    east.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    rule = {
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "Destination": {"Bucket": "arn:aws:s3:::not-kept"},
    }
    rule |= {"DeleteMarkerReplication": {"Status": "Disabled"}}
    wanted = {"Role": f"arn:aws:iam::{HUB}:role/r", "Rules": [rule]}

    # When replication is asked for
    with pytest.raises(ClientError) as caught:
        east.put_bucket_replication(Bucket="kept", ReplicationConfiguration=wanted)

    # Then S3 refuses and names the bucket
    assert caught.value.response["Error"]["Code"] == "InvalidRequest"
    assert "not-kept" in caught.value.response["Error"]["Message"]


def test_replica_key_has_an_alias_and_a_policy_of_its_own(local: LocalAws) -> None:
    # Given a multi-Region key with an alias
    east, west = client(local, "kms", EAST), client(local, "kms", WEST)
    key = east.create_key(MultiRegion=True)["KeyMetadata"]
    east.create_alias(AliasName="alias/ledger", TargetKeyId=key["KeyId"])

    # When it is replicated and the replica gets an alias of the same name
    east.replicate_key(KeyId=key["KeyId"], ReplicaRegion=WEST)
    west.create_alias(AliasName="alias/ledger", TargetKeyId=key["KeyId"])

    # Then each Region's alias leads to its own key, and what one encrypts the other decrypts
    assert west.describe_key(KeyId="alias/ledger")["KeyMetadata"]["Arn"] == key["Arn"].replace(EAST, WEST)
    assert (
        west.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["MultiRegionConfiguration"]["MultiRegionKeyType"]
        == "REPLICA"
    )
    sealed = east.encrypt(KeyId=key["KeyId"], Plaintext=b"secret")["CiphertextBlob"]
    assert west.decrypt(CiphertextBlob=sealed, KeyId=key["KeyId"])["Plaintext"] == b"secret"
