"""What the functional stories say: open a shop, start a run, answer, break and heal things, look."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from cli.hub import HubRegion, enter
from cli.local_hub import ROOT, LocalHub
from cli.local_served import not_served
from localaws import estate as estates
from localaws.dispatcher import LocalAws
from orchestrator.errors import NotFoundError
from orchestrator.ledger.records import Event, Gate, Run, Scope
from orchestrator.words import GateStatus, RunStatus
from tests.functional.attributes import attributes
from tests.support.changes import is_change

EAST, WEST = "us-east-1", "us-west-2"
APPS = "222222222222"
OWNER = "owner@example.com"
PATIENCE_SECONDS = 300.0
LOOK_SECONDS = 0.1
COMMAND_LIMIT_SECONDS = 60


@dataclass(frozen=True)
class Said:
    """What a command ended with."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return what a command that succeeded printed as JSON."""
        assert self.code == 0, self.err
        return json.loads(self.out)


class World:
    """The deployed hub and the embedded AWS around it."""

    def __init__(self, local: LocalAws, hub: LocalHub, base: estates.Estate) -> None:
        self.local = local
        self.hub = hub
        self.base = base
        self.monkeypatch: pytest.MonkeyPatch
        self._faults: list[str] = []
        self._clients: dict[tuple[str, str, str], Any] = {}

    # --- given -------------------------------------------------------------------------------------------------------

    def shop(
        self,
        customer: str,
        kinds: Sequence[str] | None = None,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        copies: int = 0,
    ) -> Shop:
        """Open a shop of one resource of each kind (or of `kinds`) for a customer, running in us-east-1.

        `changes` maps a kind to fields that its entry gets instead; its tags are merged. `copies`: so many of each,
        numbered from 01.
        """
        slug = customer.lower()
        entries = [e for e in self.base.resources if e.scope == "x" and (kinds is None or e.kind in kinds)]
        names = {e.name: f"{slug}-{e.name}" for e in entries}
        resources = []
        for entry in entries:
            change = dict((changes or {}).get(entry.kind, {}))
            raw = entry.model_dump(mode="json", exclude_none=True)
            raw |= {"name": names[entry.name]}
            if "zone" in raw:
                raw["zone"] = f"{slug}.example.com"
            needs = [names[n] for n in raw["tags"].get("dr:dependencies", "").split(",") if n in names]
            raw["tags"] = {k: v for k, v in raw["tags"].items() if k != "dr:dependencies"}
            raw["tags"] |= {"dr:dependencies": needs[0]} if needs else {}
            raw["tags"] |= {k: v.format(shop=slug) for k, v in change.pop("tags", {}).items()}
            numbered = [f"{raw['name']}-{number:02}" for number in range(1, copies + 1)]
            resources += [{**raw, **change, "name": name} for name in numbered or [raw["name"]]]
        content = self.base.model_dump(mode="json", exclude_none=True)
        scope = {"Customer": customer, "Environment": "production", "dr:enabled": "true"}
        content |= {"name": slug, "scopes": {"x": scope}, "resources": resources}
        estates.add(self.local, estates.parse(content, slug), slug)
        return Shop(self, customer)

    def break_things(self, *faults: dict[str, Any]) -> None:
        """Inject faults until `heal`."""
        self._faults += self.hub.admin("faults", {"name": "story", "faults": list(faults)})["added"]

    @contextmanager
    def callbacks_time_out(self, within_seconds: float, aws_seconds: float = 1800.0) -> Iterator[None]:
        """Let the 30 minutes of a gate pass within seconds; everything else keeps its speed."""
        engine = self.local.service("stepfunctions").engine  # type: ignore[attr-defined]
        before, engine.callback_speed = engine.callback_speed, aws_seconds / within_seconds
        try:
            yield
        finally:
            engine.callback_speed = before

    def heal(self) -> None:
        """Take all faults back."""
        for fault in self._faults:
            self.local.faults.remove(fault)
        self._faults = []

    # --- look --------------------------------------------------------------------------------------------------------

    def enter(self, region: str) -> HubRegion:
        """Return a Region's hub, entered as its administrator."""
        for name, value in self.hub.environment(region).items():
            self.monkeypatch.setenv(name, value)
        return enter(region)

    def client(self, service: str, region: str, account: str = APPS) -> Any:
        """Return a client of an account's administrator, who stands outside the platform; making one is dear."""
        key = (service, region, account)
        if key not in self._clients:
            session = boto3.Session(
                aws_access_key_id=f"LOCALADMIN{account}", aws_secret_access_key="local", region_name=region
            )
            self._clients[key] = session.client(service, endpoint_url=self.hub.endpoint_url)
        return self._clients[key]

    def run_command(self, *command: str, region: str = WEST) -> Said:
        """Run `dr` or `aws` as an operator of the hub does, without a terminal."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DR_"))}
        environment |= self.hub.environment(region)
        program = str(Path(sys.executable).parent / command[0])
        done = subprocess.run(
            [program, *command[1:]],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_SECONDS,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def told(self, run_id: str) -> list[str]:
        """Return the notices published about a run, oldest first."""
        publishes = self.local.service("sns").publishes  # type: ignore[attr-defined]
        told = [p["attributes"] for p in publishes if p["attributes"].get("RunId", {}).get("Value") == run_id]
        return [attributes["Notice"]["Value"] for attributes in told]

    def texts(self, run_id: str) -> list[str]:
        """Return the bodies of what was published about a run, oldest first."""
        publishes = self.local.service("sns").publishes  # type: ignore[attr-defined]
        return [str(p["message"]) for p in publishes if p["attributes"].get("RunId", {}).get("Value") == run_id]

    def started_by_itself(self, hub: HubRegion, scope: Scope) -> Running:
        """Wait for a run of a scope into the hub's Region that nobody here started, and return it."""
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
        while time.monotonic() < deadline:
            own = [run for run in hub.ledger.runs_of(scope) if run.target_region == hub.region]
            for run in own[:1]:
                return Running(self, hub, run.run_id, run.execution_arn)
            pause.wait(LOOK_SECONDS)
        raise AssertionError(f"no run of {scope} was started")

    def watchdog(self, region: str = WEST) -> list[dict[str, str]]:
        """Let the watchdog of a Region's hub look now, as its schedule does; return what it found."""
        found = self.enter(region).ask("watchdog", {})["Found"]
        return [dict(each) for each in found]

    def platform_calls_since(self, mark: int) -> list[Any]:
        """Return every call since a mark that any role made: functions, machines, spoke sessions; refused ones too."""
        return [c for c in self.calls_since(mark) if "assumed-role/" in c.principal_arn]

    def calls_since(self, mark: int) -> list[Any]:
        """Return the call log from a mark (`len(world.local.call_log)`) on."""
        return list(self.local.call_log)[mark:]

    def mark(self) -> int:
        """Return the present end of the call log."""
        return len(self.local.call_log)


