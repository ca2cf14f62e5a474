"""Measure how long it takes to find a scope's resources, as take_inventory does; prints one JSON object.

    python benchmarks/discovery_at_scale.py [--accounts 5 --resources 1000]

The embedded AWS runs in a process of its own (see support/estate_at_scale.py): 50 ms per call, AWS's rates as token buckets. Wall and
CPU time, calls per account and throttled ones, and the peak memory of the process that looks, which is what a function
would need. Beside it: the same calls one account after the other, measured on a few accounts and multiplied.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.registry import adapter, adapters
from benchmarks.support.estate_at_scale import (
    CUSTOMER,
    ENVIRONMENT,
    EXTERNAL_ID,
    HUB,
    INVENTORY_TABLE,
    SOURCE,
    TARGET,
    names,
)
from orchestrator import asking, discovery, stocktaking
from orchestrator.blobs import MemoryBlobs
from orchestrator.clock import SystemClock
from orchestrator.ledger.dynamo import DynamoLedger, Tables
from orchestrator.ledger.records import Scope
from orchestrator.notify import MemoryNotifier
from orchestrator.platform import DISCOVERY, Platform, spoke_reader, spoke_session
from orchestrator.sessions import AwsReader, Hub, SpokeAccess
from orchestrator.sources import Tagging

SCOPE = Scope(customer=CUSTOMER, environment=ENVIRONMENT)
SIZES = ((5, 1_000), (200, 10_000))
SEQUENTIAL_ACCOUNTS = 2
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Measure and print; each size in a process of its own, so that peak memory is its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--resources", type=int)
    options = parser.parse_args()
    if options.accounts and options.resources:
        print(json.dumps(measure(options.accounts, options.resources), indent=2))
        return
    figures = [
        json.loads(
            subprocess.run(
                [sys.executable, __file__, "--accounts", str(accounts), "--resources", str(resources)],
                check=True,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            ).stdout
        )
        for accounts, resources in SIZES
    ]
    print(json.dumps(figures, indent=2))


def measure(accounts: int, resources: int) -> dict[str, Any]:
    """Return the figures of one size."""
    with served(accounts, resources) as url:
        wall, cpu = time.monotonic(), time.process_time()
        snapshot = stocktaking.refresh(a_platform(names(accounts)), SCOPE, (SOURCE, TARGET))
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        calls = json.load(urllib.request.urlopen(f"{url}/_localaws/calls"))["calls"]  # noqa: S310 - our own server
        sequential = _sequential(accounts)
    if snapshot.missing_accounts or len(snapshot.resources) != resources:
        raise SystemExit(f"{len(snapshot.resources)} resources, missing: {snapshot.missing_accounts}")
    spokes = Counter(call["account"] for call in calls if call["account"] != HUB)
    return {
        "accounts": accounts,
        "resources": resources,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "load_average": os.getloadavg()[0],
        "peak_memory_mb": round(peak),
        "findings": len(snapshot.findings),
        "api_calls": len(calls),
        "hub_calls": sum(1 for call in calls if call["account"] == HUB),
        "calls_per_account": {"most": max(spokes.values()), "mean": round(sum(spokes.values()) / len(spokes), 1)},
        "throttled": sum(1 for call in calls if "hrottl" in (call["error"] or "")),
        "calls": dict(Counter(f"{call['service']}.{call['operation']}" for call in calls).most_common(12)),
        "sequential_seconds": round(sequential),
        "sequential_measured_on_accounts": min(accounts, SEQUENTIAL_ACCOUNTS),
        "times_faster_than_sequential": round(sequential / wall, 1),
    }


def _sequential(accounts: int) -> float:
    """Return what one account after the other takes: tags, then each service; measured on a few accounts and multiplied."""
    few = names(min(accounts, SEQUENTIAL_ACCOUNTS))
    platform = a_platform(few)
    before, asking.PARALLEL = asking.PARALLEL, 1
    began = time.monotonic()
    tagged = Tagging(lambda account, region: platform.open_reader(account, region, DISCOVERY))
    listing = tagged.listing(SCOPE, (SOURCE, TARGET), few)
    where = discovery.places(listing.hits, platform.adapters(), few, (SOURCE, TARGET))
    discovery.take(SCOPE, platform.clock.now(), where, platform.adapter, platform.open_reader)
    asking.PARALLEL = before
    return (time.monotonic() - began) * accounts / len(few)


def a_platform(accounts: list[str]) -> Platform:
    """Return the platform as take_inventory composes it; only the inventory table is used."""
    hub = Hub(TARGET, SpokeAccess(EXTERNAL_ID))
    read = spoke_reader(hub)
    explorer = AwsReader.of_hub(hub, TARGET)
    return Platform(
        hub_region=TARGET,
        ledger=DynamoLedger(hub.client("dynamodb"), Tables("", "", INVENTORY_TABLE, "")),
        blobs=MemoryBlobs(),
        clock=SystemClock(),
        adapter=adapter,
        adapters=adapters,
        open_session=spoke_session(hub),
        open_reader=lambda account, region, _technology: read(account, region, DISCOVERY),
        explorer=lambda: explorer,
        notifier=MemoryNotifier(),
        accounts=tuple(accounts),
    )


@contextmanager
def served(accounts: int, resources: int) -> Iterator[str]:
    """Serve an estate in a process of its own while the context lasts; its address is in the environment, too."""
    command = [sys.executable, str(ROOT / "benchmarks/support/estate_at_scale.py")]
    command += ["--accounts", str(accounts), "--resources", str(resources)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url = str(json.loads(server.stdout.readline())["url"])
        os.environ.update(
            AWS_ENDPOINT_URL=url,
            AWS_ACCESS_KEY_ID=f"LOCALADMIN{HUB}",
            AWS_SECRET_ACCESS_KEY="local",  # noqa: S106 - of the embedded AWS
            AWS_DEFAULT_REGION=TARGET,
        )
        try:
            yield url
        finally:
            server.stdin.close()


if __name__ == "__main__":
    main()
