"""Snapshots that go to a bucket of their own Region as one object a shard, and come back from such objects.

ElastiCache and MemoryDB export and seed in the same way: `<target>-0001.rdb` and so on, written by the service itself, in a bucket
that must lie in the Region of the call (ElastiCache user guide, exporting a backup; MemoryDB developer guide, the same).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from localaws.service import AwsError, Call
from localaws.services.timed import Change, Changing, TimedService

SLOTS = 16384


def slots_of(number: int, count: int) -> str:
    """Return the hash slots of a shard among `count`."""
    return f"{SLOTS * number // count}-{SLOTS * (number + 1) // count - 1}"


class Errors(Protocol):
    """The answers of a service to what is wrong."""

    def value(self, message: str) -> AwsError:
        """Return the error for a parameter's value."""

    def combination(self, message: str) -> AwsError:
        """Return the error for parameters that exclude each other."""

    def snapshot_exists(self, name: str) -> AwsError:
        """Return the error for a name that is taken."""


class ExportingService(TimedService):
    """Base of services whose snapshots are exported to S3 and read from there."""

    product: ClassVar[str]
    """As its error messages call the service."""
    tagger_name: ClassVar[str]
    """How moto's store calls what keeps its tags."""
    errors: ClassVar[Errors]

    def backend(self, account: str, region: str) -> Any:
        """Return moto's store of an account and Region."""
        return self.world.backend(self.name, account, region)

    def backend_of(self, call: Call) -> Any:
        """Return moto's store the call addresses."""
        return self.backend(call.account, call.region)

    def require_free_snapshot(self, call: Call, name: str) -> None:
        """Refuse a snapshot name that is taken with `SnapshotAlreadyExistsFault`."""
        if name in self.backend_of(call).snapshots:
            raise self.errors.snapshot_exists(name)

    def require_bucket(self, call: Call, name: str) -> Any:
        """Return a bucket of the call's Region; refuse any other."""
        bucket = self.bucket(call.account, name)
        if bucket is None:
            raise self.errors.value(f"{self.product} was unable to access the S3 bucket {name}.")
        if bucket.region_name != call.region:
            where = f"{bucket.region_name}, expected the same Region: {call.region}"
            raise self.errors.value(f"The S3 bucket {name} is in {where}.")
        return bucket

    def require_objects(self, call: Call) -> None:
        """Refuse a request to restore from a snapshot and objects at once, or from objects that are not there."""
        params = call.params
        if params.get("SnapshotName") and params.get("SnapshotArns"):
            raise self.errors.combination("Only one of SnapshotName and SnapshotArns can be specified.")
        for arn in params.get("SnapshotArns") or ():
            bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
            if key not in self.require_bucket(call, bucket).keys:
                raise self.errors.value(f"Unable to fetch metadata from S3 for bucket: {bucket} and object: {key}.")

    def export(  # noqa: PLR0913  a bucket, its objects and what stands in them
        self, call: Call, source: Changing, change: Change, bucket: str, keys: list[str], content: Mapping[str, str]
    ) -> None:
        """Write the objects of a snapshot when the change has come to its end."""
        body = json.dumps(content).encode()

        def exported() -> None:
            for key in keys:
                self.world.call("s3", "PutObject", call.account, call.region, Bucket=bucket, Key=key, Body=body)

        self.lead(source, change, exported)

    def tag_on_creation(self, call: Call, arn: str) -> None:
        """Give something the tags that the call which made it carries."""
        if tags := call.params.get("Tags"):
            getattr(self.backend_of(call), self.tagger_name).tag_resource(arn, list(tags))


def keys_of(target: str, shards: int) -> list[str]:
    """Return the names of an export's objects."""
    return [f"{target}-{number:04}.rdb" for number in range(1, shards + 1)]


def sources_asked(asked: str | None) -> str | None:
    """Return the source of the snapshots that a listing asks for; None for all."""
    return {"user": "manual", "system": "automated"}.get(asked or "", asked)
