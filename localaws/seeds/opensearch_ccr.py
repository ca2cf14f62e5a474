"""`opensearch-ccr`: a search domain on the source side, replicated to a domain on the target side.

Settings: `engine_version` (OpenSearch_2.17), `instance_type` (r6g.large.search), `instances` (3), `target_instances`,
`indices` (mapping of index name to operations it holds, default {orders: 120000, customers: 8000}),
`writes_per_second` (20 per index), `lag_seconds` (2), `replication` (`ccr`, `managed`, `snapshot` or `none`),
`autofollow` (pattern, default none; rule `<name>-autofollow`), `alias` (source-side; the connection's alias),
`encrypted` (default true, key `alias/<name>` on each side), `vpc` (false; true puts both domains behind security group
`<name>-db`), `target_domain` (default: the same name as on the source side).

The domains are called like the entry, have access control and node-to-node encryption, and access policies that let
the other side read across clusters. Both carry the tags. Their indices are a day old. With `ccr` the target side is
connected and follows every index.

With `snapshot` each side has the versioned bucket `<name>-snapshots-<Region>`; what is written under `<Region>/` in one
is copied to the other. Each domain has one repository per Region that writes, `dr-<Region>`: its own, and the other
side's in its own copy, readonly. The source side has just taken the snapshot `nightly`.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from localaws.seeds.databases import client_group, encryption_key
from localaws.seeds.network import default_network, tag_list
from localaws.services.opensearch import OpenSearchService
from localaws.services.opensearch.state import Place

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

PORT = 443
DEFAULT_INDICES = {"orders": 120_000, "customers": 8_000}
# As fine-grained access control wants them named when an index is followed.
ROLES = {
    "leader_cluster_role": "cross_cluster_replication_leader_full_access",
    "follower_cluster_role": "cross_cluster_replication_follower_full_access",
}


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create both domains, `Active`, with indices that are written at the source and replicated to the target."""
    opensearch = world.service("opensearch")
    assert isinstance(opensearch, OpenSearchService)
    account = estate.account_id(entry.account)
    tags = tag_list(estate.tags(entry))
    count = int(entry.setting("instances", 3))
    source = Place(account, estate.primary_region, entry.name)
    target = Place(account, estate.dr_region, entry.setting("target_domain", entry.name))
    with opensearch.instantly():
        _domain(world, source, entry, count, tags)
        _domain(world, target, entry, int(entry.setting("target_instances", count)), tags)
        for place in (source, target):
            opensearch.state(place).lag_seconds = float(entry.setting("lag_seconds", 2.0))
        writes = float(entry.setting("writes_per_second", 20.0))
        for name, operations in entry.setting("indices", DEFAULT_INDICES).items():
            opensearch.add_index(source, name, float(operations), writes)
        kind = entry.setting("replication", "ccr")
        if kind == "managed":
            peer = {"DomainName": source.domain, "PeerDomainArn": target.arn}
            world.call("opensearch", "AddReplicationPeer", account, source.region, **peer)
        elif kind == "ccr":
            _follow(world, opensearch, source, target, entry)
        elif kind == "snapshot":
            _share_snapshots(world, opensearch, source, target)
        for place in (source, target):
            for index in opensearch.state(place).indices.values():
                index.made_at -= timedelta(days=1)


def _follow(world: World, opensearch: OpenSearchService, source: Place, target: Place, entry: Entry) -> None:
    alias = entry.setting("alias", "source-side")
    asked = world.call(
        "opensearch",
        "CreateOutboundConnection",
        target.account,
        target.region,
        LocalDomainInfo=target.information,
        RemoteDomainInfo=source.information,
        ConnectionAlias=alias,
        ConnectionMode="DIRECT",
    )
    accepted = {"ConnectionId": asked["ConnectionId"]}
    world.call("opensearch", "AcceptInboundConnection", source.account, source.region, **accepted)
    for name in list(opensearch.state(source).indices):
        body = {"leader_alias": alias, "leader_index": name, "use_roles": ROLES}
        opensearch.start_replication(target, name, body)
    if pattern := entry.setting("autofollow"):
        rule = {"leader_alias": alias, "name": f"{entry.name}-autofollow", "pattern": pattern, "use_roles": ROLES}
        opensearch.add_rule(target, rule)


