"""One embedded AWS with the really deployed hub per test process; each story has a shop of its own in it."""

from __future__ import annotations

import fcntl
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.local_hub import ROOT, LocalHub
from infra import package
from localaws import estate, pace
from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from localaws.dns import DnsServer
from localaws.server import Server
from tests.functional.world import World

SPEED = 120.0
"""AWS seconds per second: minutes of AWS pass in seconds."""
RATE = 12.0
"""Seconds of the world's clock per second: what the platform waits by the clock passes in seconds, too."""


NIGHTLY = {
    "name": "nightly",
    "environment": "production",
    "schedule": "cron(30 3 * * ? *)",
    "time_zone": "Europe/Berlin",
    "primary_region": "us-east-1",
    "dr_region": "us-west-2",
    "approval": "automatic",
    "lease_minutes": 60,
}


class PolicedHub(LocalHub):
    """A hub with one customer whose runs need two people, and one with a drill by the calendar."""

    @property
    def config(self) -> dict[str, Any]:
        """Return the deployment configuration."""
        config = super().config
        config["customers"].append({"name": "FourEyes", "environments": ["production"]})
        config["customers"].append({"name": "Calendar", "environments": ["production"], "drills": [NIGHTLY]})
        config["approvals"] = {"rules": [{"customers": ["FourEyes"], "another_person": True}]}
        return config


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def alone() -> Iterator[None]:
    """Keep the other processes of the same user out: they have worlds of their own, but share the functions' package."""
    with Path(tempfile.gettempdir(), "dr-functional-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start the embedded AWS, deploy the hub into both Regions by the CDK command line, and stop it at the end."""
    state = tmp_path_factory.mktemp("hub")
    pace.keep(pace.at_rate(RATE))
    local = LocalAws({}, clock=ScaledClock(SPEED))
    server = Server(local, 0)
    dns_port = free_port()
    names = DnsServer(local, dns_port).start()
    path = Path(ROOT) / "localaws/estates/small.yaml"
    estate.load(local, path)
    server.start()
    hub = PolicedHub(state, server.port, dns_port, SPEED, RATE)
    with alone():
        package.build(Path(ROOT, "dist"), "host")
    hub.deploy(path)
    yield World(local, hub, estate.read(path))
    names.stop()
    server.stop()
    pace.release()


@pytest.fixture
def world(deployed: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a story the deployed world with no faults, and take its faults back at the end."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    deployed.monkeypatch = monkeypatch
    yield deployed
    deployed.heal()
