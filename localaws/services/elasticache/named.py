"""What groups are made with by name, and what must exist in their Region: parameter groups and user groups."""

from __future__ import annotations

from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.elasticache.base import ElastiCacheBase

DEFAULT = "default."
PLACE = tuple[str, str]


class ElastiCacheNamed(ElastiCacheBase):
    """Operations on parameter groups and user groups. Default parameter groups are there in every Region."""

    def reset(self) -> None:
        """Forget them all."""
        super().reset()
        self.parameter_groups: dict[PLACE, dict[str, dict[str, Any]]] = {}
        self.user_groups: dict[PLACE, dict[str, dict[str, Any]]] = {}

    @operation("CreateCacheParameterGroup")
    def create_cache_parameter_group(self, call: Call) -> Reply:
        """Create a parameter group."""
        name = call.params["CacheParameterGroupName"].lower()
        mine = self.parameter_groups.setdefault((call.account, call.region), {})
        if name in mine:
            message = f"Cache parameter group {name} already exists."
            raise AwsError("CacheParameterGroupAlreadyExists", message)
        mine[name] = {
            "CacheParameterGroupName": name,
            "CacheParameterGroupFamily": call.params["CacheParameterGroupFamily"],
            "Description": call.params["Description"],
            "IsGlobal": False,
            "ARN": f"arn:aws:elasticache:{call.region}:{call.account}:parametergroup:{name}",
        }
        return {"CacheParameterGroup": mine[name]}

    @operation("DescribeCacheParameterGroups")
    def describe_cache_parameter_groups(self, call: Call) -> Reply:
        """List the parameter groups of the Region; a default one only when it is asked for by name."""
        wanted = call.params.get("CacheParameterGroupName")
        mine = self.parameter_groups.get((call.account, call.region), {})
        if not wanted:
            return {"CacheParameterGroups": list(mine.values())}
        self.require_parameter_group(call, wanted)
        family = wanted.removeprefix(DEFAULT).removesuffix(".cluster.on")
        shown = mine.get(wanted.lower(), {"CacheParameterGroupName": wanted, "CacheParameterGroupFamily": family})
        return {"CacheParameterGroups": [shown]}

    def require_parameter_group(self, call: Call, name: str) -> None:
        """Refuse an unknown parameter group with `CacheParameterGroupNotFound`."""
        if not name.startswith(DEFAULT) and name.lower() not in self.parameter_groups.get(
            (call.account, call.region), {}
        ):
            raise AwsError("CacheParameterGroupNotFound", f"CacheParameterGroup not found: {name}", 404)

    @operation("CreateUserGroup")
    def create_user_group(self, call: Call) -> Reply:
        """Create a user group, `active` at once."""
        name = call.params["UserGroupId"].lower()
        mine = self.user_groups.setdefault((call.account, call.region), {})
        if name in mine:
            raise AwsError("UserGroupAlreadyExists", f"User group {name} already exists.")
        mine[name] = {
            "UserGroupId": name,
            "Status": "active",
            "Engine": call.params["Engine"],
            "UserIds": list(call.params.get("UserIds") or ["default"]),
            "ReplicationGroups": [],
            "ARN": f"arn:aws:elasticache:{call.region}:{call.account}:usergroup:{name}",
        }
        return mine[name]

    @operation("DescribeUserGroups")
    def describe_user_groups(self, call: Call) -> Reply:
        """List the user groups of the Region."""
        wanted = call.params.get("UserGroupId")
        mine = self.user_groups.get((call.account, call.region), {})
        if wanted:
            self.require_user_group(call, wanted)
            return {"UserGroups": [mine[wanted.lower()]]}
        return {"UserGroups": list(mine.values())}

    def require_user_group(self, call: Call, name: str) -> None:
        """Refuse an unknown user group with `UserGroupNotFound`."""
        if name.lower() not in self.user_groups.get((call.account, call.region), {}):
            raise AwsError("UserGroupNotFound", f"User group {name} not found.", 404)
