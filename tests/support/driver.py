"""Drives one adapter through the real platform in an embedded AWS: inventory, plan, engine, health, spoke roles.

    world = open_world(monkeypatch, {"kind": "aurora-global", "name": "orders", "tags": {"dr:wave": "1"}})
    run = world.start()                        # a planned failover, planned and committed
    run.phase(Phase.ACTIVATE)                  # or run.all()
    world.operations()                         # what the spoke roles changed

Only time is ours: the clock moves by what each tick asks to wait, and botocore's own back-off moves it too. Spoke roles
are the generated ones, entered by a hub role with external ID, organisation and session policies, so a call that the
adapter's Spec does not cover is refused as IAM would.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import botocore.endpoint
import botocore.session
import dns.message
import dns.query
import moto.ec2  # noqa: F401  before MOTO_AMIS_PATH is set: it reads that file when imported
import pytest
from pydantic import JsonValue

from adapters import registry
from infra import spoke
from localaws import dns as local_dns
from localaws import estate as estates
from localaws import inprocess
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws, model_loader
from localaws.scenario import parse_fault
from localaws.world import LoggedCall
from orchestrator import planning, sessions, stages, stocktaking
from orchestrator.blobs import MemoryBlobs
from orchestrator.contract import Adapter
from orchestrator.decisions import again, roll_back
from orchestrator.engine import SOON_SECONDS
from orchestrator.inventory import Snapshot
from orchestrator.ledger.memory import MemoryLedger
from orchestrator.ledger.records import Action, Event, Run, Scope, Stage
from orchestrator.notify import Message, Notifier
from orchestrator.plan import Plan, PlannedStep, load_plan
from orchestrator.platform import Platform, spoke_reader, spoke_session
from orchestrator.sessions import AwsReader, Hub, SpokeAccess
from orchestrator.words import ActionStatus, Operation, Outcome, Phase
from tests.support import one_by_one, shortcut, vpc_functions
from tests.support.changes import is_change

HUB, APPS = "111111111111", "222222222222"
SOURCE, TARGET = "us-east-1", "us-west-2"
EXTERNAL_ID = "a-secret-between-hub-and-spoke"
HUB_ROLE = "dr-hub"
ORGANIZATION = "o-exampleorg1"
SCOPE = Scope(customer="CustomerX", environment="production")
COMMON_TAGS = {"Customer": "CustomerX", "Environment": "production", "dr:enabled": "true", "dr:wave": "1"}
MAX_TICKS = 2_000
LONGEST_JUMP_SECONDS = 600
DNS_SERVER = "127.0.0.1:53"
"""Whom the spokes' readers ask for names: the embedded AWS, without a socket (forked worlds must not share one)."""

Client = Any


class _Messages(Notifier):
    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


