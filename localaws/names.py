"""Looks up in moto what a resource's name alone does not tell: paths, unique ids, aliases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localaws.lambda_runtime import moto_bridge
from localaws.service import AwsError

if TYPE_CHECKING:
    from localaws.world import World


@dataclass(frozen=True)
class MotoNames:
    """`localaws.iam.resources.Names` over moto's state, for one account and Region."""

    world: World
    account: str
    region: str

    def arn(self, kind: str, name: str) -> str | None:
        """Return the ARN of the resource of `kind` called `name`, None when there is none."""
        finder = _FINDERS.get(kind)
        if finder is None:
            return None
        service, find = finder
        return find(self.world.backend(service, self.account, self.region), name)

    def task_roles(self, definition: str) -> tuple[str, ...]:
        """Return the ARNs of the roles that an ECS task definition hands to its tasks; empty when there is none."""
        where = (self.account, self.region)
        try:
            reply = self.world.call("ecs", "DescribeTaskDefinition", *where, taskDefinition=definition)
        except AwsError:
            return ()  # the call itself will say what is wrong with the name
        found = reply["taskDefinition"]
        return tuple(found[key] for key in ("taskRoleArn", "executionRoleArn") if found.get(key))

    def mapped_function(self, mapping_id: str) -> str | None:
        """Return the ARN of the function, alias or version that a Lambda event source mapping calls."""
        found = moto_bridge.backend(self.account, self.region).get_event_source_mapping(mapping_id)
        return str(found.function_arn) if found else None


def _arn_by_name(*collections: str) -> Callable[[Any, str], str | None]:
    """Find by `name` among the values of the backend's dictionaries."""

    def find(backend: Any, name: str) -> str | None:
        for collection in collections:
            for item in getattr(backend, collection).values():
                if item.name == name:
                    return str(item.arn)
        return None

    return find


def _stack(backend: Any, name: str) -> str | None:
    return next((str(stack.stack_id) for stack in backend.stacks.values() if stack.name == name), None)


def _key(backend: Any, alias: str) -> str | None:
    return next((str(key.arn) for key in backend.keys.values() if alias in key.aliases), None)


def _group(backend: Any, name: str) -> str | None:
    group = backend.autoscaling_groups.get(name)
    return str(group.arn) if group else None


def _arn_by_id(collection: str) -> Callable[[Any, str], str | None]:
    """Find by id in a dictionary that our own service keeps on moto's backend."""

    def find(backend: Any, name: str) -> str | None:
        found = getattr(backend, collection, {}).get(name)
        return str(found.resource_arn) if found else None

    return find


def _file_system_mounted(backend: Any, name: str) -> str | None:
    """Find the file system of a mount target: requests about those name nothing else."""
    found = backend.mount_targets_by_id.get(name)
    return str(backend.file_systems_by_id[found.file_system_id].file_system_arn) if found else None


def _secret(backend: Any, name: str) -> str | None:
    secret = backend.secrets.get(name)
    return str(secret.arn) if secret else None


_FINDERS: dict[str, tuple[str, Callable[[Any, str], str | None]]] = {
    "autoscaling:autoScalingGroup": ("autoscaling", _group),
    "cloudformation:stack": ("cloudformation", _stack),
    "elasticfilesystem:file-system": ("efs", _file_system_mounted),
    "fsx:snapshot": ("fsx", _arn_by_id("snapshots")),
    "fsx:storage-virtual-machine": ("fsx", _arn_by_id("storage_virtual_machines")),
    "fsx:volume": ("fsx", _arn_by_id("volumes")),
    "iam:instance-profile": ("iam", _arn_by_name("instance_profiles")),
    "iam:policy": ("iam", _arn_by_name("managed_policies")),
    "iam:role": ("iam", _arn_by_name("roles")),
    "iam:user": ("iam", _arn_by_name("users")),
    "kms:key": ("kms", _key),
    "secretsmanager:Secret": ("secretsmanager", _secret),
}
