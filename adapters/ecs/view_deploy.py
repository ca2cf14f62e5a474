"""What is read to deploy a service from one side to the other: its task definition, what is newest there, what it needs there.

The definition of the side that serves is the truth. For the other Region its texts are rewritten (ECR hosts, log Regions,
ARNs), then what the manifest says of that Region is put in: ids to replace, values of environment variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, JsonValue

from adapters.ecs.models import Definition, DescribedDefinition, Service, tag_map
from adapters.reading import mirrored
from orchestrator.contract import Member, Place, Reader

DEFINITION_MISSING = ("ClientException",)
ONE_REGION_ONLY = re.compile(r"\b(?:fs|fsap|subnet|sg|vpc)-[0-9a-f]{8,17}\b")
"""What of a definition names a thing that has another id in the other Region."""
OWN_TAGS = ("dr:deploy-", "aws:")
"""Tags that say where the other side is deployed, or that AWS alone may set: a deployed service carries neither."""
CREATED_WITH = (
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "launchType",
    "networkConfiguration",
    "platformVersion",
    "propagateTags",
)


class RegionSettings(BaseModel):
    """What the manifest says of one Region (`regions: {REGION: ...}`), or the tags dr:deploy-* of the deployed Region."""

    subnets: list[str] = []
    securityGroups: list[str] = []
    targetGroupArns: list[str] = []
    environment: dict[str, str] = {}
    replace: dict[str, str] = {}


@dataclass(frozen=True)
class Deployment:
    """One direction: what the destination should have, and what it has."""

    wanted: Mapping[str, JsonValue]
    """The task definition that belongs there."""
    service: Mapping[str, JsonValue]
    """What a service that is not there is created with."""
    tags: Mapping[str, str]
    newest: Definition | None = None
    """The newest ACTIVE revision of the family there."""
    current: Definition | None = None
    """The revision that the service there uses."""
    problems: tuple[str, ...] = ()
    """Why it cannot be deployed, as sentences."""

    @property
    def target_groups(self) -> list[str]:
        """Return the ARNs of the target groups that the service is to be made with."""
        named = {"serviceArn": "", "serviceName": "", "loadBalancers": self.service.get("loadBalancers", [])}
        return Service.model_validate(named).target_groups


@dataclass(frozen=True)
class Model:
    """A service to be copied: live, or as the inventory remembers it."""

    place: Place
    service: Service
    content: Mapping[str, JsonValue]
    bounds: tuple[int, int] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def remembered(place: Place) -> Model | None:
    """Return what the inventory keeps of a service for the case that its Region is lost."""
    kept = place.facts.get("deployable")
    if not isinstance(kept, dict):
        return None
    content = kept.get("definition")
    service = Service.model_validate(kept.get("service"))
    return Model(place, service, content if isinstance(content, dict) else {}, bounds_in(place), tag_map(service.tags))


def live(reader: Reader, place: Place, service: Service) -> Model:
    """Return a service as it is now (ecs:DescribeTaskDefinition)."""
    found = reader.read("ecs", "DescribeTaskDefinition", DescribedDefinition, taskDefinition=service.taskDefinition)
    return Model(place, service, found.taskDefinition.content, bounds_in(place), tag_map(service.tags))


def bounds_in(place: Place) -> tuple[int, int] | None:
    """Return the bounds of autoscaling at inventory time, None when the service does not scale by itself."""
    low, high = place.facts.get("min"), place.facts.get("max")
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def settings_of(member: Member, region: str) -> RegionSettings:
    """Return what is said of a Region: the manifest's `regions`, else the tags dr:deploy-* when they are about it."""
    regions = member.settings.get("regions")
    said = regions.get(region) if isinstance(regions, dict) else None
    settings = RegionSettings.model_validate(said or {})
    if member.tags.get("dr:deploy-region") != region:
        return settings
    tagged = RegionSettings(
        subnets=member.tags.get("dr:deploy-subnets", "").split(),
        securityGroups=member.tags.get("dr:deploy-security-groups", "").split(),
        targetGroupArns=member.tags.get("dr:deploy-target-groups", "").split(),
    )
    return tagged.model_copy(update=settings.model_dump(exclude_unset=True))