class Journey:
    """One run, moved by hand: gates are not asked, everything else is the real thing."""

    def __init__(self, world: World, platform: Platform, run_id: str) -> None:
        self.world = world
        self.platform = platform
        self.run_id = run_id

    @property
    def run(self) -> Run:
        """Return the run's record."""
        return self.platform.ledger.run(self.run_id)

    @property
    def plan(self) -> Plan:
        """Return the frozen plan."""
        return load_plan(self.platform.blobs, self.run_id)

    @property
    def findings(self) -> dict[str, str]:
        """Return the readiness findings: code -> message."""
        return {finding.code: finding.message for finding in self.run.findings}

    @property
    def ready(self) -> bool:
        """Say whether readiness lets the run go on."""
        return planning.check_readiness(self.platform, self.run_id)

    def preview(self, phase: Phase) -> list[PlannedStep]:
        """Return the planned steps of a phase, over all its actions."""
        return [step for action in self.plan.actions if action.phase is phase for step in action.steps]

    def previewed_calls(self, *phases: Phase) -> list[str]:
        """Return the operations the preview foresees in these phases (all when none is named)."""
        wanted = phases or tuple(Phase)
        return [s.call.operation for phase in wanted for s in self.preview(phase) if s.call is not None]

    def action(self, phase: Phase) -> Action:
        """Return the one action of a phase; raise ValueError when there are several."""
        (found,) = (a for a in self.platform.ledger.actions(self.run_id) if a.phase is phase)
        return found

    def events(self, kind: str | None = None) -> list[Event]:
        """Return the run's audit trail, or its lines of one kind."""
        return [e for e in self.platform.ledger.events(self.run_id) if kind in {None, e.kind}]

    def made(self, phase: Phase | None = None) -> list[str]:
        """Return the operations this run called successfully, in order, as its audit trail tells."""
        accepted = []
        for each in self.events():
            if phase is not None and (each.action_id or "").partition(".")[0] != phase:
                continue
            if each.kind == "call":
                accepted.append(str(each.data["operation"]).partition(".")[2])
            elif each.kind == "error" and accepted and each.data.get("step"):
                accepted.pop()
        return accepted

    def stage(self, phase: Phase) -> Stage:
        """Return the one stage of a phase."""
        (found,) = (s for s in self.platform.ledger.stages(self.run_id) if s.phase is phase)
        return found

    def commit(self) -> Journey:
        """Pass the commit gate."""
        self.platform.ledger.change_run(self.run_id, lambda run: run.but(committed=True))
        return self

    def cancel(self, who: str = "operator") -> None:
        """Cancel the run: no further change is begun."""
        self.platform.ledger.change_run(self.run_id, lambda run: run.but(cancelled_by=who))

    def tick(self, phase: Phase) -> Action:
        """Look once at the action of a phase, let the time pass that it wants to wait, and return it."""
        stage = self.stage(phase)
        stages.start_stage(self.platform, self.run_id, stage.stage_id)
        tick = self.platform.engine.advance(self.run_id, stage.stage_id, self.action(phase).action_id)
        self.world.clock.advance(tick.wait_seconds)
        return self.action(phase)

    def until(self, phase: Phase, step: str) -> Action:
        """Tick until the call of `step` was made."""
        for _ in range(MAX_TICKS):
            action = self.tick(phase)
            if step in action.called_at:
                return action
            assert action.status is not ActionStatus.ENDED, f"ended before {step}: {action.outcome} {action.detail}"
        raise AssertionError(f"{step} was never called: {[(s.name, s.state, s.reason) for s in action.steps]}")

    def phase(self, phase: Phase) -> Action:
        """Run all stages of a phase to their end, health checks included; return the action (of the last stage)."""
        found = [stage for stage in self.platform.ledger.stages(self.run_id) if stage.phase is phase]
        for stage in found:
            self._run_stage(stage)
        return self.platform.ledger.actions(self.run_id, found[-1].stage_id)[-1]

    def all(self) -> dict[Phase, Action]:
        """Run every stage in the plan's order; stop after a phase that failed. Return the last action per phase."""
        ended: dict[Phase, Action] = {}
        for stage in self.platform.ledger.stages(self.run_id):
            self._run_stage(stage)
            actions = self.platform.ledger.actions(self.run_id, stage.stage_id)
            ended[stage.phase] = actions[-1]
            if any(action.outcome in {Outcome.FAILED, Outcome.TIMED_OUT} for action in actions):
                break
        return ended

    def retry(self, phase: Phase) -> Action:
        """Answer `retry` for a phase's stage and run it again."""
        again(self.platform.ledger, self.run_id, self.stage(phase).but(rolling_back=False))
        return self.phase(phase)

    def rollback(self, phase: Phase) -> Action:
        """Answer `rollback` for a phase's stage and run that."""
        roll_back(self.platform.ledger, self.run_id, self.stage(phase))
        return self.phase(phase)

    def end(self) -> None:
        """Release the scope, so that the next run may start."""
        self.platform.ledger.unlock(self.run.scope, self.run_id)

    def _run_stage(self, stage: Stage) -> None:
        ledger, stage_id = self.platform.ledger, stage.stage_id
        for group in stages.start_stage(self.platform, self.run_id, stage_id):
            items = json.loads(self.platform.blobs.get(group.key))
            running = [str(item["ActionId"]) for item in items]
            for _ in range(MAX_TICKS):
                ticks = {each: self.platform.engine.advance(self.run_id, stage_id, each) for each in running}
                running = [each for each, tick in ticks.items() if not tick.done]
                if not running:
                    break
                self.world.let_pass(min(ticks[each].wait_seconds for each in running))
            assert not running, [(a.action_id, a.steps) for a in ledger.actions(self.run_id, stage_id)]
        while not (health := stages.check_health(self.platform, self.run_id, stage_id)).settled:
            self.world.let_pass(health.wait_seconds)
        stages.close_stage(self.platform, self.run_id, stage_id)