def _share_snapshots(world: World, opensearch: OpenSearchService, source: Place, target: Place) -> None:
    where = {place: f"{place.domain}-snapshots-{place.region}" for place in (source, target)}
    for place, bucket in where.items():
        there = {} if place.region == "us-east-1" else {"LocationConstraint": place.region}
        settings: dict[str, Any] = {"CreateBucketConfiguration": there} if there else {}
        world.call("s3", "CreateBucket", place.account, place.region, Bucket=bucket, **settings)
        enabled = {"Status": "Enabled"}
        world.call(
            "s3", "PutBucketVersioning", place.account, place.region, Bucket=bucket, VersioningConfiguration=enabled
        )
    root = world.accounts.root(source.account)
    for place, other in ((source, target), (target, source)):
        rule = {
            "Status": "Enabled",
            "Priority": 1,
            "Filter": {"Prefix": f"{place.region}/"},
            "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{where[other]}"},
        }
        role = f"arn:aws:iam::{place.account}:role/{place.domain}-replication"
        rules = {"Role": role, "Rules": [rule]}
        world.call(
            "s3",
            "PutBucketReplication",
            place.account,
            place.region,
            Bucket=where[place],
            ReplicationConfiguration=rules,
        )
        for writer in (source, target):
            readonly = {} if writer is place else {"readonly": "true"}
            repository: dict[str, Any] = {
                "bucket": where[place],
                "region": place.region,
                "base_path": writer.region,
                "role_arn": f"arn:aws:iam::{place.account}:role/{place.domain}-snapshots",
                **readonly,
            }
            opensearch.add_repository(place, f"dr-{writer.region}", {"type": "s3", "settings": repository}, root)
    opensearch.create_snapshot(source, f"dr-{source.region}", "nightly", {})


def _domain(world: World, place: Place, entry: Entry, instances: int, tags: list[Any]) -> None:
    extra: dict[str, Any] = {}
    if entry.setting("encrypted", True):
        key = encryption_key(world, place.account, place.region, place.domain)
        extra["EncryptionAtRestOptions"] = {"Enabled": True, "KmsKeyId": key}
    if entry.setting("vpc", False):
        network = default_network(world, place.account, place.region)
        group = client_group(world, place.account, place.region, place.domain, PORT)
        extra["VPCOptions"] = {"SubnetIds": list(network.subnet_ids[:2]), "SecurityGroupIds": [group]}
    world.call(
        "opensearch",
        "CreateDomain",
        place.account,
        place.region,
        DomainName=place.domain,
        EngineVersion=entry.setting("engine_version", "OpenSearch_2.17"),
        ClusterConfig={
            "InstanceType": entry.setting("instance_type", "r6g.large.search"),
            "InstanceCount": instances,
            "ZoneAwarenessEnabled": True,
            "ZoneAwarenessConfig": {"AvailabilityZoneCount": 3},
        },
        EBSOptions={"EBSEnabled": True, "VolumeType": "gp3", "VolumeSize": 100},
        NodeToNodeEncryptionOptions={"Enabled": True},
        DomainEndpointOptions={"EnforceHTTPS": True, "TLSSecurityPolicy": "Policy-Min-TLS-1-2-2019-07"},
        AdvancedSecurityOptions={"Enabled": True, "InternalUserDatabaseEnabled": False},
        AccessPolicies=json.dumps(_policy(place)),
        TagList=tags,
        **extra,
    )


def _policy(place: Place) -> dict[str, Any]:
    reading = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "es:ESCrossClusterGet",
        "Resource": place.arn,
    }
    return {"Version": "2012-10-17", "Statement": [reading]}
