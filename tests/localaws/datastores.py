"""The shop of caches and search domains, for the stories about ElastiCache, MemoryDB and OpenSearch."""

from __future__ import annotations

from datetime import timedelta

import pytest

from localaws.seeds import elasticache_global, elasticache_standalone, memorydb_multi_region, opensearch_ccr
from tests.localaws.databases import ACCOUNT, CHECKED, MINUTE, SEEDERS, SOURCE, TARGET, Client, Shop, open_shop, refused

__all__ = ["ACCOUNT", "MINUTE", "SOURCE", "TARGET", "Stores", "open_stores", "refused"]
CHECKED.update({"elasticache", "memorydb", "opensearch"})
SEEDERS.update(
    {
        "elasticache-global": elasticache_global.seed,
        "elasticache-standalone": elasticache_standalone.seed,
        "memorydb-multi-region": memorydb_multi_region.seed,
        "opensearch-ccr": opensearch_ccr.seed,
    }
)


class Stores(Shop):
    """A shop whose `source` and `target` are clients of one service."""

    service = "elasticache"

    @property
    def source(self) -> Client:
        return self.client(self.service, SOURCE)

    @property
    def target(self) -> Client:
        return self.client(self.service, TARGET)

    def measure(self, region: str, metric: tuple[str, str], **dimensions: str) -> list[float]:
        """Return the metric's values (namespace, name) over the last three minutes, newest first."""
        now = self.clock.now()
        namespace, name = metric
        wanted = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        about = {"Namespace": namespace, "MetricName": name, "Dimensions": wanted}
        query = {"Id": "q", "MetricStat": {"Metric": about, "Period": 60, "Stat": "Average"}}
        reply = self.client("cloudwatch", region).get_metric_data(
            MetricDataQueries=[query], StartTime=now - timedelta(minutes=3), EndTime=now
        )
        values: list[float] = reply["MetricDataResults"][0]["Values"]
        return values

    def bucket(self, name: str, region: str, replicate_to: str | None = None) -> None:
        """Make a versioned bucket, whose new objects are copied to another bucket when asked for."""
        s3 = self.client("s3", region)
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if replicate_to:
            rule = {
                "Status": "Enabled",
                "Priority": 1,
                "Filter": {"Prefix": ""},
                "DeleteMarkerReplication": {"Status": "Disabled"},
                "Destination": {"Bucket": f"arn:aws:s3:::{replicate_to}"},
            }
            role = f"arn:aws:iam::{ACCOUNT}:role/replication"
            s3.put_bucket_replication(Bucket=name, ReplicationConfiguration={"Role": role, "Rules": [rule]})


def open_stores(monkeypatch: pytest.MonkeyPatch, service: str) -> Stores:
    """Return an empty shop whose clients speak to `service`."""
    shop = open_shop(monkeypatch)
    stores = Stores(shop.local, shop.client)
    stores.service = service
    return stores
