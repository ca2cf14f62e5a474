"""S3: moto's buckets, plus replication to the buckets that a bucket's rules name."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, s3_backends

from localaws.service import AwsError, Call, Reply, Service, observes, operation
from localaws.services.cloudwatch.service import CloudWatchService

if TYPE_CHECKING:
    from localaws.world import World

log = logging.getLogger("localaws.s3")


class S3Service(Service):
    """Copies new objects (and delete markers where the rule says so) as soon as they are written."""

    name = "s3"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        # Bucket policies are evaluated before a call gets here; moto's own evaluation ignores conditions.
        FakeBucket.get_permission = _already_decided
        self.reset()
        cloudwatch = world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source("AWS/S3", self._metric)

    def reset(self) -> None:
        """Forget what waits."""
        self._waiting: dict[str, float] = {}

    def let_wait(self, bucket: str, objects: float) -> None:
        """Let so many objects of a bucket wait to be replicated, from now on."""
        self._waiting[bucket] = objects

    def _metric(
        self, account: str, region: str, name: str, dimensions: Mapping[str, str], _at: datetime
    ) -> float | None:
        """Return how many objects wait, for rules that have metrics."""
        bucket = self._bucket(account, dimensions.get("SourceBucket", ""))
        if bucket is None or name != "OperationsPendingReplication" or bucket.region_name != region:
            return None
        wanted = (dimensions.get("RuleId"), dimensions.get("DestinationBucket"))
        rules = (getattr(bucket, "replication", None) or {}).get("Rule", [])
        measured = [
            (rule.get("ID"), _name(rule["Destination"]["Bucket"]))
            for rule in rules
            if (rule["Destination"].get("Metrics") or {}).get("Status") == "Enabled"
        ]
        return self._waiting.get(bucket.name, 0.0) if wanted in measured else None

    @operation("PutBucketReplication")
    def put_bucket_replication(self, call: Call) -> Reply:
        buckets = [call.params["Bucket"]]
        buckets += [_name(rule["Destination"]["Bucket"]) for rule in call.params["ReplicationConfiguration"]["Rules"]]
        for name in buckets:
            bucket = self._bucket(call.account, name)
            if bucket is None:
                raise AwsError("InvalidRequest", f"Destination bucket must exist: {name}")
            if not bucket.is_versioned:
                raise AwsError(
                    "InvalidRequest", f"Versioning must be 'Enabled' on the bucket {name} to use replication."
                )
        return self.world.moto(call)

    @observes("PutObject", "CopyObject", "CompleteMultipartUpload")
    def written(self, call: Call, _reply: Reply) -> None:
        """Copy a new object to every destination."""
        source = self._bucket(call.account, call.params["Bucket"])
        key = call.params["Key"]
        source.keys[key].last_modified = self.world.clock.now().replace(tzinfo=None)
        for rule in _rules(source, key):
            target = self._bucket(call.account, _name(rule["Destination"]["Bucket"]))
            if target is None:
                log.warning("replication of %s/%s: no bucket %s", source.name, key, rule["Destination"]["Bucket"])
                continue
            self._copy(source, target, key)

    @observes("DeleteObject")
    def deleted(self, call: Call, _reply: Reply) -> None:
        """Copy a delete marker; deletions of one version are never replicated, as in AWS."""
        if call.params.get("VersionId"):
            return
        source = self._bucket(call.account, call.params["Bucket"])
        key = call.params["Key"]
        for rule in _rules(source, key):
            target = self._bucket(call.account, _name(rule["Destination"]["Bucket"]))
            if target is not None and rule.get("DeleteMarkerReplication", {}).get("Status") == "Enabled":
                self.world.backend("s3", target.account_id, call.region).delete_object(target.name, key)

    def _copy(self, source: Any, target: Any, key: str) -> None:
        original = source.keys[key]
        backend = self.world.backend("s3", target.account_id, target.region_name)
        replica = backend.put_object(
            bucket_name=target.name,
            key_name=key,
            value=original.value,
            storage=original.storage_class,
            etag=original.etag.strip('"') if original.multipart else None,
            multipart=original.multipart,
            disable_notification=True,
        )
        if target.is_versioned and source.is_versioned:
            replica._version_id = original.version_id
        replica.last_modified = original.last_modified  # replicas keep the time of the original
        replica.set_metadata(original.metadata)
        backend.tagger.copy_tags(original.arn, replica.arn)

    def _bucket(self, account: str, name: str) -> Any:
        _partition, owner = s3_backends.bucket_accounts.get(name, ("aws", account))
        return s3_backends[owner]["aws"].buckets.get(name)


def _already_decided(_bucket: Any, _action: str, _resource: str) -> PermissionResult:
    return PermissionResult.PERMITTED


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]


def _rules(bucket: Any, key: str) -> list[dict[str, Any]]:
    configuration = getattr(bucket, "replication", None)
    if not configuration:
        return []
    chosen = []
    for rule in configuration["Rule"]:
        filters = rule.get("Filter") or {}
        prefix = rule.get("Prefix") or filters.get("Prefix") or (filters.get("And") or {}).get("Prefix") or ""
        if rule.get("Status") == "Enabled" and key.startswith(prefix):
            chosen.append(rule)
    return chosen