class Shop:
    """One customer's resources, and the runs that move them."""

    def __init__(self, world: World, customer: str) -> None:
        self.world = world
        self.customer = customer

    def start(self, operation: str = "failover", *, region: str | None = None, **more: Any) -> Running:
        """Start a run as an operator does: StartExecution on DROrchestrator with a JSON input."""
        request = {
            "Customer": self.customer,
            "Environment": "production",
            "Operation": operation,
            "PrimaryRegion": EAST,
            "DRRegion": WEST,
            "ApprovalMode": "automatic",
            "Requester": "operator@example.com",
            **more,
        }
        hub = self.world.enter(region or (EAST if operation == "failback" else WEST))
        run_id = re.sub(r"[^\w-]", "-", f"{self.customer}-{operation}-{time.monotonic_ns()}")
        return Running(self.world, hub, run_id, hub.start(run_id, request))

    def inventory(self) -> None:
        """Refresh the cached inventory in both hubs, as the schedule does."""
        for region in (EAST, WEST):
            self.world.enter(region).ask("refresh_inventory", {"Customer": self.customer, "Environment": "production"})

    def attributes(self) -> dict[str, Any]:
        """Return everything AWS tells of the shop's resources in both Regions, except times."""
        return attributes(self.world.client, self.slug, (EAST, WEST))

    def changes_since(self, mark: int) -> list[str]:
        """Return the changing calls that this shop's runs made since a mark outside the hub's account."""
        return [
            f"{c.service}.{c.operation} in {c.region}"
            for c in self.world.platform_calls_since(mark)
            if is_change(c) and c.account != self.world.hub.hub_account and f"/{self.customer}-" in c.principal_arn
        ]

    def tasks(self, region: str) -> tuple[int, int]:
        """Return how many tasks the shop's service runs and shall run in a Region."""
        found = self.world.client("ecs", region).describe_services(cluster="apps", services=[self.service])["services"]
        return int(found[0]["runningCount"]), int(found[0]["desiredCount"])

    @property
    def slug(self) -> str:
        """Return what the names of the shop's resources begin with."""
        return self.customer.lower()

    @property
    def service(self) -> str:
        """Return the name of the shop's ECS service."""
        return f"{self.slug}-orders-api"


