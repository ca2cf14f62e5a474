"""S3 and DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.service import AwsError
from localaws.services.cloudformation.identity import document
from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType, pick, whole


class Bucket(ResourceType):
    """AWS::S3::Bucket."""

    replaced_by = frozenset({"BucketName", "ObjectLockEnabled"})

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("BucketName") or context.name(63, lower=True)
        where = {} if context.region == "us-east-1" else {"LocationConstraint": context.region}
        locked = properties.get("ObjectLockEnabled")
        context.call(
            "s3",
            "CreateBucket",
            Bucket=name,
            CreateBucketConfiguration=where or None,
            ObjectLockEnabledForBucket=locked,
        )
        made = Made(name, self._attributes(context, name))
        with whole(self, context, made, properties):
            self._settle(context, name, {}, properties)
        return made

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        self._settle(context, made.physical_id, old, new)
        return made

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("s3", "DeleteBucket", Bucket=made.physical_id)

    def _attributes(self, context: Context, name: str) -> dict[str, Any]:
        return {
            "Arn": f"arn:aws:s3:::{name}",
            "DomainName": f"{name}.s3.amazonaws.com",
            "RegionalDomainName": f"{name}.s3.{context.region}.amazonaws.com",
            "DualStackDomainName": f"{name}.s3.dualstack.{context.region}.amazonaws.com",
            "WebsiteURL": f"http://{name}.s3-website-{context.region}.amazonaws.com",
        }

    def _settle(self, context: Context, bucket: str, old: Properties, new: Properties) -> None:
        unknown = set(new) - set(BUCKET_SETTINGS) - BUCKET_OTHERS
        if unknown:
            raise AwsError("ValidationError", f"AWS::S3::Bucket: the embedded AWS does not know {sorted(unknown)}")
        tags = context.tag_list(new.get("Tags"))
        if tags:
            context.call("s3", "PutBucketTagging", Bucket=bucket, Tagging={"TagSet": tags})
        for name, (operation, member, convert) in BUCKET_SETTINGS.items():
            if name in new and new[name] != old.get(name):
                context.call("s3", operation, Bucket=bucket, **{member: convert(new[name])})


def _same(value: Any) -> Any:
    return value


def _encryption(value: Mapping[str, Any]) -> Any:
    rules = []
    for rule in value["ServerSideEncryptionConfiguration"]:
        rules.append(
            {
                **({"BucketKeyEnabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else {}),
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            }
        )
    return {"Rules": rules}


def _replication(value: Mapping[str, Any]) -> Any:
    rules = [{"ID": rule.get("Id"), **{k: v for k, v in rule.items() if k != "Id"}} for rule in value["Rules"]]
    return {"Role": value["Role"], "Rules": rules}


def _lifecycle(value: Mapping[str, Any]) -> Any:
    return {"Rules": [_lifecycle_rule(rule) for rule in value["Rules"]]}


def _lifecycle_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
    if "Id" in rule:
        made["ID"] = rule["Id"]
    expiration = {
        api: rule[name]
        for name, api in (("ExpirationInDays", "Days"), ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"))
        if name in rule
    }
    if expiration:
        made["Expiration"] = expiration
    older = rule.get("NoncurrentVersionExpiration")
    if older is None and "NoncurrentVersionExpirationInDays" in rule:
        older = {"NoncurrentDays": rule["NoncurrentVersionExpirationInDays"]}
    if older:
        made["NoncurrentVersionExpiration"] = older
    if "AbortIncompleteMultipartUpload" in rule:
        made["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
    for name, api in (("Transitions", "Transitions"), ("NoncurrentVersionTransitions", "NoncurrentVersionTransitions")):
        if name in rule:
            made[api] = [
                {("Days" if k == "TransitionInDays" else k): v for k, v in transition.items()}
                for transition in rule[name]
            ]
    return made


def _logging(value: Mapping[str, Any]) -> Any:
    target = {"TargetBucket": value["DestinationBucketName"], "TargetPrefix": value.get("LogFilePrefix", "")}
    return {"LoggingEnabled": target}


def _notification(value: Mapping[str, Any]) -> Any:
    return {"EventBridgeConfiguration": {}} if value.get("EventBridgeConfiguration") else {}


BUCKET_SETTINGS: dict[str, tuple[str, str, Any]] = {
    "VersioningConfiguration": ("PutBucketVersioning", "VersioningConfiguration", _same),
    "BucketEncryption": ("PutBucketEncryption", "ServerSideEncryptionConfiguration", _encryption),
    "PublicAccessBlockConfiguration": ("PutPublicAccessBlock", "PublicAccessBlockConfiguration", _same),
    "OwnershipControls": ("PutBucketOwnershipControls", "OwnershipControls", _same),
    "LifecycleConfiguration": ("PutBucketLifecycleConfiguration", "LifecycleConfiguration", _lifecycle),
    "LoggingConfiguration": ("PutBucketLogging", "BucketLoggingStatus", _logging),
    "NotificationConfiguration": ("PutBucketNotificationConfiguration", "NotificationConfiguration", _notification),
    "ObjectLockConfiguration": ("PutObjectLockConfiguration", "ObjectLockConfiguration", _same),
    "ReplicationConfiguration": ("PutBucketReplication", "ReplicationConfiguration", _replication),
}
BUCKET_OTHERS = {"BucketName", "ObjectLockEnabled", "Tags", "AccessControl"}


class BucketPolicy(ResourceType):
    """AWS::S3::BucketPolicy."""

    replaced_by = frozenset({"Bucket"})

    def create(self, context: Context, properties: Properties) -> Made:
        bucket = properties["Bucket"]
        context.call("s3", "PutBucketPolicy", Bucket=bucket, Policy=document(properties["PolicyDocument"]))
        return Made(bucket)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(context, new)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("s3", "DeleteBucketPolicy", Bucket=made.physical_id)


class Table(ResourceType):
    """AWS::DynamoDB::Table."""

    replaced_by = frozenset({"TableName", "KeySchema", "LocalSecondaryIndexes"})
    own_names = ("KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput")
    more_names = ("GlobalSecondaryIndexes", "LocalSecondaryIndexes", "TableClass", "DeletionProtectionEnabled")

    def create(self, context: Context, properties: Properties) -> Made:
        name = properties.get("TableName") or context.name(255)
        wanted = pick(properties, *self.own_names, *self.more_names)
        wanted.setdefault("BillingMode", "PROVISIONED")
        encryption = self._encryption(properties, context.region)
        stream = self._stream(properties)
        tags = context.tag_list(self._tags(properties, context.region))
        context.call(
            "dynamodb",
            "CreateTable",
            TableName=name,
            SSESpecification=encryption,
            StreamSpecification=stream,
            Tags=tags or None,
            **wanted,
        )
        with whole(self, context, Made(name), properties):
            self._settle(context, name, {}, properties)
        return self._made(context, name)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        changed = {
            name: new[name]
            for name in ("BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled", "TableClass")
            if name in new and new[name] != old.get(name)
        }
        created = _new_indexes(old, new)
        if created:
            changed |= {"GlobalSecondaryIndexUpdates": created, "AttributeDefinitions": new["AttributeDefinitions"]}
        if changed:
            context.call("dynamodb", "UpdateTable", TableName=made.physical_id, **changed)
        self._settle(context, made.physical_id, old, new)
        return self._made(context, made.physical_id)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        context.call("dynamodb", "DeleteTable", TableName=made.physical_id)

    def _settle(self, context: Context, name: str, old: Properties, new: Properties) -> None:
        expiry = new.get("TimeToLiveSpecification")
        if expiry and expiry != old.get("TimeToLiveSpecification"):
            context.call("dynamodb", "UpdateTimeToLive", TableName=name, TimeToLiveSpecification=expiry)
        recovery = self._recovery(new, context.region)
        if recovery and recovery != self._recovery(old, context.region):
            context.call(
                "dynamodb", "UpdateContinuousBackups", TableName=name, PointInTimeRecoverySpecification=recovery
            )

    def _encryption(self, properties: Properties, region: str) -> Any:
        wanted = properties.get("SSESpecification")
        if not wanted:
            return None
        return {("Enabled" if key == "SSEEnabled" else key): value for key, value in wanted.items()}

    def _stream(self, properties: Properties) -> Any:
        wanted = properties.get("StreamSpecification")
        if not wanted:
            return None
        return {"StreamEnabled": True, "StreamViewType": wanted.get("StreamViewType", "NEW_AND_OLD_IMAGES")}

    def _tags(self, properties: Properties, region: str) -> Any:
        return properties.get("Tags")

    def _recovery(self, properties: Properties, region: str) -> Any:
        return properties.get("PointInTimeRecoverySpecification")

    def _made(self, context: Context, name: str) -> Made:
        table = context.call("dynamodb", "DescribeTable", TableName=name)["Table"]
        attributes = {"Arn": table["TableArn"], "TableId": table.get("TableId", name)}
        if "LatestStreamArn" in table:
            attributes["StreamArn"] = table["LatestStreamArn"]
        return Made(name, attributes)


class GlobalTable(Table):
    """AWS::DynamoDB::GlobalTable: one table per replica Region, sharing items."""

    def create(self, context: Context, properties: Properties) -> Made:
        regions = [replica["Region"] for replica in properties["Replicas"]]
        if context.region not in regions:
            message = f"Replicas must name the stack's own Region {context.region}; observed {regions}"
            raise AwsError("ValidationError", message)
        made = super().create(context, properties)
        with whole(self, context, made, properties):
            self._replicas(context, made.physical_id, [], properties)
        return self._made(context, made.physical_id)

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        super().update(context, made, old, new)
        self._replicas(context, made.physical_id, old["Replicas"], new)
        return self._made(context, made.physical_id)

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        table = context.call("dynamodb", "DescribeTable", TableName=made.physical_id)["Table"]
        removed = [{"Delete": {"RegionName": replica["RegionName"]}} for replica in table.get("Replicas", [])]
        if removed:
            context.call("dynamodb", "UpdateTable", TableName=made.physical_id, ReplicaUpdates=removed)
        super().delete(context, made, properties)

    def _replicas(self, context: Context, name: str, old: list[dict[str, Any]], new: Properties) -> None:
        before = {replica["Region"] for replica in old} | {context.region}
        after = {replica["Region"]: replica for replica in new["Replicas"]}
        updates: list[dict[str, Any]] = []
        for region, replica in after.items():
            if region not in before:
                key = replica.get("SSESpecification", {}).get("KMSMasterKeyId")
                updates.append(
                    {"Create": {"RegionName": region, **({"KMSMasterKeyId": key} if key else {})}},
                )
        updates += [{"Delete": {"RegionName": region}} for region in before - set(after)]
        if updates:
            context.call("dynamodb", "UpdateTable", TableName=name, ReplicaUpdates=updates)
        for region, replica in after.items():
            recovery = replica.get("PointInTimeRecoverySpecification")
            if recovery and region != context.region:
                context.call(
                    "dynamodb",
                    "UpdateContinuousBackups",
                    region=region,
                    TableName=name,
                    PointInTimeRecoverySpecification=recovery,
                )

    def _replica(self, properties: Properties, region: str) -> Mapping[str, Any]:
        return next((r for r in properties.get("Replicas", []) if r["Region"] == region), {})

    def _encryption(self, properties: Properties, region: str) -> Any:
        wanted = properties.get("SSESpecification")
        if not wanted:
            return None
        key = self._replica(properties, region).get("SSESpecification", {}).get("KMSMasterKeyId")
        made = {"Enabled": wanted["SSEEnabled"], "SSEType": wanted.get("SSEType", "KMS")}
        return made | ({"KMSMasterKeyId": key} if key else {})

    def _stream(self, properties: Properties) -> Any:
        wanted = properties.get("StreamSpecification")
        if wanted is None and len(properties["Replicas"]) > 1:
            wanted = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        return {"StreamEnabled": True, **wanted} if wanted else None

    def _tags(self, properties: Properties, region: str) -> Any:
        return self._replica(properties, region).get("Tags")

    def _recovery(self, properties: Properties, region: str) -> Any:
        return self._replica(properties, region).get("PointInTimeRecoverySpecification")


def _new_indexes(old: Properties, new: Properties) -> list[dict[str, Any]]:
    before = {index["IndexName"] for index in old.get("GlobalSecondaryIndexes", [])}
    after = {index["IndexName"]: index for index in new.get("GlobalSecondaryIndexes", [])}
    made = [{"Create": index} for name, index in after.items() if name not in before]
    return made + [{"Delete": {"IndexName": name}} for name in before - set(after)]


TYPES: dict[str, ResourceType] = {
    "AWS::DynamoDB::GlobalTable": GlobalTable(),
    "AWS::DynamoDB::Table": Table(),
    "AWS::S3::Bucket": Bucket(),
    "AWS::S3::BucketPolicy": BucketPolicy(),
}
