"""Short words for the stories about code that runs in the embedded AWS: functions, machines, automations."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any

from botocore.config import Config

from localaws.clock import Clock
from localaws.dispatcher import LocalAws

HUB, OTHER = "111111111111", "222222222222"
REGION, ELSEWHERE = "eu-west-1", "eu-central-1"
PATIENCE_SECONDS = 20.0

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com", "ssm.amazonaws.com"]},
        }
    ],
}
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def zipped(code: str, **more: str) -> bytes:
    """Return a deployment package with `main.py` and further files (`name__py="..."`)."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr(zipfile.ZipInfo("main.py"), dedent(code))
        for name, text in more.items():
            package.writestr(zipfile.ZipInfo(name.replace("__", ".")), dedent(text))
    return archive.getvalue()


class Shop:
    """An embedded AWS of one account in one Region, with a role that may do everything."""

    def __init__(self, clock: Clock, account: str = HUB, region: str = REGION, local: LocalAws | None = None) -> None:
        self.local = local or LocalAws({HUB: "hub", OTHER: "other"}, clock=clock)
        self.account, self.region = account, region
        self._session = self.local.session(account, region)
        self._clients: dict[str, Any] = {}
        self.role = f"arn:aws:iam::{account}:role/worker"
        if local is None:
            self.aws("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(_TRUST))
            self.aws("iam").put_role_policy(
                RoleName="worker", PolicyName="everything", PolicyDocument=json.dumps(_EVERYTHING)
            )

    def aws(self, service: str) -> Any:
        """Return a client of the account's administrator."""
        if service not in self._clients:
            once = Config(retries={"total_max_attempts": 1})
            self._clients[service] = self._session.client(service, config=once)
        return self._clients[service]

    def function(self, name: str, code: str, timeout: int = 10, **settings: Any) -> str:
        """Deploy `code` with handler `main.handler`; return the function's ARN."""
        created = self.aws("lambda").create_function(
            FunctionName=name,
            Runtime="python3.14",
            Role=self.role,
            Handler="main.handler",
            Code={"ZipFile": zipped(code)},
            Timeout=timeout,
            **settings,
        )
        return str(created["FunctionArn"])

    def invoke(self, name: str, event: Any = None, **options: Any) -> dict[str, Any]:
        """Invoke a function; return its payload as JSON and its error under `payload` and `error`."""
        reply = self.aws("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}), **options)
        text = reply["Payload"].read().decode()
        return {**reply, "payload": json.loads(text) if text else None, "error": reply.get("FunctionError")}

    def machine(self, name: str, states: Mapping[str, Any], **fields: Any) -> str:
        """Create a JSONata state machine that starts at the first state; return its ARN."""
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
        created = self.aws("stepfunctions").create_state_machine(
            name=name, definition=json.dumps(definition), roleArn=self.role
        )
        return str(created["stateMachineArn"])

    def start(self, machine: str, value: Any = None, **options: Any) -> str:
        """Start a run; return its ARN."""
        reply = self.aws("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps(value or {}), **options
        )
        return str(reply["executionArn"])

    def describe(self, execution: str) -> dict[str, Any]:
        """Describe a run."""
        return dict(self.aws("stepfunctions").describe_execution(executionArn=execution))

    def finish(self, execution: str) -> dict[str, Any]:
        """Wait for the end of a run; return its description, the output as JSON under `value`."""
        described = eventually(lambda: self.describe(execution), lambda found: found["status"] != "RUNNING")
        return {**described, "value": json.loads(described["output"]) if "output" in described else None}

    def run(self, machine: str, value: Any = None) -> dict[str, Any]:
        """Start a run and wait for its end."""
        return self.finish(self.start(machine, value))

    def history(self, execution: str) -> list[str]:
        """Return the types of a run's events."""
        events = self.aws("stepfunctions").get_execution_history(executionArn=execution)["events"]
        return [event["type"] for event in events]

    def close(self) -> None:
        """End what runs."""
        self.local.service("lambda").close()  # type: ignore[attr-defined]
        self.local.service("stepfunctions").reset()


def eventually(look: Callable[[], Any], good: Callable[[Any], Any] = bool) -> Any:
    """Look until it is good; return what was seen. Fails after some patience."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not good(seen := look()):
        assert time.monotonic() < limit, f"still {seen}"
        time.sleep(0.005)
    return seen