def plan(member: Member, model: Model, to: Place, there: Service | None, reader: Reader) -> Deployment:
    """Return what a destination should have and has."""
    settings, back = settings_of(member, to.region), settings_of(member, model.place.region)
    wanted = _definition_for(model, to, settings, back)
    family = str(model.content.get("family", ""))
    newest = _describe(reader, family)
    current = _describe(reader, there.taskDefinition) if there is not None else None
    return Deployment(
        wanted=wanted,
        service=_service_for(model, settings),
        tags={key: value for key, value in model.tags.items() if not key.startswith(OWN_TAGS)},
        newest=newest,
        current=current,
        problems=tuple(_problems(model, wanted, to, there, settings, back)),
    )


def _describe(reader: Reader, reference: str) -> Definition | None:
    found = reader.find(
        "ecs", "DescribeTaskDefinition", DescribedDefinition, missing=DEFINITION_MISSING, taskDefinition=reference
    )
    return found.taskDefinition if found and found.taskDefinition.status == "ACTIVE" else None


def _definition_for(model: Model, to: Place, settings: RegionSettings, back: RegionSettings) -> Mapping[str, JsonValue]:
    exchange = {**{new: old for old, new in back.replace.items()}, **settings.replace}
    content = {name: _exchanged(mirrored(value, model.place, to), exchange) for name, value in model.content.items()}
    containers = content.get("containerDefinitions")
    for container in containers if isinstance(containers, list) else []:
        environment = container.get("environment") if isinstance(container, dict) else None
        for entry in environment if isinstance(environment, list) else []:
            if isinstance(entry, dict) and entry.get("name") in settings.environment:
                entry["value"] = settings.environment[str(entry["name"])]
    return content


def _exchanged(value: JsonValue, exchange: Mapping[str, str]) -> JsonValue:
    if isinstance(value, str):
        for old, new in exchange.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, Mapping):
        return {key: _exchanged(each, exchange) for key, each in value.items()}
    if isinstance(value, list):
        return [_exchanged(each, exchange) for each in value]
    return value


def _service_for(model: Model, settings: RegionSettings) -> Mapping[str, JsonValue]:
    shown: Mapping[str, JsonValue] = model.service.model_dump(mode="json", include=set(CREATED_WITH), exclude_none=True)
    wanted = {name: value for name, value in shown.items() if value not in ([], {})}
    if settings.subnets:
        network: dict[str, JsonValue] = {"subnets": [*settings.subnets], "securityGroups": [*settings.securityGroups]}
        before = (model.service.networkConfiguration or {}).get("awsvpcConfiguration")
        if isinstance(before, dict) and before.get("assignPublicIp"):
            network["assignPublicIp"] = before["assignPublicIp"]
        wanted["networkConfiguration"] = {"awsvpcConfiguration": network}
    if model.service.loadBalancers:
        wanted["loadBalancers"] = [
            {"targetGroupArn": arn, "containerName": each.containerName, "containerPort": each.containerPort}
            for arn, each in zip(settings.targetGroupArns, model.service.loadBalancers, strict=False)
        ]
    return wanted


def _problems(
    model: Model,
    wanted: Mapping[str, JsonValue],
    to: Place,
    there: Service | None,
    settings: RegionSettings,
    back: RegionSettings,
) -> Iterator[str]:
    replaced = {*settings.replace.values(), *back.replace}
    for text in _texts(wanted):
        for found in ONE_REGION_ONLY.findall(text):
            if found not in replaced:
                yield f"the task definition names {found}: say in the manifest what replaces it in {to.region}"
    for name in sorted(set(back.environment) - set(settings.environment)):
        yield f"the manifest says {name} for {model.place.region} only: say it for {to.region} too"
    if there is not None:
        return
    if model.service.networkConfiguration and not settings.subnets:
        yield f"nothing says the subnets of {to.region}: set dr:deploy-subnets, or regions.{to.region}.subnets"
    if len(settings.targetGroupArns) < len(model.service.loadBalancers):
        yield f"nothing says the target groups of {to.region}: set dr:deploy-target-groups, or regions.{to.region}.targetGroupArns"
    if model.service.serviceRegistries:
        yield "the service is in a Cloud Map registry, which is regional: create the service there by hand"


def _texts(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
