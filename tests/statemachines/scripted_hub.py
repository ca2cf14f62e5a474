"""A hub whose functions are scripted in Python: our three machines run unchanged in the embedded AWS.

Only the Lambda verbs are stand-ins, one method per verb, on a ledger of a few fields. Everything else is real:
definitions, nested runs, the Distributed Map with its children, task tokens, retries, and the machines' roles.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localaws.dispatcher import LocalAws
from localaws.service import Call, Reply
from statemachines import definitions
from statemachines.definitions import MachineName

ACCOUNT, REGION = "111111111111", "us-west-2"
BUCKET = "dr-hub-test"
RUN_ID = "run-20260101-0001"
PATIENCE_SECONDS = 20.0
Json = dict[str, Any]


class Refuse(Exception):
    """A verb ends in TerminalError."""


class Hiccup(Exception):
    """A verb ends in RetryableError."""


class Broke(Exception):
    """A verb ends in RunFailed: the execution's end, until it is redriven."""


@dataclass
class Invocation:
    """One call of a verb."""

    verb: str
    event: Json


@dataclass
class Hub:
    """What the story sets up, and what it can look at afterwards."""

    aws: LocalAws
    stages: dict[str, list[list[str]]] = field(default_factory=lambda: {"activate-1": [["db"], ["app", "web"]]})
    """Stage -> its groups of actions."""
    gates: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    """What the approver does at each question: JSON to send, None for silence, an Exception to send as failure."""
    looks: dict[str, int] = field(default_factory=dict)
    """Action -> how many more looks it needs before it is done."""
    troubles: dict[str, list[Exception]] = field(default_factory=dict)
    """Verb or action -> what its next calls raise."""
    broken: set[str] = field(default_factory=set)
    """Actions and verbs whose function always fails."""
    failing: set[str] = field(default_factory=set)
    """Actions that end as failed, a business outcome."""
    dry_run: bool = False
    ready: bool = True
    calls: list[Invocation] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    closed: dict[str, list[str]] = field(default_factory=dict)
    cancelled: bool = False
    rejected: bool = False
    redrives: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.session = self.aws.session(ACCOUNT, REGION)
        self.states = self.session.client("stepfunctions")
        self.s3 = self.session.client("s3")

    # ---- setting up and running

    def deploy(self, change: Callable[[str], str] = lambda text: text) -> None:
        """Create bucket, role and machines; `change` may edit the rendered definitions."""
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.aws.service("lambda").operations["Invoke"] = self._invoke
        engine = self.aws.service("stepfunctions").engine  # type: ignore[attr-defined]
        engine.on_change = lambda _execution: None  # nobody listens to the status-change events here
        # An unanswered gate lasts one second where the story has one, else long enough never to matter.
        engine.callback_speed = 1800.0 if None in self.answers else 60.0
        for name in reversed(MachineName):
            self.states.create_state_machine(
                name=definitions.PHYSICAL_NAMES[name],
                definition=change(definitions.render(name, _substitutions(name))),
                roleArn=self._role(name),
            )

    def start(self, **request: Any) -> str:
        """Start a run; return its ARN."""
        arn = _machine_arn(MachineName.ORCHESTRATOR)
        return str(self.states.start_execution(stateMachineArn=arn, input=json.dumps(request))["executionArn"])

    def run(self, **request: Any) -> Json:
        """Start a run and wait for its end; return its description."""
        return self.await_end(self.start(**request))

    def redrive(self, arn: str) -> Json:
        """Redrive an execution and wait for its end; return its description."""
        self.states.redrive_execution(executionArn=arn)
        return self.await_end(arn)

    def await_end(self, arn: str) -> Json:
        """Wait for the end of a run, at most 20 s of real time."""
        execution = self.aws.service("stepfunctions").engine.executions[arn]  # type: ignore[attr-defined]
        execution.done.result(PATIENCE_SECONDS)
        described: Json = self.states.describe_execution(executionArn=arn)
        return described

    def await_call(self, verb: str) -> None:
        """Wait until a verb was called."""
        limit = time.monotonic() + PATIENCE_SECONDS
        while not self.events(verb):
            assert time.monotonic() < limit, f"{verb} was never called; calls: {self.verbs()}"
            threading.Event().wait(0.01)

    # ---- looking at it afterwards

    def verbs(self) -> list[str]:
        """Return the verbs called, in order, repeats of `advance` joined."""
        names: list[str] = []
        for call in self.calls:
            if not (names and call.verb == names[-1] == "advance"):
                names.append(call.verb)
        return names

    def events(self, verb: str) -> list[Json]:
        """Return the events a verb was called with."""
        return [call.event for call in self.calls if call.verb == verb]

    def executions(self, name: MachineName) -> list[Json]:
        """Return a machine's executions, oldest first."""
        listed = self.states.list_executions(stateMachineArn=_machine_arn(name))["executions"]
        return list(reversed(listed))

    def child_events(self, action: str) -> list[str]:
        """Return the event types of an action's child execution."""
        (stage,) = self.executions(MachineName.WAVE)
        for run in self.states.list_map_runs(executionArn=stage["executionArn"])["mapRuns"]:
            for child in self.states.list_executions(mapRunArn=run["mapRunArn"])["executions"]:
                arn = child["executionArn"]
                if f'"{action}"' in self.states.describe_execution(executionArn=arn)["input"]:
                    history = self.states.get_execution_history(executionArn=arn)["events"]
                    return [str(event["type"]) for event in history]
        raise AssertionError(f"no child execution has {action} as its input")

    # ---- the verbs

    def accept_request(self, event: Json) -> Json:
        if "Customer" not in event["Request"]:
            raise Refuse('request: Customer is missing, expected the customer\'s name. Add "Customer" to the input.')
        return {"RunId": RUN_ID, "DryRun": self.dry_run}

    def take_inventory(self, event: Json) -> Json:
        return {"RunId": event["RunId"], "Resources": 3}

    def build_plan(self, event: Json) -> Json:
        return {"RunId": event["RunId"], "PlanHash": "abc", "Stages": len(self.stages)}

    def check_readiness(self, event: Json) -> Json:
        return {"RunId": event["RunId"], "Ready": self.ready, "DryRun": self.dry_run}

    def next_move(self, _: Json) -> Json:
        if self.cancelled or self.rejected:
            return {"Move": "finish"}
        if self.gates:
            return {"Move": "gate", "GateId": self.gates[0]}
        for stage in self.stages:
            if self.closed.get(stage, ["open"])[-1] != "passed":
                return {"Move": "stage", "StageId": stage}
        return {"Move": "finish"}

    def open_gate(self, event: Json) -> Json:
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            self.states.send_task_failure(taskToken=event["TaskToken"], error="Rejected", cause=str(answer))
        elif answer is not None:
            self.states.send_task_success(taskToken=event["TaskToken"], output=json.dumps(answer))
        return {}

    def remind_gate(self, event: Json) -> Json:
        return event

    def record_decision(self, event: Json) -> Json:
        answer = event["Answer"]
        if not isinstance(answer, dict) or not isinstance(answer.get("approved"), bool):
            return {"Accepted": False}
        self.gates.remove(event["GateId"])
        self.rejected = not answer["approved"]
        return {"Accepted": True}

    def start_stage(self, event: Json) -> Json:
        stage = event["StageId"]
        groups = []
        for number, actions in enumerate(self.stages[stage]):
            items = [{"RunId": event["RunId"], "StageId": stage, "ActionId": action} for action in actions]
            key = f"runs/{event['RunId']}/{stage}/{number}.json"
            self.s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(items))
            groups.append({"Bucket": BUCKET, "Key": key, "Actions": len(items)})
        return {"Groups": groups}

    def advance(self, event: Json) -> Json:
        action = event["ActionId"]
        if self.looks.get(action, 0) > 0 and not self.cancelled:
            self.looks[action] -= 1
            return {"Done": False, "WaitSeconds": 15}
        self.ended[action] = "failed" if action in self.failing else "cancelled" if self.cancelled else "succeeded"
        return {"Done": True, "WaitSeconds": 0}

    def check_health(self, event: Json) -> Json:
        looks = f"health of {event['StageId']}"
        self.looks[looks] = self.looks.get(looks, 1) - 1
        return {"Settled": self.looks[looks] < 0, "WaitSeconds": 30}

    def close_stage(self, event: Json) -> Json:
        stage = event["StageId"]
        actions = [action for group in self.stages[stage] for action in group]
        status = "passed" if all(self.ended.get(action) == "succeeded" for action in actions) else "failed"
        self.closed.setdefault(stage, []).append(status)
        if status == "failed" and not self.cancelled:
            self.gates.insert(0, f"failure-of-{stage}")
        return {"Status": status}

    def finish_run(self, event: Json) -> Json:
        status, summary = "succeeded", "3 of 3 resources are served from the target side."
        if "Error" in event:
            status, summary = "failed", message(event["Error"]["Cause"])
        elif self.dry_run:
            status, summary = "previewed", "Nothing was changed."
        elif not self.ready:
            status, summary = (
                "failed",
                "orders-db: replica lag is 900 s, expected at most 60 s. Wait, then start again.",
            )
        elif self.cancelled:
            status, summary = "cancelled", "Cancelled by ops@example.com."
        elif self.rejected:
            status, summary = "rejected", "user@example.com rejected the plan."
        broken = "Error" in event and "check_readiness" in self.verbs()
        return {"Status": status, "Summary": summary, "Interrupted": broken}

    def take_up(self, event: Json) -> Json:
        if event["Redrives"] == self.redrives:
            raise Broke(event["Summary"])
        self.redrives = event["Redrives"]
        return {"RunId": event["RunId"]}

    # ---- standing in for the Lambda service

    def _invoke(self, call: Call) -> Reply:
        verb = call.params["FunctionName"].rsplit(":", 1)[-1].removeprefix("dr-").replace("-", "_")
        payload = call.params["Payload"]
        event = json.loads(payload.read() if hasattr(payload, "read") else payload)
        with self._lock:
            self.calls.append(Invocation(verb, event))
            trouble = self._trouble(verb, event)
        if trouble is None:
            try:
                with self._lock:
                    return {"StatusCode": 200, "Payload": json.dumps(getattr(self, verb)(event)).encode()}
            except (Refuse, Broke) as refusal:
                trouble = refusal
        kind = {Refuse: "TerminalError", Hiccup: "RetryableError", Broke: "RunFailed"}.get(
            type(trouble), type(trouble).__name__
        )
        error = {"errorMessage": str(trouble), "errorType": kind, "stackTrace": ["handler.py line 1"]}
        return {"StatusCode": 200, "FunctionError": "Unhandled", "Payload": json.dumps(error).encode()}

    def _trouble(self, verb: str, event: Json) -> Exception | None:
        for name in (verb, str(event.get("ActionId"))):
            if self.troubles.get(name):
                return self.troubles[name].pop(0)
            if name in self.broken:
                return Hiccup(f"{name} is out of order")
        return None

    def _role(self, name: MachineName) -> str:
        """Create the machine's role with exactly what README.md says it needs."""
        iam = self.session.client("iam")
        role = f"{definitions.PHYSICAL_NAMES[name]}-role"
        trust = _policy("sts:AssumeRole", Principal={"Service": "states.amazonaws.com"})
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        functions = [value for key, value in _substitutions(name).items() if key.endswith("FunctionArn")]
        grants: list[tuple[Any, list[str]]] = [("lambda:InvokeFunction", functions)]
        for nested in definitions.NESTED[name]:
            children = _machine_arn(nested).replace(":stateMachine:", ":execution:") + ":*"
            grants.append(("states:StartExecution", [_machine_arn(nested)]))
            grants.append((["states:DescribeExecution", "states:StopExecution"], [children]))
        if name is MachineName.WAVE:
            grants.append(("states:StartExecution", [_machine_arn(name)]))
            grants.append(("s3:GetObject", [f"arn:aws:s3:::{BUCKET}/*"]))
        for number, (actions, resources) in enumerate(grants):
            document = json.dumps(_policy(actions, Resource=resources))
            iam.put_role_policy(RoleName=role, PolicyName=f"grant-{number}", PolicyDocument=document)
        return str(arn)


def message(cause: str) -> str:
    """Return a function's message out of the cause of its own failure, or of the nested run's that failed by it."""
    try:
        told = json.loads(cause)
    except ValueError:
        return cause
    return message(told["Cause"]) if "Cause" in told else str(told["errorMessage"])


def _policy(actions: Any, **rest: Any) -> Json:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, **rest}]}


def _machine_arn(name: MachineName) -> str:
    return f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{definitions.PHYSICAL_NAMES[name]}"


def _substitutions(name: MachineName) -> Mapping[str, str]:
    functions = {
        definitions.function_token(verb): f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:dr-{verb.replace('_', '-')}"
        for verb in definitions.VERBS[name]
    }
    return functions | {definitions.machine_token(nested): _machine_arn(nested) for nested in definitions.NESTED[name]}


def name_is_legal(name: str) -> bool:
    """Return whether Step Functions accepts an execution name."""
    return re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name) is not None
