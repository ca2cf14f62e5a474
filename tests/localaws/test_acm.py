"""Certificates in the embedded AWS: issued after a while, valid for a while, on one clock with everything else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localaws.workbench import TARGET, Workbench, open_workbench

DAY = 24 * 60


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Workbench:
    return open_workbench(monkeypatch)


def described(bench: Workbench, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = bench.client("acm", TARGET).describe_certificate(CertificateArn=arn)["Certificate"]
    return found


def test_a_certificate_is_issued_once_its_domain_is_validated_and_ends_like_any_other(bench: Workbench) -> None:
    arn = bench.client("acm", TARGET).request_certificate(DomainName="shop.example.com", ValidationMethod="DNS")
    arn = arn["CertificateArn"]
    pending = described(bench, arn)

    bench.wait(2)
    issued = described(bench, arn)
    bench.wait(396 * DAY)
    ended = described(bench, arn)

    assert (pending["Status"], "NotAfter" in pending) == ("PENDING_VALIDATION", False)
    assert issued["Status"] == "ISSUED"
    assert (issued["NotAfter"] - issued["NotBefore"]).days == 395
    assert ended["Status"] == "EXPIRED"


def test_a_certificate_is_known_in_its_region_only(bench: Workbench) -> None:
    acm = bench.client("acm", TARGET)
    arn = acm.request_certificate(DomainName="shop.example.com")["CertificateArn"]

    with pytest.raises(bench.client("acm", "us-east-1").exceptions.ResourceNotFoundException):
        bench.client("acm", "us-east-1").describe_certificate(CertificateArn=arn)
