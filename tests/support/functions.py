"""The hub's functions, called as Lambda calls them: an event, a context, environment variables; AWS is embedded.

    hub = open_hub(monkeypatch, {"kind": "ecs-service", "name": "orders"})
    run_id = hub.call("accept_request", **hub.accepted(hub.request()))["RunId"]
    hub.call("take_inventory", RunId=run_id)

The tables, bucket and topic carry the names that infra gives them. What the topic delivers is in `hub.messages()`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas import callers, composition
from localaws.services.stepfunctions import StepFunctionsService
from localaws.stepfunctions_patches.tokens import Token
from orchestrator import identity, sessions
from orchestrator.names import RUNS_BY_SCOPE, TOPIC, Table, bucket
from orchestrator.platform import Platform
from orchestrator.sessions import Hub
from tests.support.driver import (
    APPS,
    EXTERNAL_ID,
    HUB,
    HUB_ROLE,
    SCOPE,
    SOURCE,
    TARGET,
    World,
    inprocess_session,
    open_world,
)

QUEUE = "people"


@dataclass
class LambdaContext:
    """What Lambda hands to a handler beside the event."""

    function_name: str
    memory_limit_in_mb: int = 512
    aws_request_id: str = "5f1c0f3e-0000-4000-8000-000000000000"

    @property
    def invoked_function_arn(self) -> str:
        """Return the function's ARN."""
        return f"arn:aws:lambda:{TARGET}:{HUB}:function:{self.function_name}"


