"""OpenSearch Service's declaration. Sources: OpenSearch Service developer guide ("Cross-cluster replication", "Creating index
snapshots", "Identity and Access Management"); API reference (ReplicationPeer); OpenSearch documentation ("Replication API").
"""

from __future__ import annotations

from adapters.permissions import DESCRIBE_CERTIFICATE, DESCRIBE_KEY, DRILL, ENABLED, PLANNED, REAL
from adapters.quotas import reads_quota
from orchestrator.spec import Permission, Spec, Strategy
from orchestrator.words import Mode, Phase, Use

CCR, MANAGED, SNAPSHOTS = "cross-cluster-replication", "managed-replication", "snapshot-restore"
HTTP = "opensearch-http"

_DOMAIN = "arn:{partition}:es:{region}:{account}:domain/{name}"
_PLUGIN = f"{_DOMAIN}/_plugins/_replication"
OPENSEARCH_READ, OPENSEARCH_CHANGE = "dr-opensearch-read", "dr-opensearch-change"
"""Functions in a workload's VPC (stacksets/README.md), as `orchestrator.names` has them."""
_FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:"

SPEC = Spec(
    key="opensearch",
    title="Amazon OpenSearch Service",
    resource_types=("es:domain",),
    manifest_actions=("OpenSearch", "OpenSearchDomain"),
    strategies=(
        Strategy(
            name=CCR,
            title="Cross-cluster replication, index by index: block writes, drain, stop following, follow the other way",
            planned_loss="none",
            emergency_loss="replication lag, typically seconds",
            typical_minutes={Phase.INSTANTIATE: 5, Phase.ACTIVATE: 5, Phase.CLEANUP: 2, Phase.REPLICATE: 60},
            rollback_until="until the first index stops following; afterwards a failback brings the data home",
        ),
        Strategy(
            name=MANAGED,
            title="Managed replication of whole domains: switchover, or failover with data loss",
            planned_loss="none",
            emergency_loss="writes that had not been replicated; AWS shows no lag",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 5, Phase.CLEANUP: 0, Phase.REPLICATE: 2},
            rollback_until="planned: at any time, by switching over again; emergency: not after the failover call",
        ),
        Strategy(
            name=SNAPSHOTS,
            title="Snapshots in an S3 bucket that is replicated to the target Region, restored there",
            planned_loss="none",
            emergency_loss="everything since the last snapshot that has arrived",
            typical_minutes={Phase.INSTANTIATE: 1, Phase.ACTIVATE: 45, Phase.CLEANUP: 1, Phase.REPLICATE: 20},
            rollback_until="until clients write to the target side; the plan asks before the restore",
        ),
    ),
    permissions=(
        Permission(
            actions=("es:DescribeDomain", "es:DescribeDomainReplication"),
            uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
            resources=(_DOMAIN,),
        ),
        Permission(
            actions=("es:ListTags",),
            uses=frozenset({Use.DISCOVER}),
            resources=("arn:{partition}:es:{region}:{account}:domain/*",),
        ),
        Permission(
            actions=("es:DescribeOutboundConnections", "es:DescribeInboundConnections"),
            uses=frozenset({Use.DISCOVER, Use.OBSERVE}),
        ),
        Permission(
            actions=("es:ESHttpGet",),
            uses=frozenset({Use.DISCOVER}),
            resources=("arn:{partition}:es:{region}:{account}:domain/*/_plugins/_replication/autofollow_stats",),
        ),
        DESCRIBE_CERTIFICATE,
        DESCRIBE_KEY,
        reads_quota("es"),
        Permission(actions=("es:DescribeDomainHealth",), uses=frozenset({Use.OBSERVE}), resources=(_DOMAIN,)),
        Permission(actions=("es:ESHttpGet",), uses=frozenset({Use.OBSERVE}), resources=(f"{_DOMAIN}/*",)),
        # They carry to a domain in its VPC what the session itself has signed, and have no rights of their own.
        Permission(
            actions=("lambda:InvokeFunction",),
            uses=frozenset({Use.OBSERVE}),
            resources=(f"{_FUNCTION}{OPENSEARCH_READ}",),
        ),
        Permission(
            actions=("lambda:InvokeFunction",),
            uses=frozenset({Use.INSTANTIATE, Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=(f"{_FUNCTION}{OPENSEARCH_CHANGE}",),
        ),
        Permission(
            actions=("es:UpdateDomainConfig", "es:AddReplicationPeer"),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(_DOMAIN,),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("es:CreateOutboundConnection",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=(_DOMAIN,),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(  # AWS lets these two be narrowed by nothing
            actions=("es:AcceptInboundConnection",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            modes=PLANNED,
        ),
        Permission(actions=("es:DeleteOutboundConnection",), uses=frozenset({Use.CLEANUP}), modes=PLANNED),
        Permission(
            actions=("es:ESHttpPut",),
            uses=frozenset({Use.INSTANTIATE, Use.REPLICATE}),
            resources=(f"{_PLUGIN}/*/_start",),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("es:ESHttpPost",),
            uses=frozenset({Use.REPLICATE, Use.ROLLBACK}),
            resources=(f"{_PLUGIN}/_autofollow",),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("es:ESHttpPut",),
            uses=frozenset({Use.ACTIVATE, Use.CLEANUP, Use.REPLICATE, Use.ROLLBACK}),
            resources=(f"{_DOMAIN}/*/_settings",),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("es:ESHttpDelete",),
            uses=frozenset({Use.ACTIVATE}),
            resources=(f"{_PLUGIN}/_autofollow",),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("es:ESHttpPost",),
            uses=frozenset({Use.ACTIVATE}),
            resources=(f"{_PLUGIN}/*/_stop", f"{_DOMAIN}/_snapshot/*/_restore"),
            conditions=ENABLED,
            modes=REAL,
        ),
        Permission(
            actions=("es:SwitchoverReplication",),
            uses=frozenset({Use.ACTIVATE, Use.ROLLBACK}),
            resources=(_DOMAIN,),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("es:FailoverReplication",),
            uses=frozenset({Use.ACTIVATE}),
            resources=(_DOMAIN,),
            conditions=ENABLED,
            modes=frozenset({Mode.EMERGENCY}),
        ),
        Permission(
            actions=("es:AddReplicationPeer",),
            uses=frozenset({Use.REPLICATE}),
            resources=(_DOMAIN,),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("es:ESHttpPut",),
            uses=frozenset({Use.ACTIVATE, Use.REPLICATE}),
            resources=(f"{_DOMAIN}/_snapshot/dr-*",),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        # A follower index can only be made where there is no index of its name: the stale one goes, after a snapshot of it.
        Permission(
            actions=("es:ESHttpDelete",),
            uses=frozenset({Use.REPLICATE}),
            resources=(f"{_DOMAIN}/*",),
            conditions=ENABLED,
            modes=PLANNED,
        ),
        Permission(
            actions=("es:ESHttpPost",),
            uses=frozenset({Use.INSTANTIATE}),
            resources=(f"{_DOMAIN}/_snapshot/*/_restore",),
            conditions=ENABLED,
            modes=DRILL,
        ),
        Permission(
            actions=("es:ESHttpDelete",),
            uses=frozenset({Use.CLEANUP, Use.ROLLBACK}),
            resources=(f"{_DOMAIN}/drill-*",),
            conditions=ENABLED,
            modes=DRILL,
        ),
    ),
    documentation="https://docs.aws.amazon.com/opensearch-service/latest/developerguide/replication.html",
    poll_seconds=15,
    deadline_minutes=480,
    refuses=(
        "cross-cluster-replication and snapshot-restore of a domain inside a VPC without the functions dr-opensearch-* there: indices are "
        "reached through the domain's own endpoint, which answers in the VPC only. The finding names the commands, also those for "
        "managed-replication, which needs no endpoint.",
        "stopping a follower in a planned run while its checkpoint differs from its leader's.",
        "deleting a stale index of the old source side before a snapshot of it is complete and the target side is green.",
        "deleting a domain: that is nobody's business but its owner's.",
        "pairing a domain that holds indices of its own: managed replication would replace them.",
        "several leaders behind one follower domain: the plugin does not tell whose indices an autofollow rule follows.",
        "registering snapshot repositories: it takes a role to pass and a bucket to name; readiness says which are missing.",
    ),
    limits=(
        "80 data instances per domain by default (developer guide, Quotas): compared where a run makes a domain larger. No run makes "
        "a domain, so the quota of domains per Region is not looked at.",
        "A domain has at most 20 connections (developer guide, cross-cluster replication, Limitations).",
        "Replication needs OpenSearch 1.1 or Elasticsearch 7.10, node-to-node encryption, and no M3, T2 or T3 nodes (same).",
        "A follower must not run a newer version than its leader: equal versions only can be reversed (same).",
        "Indices in UltraWarm or cold storage do not replicate, and a follower cannot be followed (same).",
        "A leader's access policy must allow es:ESCrossClusterGet on the domain, and with fine-grained access control the spoke role must "
        "be mapped to the roles of cross-cluster replication (same): the first _start or the first look tells where that is missing.",
        "Ingestion into both domains at once is nothing to be moved: leave such domains untagged, and watch their health elsewhere.",
        "Index templates, ISM policies, security configuration and dashboards are not replicated (same).",
        "A paused follower can be resumed for 12 hours; then it must be made anew (OpenSearch documentation, Replication API).",
        "Automated snapshots are taken hourly and kept for 14 days (developer guide, Creating index snapshots): REPLICATE waits "
        "up to an hour for one that holds the stale indices.",
        "Each follower index is stopped by a request of its own, about five seconds each: there is no bulk request.",
        "An index that its owner had blocked for writing is open after the move: nothing tells such a block from the fence.",
        "A changed cluster size is a blue/green deployment: 20 minutes to hours (developer guide, Making configuration changes).",
    ),
    unconfirmed=(
        "IAM actions and resources of managed replication are not in the service authorization reference yet: they are taken "
        "as equal to the operations, on the domain. Readiness calls one of them, so a role that lacks them shows there.",
        "Whether AddReplicationPeer refuses a peer that holds indices is not documented: the adapter pairs only a domain that it "
        "has seen to be empty, or one that a failover ejected and whose data a snapshot holds; else it asks.",
        "Whether an autofollow rule can be deleted while its leader is lost is not documented: in an emergency that comes last, "
        "when the indices serve already.",
        "Whether a write block of the leader is copied to its followers is not documented: the adapter looks, and lifts it.",
        "Whether FailoverReplication is accepted while a switchover hangs on a lost Region is not documented: after two minutes it "
        "is asked for, and a refusal ends the action in AWS's words.",
        "That an ejected domain goes on taking hourly snapshots is not documented: without one REPLICATE waits, then asks.",
    ),
)

DOMAIN_MISSING = ("ResourceNotFoundException",)
FUNCTION_MISSING = ("ResourceNotFoundException",)
"""What Lambda says where dr-opensearch-read is not deployed; a domain's own errors have other codes."""
NO_REPLICATION = ("ResourceNotFoundException", "DisabledOperationException")
DRILL_PREFIX = "drill-"
FAILED_PROCESSING = {"Isolated": "open a support case with AWS.", "Deleting": "create the domain again."}
"""Processing status of a domain that will not come to serve -> what to do."""
FAILED_CHANGES = ("ValidationFailed", "Cancelled", "PendingUserInput")
"""ConfigChangeStatus of a configuration change that does not go on by itself."""
FAILED_LINKS = ("VALIDATION_FAILED", "REJECTED")
"""Status of a connection that will not become ACTIVE."""
FAILED_FOLLOWS = ("PAUSED", "FAILED")
"""Status of a follower index that does not go on by itself."""
FAILED_SNAPSHOTS = ("FAILED", "INCOMPATIBLE", "PARTIAL")
INSTANCES = ("es", "L-6408ABDE")
"""The quota of data instances per domain, 80 by default (OpenSearch Service developer guide, Quotas; ListServiceQuotas)."""
UNFIT_INSTANCES = ("m3.", "t2.", "t3.")
DRAIN_SETTLE_SECONDS = 60
"""How long after the fence equal checkpoints are believed: a follower asks its leader at least once a minute."""
DRAIN_BOUND_SECONDS = 1800
ARRIVAL_SECONDS = 900
"""S3 replicates 99.9 % of objects within 15 minutes (S3 user guide, Replication Time Control): a snapshot is restored then."""
LAST_WORD_SECONDS = 7200
"""How long to wait for an automated snapshot, which is due every hour."""
MANY_BEHIND = 10_000
"""From this many operations a follower's lag is remarked upon; cross-cluster replication tells no seconds."""
PATH_LIMIT = 2000
"""Characters of index names in one request's path; a domain takes lines of 4,096 bytes."""
LEADER_ROLE = "cross_cluster_replication_leader_full_access"
FOLLOWER_ROLE = "cross_cluster_replication_follower_full_access"
