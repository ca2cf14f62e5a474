"""Reads that several adapters share: CloudWatch lag, tags in their several spellings, images, names of drill copies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import AfterValidator, BaseModel, JsonValue

from orchestrator.contract import Member, Place, Reader, RunContext

LAG_WINDOW_MINUTES = 5
_IMAGE_MISSING = ("ImageNotFoundException", "RepositoryNotFoundException")
_ECR = re.compile(r"^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.[^/]+/([^:@]+)(?::([^@]+))?(?:@(sha256:[0-9a-f]+))?$")
LONGEST_WINDOW_DAYS = 14
"""CloudWatch keeps values of single minutes for fifteen days."""


def documented(*known: Iterable[str]) -> AfterValidator:
    """Return what makes a status that AWS documents nowhere an error of the look, never a wait: `Annotated[str, documented(...)]`."""
    every = frozenset(status for each in known for status in each)

    def checked(status: str) -> str:
        if status not in every:
            raise ValueError(f"the status {status!r} is not known here")
        return status

    return AfterValidator(checked)


class KeyValue(BaseModel):
    """A tag as most services write it."""

    Key: str
    Value: str = ""


def tag_map(tags: Iterable[KeyValue] | None) -> dict[str, str]:
    """Return tags as a mapping."""
    return {tag.Key: tag.Value for tag in tags or ()}


def tag_list(tags: Mapping[str, str]) -> list[JsonValue]:
    """Return tags as most services take them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


class _MetricResult(BaseModel):
    Timestamps: list[datetime] = []
    Values: list[float] = []


class _MetricData(BaseModel):
    MetricDataResults: list[_MetricResult] = []


@dataclass(frozen=True)
class Datapoint:
    """A metric's value over the minute that begins at `at`."""

    at: datetime
    value: float


def recent_values(
    reader: Reader, now: datetime, namespace: str, metric: str, dimensions: Mapping[str, str], stat: str = "Maximum"
) -> list[float]:
    """Return a metric's values of the last five minutes, newest first."""
    return [point.value for point in recent_points(reader, now, namespace, metric, dimensions, stat)]


def recent_points(
    reader: Reader, now: datetime, namespace: str, metric: str, dimensions: Mapping[str, str], stat: str = "Maximum"
) -> list[Datapoint]:
    """Return a metric's datapoints of the last five minutes, newest first (cloudwatch:GetMetricData)."""
    since = now - timedelta(minutes=LAG_WINDOW_MINUTES)
    return points_since(reader, now, since, namespace, metric, dimensions, stat)


def points_since(  # noqa: PLR0913  a metric has many names
    reader: Reader,
    now: datetime,
    since: datetime,
    namespace: str,
    metric: str,
    dimensions: Mapping[str, str],
    stat: str = "Maximum",
) -> list[Datapoint]:
    """Return a metric's datapoints since a time, newest first (cloudwatch:GetMetricData)."""
    query: JsonValue = {
        "Id": "lag",
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            },
            "Period": 60,
            "Stat": stat,
        },
    }
    reply = reader.read(
        "cloudwatch",
        "GetMetricData",
        _MetricData,
        MetricDataQueries=[query],
        StartTime=max(since, now - timedelta(days=LONGEST_WINDOW_DAYS)),
        EndTime=now + timedelta(minutes=1),
        ScanBy="TimestampDescending",
    )
    found = reply.MetricDataResults[0] if reply.MetricDataResults else _MetricResult()
    return [Datapoint(at, value) for at, value in zip(found.Timestamps, found.Values, strict=True)]


def drill_name(run: RunContext, base: str, limit: int = 63) -> str:
    """Return the name of this drill's copy of `base`; the same at every retry."""
    return f"drill-{run.short_id}-{base}"[:limit].rstrip("-")


def is_of_this_drill(tags: Mapping[str, str], run: RunContext) -> bool:
    """Say whether a thing was made by this very drill; only such things may be deleted."""
    return tags.get("dr:drill-id") == run.run_id


def remaining(members: Sequence[Member], run: RunContext) -> list[Member]:
    """Return the members of a batch that may still be touched."""
    return [member for member in members if member.resource_id not in run.excluded]


class _Images(BaseModel):
    """ecr:DescribeImages; that it answers is all that matters."""


def wrong_image(reader: Reader, image: str) -> str:
    """Return what is wrong with a container image, as a sentence; empty for other registries, which cannot be asked."""
    match = _ECR.match(image)
    if match is None:
        return ""
    account, region, repository, tag, digest = match.groups()
    if region != reader.region:
        return f"image {image} lies in {region}, expected {reader.region}"
    if account != reader.account:
        return ""  # another account's registry: the spoke role may not look there
    wanted: dict[str, JsonValue] = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    there = reader.find(
        "ecr", "DescribeImages", _Images, missing=_IMAGE_MISSING, repositoryName=repository, imageIds=[wanted]
    )
    return "" if there else f"image {image} does not exist in {region}"


def mirrored(value: JsonValue, here: Place, there: Place) -> JsonValue:
    """Return what a definition says, for another Region and account; a text that names both already is for both."""
    if isinstance(value, str):
        for mine, other in ((here.region, there.region), (here.account, there.account)):
            if mine != other and other not in value:
                value = value.replace(mine, other)
        return value
    if isinstance(value, Mapping):
        return {key: mirrored(each, here, there) for key, each in value.items()}
    if isinstance(value, list):
        return [mirrored(each, here, there) for each in value]
    return value