class World:
    """An embedded AWS with a small estate, and a hub in either Region."""

    def __init__(self, local: LocalAws, monkeypatch: pytest.MonkeyPatch, entries: Sequence[Mapping[str, Any]]) -> None:
        assert isinstance(local.clock, ManualClock)
        self.local = local
        self.clock = local.clock
        self.ledger = MemoryLedger()
        self.blobs = MemoryBlobs()
        self.messages = _Messages()
        self._numbers = itertools.count(1)
        self._clients: dict[tuple[str, str, str], Client] = {}
        self._platforms: dict[str, Platform] = {}
        local.faults.remove()
        local.reset()
        self.estate = estates.parse(_content(entries), "test")
        estates.seed(local, self.estate, "test")
        self._let_time_stand_still(monkeypatch)
        vpc_functions.run_inside(self.local, monkeypatch)
        if any(entry.kind == "fsx-ontap" for entry in self.estate.resources):
            for region in (SOURCE, TARGET):
                vpc_functions.deploy(self.local, APPS, region)
        self._hub_keys = self._prepare_roles()
        self.clock.advance(60)
        local.call_log.clear()

    def aws(self, service: str, region: str, account: str = APPS) -> Client:
        """Return the client of an account's administrator."""
        key = (service, region, account)
        if key not in self._clients:
            self._clients[key] = self.local.session(account, region).client(service)
        return self._clients[key]

    def platform(self, region: str = TARGET) -> Platform:
        """Return the platform of the hub in a Region; both share the ledger."""
        if region not in self._platforms:
            self._platforms[region] = self._platform(region)
        return self._platforms[region]

    def hub(self, region: str = TARGET) -> Hub:
        """Return the hub's account in a Region, with its doors to the spokes."""
        hub = Hub(region, SpokeAccess(external_id=EXTERNAL_ID), (DNS_SERVER,))
        hub.session = inprocess_session(self.local, region, self._hub_keys)
        return hub

    def inventory(self, region: str = TARGET) -> Snapshot:
        """Take the inventory now, as the platform does every 30 minutes in normal times; emergencies start from it."""
        return stocktaking.refresh(self.platform(region), SCOPE, (SOURCE, TARGET))

    def start(
        self, operation: Operation = Operation.FAILOVER, *, emergency: bool = False, commit: bool = True, **request: Any
    ) -> Journey:
        """Accept a run, take its inventory and freeze its plan. `request` holds further fields of the input.

        A run before it must have been ended (`Journey.end`). Raise what the platform raises: `DrError`.
        """
        asked = {
            "Customer": SCOPE.customer,
            "Environment": SCOPE.environment,
            "Operation": operation.value,
            "PrimaryRegion": SOURCE,
            "DRRegion": TARGET,
            "Emergency": emergency,
            **request,
        }
        platform = self.platform(SOURCE if operation is Operation.FAILBACK else TARGET)
        run_id = f"run-{next(self._numbers)}"
        arn = f"arn:aws:states:{platform.hub_region}:{HUB}:execution:DROrchestrator:{run_id}"
        planning.accept(platform, asked, arn, run_id, self.clock.now())
        journey = Journey(self, platform, run_id)
        stocktaking.take_inventory(platform, run_id)
        planning.build_plan(platform, run_id)
        return journey.commit() if commit else journey

    def wait(self, minutes: float) -> None:
        """Let time pass."""
        self.clock.advance(minutes * 60)

    def let_pass(self, least_seconds: float) -> None:
        """Let time pass until AWS does something next, because nothing new can be seen before; no more right after a call."""
        if least_seconds <= SOON_SECONDS:
            self.clock.advance(least_seconds)
            return
        self.clock.advance(max(least_seconds, min(self.seconds_to_next_event(), LONGEST_JUMP_SECONDS)))

    def seconds_to_next_event(self) -> float:
        """Return how long it is until AWS does something by itself; 0 when nothing is to come."""
        to_come = (each.at for each in self.clock._queue if not each.cancelled)
        return min(((at - self.clock.now()).total_seconds() for at in to_come), default=0.0)

    def darken(self, region: str) -> None:
        """Black a Region out."""
        self.fault(effect="blackout", region=region)

    def fault(self, **fields: JsonValue) -> None:
        """Put a fault in force; the fields are those of a scenario's fault (localaws/scenario.py)."""
        self.local.faults.add(parse_fault(fields))

    def repair(self) -> None:
        """End all faults."""
        self.local.faults.remove()

    def calls(self, role: str = "") -> list[LoggedCall]:
        """Return what the spoke roles (or the one of a technology) asked of the workload account, in order."""
        return [call for call in self.local.call_log if f":assumed-role/dr-spoke-{role}" in call.principal_arn]

    def operations(self, region: str | None = None) -> list[str]:
        """Return the changes the spoke roles made successfully, in order."""
        return [
            call.operation
            for call in self.calls()
            if is_change(call) and call.error is None and region in {None, call.region}
        ]

    def refusals(self) -> list[str]:
        """Return the calls of spoke roles that IAM refused; a Spec that is too narrow shows here."""
        return [
            f"{call.service}.{call.operation} in {call.region}"
            for call in self.calls()
            if call.error and ("AccessDenied" in call.error or "Unauthorized" in call.error)
        ]

    # --- how the hub gets in -----------------------------------------------------------------------------------------

    def _platform(self, region: str) -> Platform:
        hub = self.hub(region)
        reader = AwsReader("hub", TARGET, self.local.session(HUB, TARGET), "the hub")  # beside the aggregator index
        return Platform(
            hub_region=region,
            ledger=self.ledger,
            blobs=self.blobs,
            clock=self.clock,
            adapter=registry.adapter,
            adapters=self._adapters,
            open_session=spoke_session(hub),
            open_reader=spoke_reader(hub),
            explorer=lambda: reader,
            notifier=self.messages,
            accounts=(APPS,),
        )

    def _adapters(self) -> list[Adapter[Any]]:
        return [registry.adapter(key) for key in _keys(self.estate.resources)]

    def _prepare_roles(self) -> tuple[str, str, str]:
        iam = self.local.session(HUB, SOURCE).client("iam")
        trust = _policy(
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        )
        arn = iam.create_role(RoleName=HUB_ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        enter = {
            "Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
            "Resource": "arn:aws:iam::*:role/dr-spoke-*",
        }
        iam.put_role_policy(RoleName=HUB_ROLE, PolicyName="enter-spokes", PolicyDocument=_policy(enter))
        wanted = {
            "ExternalId": EXTERNAL_ID,
            "HubAccount": HUB,
            "HubRoleArns": arn,
            "OrganizationId": ORGANIZATION,
            "PermissionsBoundary": "",
        }
        self.local.session(APPS, SOURCE).client("cloudformation").create_stack(
            StackName="dr-spoke",
            TemplateBody=spoke.render(spoke.template([each.spec for each in self._adapters()])),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in wanted.items()],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        found = self.local.service("sts").session_for_role(  # type: ignore[attr-defined]
            arn, "hub", "lambda.amazonaws.com", duration_seconds=10**8
        )
        return found.access_key_id, found.secret_access_key, found.session_token

    def _answer(self, query: dns.message.Message, *_: Any, **__: Any) -> dns.message.Message:
        wire = local_dns.respond(self.local, query.to_wire())
        assert wire is not None
        return dns.message.from_wire(wire)

    def _let_time_stand_still(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def core() -> botocore.session.Session:
            made = botocore.session.Session()
            made.register_component("data_loader", model_loader())
            inprocess.connect(self.local, made)
            return made

        one_by_one.install(monkeypatch)
        shortcut.install(self.local, monkeypatch, core)
        stopwatch = SimpleNamespace(monotonic=lambda: self.clock.now().timestamp())
        monkeypatch.setattr(sessions, "time", stopwatch)
        monkeypatch.setattr(dns.query, "udp", self._answer)
        monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=self.clock.advance))


