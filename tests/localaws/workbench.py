"""Two Regions, one account, a clock that stands still: where the stories about regional services happen."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

import moto.ec2  # noqa: F401  before MOTO_AMIS_PATH is set: it reads that file when imported
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.scenario import parse_fault
from localaws.service import Call, Reply

ACCOUNT = "222222222222"
SOURCE, TARGET = "us-east-1", "us-west-2"
MINUTE = 60
CHECKED = {
    "efs",
    "fsx",
    "backup",
    "autoscaling",
    "lambda",
    "events",
    "route53-recovery-cluster",
    "route53-recovery-control-config",
}

Client = Any


def has_the_documented_shape(call: Call, reply: Reply) -> Reply:
    """Fail the story when an answer carries a field or a type that botocore's model does not know."""
    if call.service not in CHECKED:
        return reply
    shape = get_service_model(call.service).operation_model(call.operation).output_shape
    if shape is not None and not shape.serialization.get("payload"):
        report = ParamValidator().validate(dict(reply), shape)
        assert not report.has_errors(), f"{call.operation}: {report.generate_report()}"
    return reply


class Workbench:
    """The world of one story."""

    def __init__(self, local: LocalAws, client: Callable[[str, str], Client]) -> None:
        assert isinstance(local.clock, ManualClock)
        self.local = local
        self.clock = local.clock
        self.client = client
        local.reset()
        local.faults.remove()

    def seed(self, kind: str, name: str = "orders", **settings: Any) -> None:
        """Put one entry of an estate into the world."""
        tags = {"Customer": "CustomerX", "Environment": "prod", **settings.pop("tags", {})}
        entry = {"kind": kind, "account": "apps", "name": name, "tags": tags, **settings}
        content = {
            "name": "test",
            "organization": {"id": "o-exampleorg1", "root": "r-abcd"},
            "hub": {"account": "hub", "regions": [SOURCE, TARGET]},
            "accounts": {"hub": "111111111111", "apps": ACCOUNT},
            "primary_region": SOURCE,
            "dr_region": TARGET,
            "resources": [entry],
        }
        estates.add(self.local, estates.parse(content, "test"))

    def subnets(self, region: str) -> list[str]:
        found = self.client("ec2", region).describe_subnets()["Subnets"]
        return [subnet["SubnetId"] for subnet in sorted(found, key=lambda s: str(s["AvailabilityZone"]))]

    def wait(self, minutes: float) -> None:
        self.clock.advance(minutes * MINUTE)

    def watch(self, look: Callable[[], Any], minutes: float, step_seconds: float = 10) -> list[Any]:
        """Return the different answers of `look` while time goes by, in order."""
        seen: list[Any] = []
        for _ in range(int(minutes * MINUTE / step_seconds)):
            answer = look()
            if not seen or seen[-1] != answer:
                seen.append(answer)
            self.clock.advance(step_seconds)
        return seen

    def metric(self, region: str, namespace: str, name: str, **dimensions: str) -> float | None:
        """Return a metric's newest value, None when there is none."""
        now = self.clock.now()
        pairs = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        about = {"Namespace": namespace, "MetricName": name, "Dimensions": pairs}
        query = {"Id": "q", "MetricStat": {"Metric": about, "Period": 60, "Stat": "Average"}}
        reply = self.client("cloudwatch", region).get_metric_data(
            MetricDataQueries=[query], StartTime=now - timedelta(minutes=1), EndTime=now
        )
        values: list[float] = reply["MetricDataResults"][0]["Values"]
        return values[0] if values else None

    def make(self, effect: str, kind: str) -> None:
        """Let every later transition of a kind `fail` or get `stuck`."""
        self.local.faults.add(parse_fault({"effect": effect, "kind": kind}))

    def darken(self, region: str) -> None:
        """Black a Region out."""
        self.local.faults.add(parse_fault({"effect": "blackout", "region": region}))

    def repair(self) -> None:
        """End all faults."""
        self.local.faults.remove()


@cache
def _local() -> tuple[LocalAws, Callable[[str, str], Client]]:
    local = LocalAws({ACCOUNT: "apps"}, clock=ManualClock())
    local.after.append(has_the_documented_shape)
    session = cache(lambda region: local.session(ACCOUNT, region))
    return local, cache(lambda service, region: session(region).client(service))


def open_workbench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    """Return an empty workbench without moto's 1,300 machine images, whose making takes most of a story."""
    monkeypatch.setenv("MOTO_AMIS_PATH", "none")
    return Workbench(*_local())


def refused(code: str) -> Any:
    """Expect an AWS refusal with the error code boto3 shows."""
    return pytest.raises(ClientError, check=lambda error: error.response["Error"]["Code"] == code)
