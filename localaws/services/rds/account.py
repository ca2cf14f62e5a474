"""What belongs to the account rather than to one database: quotas, events, tags, orderable classes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from localaws.service import Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.base import Place
from localaws.services.rds.global_clusters import RdsGlobalClusters
from localaws.services.rds.state import GlobalCluster

QUOTAS = {
    "DBInstances": 40,
    "ReservedDBInstances": 40,
    "AllocatedStorage": 100_000,
    "DBSecurityGroups": 25,
    "DBParameterGroups": 50,
    "ManualSnapshots": 100,
    "EventSubscriptions": 20,
    "DBSubnetGroups": 50,
    "OptionGroups": 20,
    "SubnetsPerDBSubnetGroup": 20,
    "ReadReplicasPerMaster": 15,
    "DBClusters": 40,
    "DBClusterParameterGroups": 50,
    "DBClusterRoles": 5,
    "DBInstanceRoles": 5,
    "ManualClusterSnapshots": 100,
    "CustomEndpointsPerDBCluster": 5,
}
CLASSES = ("db.t4g.medium", "db.r6g.large", "db.r6g.xlarge", "db.r6g.2xlarge", "db.r7g.large", "db.m6g.large")


class RdsAccount(RdsGlobalClusters):
    """Account-wide operations. `quotas` may be overridden by the estate: name -> maximum."""

    def reset(self) -> None:
        """Forget the overrides, too."""
        super().reset()
        self.quotas: dict[Place, dict[str, int]] = {}

    @operation("DescribeAccountAttributes")
    def describe_account_attributes(self, call: Call) -> Reply:
        """Return quotas and their use in this Region."""
        backend = self.backend_of(call)
        used = {
            "DBInstances": len(backend.databases),
            "AllocatedStorage": sum(one.allocated_storage or 0 for one in backend.databases.values()),
            "DBParameterGroups": len(backend.db_parameter_groups),
            "ManualSnapshots": sum(one.snapshot_type == "manual" for one in backend.database_snapshots.values()),
            "DBSubnetGroups": len(backend.subnet_groups),
            "OptionGroups": len(backend.option_groups),
            "DBClusters": len(backend.clusters),
            "ManualClusterSnapshots": sum(one.snapshot_type == "manual" for one in backend.cluster_snapshots.values()),
            "ReadReplicasPerMaster": max((len(one.replicas) for one in backend.databases.values()), default=0),
        }
        limits = QUOTAS | self.quotas.get(Place(call.account, call.region), {})
        quotas = [{"AccountQuotaName": name, "Used": used.get(name, 0), "Max": top} for name, top in limits.items()]
        return {"AccountQuotas": quotas}

    @operation("DescribeEvents")
    def describe_events(self, call: Call) -> Reply:
        """List events of this Region, by default of the last 60 minutes; Duration is in minutes."""
        params = call.params
        if params.get("SourceIdentifier") and not params.get("SourceType"):
            raise errors.combination("Cannot specify source identifier without source type")
        until = params.get("EndTime") or self.world.clock.now()
        since = params.get("StartTime") or until - timedelta(minutes=params.get("Duration") or 60)
        categories = set(params.get("EventCategories", []))
        found = [
            event
            for event in self.events.get(Place(call.account, call.region), [])
            if since <= event.at <= until
            and params.get("SourceIdentifier", event.source_identifier) == event.source_identifier
            and params.get("SourceType", event.source_type) == event.source_type
            and (not categories or categories & set(event.categories))
        ]
        return {
            "Events": [
                {
                    "SourceIdentifier": event.source_identifier,
                    "SourceType": event.source_type,
                    "SourceArn": event.source_arn,
                    "Message": event.message,
                    "EventCategories": list(event.categories),
                    "Date": event.at,
                }
                for event in found
            ]
        }

    @operation("DescribeOrderableDBInstanceOptions")
    def describe_orderable_db_instance_options(self, call: Call) -> Reply:
        """List instance classes. Every class of a known family can be ordered for every engine and version."""
        params = call.params
        wanted = params.get("DBInstanceClass")
        classes = CLASSES if wanted is None else (wanted,) if wanted.startswith("db.") else ()
        zones = [{"Name": f"{call.region}{letter}"} for letter in "abc"]
        aurora = params["Engine"].startswith("aurora")
        options = [
            {
                "Engine": params["Engine"],
                "EngineVersion": params.get("EngineVersion", ""),
                "DBInstanceClass": one,
                "LicenseModel": params.get("LicenseModel", "general-public-license"),
                "AvailabilityZones": zones,
                "MultiAZCapable": not aurora,
                "ReadReplicaCapable": not aurora,
                "SupportsGlobalDatabases": aurora,
                "SupportsClusters": aurora,
                "StorageType": "aurora" if aurora else "gp3",
                "SupportsStorageEncryption": True,
                "Vpc": True,
            }
            for one in classes
        ]
        return {"OrderableDBInstanceOptions": options}

    # --- tags: moto knows no global cluster, and answers an empty list for what does not exist

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call) -> Reply:
        """List the tags of a resource."""
        if one := self._tagged_global(call):
            return {"TagList": [{"Key": key, "Value": value} for key, value in one.tags.items()]}
        self._require_resource(call)
        return self.world.moto(call)

    @operation("AddTagsToResource")
    def add_tags_to_resource(self, call: Call) -> Reply:
        """Set tags of a resource."""
        if one := self._tagged_global(call):
            one.tags.update({tag["Key"]: tag["Value"] for tag in call.params["Tags"]})
            return {}
        self._require_resource(call)
        return self.world.moto(call)

    @operation("RemoveTagsFromResource")
    def remove_tags_from_resource(self, call: Call) -> Reply:
        """Remove tags of a resource."""
        if one := self._tagged_global(call):
            for key in call.params["TagKeys"]:
                one.tags.pop(key, None)
            return {}
        self._require_resource(call)
        return self.world.moto(call)

    def _tagged_global(self, call: Call) -> GlobalCluster | None:
        arn = call.params["ResourceName"]
        return self.global_cluster(call.account, arn) if ":global-cluster:" in arn else None

    def _require_resource(self, call: Call) -> Any:
        arn = call.params["ResourceName"]
        if ":db:" in arn:
            return self.instance(call, arn)
        if ":cluster:" in arn:
            return self.cluster(call, arn)
        kind, _, name = arn.split(":", 5)[5].partition(":")
        backend = self.backend(*arn.split(":")[4:2:-1])
        if kind == "subgrp" and name not in backend.subnet_groups:
            raise errors.subnet_group_not_found(name)
        if kind == "pg" and name not in backend.db_parameter_groups:
            raise errors.parameter_group_not_found(name)
        if kind == "cluster-pg" and name not in backend.db_cluster_parameter_groups:
            raise errors.parameter_group_not_found(name)
        if kind == "snapshot" and name not in backend.database_snapshots:
            raise errors.snapshot_not_found(name)
        if kind == "cluster-snapshot" and name not in backend.cluster_snapshots:
            raise errors.cluster_snapshot_not_found(name)
        return None
