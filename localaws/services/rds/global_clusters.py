"""Aurora global databases: create, describe from any Region, modify, detach, delete."""

from __future__ import annotations

from typing import Any

from moto.moto_api._internal import mock_random

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.clusters import RdsClusters
from localaws.services.rds.engines import DEFAULT_VERSIONS
from localaws.services.rds.state import GlobalCluster, Member, Seconds, Status
from localaws.services.rds.walks import Stage


class RdsGlobalClusters(RdsClusters):
    """Operations on global databases, apart from changes of roles."""

    def global_cluster(self, account: str, identifier: str) -> GlobalCluster:
        """Return a global database by name or ARN; raise `GlobalClusterNotFoundFault`."""
        name = identifier.rsplit(":", 1)[-1].lower()
        found = self.global_clusters(account).get(name)
        if found is None:
            raise errors.global_not_found(identifier)
        return found

    def require_member(self, one: GlobalCluster, identifier: str) -> Member:
        """Return the member an ARN names; raise `DBClusterNotFoundFault`."""
        for member in one.members:
            if identifier == member.cluster.arn:
                return member
        raise errors.cluster_not_found(identifier)

    def require_settled(self, one: GlobalCluster) -> None:
        """Refuse with `InvalidGlobalClusterStateFault` while the global database changes."""
        if one.status != Status.AVAILABLE or one.failover is not None:
            raise errors.global_state(f"Global cluster {one.identifier} is in state {one.status}, expected available.")

    @operation("CreateGlobalCluster")
    def create_global_cluster(self, call: Call) -> Reply:
        """Create a global database, empty or around an existing cluster, which becomes its writer."""
        params = call.params
        name = params["GlobalClusterIdentifier"].lower()
        mine = self.global_clusters(call.account)
        if name in mine:
            raise AwsError("GlobalClusterAlreadyExistsFault", f"Global cluster {name} already exists")
        source = self._primary_to_be(call)
        engine = params.get("Engine") or (source.engine if source is not None else None)
        if engine is None:
            raise errors.value("When creating standalone global cluster, value for engineName should be specified")
        version = (
            source.engine_version if source is not None else params.get("EngineVersion", DEFAULT_VERSIONS.get(engine))
        )
        one = GlobalCluster(
            account=call.account,
            identifier=name,
            resource_id=f"cluster-{mock_random.get_random_hex(16)}",
            engine=engine,
            engine_version=str(version),
            storage_encrypted=bool(source.storage_encrypted if source is not None else params.get("StorageEncrypted")),
            deletion_protection=bool(params.get("DeletionProtection")),
            database_name=source.database_name if source is not None else params.get("DatabaseName"),
            status=Status.CREATING,
            tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
        )
        if source is not None:
            one.members.append(Member(source, is_writer=True))
        mine[name] = one

        def created() -> None:
            one.status = Status.AVAILABLE

        self.later("rds.create-global-cluster", one.arn, Seconds.MODIFY_CLUSTER, created)
        return {"GlobalCluster": self.show_global(one)}

    def _primary_to_be(self, call: Call) -> Any | None:
        arn = call.params.get("SourceDBClusterIdentifier")
        if not arn:
            return None
        if not arn.startswith("arn:"):
            raise errors.value(f"Malformed db cluster arn {arn}")
        if call.params.get("Engine"):
            raise errors.combination(
                "When creating global cluster from existing db cluster, value for engineName should not be specified "
                "since it will be inherited from source cluster"
            )
        source = self.cluster(call, arn)
        self.require_cluster(source)
        self.require_alone(source, "add to a global cluster")
        return source

    @operation("DescribeGlobalClusters")
    def describe_global_clusters(self, call: Call) -> Reply:
        """List global databases; the same answer in every Region."""
        wanted = call.params.get("GlobalClusterIdentifier")
        if wanted:
            return {"GlobalClusters": [self.show_global(self.global_cluster(call.account, wanted))]}
        filters = {one["Name"]: set(one["Values"]) for one in call.params.get("Filters", [])}
        shown = [self.show_global(one) for one in self.global_clusters(call.account).values()]
        if members := filters.get("db-cluster-id"):
            shown = [
                one
                for one in shown
                if any(
                    member["DBClusterArn"] in members or member["DBClusterArn"].rsplit(":", 1)[-1] in members
                    for member in one["GlobalClusterMembers"]
                )
            ]
        return {"GlobalClusters": shown}

    @operation("ModifyGlobalCluster")
    def modify_global_cluster(self, call: Call) -> Reply:
        """Change name, deletion protection or engine version of a global database."""
        one = self.global_cluster(call.account, call.params["GlobalClusterIdentifier"])
        self.require_settled(one)
        if "DeletionProtection" in call.params:
            one.deletion_protection = bool(call.params["DeletionProtection"])
        if version := call.params.get("EngineVersion"):
            one.engine_version = version
            for member in one.members:
                member.cluster.engine_version = version
        if new_name := call.params.get("NewGlobalClusterIdentifier", "").lower():
            mine = self.global_clusters(call.account)
            if new_name in mine:
                raise AwsError("GlobalClusterAlreadyExistsFault", f"Global cluster {new_name} already exists")
            mine[new_name] = mine.pop(one.identifier)
            one.identifier = new_name
        return {"GlobalCluster": self.show_global(one)}

    @operation("DeleteGlobalCluster")
    def delete_global_cluster(self, call: Call) -> Reply:
        """Delete an empty global database."""
        one = self.global_cluster(call.account, call.params["GlobalClusterIdentifier"])
        if one.deletion_protection:
            raise errors.combination(
                "Cannot delete protected Global Cluster, please disable deletion protection first."
            )
        if one.members:
            raise errors.global_state(f"Global Cluster {one.arn} is not empty")
        del self.global_clusters(call.account)[one.identifier]
        return {"GlobalCluster": {**self.show_global(one), "Status": "deleting"}}

    @operation("RemoveFromGlobalCluster")
    def remove_from_global_cluster(self, call: Call) -> Reply:
        """Detach a member. A secondary is promoted: `promoting`, then a stand-alone writable cluster.

        Works without the primary's Region. The primary can leave only when it is alone.
        """
        one = self.global_cluster(call.account, call.params["GlobalClusterIdentifier"])
        member = self.require_member(one, call.params["DbClusterIdentifier"])
        cluster = member.cluster
        if member.is_writer and len(one.members) > 1:
            raise errors.global_state(
                f"{cluster.arn} is the primary of global cluster {one.identifier}: remove the secondary clusters first."
            )
        if self.region_is_down(cluster.region):
            raise errors.cluster_state(f"DB cluster {cluster.arn} cannot be reached in {cluster.region}.")
        if one.failover is not None and self._is_way_out(one, member):
            self.set_status(one.failover.source.cluster, Status.AVAILABLE)
            one.failover = None
            one.status = Status.AVAILABLE
            self.require_cluster(cluster, Status.AVAILABLE, Status.FAILING_OVER, Status.SWITCHING_OVER)
        elif one.failover is not None:
            raise errors.global_state(f"Global cluster {one.identifier} is changing roles.")
        else:
            self.require_cluster(cluster)

        def removed() -> None:
            if member in one.members:
                one.members.remove(member)
            self.note(cluster, "Removed from global database and promoted to a stand-alone cluster", "notification")

        def failed() -> None:
            self.set_status(cluster, Status.AVAILABLE)
            self.note(cluster, "Removal from the global database failed", "failure")

        stage = Stage(Status.PROMOTING, Seconds.PROMOTE_CLUSTER, removed)
        self.walk(cluster, "remove-from-global-cluster", [stage], on_failure=failed)
        return {"GlobalCluster": self.show_global(one)}

    def _is_way_out(self, one: GlobalCluster, member: Member) -> bool:
        """Tell whether the target of a change that makes no headway may be detached, the documented fall-back."""
        change = one.failover
        if change is None or change.target is not member:
            return False
        return change.data_loss_allowed or self.region_is_down(change.source.cluster.region)
