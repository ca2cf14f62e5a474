"""The script for the night when the platform itself is gone: it asks before every command and calls exactly what was planned."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.break_glass import script
from orchestrator.plan import Plan, PlannedAction, PlannedCall, PlannedStage, PlannedStep
from orchestrator.words import Effect, Mode, Operation, Order, Phase, Priority, Side, StepState
from tests.unit.scripted_platform import APPS, SCOPE, SOURCE, TARGET, Cloud

FAKE_AWS = """#!/usr/bin/env bash
printf '%s\\n' "$AWS_PROFILE $AWS_REGION" "$@" '--' >> "$LOG"
[ -z "${REFUSE:-}" ] || { echo refused >&2; exit 254; }
"""


def call(operation: str, service: str = "rds", region: str = TARGET, **params: Any) -> PlannedCall:
    return PlannedCall(
        service=service, operation=operation, side=Side.TARGET, account=APPS, region=region, params=params
    )


def step(
    name: str, call_: PlannedCall | None = None, effect: Effect = Effect.REVERSIBLE, state: StepState = StepState.TODO
) -> PlannedStep:
    return PlannedStep(name=name, state=state, effect=effect, reason=f"{name} is wanted", call=call_)


def plan(*steps: PlannedStep, irreversible: bool = False) -> Plan:
    action = PlannedAction(
        action_id="ACTIVATE.rds-orders",
        stage_id="01-ACTIVATE-w1",
        target_id="rds-orders",
        adapter="rds",
        strategy="read-replica",
        phase=Phase.ACTIVATE,
        wave=1,
        priority=Priority.HIGH,
        resource_ids=("rds/orders",),
        expected_minutes=5,
        steps=steps,
    )
    stage = PlannedStage(
        stage_id="01-ACTIVATE-w1",
        index=1,
        phase=Phase.ACTIVATE,
        wave=1,
        groups=((action.action_id,),),
        expected_minutes=5,
        irreversible=irreversible,
    )
    return Plan(
        scope=SCOPE,
        operation=Operation.FAILOVER,
        mode=Mode.PLANNED,
        order=Order.LIFECYCLE,
        order_reason="x",
        source_region=SOURCE,
        target_region=TARGET,
        stages=(stage,),
        actions=(action,),
        targets=(),
    )


@dataclass(frozen=True)
class Played:
    code: int
    out: str
    calls: list[list[str]]


def play(folder: Path, text: str, answers: Sequence[str], **environment: str) -> Played:
    """Run the script with a recording `aws`, typing these answers."""
    folder.mkdir(exist_ok=True)
    (folder / "script.sh").write_text(text)
    fake, log = folder / "aws", folder / "log"
    fake.write_text(FAKE_AWS)
    fake.chmod(0o755)
    bash = shutil.which("bash")
    assert bash
    done = subprocess.run(
        [bash, str(folder / "script.sh")],
        input="".join(f"{each}\n" for each in answers),
        env={"PATH": f"{folder}:{os.environ['PATH']}", "LOG": str(log), f"PROFILE_{APPS}": "apps", **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    lines = log.read_text().split("--\n") if log.exists() else []
    return Played(done.returncode, done.stdout + done.stderr, [each.splitlines() for each in lines if each])


def test_each_call_is_shown_asked_for_and_made_as_planned(tmp_path: Path) -> None:
    # Given a plan with a value that would break careless quoting
    text = script(
        plan(step("grow", call("ModifyDBInstance", DBInstanceIdentifier="it's $HOME `x`", MultiAZ=True))), "now"
    )
    # When a person presses Enter
    played = play(tmp_path, text, [""])
    # Then the very call was made, with the account's profile, in the call's Region
    assert played.code == 0, played.out
    ((place, *command),) = played.calls
    assert place == f"apps {TARGET}"
    assert command[:3] == ["rds", "modify-db-instance", "--cli-input-json"]
    assert json.loads(command[3]) == {"DBInstanceIdentifier": "it's $HOME `x`", "MultiAZ": True}
    assert "[1] rds/orders: grow" in played.out


def test_step_can_be_skipped_and_the_script_left(tmp_path: Path) -> None:
    text = script(
        plan(
            step("a", call("RebootDBInstance")), step("b", call("StopDBInstance")), step("c", call("StartDBInstance"))
        ),
        "now",
    )
    played = play(tmp_path, text, ["s", "", "q"])
    assert [each[2] for each in played.calls] == ["stop-db-instance"]
    assert played.code == 0


def test_irreversible_step_wants_the_word(tmp_path: Path) -> None:
    text = script(plan(step("promote", call("PromoteReadReplica"), Effect.IRREVERSIBLE), irreversible=True), "now")
    assert "line of no return" in text
    assert play(tmp_path / "1", text, ["", "no"]).calls == []
    assert len(play(tmp_path / "2", text, ["", "irreversible"]).calls) == 1


def test_value_that_an_earlier_step_reveals_is_asked_for(tmp_path: Path) -> None:
    told = "<later: id of the server>"
    later = step("attach", call("StartReplication", "drs", sourceServerID=told, tags={"a": told}))
    played = play(tmp_path, script(plan(later), "now"), ["s-123", ""])
    assert json.loads(played.calls[0][4]) == {"sourceServerID": "s-123", "tags": {"a": "s-123"}}


def test_what_is_waited_for_is_looked_at_by_a_person(tmp_path: Path) -> None:
    waiting = step("replica-caught-up", None, Effect.NONE, StepState.BUSY)
    played = play(tmp_path, script(plan(waiting, step("grow", call("ModifyDBInstance"))), "now"), ["", ""])
    assert "LOOK: rds/orders: replica-caught-up: replica-caught-up is wanted" in played.out
    assert len(played.calls) == 1


def test_command_that_fails_can_be_made_again(tmp_path: Path) -> None:
    played = play(tmp_path, script(plan(step("grow", call("ModifyDBInstance"))), "now"), ["", "r", "", "q"], REFUSE="1")
    assert len(played.calls) == 2
    assert played.code == 1


def test_account_without_a_profile_stops_the_script_before_anything(tmp_path: Path) -> None:
    played = play(
        tmp_path, script(plan(step("grow", call("ModifyDBInstance"))), "now"), [""], **{f"PROFILE_{APPS}": ""}
    )
    assert played.code != 0
    assert f"account {APPS}" in played.out
    assert played.calls == []


def test_call_of_a_global_service_goes_where_its_control_plane_is(tmp_path: Path) -> None:
    text = script(plan(step("dns", call("ChangeResourceRecordSets", "route53", region="global"))), "now")
    assert play(tmp_path, text, [""]).calls[0][0] == "apps us-east-1"


def test_every_run_keeps_its_script_beside_its_plan() -> None:
    cloud = Cloud()
    cloud.add("orders")
    cloud.accept(cloud.platform())
    text = cloud.blobs.get("runs/run-1/break-glass.sh").decode()
    assert "aws fake promote" in text
    bash = shutil.which("bash")
    assert bash
    checked = subprocess.run([bash, "-n"], input=text, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("verb", ["Put", "Post"])
def test_request_to_a_resource_itself_is_signed_by_curl(tmp_path: Path, verb: str) -> None:
    request = call(verb, "opensearch-http", Endpoint="search.example.com", Path="/_plugins/x", Body={"a": 1})
    text = script(plan(step("follow", request)), "now")
    assert f"signed es --fail --request {verb.upper()} --data '{{\"a\": 1}}'" in text
    assert "https://search.example.com/_plugins/x" in text


def test_request_that_only_a_vpc_can_send_says_so() -> None:
    inside = call(
        "Post", "opensearch-http", Endpoint="vpc-orders-x.us-west-2.es.amazonaws.com", Path="/_plugins/x", Body={}
    )
    outside = call("Post", "opensearch-http", Endpoint="search-orders-x.us-west-2.es.amazonaws.com", Path="/_plugins/x")
    assert "(from a machine in the domain" in script(plan(step("follow", inside)), "now")
    assert "(from a machine in the domain" not in script(plan(step("follow", outside)), "now")


def test_routing_controls_are_switched_through_the_endpoint_of_the_target_region(tmp_path: Path) -> None:
    endpoints = [{"Region": region, "Endpoint": f"https://c.{region}.example/v1"} for region in ("eu-west-1", TARGET)]
    entries = [{"RoutingControlArn": "arn:control", "RoutingControlState": "On"}]
    wanted = call(
        "UpdateRoutingControlStates",
        "route53-recovery-cluster",
        Endpoints=endpoints,
        UpdateRoutingControlStateEntries=entries,
    )

    (made,) = play(tmp_path, script(plan(step("switch-routing-controls", wanted)), "now"), [""]).calls

    assert json.loads(made[made.index("--cli-input-json") + 1]) == {"UpdateRoutingControlStateEntries": entries}
    assert made[-4:] == ["--region", TARGET, "--endpoint-url", f"https://c.{TARGET}.example/v1"]


def test_ontap_is_asked_through_the_function_that_takes_the_request(tmp_path: Path) -> None:
    wanted = call("BreakMirror", "ontap", Endpoint="management.example", Secret="files-fsxadmin", Mirror="m-1")

    (made,) = play(tmp_path, script(plan(step("break", wanted)), "now"), [""]).calls

    assert made[made.index("--function-name") + 1] == "dr-ontap-switch"
    asked = json.loads(made[made.index("--payload") + 1])
    assert asked["Request"] == "BreakMirror"
    assert asked["Mirror"] == "m-1"
