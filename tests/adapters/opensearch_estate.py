"""A search domain in two Regions, asked past the platform: by an administrator, at the domains' own endpoints."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import Operation, Phase
from tests.localaws.search_domains import Answer, ask
from tests.support.driver import APPS, SOURCE, TARGET, Journey, World, open_world

NAME = "orders"
PLUGIN = "/_plugins/_replication"
ARN = {region: f"arn:aws:es:{region}:{APPS}:domain/{NAME}" for region in (SOURCE, TARGET)}


class Estate:
    """A world with one domain on each side."""

    def __init__(self, world: World) -> None:
        self.world = world

    def domain(self, region: str) -> dict[str, Any]:
        return dict(self.world.aws("opensearch", region).describe_domain(DomainName=NAME)["DomainStatus"])

    def ask(self, region: str, method: str, path: str, body: Any = None) -> Answer:
        session, shown = self.world.local.session(APPS, region), self.domain(region)
        host = shown.get("Endpoint") or shown["Endpoints"]["vpc"]
        return ask(session, region, f"https://{host}{path}", method, body, self._vpc(region, shown))

    def _vpc(self, region: str, shown: dict[str, Any]) -> str | None:
        """Return the VPC of a domain, in which its administrator sits."""
        subnets = shown.get("VPCOptions", {}).get("SubnetIds")
        if not subnets:
            return None
        found = self.world.aws("ec2", region).describe_subnets(SubnetIds=subnets[:1])["Subnets"]
        return str(found[0]["VpcId"])

    def done(self, region: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(region, method, path, body)
        assert answer.status == 200, answer
        return answer.content

    def indices(self, region: str) -> list[str]:
        return [line["index"] for line in self.done(region, "GET", "/_cat/indices?format=json")]

    def count(self, region: str, index: str = "orders") -> int:
        return int(self.done(region, "GET", f"/{index}/_count")["count"])

    def statuses(self, region: str) -> set[str]:
        """Return how the indices of a Region follow."""
        paths = [f"{PLUGIN}/{index}/_status" for index in self.indices(region)]
        return {self.done(region, "GET", path)["status"] for path in paths}

    def is_written_to(self, region: str) -> bool:
        """Say whether clients add documents there."""
        before = self.count(region)
        self.world.clock.advance(60)
        return self.count(region) > before

    def rules(self, region: str) -> list[str]:
        return [rule["name"] for rule in self.done(region, "GET", f"{PLUGIN}/autofollow_stats")["autofollow_stats"]]

    def links(self, region: str) -> list[str]:
        found = self.world.aws("opensearch", region).describe_outbound_connections()["Connections"]
        return [one["ConnectionStatus"]["StatusCode"] for one in found]

    def replication(self, region: str) -> tuple[str | None, str | None]:
        shown = self.world.aws("opensearch", region).describe_domain_replication(DomainName=NAME)
        return shown.get("Role"), shown["Peers"][0]["Status"] if shown["Peers"] else None

    def lost(self, **request: Any) -> Journey:
        """Start an emergency run while the source Region is dark."""
        self.world.inventory()
        self.world.clock.advance(60)
        self.world.darken(SOURCE)
        self.world.local.call_log.clear()
        return self.world.start(emergency=True, AcceptDataLoss=True, **request)

    def failover(self) -> Journey:
        """Return a planned failover that has run to its end."""
        run = self.world.start()
        run.all()
        run.end()
        return run

    def prepared(self, operation: Operation = Operation.FAILOVER) -> Journey:
        """Return a run whose INSTANTIATE is done."""
        run = self.world.start(operation)
        run.phase(Phase.INSTANTIATE)
        return run


def open_estate(monkeypatch: pytest.MonkeyPatch, *, images: bool = False, **settings: Any) -> Estate:
    """Return a domain on each side; `images` where it lies in a VPC, which moto makes beside its machine images."""
    return Estate(open_world(monkeypatch, {"kind": "opensearch-ccr", "name": NAME, **settings}, images=images))
