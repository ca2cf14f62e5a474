"""What the hub remembers survives a Region, a mistake and a thief."""

from __future__ import annotations

import json

import pytest

from orchestrator import names
from orchestrator.approvals import Approvals
from orchestrator.leases import Leases
from orchestrator.names import Table
from tests.infra.synthesised import Assembly, as_list, text


@pytest.mark.parametrize("table", list(Table))
def test_table_in_both_regions_recovers_encrypted_and_refuses_deletion(assembly: Assembly, table: Table) -> None:
    # Given the ledger of a hub in two Regions
    made = assembly.data.one("AWS::DynamoDB::GlobalTable", TableName=table.value)
    # Then every replica can be taken back in time, cannot be deleted, and uses the key of its own Region
    replicas = {each["Region"]: each for each in made["Replicas"]}
    assert set(replicas) == set(assembly.config.hub.regions)
    for region, replica in replicas.items():
        assert replica["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert replica["DeletionProtectionEnabled"] is True
        key = text(replica["SSESpecification"]["KMSMasterKeyId"])
        assert key.endswith(names.KEY_ALIAS)
        assert f":{region}:" in key
    assert made["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
    assert made["BillingMode"] == "PAY_PER_REQUEST"
    assert [k["AttributeName"] for k in made["KeySchema"]] == ["pk", "sk"]


def test_tables_deleted_with_their_stack_are_kept(assembly: Assembly) -> None:
    # Given somebody deletes the stack, then the ledger and the keys stay
    kept = [
        resource["DeletionPolicy"]
        for template in (assembly.data, *assembly.keys)
        for resource in template.body["Resources"].values()
        if resource["Type"] in {"AWS::DynamoDB::GlobalTable", "AWS::KMS::Key", "AWS::S3::Bucket"}
    ]
    assert len(kept) == len(Table) + 2 + 2
    assert set(kept) == {"Retain"}


def test_runs_table_is_found_by_scope(assembly: Assembly) -> None:
    runs = assembly.data.one("AWS::DynamoDB::GlobalTable", TableName=Table.RUNS.value)
    (index,) = runs["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "by-scope"
    assert [k["AttributeName"] for k in index["KeySchema"]] == ["gsi1pk", "gsi1sk"]


def test_every_bucket_is_versioned_encrypted_private_and_tls_only(assembly: Assembly) -> None:
    # Given all buckets of all stacks
    for template in assembly.all:
        policies = template.of_type("AWS::S3::BucketPolicy")
        for logical, bucket in template.of_type("AWS::S3::Bucket").items():
            assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, bucket["BucketName"]
            (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
            assert "KMSMasterKeyID" in rule["ServerSideEncryptionByDefault"]
            assert all(bucket["PublicAccessBlockConfiguration"].values())
            assert bucket["LifecycleConfiguration"]["Rules"]
            # Then its policy denies everything that comes without TLS
            (policy,) = [p for p in policies.values() if p["Bucket"] == {"Ref": logical}]
            assert {"Bool": {"aws:SecureTransport": "false"}} in [
                s.get("Condition") for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"
            ]


def test_documents_of_each_region_are_copied_to_the_other(assembly: Assembly) -> None:
    account = assembly.config.hub.account
    copies = {k.region: k.one("AWS::S3::Bucket")["BucketName"] for k in assembly.keys}
    for hub in assembly.hubs:
        # Given the bucket a Region's hub writes to
        bucket = hub.one("AWS::S3::Bucket", BucketName=names.bucket(account, hub.region))
        (rule,) = bucket["ReplicationConfiguration"]["Rules"]
        # Then everything in it goes to the other Region's copies, under the key there
        other = assembly.config.hub.other(hub.region)
        assert rule["Status"] == "Enabled"
        assert text(rule["Destination"]["Bucket"]).endswith(f":::{copies[other]}")
        assert f":{other}:" in text(rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"])
        assert rule["SourceSelectionCriteria"]["SseKmsEncryptedObjects"]["Status"] == "Enabled"


def test_key_rotates_and_opens_to_nobody_outside_the_account(assembly: Assembly) -> None:
    for template in assembly.keys:
        key = template.one("AWS::KMS::Key")
        assert key["EnableKeyRotation"] is True
        assert template.one("AWS::KMS::Alias")["AliasName"] == names.KEY_ALIAS
        for statement in key["KeyPolicy"]["Statement"]:
            principal = statement["Principal"]
            if principal == {"AWS": "*"}:
                equal = statement["Condition"]["StringEquals"]
                assert "kms:CallerAccount" in equal
                assert "kms:ViaService" in equal
            elif "Service" in principal:
                assert any(
                    "aws:SourceAccount" in block or "kms:EncryptionContext:aws:logs:arn" in block
                    for block in statement["Condition"].values()
                )
            else:
                assert ":root" in text(principal["AWS"])


def test_notifications_and_dead_letters_are_encrypted_by_the_hub_key(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        assert "Key" in json.dumps(hub.one("AWS::SNS::Topic", TopicName=names.TOPIC)["KmsMasterKeyId"])
        assert "Key" in json.dumps(hub.one("AWS::SQS::Queue", QueueName=names.DEAD_LETTERS)["KmsMasterKeyId"])


def test_contacts_of_a_customer_hear_of_that_customer_only(assembly: Assembly) -> None:
    (customer,) = assembly.config.customers
    for hub in assembly.hubs:
        subscriptions = {s["Endpoint"]: s for s in hub.of_type("AWS::SNS::Subscription").values()}
        for email in customer.contacts.emails:
            assert subscriptions[email]["FilterPolicy"] == {"Customer": [customer.name]}
        for endpoint in (*assembly.config.operators.emails, *assembly.config.operators.phones):
            assert "FilterPolicy" not in subscriptions[endpoint]


def test_nothing_grants_the_public(assembly: Assembly) -> None:
    # Given every resource policy of topics, queues and buckets
    for template in assembly.all:
        for kind in ("AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"):
            for policy in template.of_type(kind).values():
                for statement in policy["PolicyDocument"]["Statement"]:
                    # Then only a Deny may speak of everybody
                    everybody = "*" in as_list(statement["Principal"] if statement["Principal"] == "*" else [])
                    everybody = everybody or statement["Principal"] == {"AWS": "*"}
                    assert statement["Effect"] == "Deny" or not everybody, template.name


def test_second_list_of_contacts_hears_only_what_is_overdue(assembly: Assembly) -> None:
    overdue = {"Notice": ["approval-overdue"]}
    (customer,) = [c for c in assembly.config.customers if c.escalation.emails]
    for hub in assembly.hubs:
        subscriptions = {s["Endpoint"]: s for s in hub.of_type("AWS::SNS::Subscription").values()}
        for endpoint in (*assembly.config.escalation.emails, *assembly.config.escalation.phones):
            assert subscriptions[endpoint]["FilterPolicy"] == overdue
        for endpoint in customer.escalation.emails:
            assert subscriptions[endpoint]["FilterPolicy"] == {"Customer": [customer.name], **overdue}


def test_functions_know_the_approval_policy(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        for verb in ("next_move", "answer_gate", "record_decision", "open_gate"):
            told = hub.function(verb)["Environment"]["Variables"]["DR_APPROVALS"]
            assert Approvals.model_validate_json(told) == assembly.config.approvals


def test_functions_know_how_long_a_drill_may_keep_its_copies(assembly: Assembly) -> None:
    for hub in assembly.hubs:
        told = hub.function("accept_request")["Environment"]["Variables"]["DR_LEASES"]
        leases = Leases.model_validate_json(told)
        assert leases == assembly.config.leases
        assert leases.of("CustomerX").minutes == 120