class Running:
    """A run under way."""

    def __init__(self, world: World, hub: HubRegion, run_id: str, execution_arn: str) -> None:
        self.world = world
        self.hub = hub
        self.run_id = run_id
        self.execution_arn = execution_arn

    def until(self, seen: Callable[[], Any], what: str) -> Any:
        """Wait until `seen` returns something true, and return it; fail at once when the execution ends without it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()
        over = False
        while time.monotonic() < deadline:
            try:
                found = seen()
            except NotFoundError:
                found = None
            if found:
                return found
            if over:
                break
            over = self.execution()["status"] != "RUNNING" and self._closed()
            pause.wait(LOOK_SECONDS)
        raise AssertionError(f"{self.run_id}: waited in vain for {what}; now: {self._state()}")

    def _closed(self) -> bool:
        try:
            return self.hub.ledger.run(self.run_id).status.ended
        except NotFoundError:
            return True

    def _state(self) -> str:
        execution = {k: v for k, v in self.execution().items() if k in {"status", "error", "cause"}}
        try:
            view = self.hub.view(self.run_id)
        except NotFoundError:
            return f"{execution}, no run"
        stages = [f"{stage.stage_id} {stage.status}" for stage in view.stages if stage.seconds is not None]
        doing = [f"{line.action_id} {line.step}: {line.detail}" for line in (*view.under_way, *view.failures)]
        gates = [f"{gate.gate_id} {gate.kind}: {gate.checklist}" for gate in view.open_gates]
        trail = [f"{e.at:%H:%M:%S} {e.kind}: {e.message[:300]}" for e in self.events()]
        return "\n".join([str(execution), f"{view.status} {view.failure}", *stages, *doing, *gates, *trail[-25:]])

    def events(self) -> list[Event]:
        """Return the run's audit trail."""
        return self.hub.ledger.events(self.run_id)

    def ended(self) -> Run:
        """Wait for the end of the run and of its execution; return the run as the ledger has it."""
        self.until(lambda: self.execution()["status"] != "RUNNING", "the execution to end")
        return self.until(self._ended_run, "the run to be closed")  # type: ignore[no-any-return]

    def _ended_run(self) -> Run | None:
        run = self.hub.ledger.run(self.run_id)
        return run if run.ended_at is not None else None

    def failed(self) -> str:
        """Wait for a run that was accepted and could not go on; return why. Its scope must be free again."""
        run = self.ended()
        assert run.status is RunStatus.FAILED, run.status
        assert self.execution()["status"] == "FAILED"
        assert self.hub.ledger.holder(run.scope) is None
        return str(run.failure)

    def outcome(self, phase: str, resource: str) -> str:
        """Return how the action of a phase on a resource ended."""
        actions = self.hub.ledger.actions(self.run_id)
        (action,) = [a for a in actions if a.phase == phase and any(resource in r for r in a.resource_ids)]
        return str(action.outcome or action.status)

    def refused(self) -> str:
        """Wait for an execution that ends without a run, and return why."""
        self.until(lambda: self.execution()["status"] != "RUNNING", "the execution to end")
        return str(self.execution().get("cause", ""))

    def execution(self) -> dict[str, Any]:
        """Return DescribeExecution's answer."""
        answer: dict[str, Any] = self.hub.hub.client("stepfunctions").describe_execution(
            executionArn=self.execution_arn
        )
        return answer

    def gate(self, kind: str) -> Gate:
        """Wait for an open gate of a kind that has its token."""

        def waiting() -> Gate | None:
            gates = self.hub.ledger.gates(self.run_id)
            return next((g for g in gates if g.status is GateStatus.OPEN and g.kind == kind and g.token), None)

        return self.until(waiting, f"a {kind} gate")  # type: ignore[no-any-return]

    def send(self, gate: Gate, output: object) -> None:
        """Answer a gate as with `aws stepfunctions send-task-success --task-output`."""
        text = output if isinstance(output, str) else json.dumps(output)
        self.hub.hub.client("stepfunctions").send_task_success(taskToken=gate.token, output=text)

    def answer(self, gate: Gate, decision: str) -> None:
        """Answer a gate with one of its choices."""
        self.send(gate, {"decision": decision, "approver": OWNER, "reason": "as agreed"})

    def let_lease_end(self) -> None:
        """Let the time of a drill's lease be over."""
        until = self.hub.clock.now()
        self.hub.ledger.change_run(self.run_id, lambda r: r.but(lease=r.lease.but(until=until) if r.lease else None))

    def linked(self, run_id: str) -> Running:
        """Return another run of the same hub."""
        return Running(self.world, self.hub, run_id, f"{self.execution_arn.rpartition(':')[0]}:{run_id}")

    def waits_for(self, step: str) -> bool:
        """Say whether an action has made its calls and waits for AWS at this very step."""
        running = [a for a in self.hub.ledger.actions(self.run_id) if a.status == "running"]
        current = [next((s for s in action.steps if s.state != "done"), None) for action in running]
        return any(found is not None and (found.name, found.state) == (step, "busy") for found in current)

    def approve_all(self) -> list[str]:
        """Approve every gate until the run ends; return the kinds of gates that were asked, in order."""
        asked: dict[str, str] = {}

        def next_or_end() -> bool:
            for gate in self.hub.ledger.gates(self.run_id):
                if gate.status is GateStatus.OPEN and gate.token and gate.gate_id not in asked and not gate.offers:
                    asked[gate.gate_id] = gate.kind
                    self.send(gate, {"approved": True, "approver": OWNER})
            return RunStatus(self.hub.ledger.run(self.run_id).status).ended

        self.until(next_or_end, "the run to end")
        return list(asked.values())

    def not_served(self) -> list[str]:
        """Return what is not served from the run's target Region, looked up in AWS itself."""
        plan = self.hub.plan(self.run_id)
        assert plan is not None
        return not_served(self.world.hub, plan)