class Functions:
    """The functions of the hub in the target Region."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world = world
        self._monkeypatch = monkeypatch
        self._numbers = itertools.count(1)
        self._keys: dict[tuple[str, str], tuple[str, str, str]] = {}
        self._make_stores()
        self._reach_the_embedded_aws()
        self.environment = {
            "AWS_REGION": TARGET,
            "DR_RUNS_TABLE": Table.RUNS,
            "DR_ACTIONS_TABLE": Table.ACTIONS,
            "DR_INVENTORY_TABLE": Table.INVENTORY,
            "DR_EVENTS_TABLE": Table.EVENTS,
            "DR_BUCKET": bucket(HUB, TARGET),
            "DR_TOPIC_ARN": f"arn:aws:sns:{TARGET}:{HUB}:{TOPIC}",
            "DR_EXTERNAL_ID": EXTERNAL_ID,
            "DR_PEER_REGION": SOURCE,
            "DR_ACCOUNTS": APPS,
            "DR_SCOPES": f"{SCOPE.key}, Nobody/staging",
            "POWERTOOLS_SERVICE_NAME": "dr",
        }
        self.configure()

    def configure(self, **changes: str | None) -> None:
        """Set the functions' environment, as a deployment does: every process starts anew."""
        for name, value in {**self.environment, **changes}.items():
            if value is None:
                self._monkeypatch.delenv(name, raising=False)
            else:
                self._monkeypatch.setenv(name, str(value))
        composition.platform.cache_clear()
        callers.own_hub.cache_clear()

    @property
    def platform(self) -> Platform:
        """Return what the functions work on."""
        return composition.platform()

    def call(self, verb: str, /, **event: Any) -> dict[str, Any]:
        """Invoke a function; event and answer cross as JSON, as they do between Step Functions and Lambda."""
        handler = import_module(f"lambdas.{verb}").handler
        answer = handler(json.loads(json.dumps(event, default=str)), LambdaContext(f"dr-{verb.replace('_', '-')}"))
        return dict(json.loads(json.dumps(answer)))

    def order(self, verb: str, /, who: str = "user@example.com", **event: Any) -> dict[str, Any]:
        """Invoke a function that wants to know who calls, as `dr` does for an IAM user of the hub's account."""
        return self.call(verb, **event, Proof=self.proof(verb, who, event).model_dump())

    def proof(self, verb: str, who: str, event: Mapping[str, Any], account: str = HUB) -> identity.Proof:
        """Return a person's proof for an order."""
        if (account, who) not in self._keys:
            iam = self.world.aws("iam", SOURCE, account)
            iam.create_user(UserName=who)
            made = iam.create_access_key(UserName=who)["AccessKey"]
            self._keys[account, who] = (made["AccessKeyId"], made["SecretAccessKey"], "")
        hub = Hub.plain(TARGET)
        hub.session = inprocess_session(self.world.local, TARGET, self._keys[account, who])
        return identity.prove(hub, identity.order_of(verb, event))

    def request(self, **changes: Any) -> dict[str, Any]:
        """Return the input of a planned failover without questions, with some fields changed."""
        asked = {
            "Customer": SCOPE.customer,
            "Environment": SCOPE.environment,
            "Operation": "failover",
            "PrimaryRegion": SOURCE,
            "DRRegion": TARGET,
            "ApprovalMode": "automatic",
            "Requester": "operator@example.com",
        }
        return {name: value for name, value in {**asked, **changes}.items() if value is not None}

    def execution(self, request: object) -> dict[str, Any]:
        """Return the event with which the state machine asks to accept a new execution's input."""
        name = f"execution-{next(self._numbers)}"
        arn = f"arn:aws:states:{TARGET}:{HUB}:execution:DROrchestrator:{name}"
        now = self.world.clock.now().isoformat()
        return {"Request": request, "ExecutionArn": arn, "ExecutionName": name, "StartedAt": now}

    def accept(self, **changes: Any) -> str:
        """Start a run and return its id."""
        return str(self.call("accept_request", **self.execution(self.request(**changes)))["RunId"])

    def planned(self, **changes: Any) -> str:
        """Start a run and take it up to its first move."""
        run_id = self.accept(**changes)
        for verb in ("take_inventory", "build_plan", "check_readiness"):
            self.call(verb, RunId=run_id)
        return run_id

    def stage(self, run_id: str, stage_id: str) -> str:
        """Run a stage as DRWave does, and return how it was closed."""
        ids = {"RunId": run_id, "StageId": stage_id}
        for group in self.call("start_stage", **ids)["Groups"]:
            for item in json.loads(self.document(group["Bucket"], group["Key"])):
                while not (tick := self.call("advance", **item))["Done"]:
                    self.world.clock.advance(tick["WaitSeconds"])
        while not (health := self.call("check_health", **ids))["Settled"]:
            self.world.clock.advance(health["WaitSeconds"])
        return str(self.call("close_stage", **ids)["Status"])

    def document(self, name: str, key: str) -> bytes:
        """Return a document of the hub's bucket."""
        body: bytes = self.world.aws("s3", TARGET, HUB).get_object(Bucket=name, Key=key)["Body"].read()
        return body

    def waiting_token(self) -> Token:
        """Return the token of a task that waits for its callback."""
        token = Token(HUB, TARGET, f"arn:aws:states:{TARGET}:{HUB}:execution:DRLifecycle:x")
        service = self.world.local.service("stepfunctions")
        assert isinstance(service, StepFunctionsService)
        service.engine.tokens[token.value] = token
        return token

    def ask(self, run_id: str) -> tuple[str, Token]:
        """Let the run open its next gate, as DRLifecycle does; return the gate and the token it waits with."""
        move = self.call("next_move", RunId=run_id)
        assert move["Move"] == "gate", move
        token = self.waiting_token()
        self.call("open_gate", RunId=run_id, GateId=move["GateId"], TaskToken=token.value)
        return str(move["GateId"]), token

    def messages(self) -> list[tuple[str, str, str]]:
        """Return what people were sent since the last time: notice, subject, body."""
        queue = self.world.aws("sqs", TARGET, HUB)
        url = queue.get_queue_url(QueueName=QUEUE)["QueueUrl"]
        found = []
        while batch := queue.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for each in batch:
                queue.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
                body = json.loads(each["Body"])
                found.append((body["MessageAttributes"]["Notice"]["Value"], body["Subject"], body["Message"]))
        return found

    # --- the hub's stores and its way to AWS -------------------------------------------------------------------------

    def _make_stores(self) -> None:
        dynamodb = self.world.aws("dynamodb", TARGET, HUB)
        for table in Table:
            index: Mapping[str, Any] = _index() if table is Table.RUNS else {}
            dynamodb.create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=_keys("pk", "sk"),
                AttributeDefinitions=_texts("pk", "sk", *(("gsi1pk", "gsi1sk") if index else ())),
                **index,
            )
        location = {"LocationConstraint": TARGET}
        self.world.aws("s3", TARGET, HUB).create_bucket(Bucket=bucket(HUB, TARGET), CreateBucketConfiguration=location)
        topic = self.world.aws("sns", TARGET, HUB).create_topic(Name=TOPIC)["TopicArn"]
        self.world.aws("sqs", TARGET, HUB).create_queue(QueueName=QUEUE)
        arn = f"arn:aws:sqs:{TARGET}:{HUB}:{QUEUE}"
        self.world.aws("sns", TARGET, HUB).subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def _reach_the_embedded_aws(self) -> None:
        """Let the functions' role do the hub's own work, and their boto3 sessions reach the embedded AWS."""
        services = ("dynamodb", "s3", "sns", "ssm", "states", "resource-explorer-2")
        work = {"Effect": "Allow", "Action": [f"{service}:*" for service in services], "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [work]})
        iam = self.world.aws("iam", SOURCE, HUB)
        iam.put_role_policy(RoleName=HUB_ROLE, PolicyName="work", PolicyDocument=document)

        of_a_role = sessions.boto3.Session

        def session(**options: Any) -> Any:
            if "botocore_session" in options:
                return of_a_role(**options)
            return inprocess_session(self.world.local, options["region_name"], self.world._hub_keys)

        self._monkeypatch.setattr(sessions, "boto3", SimpleNamespace(Session=session))
        self._monkeypatch.setattr(composition, "SystemClock", lambda: self.world.clock)
        self._monkeypatch.setattr(composition, "adapters", self.world._adapters)  # those whose spoke roles are there


def open_hub(monkeypatch: pytest.MonkeyPatch, *entries: Mapping[str, Any]) -> Functions:
    """Return the functions of a hub beside an estate of these resources."""
    return Functions(open_world(monkeypatch, *entries), monkeypatch)


def _keys(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)]


def _texts(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def _index() -> Mapping[str, Any]:
    every = {"ProjectionType": "ALL"}
    return {
        "GlobalSecondaryIndexes": [
            {"IndexName": RUNS_BY_SCOPE, "KeySchema": _keys("gsi1pk", "gsi1sk"), "Projection": every}
        ]
    }