def open_world(monkeypatch: pytest.MonkeyPatch, *entries: Mapping[str, Any], images: bool = False) -> World:
    """Return a world with these resources (`kind`, `name`, `tags` and the kind's own settings).

    `images`: whether moto's 1,300 machine images are there; only servers need them, and they cost seconds.
    """
    if not images:
        monkeypatch.setenv("MOTO_AMIS_PATH", "none")
    return World(_local(), monkeypatch, entries)


def inprocess_session(local: LocalAws, region: str, keys: tuple[str, str, str]) -> boto3.Session:
    """Return a boto3 session that signs with `keys` and reaches `local` without sockets."""
    core = botocore.session.Session()
    core.register_component("data_loader", model_loader())
    core.set_credentials(*keys)
    core.set_config_variable("region", region)
    inprocess.connect(local, core)
    return boto3.Session(botocore_session=core)


@cache
def _local() -> LocalAws:
    return LocalAws({}, clock=ManualClock())


def _content(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    resources = [{"account": "apps", **each, "tags": {**COMMON_TAGS, **each.get("tags", {})}} for each in entries]
    return {
        "name": "test",
        "organization": {"id": ORGANIZATION, "root": "r-abcd"},
        "hub": {"account": "hub", "regions": [SOURCE, TARGET]},
        "accounts": {"hub": HUB, "apps": APPS},
        "primary_region": SOURCE,
        "dr_region": TARGET,
        "resources": resources,
    }


def _keys(entries: Sequence[estates.Entry]) -> list[str]:
    """Return the adapters that the kinds of an estate need."""
    by_kind = {
        "asg": "asg",
        "aurora-global": "aurora",
        "aurora-replica": "aurora",
        "aurora-single": "aurora",
        "dns-alarm": "route53",
        "dns-arc": "route53",
        "dns-failover": "route53",
        "dns-simple": "route53",
        "dns-weighted": "route53",
        "drs-server": "drs",
        "ecs-service": "ecs",
        "efs-backup": "efs",
        "efs-replication": "efs",
        "elasticache-global": "elasticache",
        "elasticache-standalone": "elasticache",
        "eventbridge-rules": "eventbridge",
        "fsx-backup": "fsx",
        "fsx-ontap": "fsx",
        "lambda-function": "lambda",
        "memorydb-multi-region": "memorydb",
        "opensearch-ccr": "opensearch",
        "rds-replica": "rds",
        "rds-single": "rds",
    }
    return sorted({by_kind[entry.kind] for entry in entries if entry.kind in by_kind})


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


__all__ = ["APPS", "HUB", "SCOPE", "SOURCE", "TARGET", "Journey", "World", "open_world"]
