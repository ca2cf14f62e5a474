"""Before a run begins, people read which CloudFormation stacks would put back what it does."""

from __future__ import annotations

from orchestrator.plan import load_plan
from orchestrator.undoing import warnings
from orchestrator.words import GateKind, Mode
from tests.unit.scripted_platform import Cloud, Operator


def owned(name: str, stack: str, region: str = "us-east-1") -> dict[str, str]:
    arn = f"arn:aws:cloudformation:{region}:222222222222:stack/{stack}/{name}"
    return {"aws:cloudformation:stack-name": stack, "aws:cloudformation:stack-id": arn}


def test_stacks_that_own_what_is_moved_are_told_at_the_plan_gate_once_each() -> None:
    # Given four databases of one stack, and one that nobody deploys
    cloud = Cloud()
    for name in ("a", "b", "c", "d", "free"):
        cloud.add(name)
        if name != "free":
            cloud.resources[name]["tags"] |= owned(name, "orders-prod")
    platform = cloud.platform()
    operator = Operator(platform, cloud, lambda _gate: None)
    # When a planned run asks whether it may begin
    operator.drive(cloud.accept(platform))
    # Then one line names the stack, some of its resources, and what to do
    (gate,) = operator.asked
    assert gate.kind is GateKind.PLAN
    told = [line for line in gate.checklist if "stack" in line]
    assert told == [
        "a deployment of stack orders-prod in us-east-1 may undo this (database/a, database/b, database/c and 1 more): hold its "
        "pipeline until the run has ended, and let its template say the new state before the next one"
    ]
    # And a drill, which changes nothing of theirs, does not warn
    assert warnings(load_plan(platform.blobs, "run-1").targets, Mode.DRILL) == []


def test_two_stacks_of_the_two_sides_are_two_lines() -> None:
    cloud = Cloud()
    cloud.add("a")
    platform = cloud.platform()
    (target,) = load_plan(platform.blobs, cloud.accept(platform)).targets
    (member,) = target.members
    source = member.source.model_copy(update={"tags": owned("a", "orders")})
    away = member.target.model_copy(update={"tags": owned("a", "orders", "us-west-2")})
    both = target.model_copy(update={"members": (member.model_copy(update={"source": source, "target": away}),)})
    assert [line.split(" may ")[0] for line in warnings((both,), Mode.PLANNED)] == [
        "a deployment of stack orders in us-east-1",
        "a deployment of stack orders in us-west-2",
    ]
