"""`python -m localaws`: run the embedded AWS until interrupted."""

from __future__ import annotations

import argparse
import importlib
import logging
import signal
from pathlib import Path
from typing import Any

from localaws import pace
from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws
from localaws.dns import DnsServer
from localaws.server import Server

DEFAULT_ACCOUNT = "111111111111"


def main(argv: list[str] | None = None) -> None:
    """Parse the command line, load estate and scenario, serve."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    pace.keep(pace.at_rate(options.rate))
    local = LocalAws({} if options.estate else {DEFAULT_ACCOUNT: "hub"}, clock=ScaledClock(options.speed))
    server = Server(local, options.port, options.host)
    if options.state:
        options.state.mkdir(parents=True, exist_ok=True)
        local.state_directory = options.state
    if options.estate:
        _load("localaws.estate", local, options.estate)
    if options.scenario:
        _load("localaws.faults", local, options.scenario)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server._stopping.set())
    _configure(local, options)
    server.start()
    names = DnsServer(local, options.dns_port).start() if options.dns_port else None
    print(f"embedded AWS at {server.endpoint_url}, accounts {', '.join(local.accounts.names)}", flush=True)
    server.wait()
    if names is not None:
        names.stop()
    server.stop()


def _configure(local: LocalAws, options: argparse.Namespace) -> None:
    """Hand the command line's settings to the services they are for."""
    if options.schedules == "on":
        local.service("scheduler").enable()  # type: ignore[attr-defined]
    local.service("stepfunctions").engine.callback_speed = options.callback_speed  # type: ignore[attr-defined]


def _load(module: str, local: LocalAws, path: Path) -> Any:
    return importlib.import_module(module).load(local, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="localaws", description="An embedded AWS on one port.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--dns-port", type=int, default=0, help="answer DNS there (UDP and TCP); 0: not at all")
    parser.add_argument("--speed", type=float, default=30.0, help="AWS seconds per second of the wall")
    parser.add_argument("--rate", type=float, default=1.0, help="seconds of the world's clock per second of the wall")
    parser.add_argument("--estate", type=Path, help="YAML: accounts and what is in them")
    parser.add_argument("--scenario", type=Path, help="YAML: faults")
    parser.add_argument("--state", type=Path, help="directory for worker files and logs")
    parser.add_argument("--schedules", choices=("on", "off"), default="off", help="fire schedules by themselves")
    parser.add_argument(
        "--callback-speed", type=float, help="AWS seconds per second of the wall for callback timeouts alone"
    )
    parser.add_argument("--log-level", default="INFO")
    return parser


if __name__ == "__main__":
    main()
