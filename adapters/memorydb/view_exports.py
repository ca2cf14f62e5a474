"""Exported snapshots: objects in a bucket on either side, carried from one to the other by S3."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from adapters.memorydb.models import Objects, Replication
from adapters.memorydb.spec import BUCKET_MISSING, RULE_MISSING
from orchestrator.contract import Member, Place, Reader

_EXPORT = re.compile(r"(?P<name>[^/]+)-(?P<shard>\d{4})\.rdb")


@dataclass(frozen=True)
class Export:
    """An exported snapshot: one object a shard."""

    name: str
    at: datetime
    keys: tuple[str, ...]


def bucket_of(place: Place) -> str:
    """Return the bucket that a side exports to and is restored from, empty when nobody named one."""
    return str(place.facts.get("bucket") or "")


def listed(reader: Reader, bucket: str, name: str) -> tuple[Export, ...]:
    """Return the exports of a cluster in a bucket (s3:ListBucket)."""
    found = reader.find("s3", "ListObjectsV2", Objects, BUCKET_MISSING, Bucket=bucket, Prefix=f"{name}.")
    parts: dict[str, list[tuple[str, datetime]]] = {}
    pages = [found] if found else []
    if found and found.IsTruncated:  # a page holds 1,000 objects
        pages = reader.pages("s3", "ListObjectsV2", Objects, Bucket=bucket, Prefix=f"{name}.")
    for each in (each for page in pages for each in page.Contents):
        if match := _EXPORT.fullmatch(each.Key):
            parts.setdefault(match["name"], []).append((each.Key, each.LastModified))
    return tuple(
        Export(export, min(at for _, at in keys), tuple(sorted(key for key, _ in keys)))
        for export, keys in sorted(parts.items())
    )


def ways(here: Reader, there: Reader, member: Member) -> Iterable[tuple[str, str]]:
    """Tell which of the two replication rules is missing (s3:GetReplicationConfiguration)."""
    pairs = (("replication", there, member.source, member.target), ("way-back", here, member.target, member.source))
    for code, reader, of, to in pairs:
        if not bucket_of(of) or not bucket_of(to):
            continue
        found = reader.find("s3", "GetBucketReplication", Replication, RULE_MISSING, Bucket=bucket_of(of))
        rules = found.ReplicationConfiguration.Rules if found else []
        if not any(r.Status == "Enabled" and r.Destination.Bucket.endswith(f":{bucket_of(to)}") for r in rules):
            yield code, f"bucket {bucket_of(of)} has no enabled replication rule to {bucket_of(to)}."


def objects(place: Place, export: Export) -> list[str]:
    """Return the ARNs of an export's objects in a side's bucket."""
    partition = place.arn.split(":")[1] or "aws"
    return [f"arn:{partition}:s3:::{bucket_of(place)}/{key}" for key in export.keys]
