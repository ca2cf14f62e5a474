"""Subnet, parameter and option groups: moto keeps them; here they are asked for as RDS does, and missed where RDS misses them.

Default parameter groups (`default.<family>`) exist in every account and Region.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.rds import errors
from localaws.services.rds.links import RdsLinks

DEFAULT = "default"


class RdsGroups(RdsLinks):
    """Reads of groups, and the check of those that a new database names."""

    @operation("DescribeDBParameterGroups")
    def describe_db_parameter_groups(self, call: Call) -> Reply:
        """List parameter groups; moto answers an empty list for one that does not exist."""
        wanted = call.params.get("DBParameterGroupName", "")
        if wanted and wanted not in self.backend_of(call).db_parameter_groups:
            return {"DBParameterGroups": [_default_group(call, wanted, "DBParameterGroup", "pg")]}
        return self.world.moto(call)

    @operation("DescribeDBClusterParameterGroups")
    def describe_db_cluster_parameter_groups(self, call: Call) -> Reply:
        """List cluster parameter groups."""
        wanted = call.params.get("DBClusterParameterGroupName", "")
        if wanted and wanted not in self.backend_of(call).db_cluster_parameter_groups:
            return {"DBClusterParameterGroups": [_default_group(call, wanted, "DBClusterParameterGroup", "cluster-pg")]}
        return self.world.moto(call)

    @operation("DescribeDBSubnetGroups")
    def describe_db_subnet_groups(self, call: Call) -> Reply:
        """List subnet groups."""
        wanted = call.params.get("DBSubnetGroupName")
        if wanted and wanted not in self.backend_of(call).subnet_groups:
            raise errors.subnet_group_not_found(wanted)
        return self.world.moto(call)

    def require_groups(self, backend: Any, params: Mapping[str, Any]) -> None:
        """Refuse a database whose groups do not exist in its Region."""
        subnets = params.get("DBSubnetGroupName")
        if subnets and subnets != DEFAULT and subnets not in backend.subnet_groups:
            raise errors.subnet_group_not_found(subnets)
        group = params.get("DBParameterGroupName")
        if group and not _is_default(group) and group not in backend.db_parameter_groups:
            raise errors.parameter_group_not_found(group)
        group = params.get("DBClusterParameterGroupName")
        if group and not _is_default(group) and group not in backend.db_cluster_parameter_groups:
            raise AwsError("DBClusterParameterGroupNotFound", f"DBClusterParameterGroup not found: {group}", 404)
        options = params.get("OptionGroupName")
        if options and not options.startswith(f"{DEFAULT}:") and options not in backend.option_groups:
            raise AwsError("OptionGroupNotFoundFault", f"Specified OptionGroupName: {options} not found.", 404)


def _is_default(name: str) -> bool:
    return name.startswith(f"{DEFAULT}.")


def _default_group(call: Call, name: str, field: str, kind: str) -> dict[str, str]:
    """Return a group that RDS keeps by itself; raise for any other that is not there."""
    if not _is_default(name):
        raise errors.parameter_group_not_found(name)
    family = name.removeprefix(f"{DEFAULT}.")
    return {
        f"{field}Name": name,
        "DBParameterGroupFamily": family,
        "Description": f"Default parameter group for {family}",
        f"{field}Arn": f"arn:aws:rds:{call.region}:{call.account}:{kind}:{name}",
    }
