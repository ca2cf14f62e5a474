"""Find ECS services: the two sides have the same cluster and service name, or one tells where the other is deployed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from adapters.ecs.models import Service, Services, tag_map
from adapters.ecs.spec import DEPLOY, SCALE
from adapters.ecs.view import bounds_of
from adapters.ecs.view_deploy import CREATED_WITH, live
from orchestrator.contract import Found, Place, Reader
from orchestrator.tags import STRATEGY

DESCRIBED_AT_ONCE = 10
DEPLOY_REGION = "dr:deploy-region"
REMEMBERED = {*CREATED_WITH, "serviceArn", "serviceName", "loadBalancers", "serviceRegistries", "tags"}


def find(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return the tagged services, and for each that names a Region to be deployed to, its other side there."""
    by_cluster: dict[str, list[str]] = {}
    for arn in arns:
        by_cluster.setdefault(arn.split("/")[-2], []).append(arn)
    found = []
    for cluster, mine in sorted(by_cluster.items()):
        for start in range(0, len(mine), DESCRIBED_AT_ONCE):
            batch: JsonValue = list(mine[start : start + DESCRIBED_AT_ONCE])
            reply = aws.read("ecs", "DescribeServices", Services, cluster=cluster, services=batch, include=["TAGS"])
            active = [service for service in reply.services if service.status == "ACTIVE"]
            found += [each for service in active for each in _sides(aws, cluster, service)]
    return found


def _sides(aws: Reader, cluster: str, service: Service) -> list[Found]:
    service_id, tags = f"{cluster}/{service.serviceName}", tag_map(service.tags)
    deploys = tags.get(STRATEGY) == DEPLOY
    facts = _facts(aws, service_id, service, remember=deploys)
    place = Place(aws.account, aws.region, service_id, service.serviceArn, facts)
    here = Found(service_id, service.serviceName, place, tags, DEPLOY if deploys else SCALE)
    region = tags.get(DEPLOY_REGION)
    if not deploys or not region or region == aws.region:
        return [here]
    other = Place(aws.account, region, service_id, service.serviceArn.replace(f":{aws.region}:", f":{region}:"))
    return [here, Found(service_id, service.serviceName, other, tags, DEPLOY, counterpart=True)]


def _facts(aws: Reader, service_id: str, service: Service, *, remember: bool) -> Mapping[str, JsonValue]:
    """Return what an emergency needs: the size, and of what is to be deployed all that it is made of."""
    facts: dict[str, JsonValue] = {"desired": service.desiredCount, "task_definition": service.taskDefinition}
    bounds = bounds_of(aws, service_id)
    if bounds is not None:
        facts |= {"min": bounds.MinCapacity, "max": bounds.MaxCapacity}
    if remember:
        place = Place(aws.account, aws.region, service_id, service.serviceArn)
        definition = live(aws, place, service).content
        kept: JsonValue = service.model_dump(mode="json", include=REMEMBERED, exclude_none=True)
        facts["deployable"] = {"definition": {**definition}, "service": kept}
    return facts
