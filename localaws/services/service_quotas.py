"""Service Quotas: the limits that readiness checks read, with AWS's default values.

moto knows the quotas of VPC only. An estate (or a test) overrides a value with `override`; a quota that is not
listed here is answered with NoSuchResourceException, as AWS does for a wrong code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.cloudwatch import CloudWatchService
from localaws.services.usage import NAMESPACE, Usage, metric_of

if TYPE_CHECKING:
    from localaws.world import World


@dataclass(frozen=True)
class Quota:
    """A quota and AWS's default value for a new account."""

    service: str
    code: str
    name: str
    value: float
    service_name: str
    adjustable: bool = True
    global_quota: bool = False
    usage_of: str = ""
    """The service in AWS/Usage whose metric tells what is in use; empty where AWS publishes none."""


EC2, FARGATE, DRS = "Amazon Elastic Compute Cloud (Amazon EC2)", "AWS Fargate", "AWS Elastic Disaster Recovery"
RDS, ECS, LAMBDA = "Amazon Relational Database Service (Amazon RDS)", "Amazon ECS", "AWS Lambda"
QUOTAS = (
    Quota(
        "ec2",
        "L-1216C47A",
        "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
        640.0,
        EC2,
        usage_of="EC2",
    ),
    Quota("ec2", "L-34B43A08", "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests", 640.0, EC2),
    Quota("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs", 5.0, EC2),
    Quota("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count", 256.0, FARGATE, usage_of="Fargate"),
    Quota("fargate", "L-36FBB829", "Fargate Spot vCPU resource count", 256.0, FARGATE),
    Quota("drs", "L-C1D14A2B", "Max number of replicating source servers", 300.0, DRS, adjustable=False),
    Quota("drs", "L-D88FAC3A", "Concurrent jobs in progress", 20.0, DRS, adjustable=False),
    Quota("drs", "L-B827C881", "Max number of source servers in a single Job", 100.0, DRS, adjustable=False),
    Quota("drs", "L-05AFA8C6", "Max number of source servers in all Jobs", 500.0, DRS, adjustable=False),
    Quota("rds", "L-7B6409FD", "DB instances", 40.0, RDS),
    Quota("rds", "L-952B80B8", "DB clusters", 40.0, RDS),
    Quota("rds", "L-5BC124EF", "Read replicas per primary", 15.0, RDS),
    Quota("rds", "L-7ADDB58A", "Total storage for all DB instances", 100_000.0, RDS),
    Quota("rds", "L-272F1212", "Manual DB instance snapshots", 100.0, RDS),
    Quota("rds", "L-9B510759", "Manual DB cluster snapshots", 100.0, RDS),
    Quota("ecs", "L-9EF96962", "Services per cluster", 5_000.0, ECS),
    Quota("ecs", "L-21C621EB", "Clusters per account", 10_000.0, ECS),
    Quota("lambda", "L-B99A9384", "Concurrent executions", 1_000.0, LAMBDA),
    Quota(
        "elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region", 50.0, "Elastic Load Balancing"
    ),
    Quota("elasticfilesystem", "L-848C634D", "File systems per account", 1_000.0, "Amazon Elastic File System (EFS)"),
    Quota("elasticache", "L-DFE45DF3", "Nodes per Region", 300.0, "Amazon ElastiCache"),
    Quota(
        "elasticache",
        "L-AF354865",
        "Nodes per cluster per instance type (Redis cluster mode enabled)",
        90.0,
        "Amazon ElastiCache",
    ),
    Quota("es", "L-076D529E", "Domains per Region", 100.0, "Amazon OpenSearch Service"),
    Quota("es", "L-6408ABDE", "Instances per domain", 80.0, "Amazon OpenSearch Service"),
    Quota("autoscaling", "L-CDE20ADC", "Auto Scaling groups per region", 500.0, "Amazon EC2 Auto Scaling"),
)
# Services whose quotas moto holds.
OF_MOTO = frozenset({"vpc"})


class ServiceQuotasService(Service):
    """AWS Service Quotas."""

    name: ClassVar[str] = "service-quotas"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.reset()

    def connected(self) -> None:
        """Let CloudWatch tell what is in use."""
        cloudwatch = self.world.service("cloudwatch")
        assert isinstance(cloudwatch, CloudWatchService)
        cloudwatch.register_metric_source(NAMESPACE, Usage(self.world).metric)

    def reset(self) -> None:
        """Forget overridden values."""
        self._values: dict[tuple[str, str, str, str], float] = {}

    def override(self, account: str, region: str, service: str, code: str, value: float) -> None:
        """Set the applied value of a known quota; raises `KeyError` for an unknown one."""
        if not any(quota.service == service and quota.code == code for quota in QUOTAS):
            raise KeyError(
                f"unknown quota {service} {code}; known: {', '.join(f'{q.service} {q.code}' for q in QUOTAS)}"
            )
        self._values[account, region, service, code] = value

    @operation("GetServiceQuota")
    def get_service_quota(self, call: Call) -> Reply:
        """Return the applied value of one quota."""
        return self._one(call, applied=True)

    @operation("GetAWSDefaultServiceQuota")
    def get_aws_default_service_quota(self, call: Call) -> Reply:
        """Return AWS's default value of one quota."""
        return self._one(call, applied=False)

    @operation("ListServiceQuotas")
    def list_service_quotas(self, call: Call) -> Reply:
        """List the applied values of a service's quotas."""
        return self._all(call, applied=True)

    @operation("ListAWSDefaultServiceQuotas")
    def list_aws_default_service_quotas(self, call: Call) -> Reply:
        """List AWS's default values of a service's quotas."""
        return self._all(call, applied=False)

    def _one(self, call: Call, *, applied: bool) -> Reply:
        if call.params["ServiceCode"] in OF_MOTO:
            return self.world.moto(call)
        for quota in QUOTAS:
            if (quota.service, quota.code) == (call.params["ServiceCode"], call.params["QuotaCode"]):
                return {"Quota": self._show(call, quota, applied=applied)}
        raise AwsError("NoSuchResourceException", "The request failed because the specified quota does not exist.")

    def _all(self, call: Call, *, applied: bool) -> Reply:
        code = call.params["ServiceCode"]
        if code in OF_MOTO:
            return self.world.moto(call)
        found = [self._show(call, quota, applied=applied) for quota in QUOTAS if quota.service == code]
        if not found:
            raise AwsError("NoSuchResourceException", f"The service {code} is not available in Service Quotas.")
        return {"Quotas": found}

    def _show(self, call: Call, quota: Quota, *, applied: bool) -> dict[str, Any]:
        value = quota.value
        if applied:
            value = self._values.get((call.account, call.region, quota.service, quota.code), value)
        return {
            "ServiceCode": quota.service,
            "ServiceName": quota.service_name,
            "QuotaArn": f"arn:aws:servicequotas:{call.region}:{call.account}:{quota.service}/{quota.code}",
            "QuotaCode": quota.code,
            "QuotaName": quota.name,
            "Value": value,
            "Unit": "None",
            "Adjustable": quota.adjustable,
            "GlobalQuota": quota.global_quota,
            **({"UsageMetric": metric_of(quota.usage_of)} if quota.usage_of else {}),
        }
