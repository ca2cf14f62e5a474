"""What every part of the RDS module shares: the state that moto lacks, finding resources, events."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar
from weakref import WeakKeyDictionary

from botocore import xform_name
from moto.moto_api._internal import mock_random
from moto.rds.models import DBCluster, DBClusterSnapshot, DBInstance, DBInstanceClustered, DBSnapshot

from localaws.service import Call, Reply, Service
from localaws.services.rds import errors
from localaws.services.rds.state import (
    ClusterState,
    Event,
    GlobalCluster,
    InstanceState,
    ReplicatedBackup,
    ResourceState,
    SnapshotState,
)

if TYPE_CHECKING:
    from localaws.world import World

State = TypeVar("State", bound=ResourceState)


@dataclass(frozen=True)
class Place:
    """An account and a Region."""

    account: str
    region: str


def place_of(arn: str) -> Place:
    """Return the account and Region an ARN names."""
    parts = arn.split(":")
    return Place(parts[4], parts[3])


def name_in(identifier: str) -> str:
    """Return the plain name of a resource given by name or ARN (automated snapshot names contain a colon)."""
    return identifier.split(":", 6)[6] if identifier.startswith("arn:") else identifier


class RdsBase(Service):
    """Base of the RDS operation groups."""

    name: ClassVar[str] = "rds"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def reset(self) -> None:
        """Forget everything moto does not hold."""
        self._states: WeakKeyDictionary[Any, ResourceState] = WeakKeyDictionary()
        self.globals: dict[str, dict[str, GlobalCluster]] = {}
        self.events: dict[Place, list[Event]] = {}
        self.replicated_backups: dict[Place, list[ReplicatedBackup]] = {}

    # --- state beside moto's objects

    def instance_state(self, instance: Any) -> InstanceState:
        """Return the state kept beside a DB instance."""
        return self._state(instance, InstanceState)

    def cluster_state(self, cluster: Any) -> ClusterState:
        """Return the state kept beside a DB cluster."""
        return self._state(cluster, ClusterState)

    def snapshot_state(self, snapshot: Any) -> SnapshotState:
        """Return the state kept beside a DB or cluster snapshot."""
        return self._state(snapshot, SnapshotState)

    def _state(self, resource: Any, kind: type[State]) -> State:
        state = self._states.get(resource)
        if not isinstance(state, kind):
            state = self._states[resource] = kind()
        return state

    def state(self, resource: Any) -> ResourceState:
        """Return the state kept beside any of the resources."""
        if isinstance(resource, DBCluster):
            return self.cluster_state(resource)
        if isinstance(resource, DBSnapshot | DBClusterSnapshot):
            return self.snapshot_state(resource)
        return self.instance_state(resource)

    # --- finding

    def backend(self, account: str, region: str) -> Any:
        """Return moto's RDS store of an account and Region."""
        return self.world.backend("rds", account, region)

    def backend_of(self, call: Call) -> Any:
        """Return moto's RDS store the call addresses."""
        return self.backend(call.account, call.region)

    def instance(self, call: Call, identifier: str) -> Any:
        """Return moto's DB instance by name or ARN; raise `DBInstanceNotFound`."""
        place = place_of(identifier) if identifier.startswith("arn:") else Place(call.account, call.region)
        found = self.backend(place.account, place.region).databases.get(name_in(identifier))
        if found is None:
            raise errors.instance_not_found(name_in(identifier))
        return found

    def cluster(self, call: Call, identifier: str) -> Any:
        """Return moto's DB cluster by name or ARN; raise `DBClusterNotFoundFault`."""
        place = place_of(identifier) if identifier.startswith("arn:") else Place(call.account, call.region)
        found = self.backend(place.account, place.region).clusters.get(name_in(identifier))
        if found is None:
            raise errors.cluster_not_found(name_in(identifier))
        return found

    def cluster_instances(self, cluster: Any) -> list[Any]:
        """Return the DB instances of a cluster."""
        return [
            instance
            for instance in cluster.backend.databases.values()
            if isinstance(instance, DBInstanceClustered)
            and instance.db_cluster_identifier == cluster.db_cluster_identifier
        ]

    def global_clusters(self, account: str) -> dict[str, GlobalCluster]:
        """Return the account's global databases by name."""
        return self.globals.setdefault(account, {})

    def global_of(self, cluster: Any) -> GlobalCluster | None:
        """Return the global database a cluster belongs to."""
        everywhere = self.global_clusters(cluster.account_id).values()
        return next((one for one in everywhere if one.member_of(cluster) is not None), None)

    def sources_and_replicas(self, instance: Any) -> tuple[Any | None, list[Any]]:
        """Return the source a DB instance replicates from and the replicas that name it as source."""
        source = self._linked(instance, instance.source_db_instance_identifier)
        replicas = [self._linked(instance, identifier) for identifier in instance.replicas]
        return source, [replica for replica in replicas if replica is not None]

    def _linked(self, instance: Any, identifier: str | None) -> Any | None:
        if not identifier:
            return None
        place = place_of(identifier) if identifier.startswith("arn:") else Place(instance.account_id, instance.region)
        return self.backend(place.account, place.region).databases.get(name_in(identifier))

    # --- Regions that are down

    def region_is_down(self, region: str) -> bool:
        """Tell whether the scenario has blacked the Region out."""
        return self.world.faults.region_is_down(region)

    def dark_since(self, region: str) -> datetime | None:
        """Return since when the Region is down, None when it is up."""
        return self.world.faults.region_down_since(region)

    # --- events and replies

    def note(self, resource: Any, message: str, *categories: str) -> None:
        """Add a line to DescribeEvents."""
        source_type = {
            DBCluster: "db-cluster",
            DBSnapshot: "db-snapshot",
            DBClusterSnapshot: "db-cluster-snapshot",
        }.get(type(resource), "db-instance")
        place = Place(resource.account_id, resource.region)
        event = Event(self.world.clock.now(), resource.resource_id, source_type, resource.arn, message, categories)
        self.events.setdefault(place, []).append(event)

    def ask_moto(self, call: Call, operation: str, region: str | None = None, **params: Any) -> Reply:
        """Ask moto another operation on behalf of the same caller."""
        return self.world.moto(replace(call, operation=operation, params=params, region=region or call.region))

    @staticmethod
    def snake(params: Any) -> dict[str, Any]:
        """Return parameters under the names moto's constructors take."""
        return {xform_name(key): value for key, value in params.items()}

    def is_clustered(self, instance: Any) -> bool:
        """Tell whether a DB instance belongs to a cluster."""
        return isinstance(instance, DBInstanceClustered)

    def require_groups(self, backend: Any, params: Any) -> None:
        """Refuse a database whose groups do not exist; see `RdsGroups`."""
        raise NotImplementedError

    def new_instance(self, call: Call, params: dict[str, Any]) -> Any:
        """Put a DB instance into moto's store.

        moto's own creation also takes a backup named by the minute, which fails when a freed name is soon used again.
        """
        backend = self.backend_of(call)
        self.require_groups(backend, params)
        kwargs = self.snake(params)
        with errors.moto_errors():
            backend._validate_db_identifier(params["DBInstanceIdentifier"])
            maker = DBInstanceClustered if params.get("DBClusterIdentifier") else DBInstance
            instance = maker(backend=backend, **kwargs)
        instance.dbi_resource_id = f"db-{_resource_id()}"
        instance.created = instance.instance_create_time = self.world.clock.now().replace(tzinfo=None)
        backend.databases[instance.db_instance_identifier] = instance
        self.instance_state(instance).created = self.world.clock.now()
        return instance


def _resource_id() -> str:
    return str(mock_random.get_random_hex(26)).upper()
