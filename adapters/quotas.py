"""What is left of a quota: its value, and how much of it is in use.

Service Quotas tells the value and, for the quotas whose usage AWS publishes, the CloudWatch metric of it (GetServiceQuota's
UsageMetric, namespace AWS/Usage): one call each, and what is counted is what AWS counts. Others are counted by the adapter, or
cannot be. The metric is minutes old. Read when a run is planned only, and on the side where something is made.

Sources: Service Quotas API reference, ServiceQuota and MetricInfo; ECS developer guide, "AWS Fargate usage metrics"; EC2 user guide,
"Monitor metrics with CloudWatch", usage metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from pydantic import BaseModel

from adapters.reading import points_since
from orchestrator.contract import Claim, Reader
from orchestrator.errors import AccessDeniedError
from orchestrator.spec import Permission
from orchestrator.words import Use

QUOTA_MISSING = ("NoSuchResourceException",)
USAGE_WINDOW = timedelta(hours=1)
OF_THE_DOCUMENTATION = "the default of the documentation: Service Quotas names no code for it"
READ_USAGE = Permission(actions=("cloudwatch:GetMetricData",), uses=frozenset({Use.PLAN}))


class _UsageMetric(BaseModel):
    MetricNamespace: str = ""
    MetricName: str = ""
    MetricDimensions: Mapping[str, str] = {}
    MetricStatisticRecommendation: str = "Maximum"


class _Quota(BaseModel):
    Value: float = 0.0
    UsageMetric: _UsageMetric | None = None


class _ServiceQuota(BaseModel):
    Quota: _Quota = _Quota()


@dataclass(frozen=True)
class Room:
    """A quota's value and what is in use of it, in one account and Region."""

    limit: float | None = None
    """None: AWS does not tell."""
    used: float | None = None
    """None: AWS tells no figure."""
    note: str = ""
    """Why there is no limit, or where it is from."""

    def counted(self, used: float) -> Room:
        """Return the same with what was counted in use."""
        return replace(self, used=used)

    def claim(  # noqa: PLR0913  a claim has many parts
        self,
        resource_ids: tuple[str, ...],
        where: tuple[str, str],
        quota: str,
        what: str,
        amount: float,
        remedy: str = "",
    ) -> Claim:
        """Return what resources take of it; `where` is account and Region."""
        return Claim(resource_ids, *where, quota, what, amount, self.limit, self.used, self.note, remedy)


def room(reader: Reader, service: str, code: str, now: datetime) -> Room:
    """Read a quota and, where AWS publishes it, its usage; a refusal is noted (servicequotas:GetServiceQuota, cloudwatch:GetMetricData)."""
    asked = {"ServiceCode": service, "QuotaCode": code}
    try:
        found = reader.find("service-quotas", "GetServiceQuota", _ServiceQuota, QUOTA_MISSING, **asked)
    except AccessDeniedError as err:
        return Room(note=err.message.rstrip("."))
    if found is None:
        return Room()
    limit, metric = found.Quota.Value, found.Quota.UsageMetric
    if metric is None or not metric.MetricName:
        return Room(limit)
    try:
        points = points_since(
            reader,
            now,
            now - USAGE_WINDOW,
            metric.MetricNamespace,
            metric.MetricName,
            metric.MetricDimensions,
            metric.MetricStatisticRecommendation,
        )
    except AccessDeniedError as err:
        return Room(limit, note=f"the usage may not be looked at: {err.message.rstrip('.')}")
    return Room(limit, points[0].value if points else None)


def reads_quota(*of: str) -> Permission:
    """Return the permission to read quotas: services, or `service/code`."""
    return Permission(
        actions=("servicequotas:GetServiceQuota",),
        uses=frozenset({Use.PLAN}),
        resources=tuple(
            f"arn:{{partition}}:servicequotas:{{region}}:{{account}}:{each if '/' in each else f'{each}/*'}"
            for each in of
        ),
    )


def ask(service: str, code: str, region: str, value: str = "...") -> str:
    """Return what to type for a higher quota."""
    named = f"--service-code {service} --quota-code {code} --region {region} --desired-value {value}"
    return f"ask for a higher quota ({service} {code}): aws service-quotas request-service-quota-increase {named}"
