"""A single record in the embedded AWS: its zone's tags tell what it holds on either side, and it answers whatever is healthy."""

from __future__ import annotations

import pytest

from localaws import dns as local_dns
from tests.localaws.workbench import SOURCE, TARGET, open_workbench


def test_a_single_record_answers_with_its_value_even_when_that_side_is_dark(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = open_workbench(monkeypatch)
    bench.seed("dns-simple", "store-dns", zone="shop.example.com")

    route53 = bench.client("route53", TARGET)
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    listed = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone["Id"].rsplit("/", 1)[-1])
    tags = {tag["Key"]: tag["Value"] for tag in listed["ResourceTagSet"]["Tags"]}

    assert zone["Name"] == "store.shop.example.com."
    assert tags["dr:record"] == "www.store.shop.example.com"
    assert tags["dr:record-values"] == f"{SOURCE}=store.{SOURCE}.elb.example {TARGET}=store.{TARGET}.elb.example"
    bench.darken(SOURCE)
    bench.wait(2)
    assert local_dns.resolve(bench.local, tags["dr:record"], "A") == [f"store.{SOURCE}.elb.example"]
