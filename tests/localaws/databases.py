"""A small shop of databases in the embedded AWS, for the stories about RDS, Aurora and CloudWatch."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.scenario import parse_fault
from localaws.seeds import aurora_global, aurora_replica, aurora_single, rds_replica, service_quota
from localaws.service import Call, Reply

ACCOUNT = "222222222222"
SOURCE, TARGET = "us-east-1", "us-west-2"
MINUTE = 60
SEEDERS: dict[str, estates.Seeder] = {
    "rds-replica": rds_replica.seed,
    "aurora-global": aurora_global.seed,
    "aurora-replica": aurora_replica.seed,
    "aurora-single": aurora_single.seed,
    "service-quota": service_quota.seed,
}
CHECKED = {"rds", "cloudwatch", "service-quotas"}

Client = Any


def has_the_documented_shape(call: Call, reply: Reply) -> Reply:
    """Fail the story when an answer carries a field or a type that botocore's model does not know."""
    if call.service in CHECKED:
        shape = get_service_model(call.service).operation_model(call.operation).output_shape
        report = ParamValidator().validate(dict(reply), shape) if shape is not None else None
        assert report is None or not report.has_errors(), report.generate_report()
    return reply


class Shop:
    """The world of one story: two Regions, one account, a clock that stands still."""

    def __init__(self, local: LocalAws, client: Callable[[str, str], Client]) -> None:
        assert isinstance(local.clock, ManualClock)
        self.local = local
        self.clock = local.clock
        self.client = client
        local.reset()
        local.faults.remove()

    @property
    def source(self) -> Client:
        return self.client("rds", SOURCE)

    @property
    def target(self) -> Client:
        return self.client("rds", TARGET)

    def seed(self, kind: str, name: str = "orders", **settings: Any) -> None:
        entry = {"kind": kind, "account": "apps", "name": name, "tags": {"Customer": "CustomerX"}, **settings}
        content = {
            "name": "test",
            "organization": {"id": "o-exampleorg1", "root": "r-abcd"},
            "hub": {"account": "hub", "regions": [SOURCE, TARGET]},
            "accounts": {"hub": "111111111111", "apps": ACCOUNT},
            "primary_region": SOURCE,
            "dr_region": TARGET,
            "resources": [entry],
        }
        estate = estates.parse(content, "test")
        SEEDERS[kind](self.local, estate, estate.resources[0])

    def instance(self, region: str, name: str = "orders") -> dict[str, Any]:
        found: dict[str, Any] = self.client("rds", region).describe_db_instances(DBInstanceIdentifier=name)
        return dict(found["DBInstances"][0])

    def cluster(self, region: str, name: str = "orders") -> dict[str, Any]:
        found: dict[str, Any] = self.client("rds", region).describe_db_clusters(DBClusterIdentifier=name)
        return dict(found["DBClusters"][0])

    def global_cluster(self, region: str = TARGET, name: str = "orders") -> dict[str, Any]:
        found: dict[str, Any] = self.client("rds", region).describe_global_clusters(GlobalClusterIdentifier=name)
        return dict(found["GlobalClusters"][0])

    def metric(self, region: str, name: str, dimension: str, value: str = "orders") -> list[float]:
        """Return the metric's values over the last three minutes, newest first."""
        from datetime import timedelta

        now = self.clock.now()
        about = {"Namespace": "AWS/RDS", "MetricName": name, "Dimensions": [{"Name": dimension, "Value": value}]}
        query = {"Id": "q", "MetricStat": {"Metric": about, "Period": 60, "Stat": "Average"}}
        reply = self.client("cloudwatch", region).get_metric_data(
            MetricDataQueries=[query], StartTime=now - timedelta(minutes=3), EndTime=now
        )
        values: list[float] = reply["MetricDataResults"][0]["Values"]
        return values

    def watch(self, look: Callable[[], Any], minutes: float = 8, step_seconds: float = 5) -> list[Any]:
        """Return the different answers of `look` while time goes by, in order."""
        seen: list[Any] = []
        for _ in range(int(minutes * MINUTE / step_seconds)):
            answer = look()
            if not seen or seen[-1] != answer:
                seen.append(answer)
            self.clock.advance(step_seconds)
        return seen

    def wait(self, minutes: float = 15) -> None:
        self.clock.advance(minutes * MINUTE)

    def make(self, effect: str, kind: str) -> None:
        """Let every later transition of a kind `fail` or get `stuck`."""
        self.local.faults.add(parse_fault({"effect": effect, "kind": kind}))

    def darken(self, region: str) -> None:
        """Black a Region out."""
        self.local.faults.add(parse_fault({"effect": "blackout", "region": region}))

    def repair(self) -> None:
        """End all faults."""
        self.local.faults.remove()

    def fence(self, region: str, name: str = "orders") -> None:
        """Close the database's security group; open connections survive until a reboot."""
        ec2 = self.client("ec2", region)
        group = ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": [f"{name}-db"]}])
        found = group["SecurityGroups"][0]
        ec2.revoke_security_group_ingress(GroupId=found["GroupId"], IpPermissions=found["IpPermissions"])


@cache
def _local() -> tuple[LocalAws, Callable[[str, str], Client]]:
    local = LocalAws({ACCOUNT: "apps"}, clock=ManualClock())
    local.after.append(has_the_documented_shape)
    sessions = {region: local.session(ACCOUNT, region) for region in (SOURCE, TARGET)}
    return local, cache(lambda service, region: sessions[region].client(service))


def open_shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Return an empty shop. It has no use for moto's 1,300 machine images, whose making takes most of a story."""
    monkeypatch.setenv("MOTO_AMIS_PATH", "none")
    return Shop(*_local())


def refused(code: str) -> Any:
    """Expect an AWS refusal with the error code boto3 shows."""
    return pytest.raises(ClientError, check=lambda error: error.response["Error"]["Code"] == code)
