"""Measure how fast code runs in the embedded AWS; prints one JSON object.

    python benchmarks/localaws_engine.py

Executions per second: runs of three states, 200 started one after the other. Transitions per second: runs of
20 JSONata Pass states. Children per second: a Distributed Map of 200 items. Invokes: one trivial function,
first call of a new package, first call of another function of the same package, and warm calls.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable
from typing import Any

from localaws.clock import ScaledClock
from localaws.dispatcher import LocalAws

ACCOUNT, REGION = "111111111111", "eu-west-1"
RUNS, WARM_CALLS = 200, 300
_ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]},
        }
    ],
}


def main() -> None:
    """Measure and print."""
    local = LocalAws({ACCOUNT: "bench"}, clock=ScaledClock(1000))
    session: Any = local.session(ACCOUNT, REGION)
    role = session.client("iam").create_role(RoleName="bench", AssumeRolePolicyDocument=json.dumps(_TRUST))["Role"][
        "Arn"
    ]
    session.client("iam").put_role_policy(RoleName="bench", PolicyName="all", PolicyDocument=json.dumps(_ALLOW))
    figures = {**machines(session, role), **functions(session, role)}
    print(json.dumps({name: round(value, 2) for name, value in figures.items()}, indent=2))
    local.service("lambda").close()  # type: ignore[attr-defined]


def machines(session: Any, role: str) -> dict[str, float]:
    """Measure the interpreter."""
    sfn = session.client("stepfunctions")

    def machine(name: str, states: dict[str, Any]) -> str:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}
        created = sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=role)
        return str(created["stateMachineArn"])

    def run_all(arn: str, runs: int) -> Callable[[], None]:
        def run() -> None:
            arns = [sfn.start_execution(stateMachineArn=arn, input='{"a": 1}')["executionArn"] for _ in range(runs)]
            for execution in arns:
                while sfn.describe_execution(executionArn=execution)["status"] == "RUNNING":
                    time.sleep(0.002)

        return run

    assign = {"Type": "Pass", "Assign": {"x": "{% $states.input.a + 1 %}"}}
    short = machine("short", {"A": assign | {"Next": "B"}, "B": assign | {"Next": "C"}, "C": {"Type": "Succeed"}})
    last = {"S20": {"Type": "Succeed"}}
    long = machine("long", {f"S{n}": assign | {"Next": f"S{n + 1}"} for n in range(20)} | last)
    item = {"StartAt": "A", "States": {"A": assign | {"End": True}}}
    item["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    many = machine(
        "many", {"M": {"Type": "Map", "Items": "{% [1..200].{'a': $} %}", "ItemProcessor": item, "End": True}}
    )
    return {
        "executions_per_second": RUNS / seconds(run_all(short, RUNS)),
        "transitions_per_second": 50 * 21 / seconds(run_all(long, 50)),
        "distributed_map_children_per_second": 200 / seconds(run_all(many, 1)),
    }


def functions(session: Any, role: str) -> dict[str, float]:
    """Measure the Lambda runtime."""
    client = session.client("lambda")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("main.py", "def handler(event, context):\n    return event\n")
    for name in ("first", "second"):
        settings = {"Runtime": "python3.14", "Role": role, "Handler": "main.handler"}
        client.create_function(FunctionName=name, Code={"ZipFile": archive.getvalue()}, **settings)

    def call(name: str, times: int = 1) -> Callable[[], None]:
        def run() -> None:
            for _ in range(times):
                client.invoke(FunctionName=name, Payload=b"{}")

        return run

    return {
        "cold_invoke_new_package_ms": 1000 * seconds(call("first")),
        "cold_invoke_known_package_ms": 1000 * seconds(call("second")),
        "warm_invoke_ms": 1000 * seconds(call("first", WARM_CALLS)) / WARM_CALLS,
    }


def seconds(work: Callable[[], None]) -> float:
    """Return how long `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
