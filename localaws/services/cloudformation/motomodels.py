"""Resource types that only moto's own CloudFormation models can make (VPCs, repositories, databases ...)."""

from __future__ import annotations

import inspect
from typing import Any

from localaws.service import AwsError
from localaws.services.cloudformation.resource import Context, Made, Properties, ResourceType


def find(name: str) -> ResourceType | None:
    """Return the type if moto has a model for it."""
    from moto.cloudformation.parsing import get_model_map

    model = get_model_map().get(name)
    return MotoModel(name, model) if model is not None else None


class _Attributes(dict[str, Any]):
    """Attributes asked from moto's model when they are needed."""

    def __init__(self, resource: Any) -> None:
        super().__init__()
        self.resource = resource

    def __contains__(self, name: object) -> bool:
        try:
            return self[str(name)] is not None
        except KeyError:
            return False

    def __missing__(self, name: str) -> Any:
        # moto signals an attribute it lacks with exceptions of its own making.
        try:
            return self.resource.get_cfn_attribute(name)
        except Exception as error:
            raise KeyError(name) from error


class MotoModel(ResourceType):
    """A resource made, changed and removed by moto's model of it."""

    def __init__(self, name: str, model: Any) -> None:
        self.name = name
        self.model = model

    def create(self, context: Context, properties: Properties) -> Made:
        name_property = self.model.cloudformation_name_type()
        physical = properties.get(name_property) if name_property else None
        resource = self.model.create_from_cloudformation_json(
            physical or context.name(60),
            {"Type": self.name, "Properties": dict(properties)},
            context.account,
            context.region,
            LogicalId=context.logical_id,
            StackId=context.stack_id,
            ResourceType=self.name,
        )
        return Made(str(resource.physical_resource_id), _Attributes(resource))

    def update(self, context: Context, made: Made, old: Properties, new: Properties) -> Made:
        update = self.model.update_from_cloudformation_json
        if hasattr(update, "__isabstractmethod__"):
            raise AwsError("ValidationError", f"the embedded AWS cannot update resources of the type {self.name}")
        resource = update(
            original_resource=_resource(made),
            new_resource_name=made.physical_id,
            cloudformation_json={"Type": self.name, "Properties": dict(new)},
            account_id=context.account,
            region_name=context.region,
        )
        return Made(str(resource.physical_resource_id), _Attributes(resource))

    def delete(self, context: Context, made: Made, properties: Properties) -> None:
        resource = _resource(made)
        delete = getattr(resource, "delete", None)
        if delete is not None and len(inspect.signature(delete).parameters) == 2:
            delete(context.account, context.region)
            return
        by_class = self.model.delete_from_cloudformation_json
        if not hasattr(by_class, "__isabstractmethod__"):
            definition = {"Type": self.name, "Properties": dict(properties)}
            by_class(made.physical_id, definition, context.account, context.region)


def _resource(made: Made) -> Any:
    if not isinstance(made.attributes, _Attributes):
        raise TypeError(f"{made.physical_id} was not made by moto")
    return made.attributes.resource
