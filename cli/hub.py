"""The hub as the command line sees it: the ledger and documents of one Region, its state machine and functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import JsonValue

from orchestrator import names
from orchestrator.aws_errors import translate
from orchestrator.blobs import Blobs, S3Blobs
from orchestrator.clock import AwsClock, Clock, SystemClock
from orchestrator.errors import DrError, NotFoundError, RefusedError
from orchestrator.identity import order_of, prove
from orchestrator.ledger.dynamo import DynamoLedger, Tables
from orchestrator.ledger.store import Ledger
from orchestrator.plan import Plan, load_plan
from orchestrator.sessions import Hub
from orchestrator.status import RunView, run_view


@dataclass(frozen=True)
class HubRegion:
    """One Region's hub, entered with the operator's own credentials."""

    region: str
    account: str
    caller: str
    hub: Hub
    ledger: Ledger
    blobs: Blobs
    clock: Clock = field(default_factory=SystemClock)
    """AWS's own time, when `enter` made this: time stamps of the ledger compare with it."""

    @property
    def orchestrator_arn(self) -> str:
        """Return the ARN of the state machine that operators start."""
        return f"arn:aws:states:{self.region}:{self.account}:stateMachine:{names.Machine.ORCHESTRATOR}"

    def start(self, run_id: str, request: Mapping[str, Any]) -> str:
        """Start a run (states:StartExecution) and return its execution ARN."""
        try:
            reply = self.hub.client("stepfunctions").start_execution(
                stateMachineArn=self.orchestrator_arn, name=run_id, input=json.dumps(request)
            )
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"states.StartExecution of {self.orchestrator_arn}") from err
        return str(reply["executionArn"])

    def execution_runs(self, execution_arn: str) -> bool:
        """Say whether an execution has not ended yet."""
        return bool(self._execution(execution_arn)["status"] == "RUNNING")

    def _execution(self, execution_arn: str) -> Mapping[str, Any]:
        try:
            reply: Mapping[str, Any] = self.hub.client("stepfunctions").describe_execution(executionArn=execution_arn)
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"states.DescribeExecution of {execution_arn}") from err
        return reply

    def execution_failure(self, execution_arn: str) -> str | None:
        """Return why an execution failed (states:DescribeExecution), or None while it runs or when it succeeded."""
        reply = self._execution(execution_arn)
        if reply["status"] in {"RUNNING", "SUCCEEDED"}:
            return None
        return str(reply.get("cause") or reply.get("error") or reply["status"])

    def ask(self, verb: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Invoke a verb of the hub (lambda:InvokeFunction); raise `RefusedError` with its own words when it refuses."""
        name = names.function(verb)
        try:
            reply = self.hub.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"lambda.Invoke of {name} in {self.region}") from err
        payload = json.loads(reply["Payload"].read() or b"{}")
        if reply.get("FunctionError"):
            raise RefusedError(str(payload.get("errorMessage", payload)))
        answer: Mapping[str, Any] = payload
        return answer

    def order(self, verb: str, event: Mapping[str, JsonValue]) -> Mapping[str, Any]:
        """Invoke a verb that wants to know who calls, with a proof of that for this very order."""
        proof = prove(self.hub, order_of(verb, event))
        return self.ask(verb, {**event, "Proof": proof.model_dump()})

    def plan(self, run_id: str) -> Plan | None:
        """Return a run's plan, or None before it is built."""
        try:
            return load_plan(self.blobs, run_id)
        except NotFoundError:
            return None

    def view(self, run_id: str) -> RunView:
        """Return where a run stands."""
        return run_view(self.ledger, run_id, self.plan(run_id), self.clock.now())


def enter(region: str) -> HubRegion:
    """Return a Region's hub, entered with the credentials of the environment (sts:GetCallerIdentity)."""
    hub, clock = Hub.plain(region), AwsClock()
    hub.session.events.register("after-call", clock.hear)
    try:
        identity = hub.client("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as err:
        failure: DrError = translate(err, f"sts.GetCallerIdentity in {region}")
        failure.remedy = failure.remedy or "sign in to the hub account, or: dr local up"
        raise failure from err
    tables = Tables(names.Table.RUNS, names.Table.ACTIONS, names.Table.INVENTORY, names.Table.EVENTS)
    account = str(identity["Account"])
    return HubRegion(
        region=region,
        account=account,
        caller=str(identity["Arn"]),
        hub=hub,
        ledger=DynamoLedger(hub.client("dynamodb"), tables),
        blobs=S3Blobs(hub.client("s3"), names.bucket(account, region)),
        clock=clock,
    )
