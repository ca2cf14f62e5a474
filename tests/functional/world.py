"""What the functional stories say: open a shop, start a run, answer, break and heal things, look."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from cli.hub import HubRegion, enter
from cli.local_hub import LocalHub
from cli.local_served import not_served
from localaws import estate as estates
from localaws.dispatcher import LocalAws
from orchestrator.errors import NotFoundError
from orchestrator.ledger.records import Gate, Run
from orchestrator.words import GateStatus, RunStatus

EAST, WEST = "us-east-1", "us-west-2"
PATIENCE_SECONDS = 120.0
LOOK_SECONDS = 0.15


class World:
    """The deployed hub and the embedded AWS around it."""

    def __init__(self, local: LocalAws, hub: LocalHub, base: estates.Estate) -> None:
        self.local = local
        self.hub = hub
        self.base = base
        self.monkeypatch: pytest.MonkeyPatch
        self._faults: list[str] = []

    # --- given -------------------------------------------------------------------------------------------------------

    def shop(self, customer: str, kinds: Sequence[str] | None = None) -> Shop:
        """Open a shop of one resource of each kind (or of `kinds`) for a customer, running in us-east-1."""
        slug = customer.lower()
        entries = [e for e in self.base.resources if e.scope == "x" and (kinds is None or e.kind in kinds)]
        names = {e.name: f"{slug}-{e.name}" for e in entries}
        resources = []
        for entry in entries:
            raw = entry.model_dump(mode="json", exclude_none=True)
            raw |= {"name": names[entry.name]}
            if "zone" in raw:
                raw["zone"] = f"{slug}.example.com"
            needs = [names[n] for n in raw["tags"].get("dr:dependencies", "").split(",") if n in names]
            raw["tags"] = {k: v for k, v in raw["tags"].items() if k != "dr:dependencies"}
            raw["tags"] |= {"dr:dependencies": needs[0]} if needs else {}
            resources.append(raw)
        content = self.base.model_dump(mode="json", exclude_none=True)
        scope = {"Customer": customer, "Environment": "production", "dr:enabled": "true"}
        content |= {"name": slug, "scopes": {"x": scope}, "resources": resources}
        estates.add(self.local, estates.parse(content, slug), slug)
        return Shop(self, customer)

    def break_things(self, *faults: dict[str, Any]) -> None:
        """Inject faults until `heal`."""
        self._faults += self.hub.admin("faults", {"name": "story", "faults": list(faults)})["added"]

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


class Running:
    """A run under way."""

    def __init__(self, world: World, hub: HubRegion, run_id: str, execution_arn: str) -> None:
        self.world = world
        self.hub = hub
        self.run_id = run_id
        self.execution_arn = execution_arn

    def until(self, seen: Callable[[], Any], what: str) -> Any:
        """Wait until `seen` returns something true, and return it; fail with the run's state when it takes too long."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        pause = threading.Event()
        while time.monotonic() < deadline:
            try:
                found = seen()
            except NotFoundError:
                found = None
            if found:
                return found
            pause.wait(LOOK_SECONDS)
        state = self.hub.view(self.run_id).model_dump_json(indent=1)
        raise AssertionError(f"{self.run_id}: waited {PATIENCE_SECONDS:.0f} s for {what}; now: {state[:3000]}")

    def ended(self) -> Run:
        """Wait for the end of the run and of its execution; return the run as the ledger has it."""
        self.until(lambda: self.execution()["status"] != "RUNNING", "the execution to end")
        return self.until(lambda: self._ended_run(), "the run to be closed")  # type: ignore[no-any-return]

    def _ended_run(self) -> Run | None:
        run = self.hub.ledger.run(self.run_id)
        return run if run.ended_at is not None else None

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

    def approve_all(self) -> list[str]:
        """Approve every gate until the run ends; return the kinds of gates that were asked, in order."""
        asked: dict[str, str] = {}

        def next_or_end() -> bool:
            for gate in self.hub.ledger.gates(self.run_id):
                if gate.status is GateStatus.OPEN and gate.token and gate.gate_id not in asked:
                    asked[gate.gate_id] = gate.kind
                    self.send(gate, {"approved": True, "approver": "owner@example.com"})
            return RunStatus(self.hub.ledger.run(self.run_id).status).ended

        self.until(next_or_end, "the run to end")
        return list(asked.values())

    def not_served(self) -> list[str]:
        """Return what is not served from the run's target Region, looked up in AWS itself."""
        plan = self.hub.plan(self.run_id)
        assert plan is not None
        return not_served(self.world.hub, plan)
