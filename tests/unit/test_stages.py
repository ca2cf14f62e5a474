"""Start, health and close of a stage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from orchestrator import moving, probes, stages
from orchestrator.contract import Check, Endpoint
from orchestrator.errors import ThrottledError, UnreachableError
from orchestrator.ledger.records import Gate, Run
from orchestrator.notify import Message, Notice, Notifier
from orchestrator.platform import Platform
from orchestrator.words import (
    ActionStatus,
    CheckState,
    Choice,
    GateKind,
    Outcome,
    Phase,
    RunStatus,
    StageStatus,
)
from tests.unit.scripted_platform import APPS, TARGET, Cloud, Operator, approve, obstacle_blocked, obstacle_failed


def started(cloud: Cloud, **request: object) -> Platform:
    platform = cloud.platform()
    cloud.accept(platform, **request)
    cloud.ledger.change_run("run-1", lambda r: r.but(committed=True))
    return platform


def skip_what_fails(gate: Gate) -> Choice:
    return Choice.SKIP if gate.kind is GateKind.FAILURE else Choice.APPROVE


def ends(cloud: Cloud, phase: Phase) -> dict[str, Outcome]:
    return {r: o for a in cloud.ledger.actions("run-1") if a.phase is phase for r, o in a.member_outcomes.items()}


class TestStart:
    def test_items_of_each_group_name_run_stage_and_action_only(self) -> None:
        # Given two priority groups
        cloud = Cloud()
        cloud.add("orders", dr_priority="critical")
        cloud.add("a")
        cloud.add("b")
        platform = started(cloud)
        # When
        groups = stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1")
        # Then
        assert [group.actions for group in groups] == [1, 2]
        assert json.loads(cloud.blobs.get(groups[0].key)) == [
            {"RunId": "run-1", "StageId": "01-INSTANTIATE-w1", "ActionId": "INSTANTIATE.database-orders"}
        ]

    @pytest.mark.parametrize("document", ["plan.json", "targets/database-orders.json"])
    def test_stage_of_a_plan_that_was_altered_after_it_was_approved_changes_nothing(self, document: str) -> None:
        # Given a frozen plan, one of whose documents somebody rewrites
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        key = f"runs/run-1/{document}"
        cloud.blobs.put(key, cloud.blobs.get(key).replace(APPS.encode(), b"999999999999"))
        # When its first stage is started
        stage = Operator(platform, cloud).stage("run-1", "01-INSTANTIATE-w1")
        # Then it fails, says what is not as it was, and nothing was called
        assert stage.status is StageStatus.FAILED
        (action,) = cloud.ledger.actions("run-1", stage.stage_id)
        assert "not started" in action.detail
        assert "dr plan" in action.remedy
        assert cloud.operations() == []

    def test_start_repeated_gives_the_same_groups_and_start_time(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        first = stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1")
        at = cloud.ledger.stage("run-1", "01-INSTANTIATE-w1").started_at
        cloud.clock.advance(30)
        assert stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1") == first
        assert cloud.ledger.stage("run-1", "01-INSTANTIATE-w1").started_at == at

    def test_stage_that_has_passed_starts_nothing(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        Operator(platform, cloud).stage("run-1", "01-INSTANTIATE-w1")
        assert stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1") == []

    def test_resource_that_was_not_activated_is_left_alone_by_later_phases(self) -> None:
        # Given two databases, one of which cannot be activated, and an operator who skips it
        cloud = Cloud()
        cloud.add("orders")
        cloud.add("broken")
        cloud.obstacles["broken", "fence"] = obstacle_blocked("fence")
        cloud.unhealthy = {"broken"}
        platform = cloud.platform()
        # When
        run = Operator(platform, cloud, skip_what_fails).drive(cloud.accept(platform))
        # Then its source side is not quiesced, nobody waits for its health, and the end tells
        assert cloud.operations("broken") == ["scale"]
        assert cloud.operations("orders") == ["scale", "fence", "promote", "quiesce", "reverse"]
        assert ends(cloud, Phase.CLEANUP) == {"database/orders": Outcome.SUCCEEDED, "database/broken": Outcome.SKIPPED}
        assert run.status is RunStatus.SUCCEEDED_WITH_WARNINGS
        left = cloud.ledger.action("run-1", "CLEANUP.database-broken")
        assert left.detail == "left alone: ACTIVATE did not succeed for database/broken"

    def test_member_of_a_batch_that_was_not_activated_is_left_alone(self) -> None:
        cloud = Cloud()
        for name in ("m1", "m2", "m3"):
            cloud.add(name, adapter="drs")
        cloud.obstacles["m2", "promote"] = replace(obstacle_failed("m2", "promote"), members=("drs/m2",))
        platform = cloud.platform()
        cloud.accept(platform)
        cloud.ledger.change_run("run-1", lambda r: r.but(committed=True))
        Operator(platform, cloud, skip_what_fails).drive("run-1")
        assert cloud.operations("m2") == ["scale", "fence"]
        assert cloud.operations("m3") == ["scale", "fence", "promote", "quiesce", "reverse"]
        assert ends(cloud, Phase.REPLICATE)["drs/m2"] is Outcome.SKIPPED

    def test_drill_cleans_up_also_where_activation_failed(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        cloud.obstacles["orders", "promote"] = obstacle_blocked("promote")
        platform = cloud.platform()
        Operator(platform, cloud, skip_what_fails).drive(cloud.accept(platform, Operation="test"))
        assert ends(cloud, Phase.CLEANUP) == {"database/orders": Outcome.SUCCEEDED}


class TestHealth:
    def test_stage_waits_for_health_and_then_passes(self) -> None:
        # Given a resource that is unhealthy for a minute
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        cloud.unhealthy = {"orders"}
        operator = Operator(platform, cloud)
        stage_id = "02-ACTIVATE-w1"
        groups = stages.start_stage(platform, "run-1", stage_id)
        operator.advance("run-1", stage_id, ["ACTIVATE.database-orders"])
        assert len(groups) == 1
        assert not stages.check_health(platform, "run-1", stage_id).settled
        # When it recovers
        cloud.clock.advance(60)
        cloud.unhealthy = set()
        # Then
        assert stages.check_health(platform, "run-1", stage_id).settled
        assert stages.close_stage(platform, "run-1", stage_id) is StageStatus.PASSED

    def test_stage_passes_only_when_its_resources_can_be_reached_from_inside_their_vpc(self) -> None:
        # Given a database that AWS calls healthy and that no client reaches
        cloud = Cloud()
        cloud.add("orders")
        asked: list[tuple[str, str, str]] = []

        def connect(_run: Run, account: str, region: str, endpoints: Sequence[Endpoint]) -> list[Check]:
            asked.extend((account, region, each.host) for each in endpoints)
            return [Check(each.resource_id, "reachable", CheckState.SETTLING, "refused") for each in endpoints]

        platform = replace(cloud.platform(), connect=connect)
        cloud.accept(platform)
        cloud.ledger.change_run("run-1", lambda r: r.but(committed=True))
        # When it is activated
        stage = Operator(platform, cloud).stage("run-1", "02-ACTIVATE-w1")
        # Then the stage does not pass, and the probe of the side being activated was asked
        assert stage.status is StageStatus.FAILED
        assert [(check.name, check.detail) for check in stage.checks if check.state is not CheckState.HEALTHY] == [
            ("reachable", "refused")
        ]
        assert set(asked) == {(APPS, TARGET, "orders.internal")}

    def test_health_that_never_comes_fails_the_stage_after_fifteen_minutes(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        cloud.unhealthy = {"orders"}
        platform = started(cloud)
        begin = cloud.clock.now()
        stage = Operator(platform, cloud).stage("run-1", "02-ACTIVATE-w1")
        assert stage.status is StageStatus.FAILED
        assert (cloud.clock.now() - begin).total_seconds() >= stages.HEALTH_SETTLE_SECONDS
        assert [(c.resource_id, c.state) for c in stage.checks] == [("database/orders", CheckState.UNHEALTHY)]

    def test_continue_accepts_bad_health_and_later_phases_go_on(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        cloud.unhealthy = {"orders"}
        platform = cloud.platform()

        def answer(gate: Gate) -> Choice:
            if gate.kind is GateKind.FAILURE:
                cloud.unhealthy = set()
                return Choice.CONTINUE
            return Choice.APPROVE

        run = Operator(platform, cloud, answer).drive(cloud.accept(platform))
        assert run.status is RunStatus.SUCCEEDED_WITH_WARNINGS
        assert cloud.operations() == ["scale", "fence", "promote", "quiesce", "reverse"]

    def test_resource_that_cannot_be_read_counts_as_unhealthy(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        Operator(platform, cloud).advance("run-1", "02-ACTIVATE-w1", ["ACTIVATE.database-orders"])
        cloud.blind = [UnreachableError("no answer.")]
        assert not stages.check_health(platform, "run-1", "02-ACTIVATE-w1").settled
        (check,) = cloud.ledger.stage("run-1", "02-ACTIVATE-w1").checks
        assert (check.name, check.state, check.detail) == ("observe", CheckState.UNHEALTHY, "no answer.")

    def test_instantiate_asks_for_no_health(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        cloud.unhealthy = {"orders"}
        assert Operator(started(cloud), cloud).stage("run-1", "01-INSTANTIATE-w1").status is StageStatus.PASSED

    def test_drills_own_cleanup_asks_for_no_health(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud, Operation="test")
        cloud.unhealthy = {"orders"}
        assert Operator(platform, cloud).stage("run-1", "03-CLEANUP-w1").status is StageStatus.PASSED

    def test_cancelled_run_does_not_wait_for_health(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        Operator(platform, cloud).advance("run-1", "02-ACTIVATE-w1", ["ACTIVATE.database-orders"])
        cloud.unhealthy = {"orders"}
        cloud.ledger.change_run("run-1", lambda r: r.but(cancelled_by="kim"))
        assert stages.check_health(platform, "run-1", "02-ACTIVATE-w1").settled

    def test_applications_own_answer_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # Given a resource with a health-check URL that answers badly
        asked: list[str] = []

        def probe(resource: str, url: str) -> Check:
            asked.append(url)
            return Check(resource, "health-check-url", CheckState.UNHEALTHY, f"{url}: HTTP 503")

        monkeypatch.setattr(stages, "probe_url", probe)
        cloud = Cloud()
        cloud.add("orders", dr_health_check_url="https://orders.example.com/health")
        # When, Then
        assert Operator(started(cloud), cloud).stage("run-1", "02-ACTIVATE-w1").status is StageStatus.FAILED
        assert set(asked) == {"https://orders.example.com/health"}

    def test_drill_never_asks_the_production_url(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def probe(_resource: str, url: str) -> Check:
            raise AssertionError(url)

        monkeypatch.setattr(stages, "probe_url", probe)
        cloud = Cloud()
        cloud.add("orders", dr_health_check_url="https://orders.example.com/health")
        stage = Operator(started(cloud, Operation="test"), cloud).stage("run-1", "02-ACTIVATE-w1")
        assert stage.status is StageStatus.PASSED

    def test_a_thousand_checks_keep_every_unhealthy_one(self) -> None:
        checks = [
            Check(f"r/{n}", "serves", CheckState.UNHEALTHY if n % 100 == 99 else CheckState.HEALTHY, "x" * 5_000)
            for n in range(1_000)
        ]
        kept = stages._kept(checks)
        assert len(kept) == stages.CHECKS_KEPT
        assert sum(1 for c in kept if c.state is CheckState.UNHEALTHY) == 10
        assert sum(len(c.model_dump_json()) for c in kept) < 400_000


class TestProbe:
    @pytest.mark.parametrize(
        ("status", "state"), [(200, CheckState.HEALTHY), (204, CheckState.HEALTHY), (301, CheckState.UNHEALTHY)]
    )
    def test_only_a_2xx_answer_is_healthy(
        self, monkeypatch: pytest.MonkeyPatch, status: int, state: CheckState
    ) -> None:
        class Pool:
            def request(self, *_args: object, **_more: object) -> object:
                return type("Reply", (), {"status": status})()

        monkeypatch.setattr(probes, "_POOL", Pool())
        assert probes.probe_url("r", "https://x").state is state

    def test_url_that_cannot_be_asked_is_unhealthy(self) -> None:
        check = probes.probe_url("r", "http://[")
        assert check.state is CheckState.UNHEALTHY
        assert "no answer" in check.detail


class TestClose:
    def test_action_nobody_advances_any_more_is_named_and_fails_the_stage(self) -> None:
        # Given a stage whose child executions were lost
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        stages.start_stage(platform, "run-1", "01-INSTANTIATE-w1")
        platform.engine.advance("run-1", "01-INSTANTIATE-w1", "INSTANTIATE.database-orders")
        # When
        assert stages.close_stage(platform, "run-1", "01-INSTANTIATE-w1") is StageStatus.FAILED
        # Then
        action = cloud.ledger.action("run-1", "INSTANTIATE.database-orders")
        assert (action.status, action.outcome) == (ActionStatus.ENDED, Outcome.FAILED)
        assert "lost this action while it was running" in action.detail
        assert "retry" in action.remedy

    def test_stage_whose_health_nobody_could_look_at_does_not_pass(self) -> None:
        # Given a stage whose actions ended well
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        stages.start_stage(platform, "run-1", "02-ACTIVATE-w1")
        Operator(platform, cloud).advance("run-1", "02-ACTIVATE-w1", ["ACTIVATE.database-orders"])
        # When the machine gives up on check_health and closes it
        assert stages.close_stage(platform, "run-1", "02-ACTIVATE-w1") is StageStatus.FAILED
        # Then a person reads why
        (check,) = cloud.ledger.stage("run-1", "02-ACTIVATE-w1").checks
        assert (check.resource_id, check.state) == ("database/orders", "unhealthy")
        assert "never looked at" in cloud.notifier.sent[-1].body

    def test_close_repeated_tells_nobody_twice(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        platform = started(cloud)
        Operator(platform, cloud).stage("run-1", "01-INSTANTIATE-w1")
        sent = len(cloud.notifier.sent)
        assert stages.close_stage(platform, "run-1", "01-INSTANTIATE-w1") is StageStatus.PASSED
        assert len(cloud.notifier.sent) == sent

    def test_failed_stage_is_announced_with_reasons_and_remedies(self) -> None:
        cloud = Cloud()
        cloud.add("orders")
        cloud.obstacles["orders", "scale"] = obstacle_blocked("scale")
        Operator(started(cloud), cloud).stage("run-1", "01-INSTANTIATE-w1")
        told = cloud.notifier.sent[-1]
        assert (told.notice, told.subject) == (
            Notice.FAILURE,
            "[DR] CustomerX/production failover: INSTANTIATE wave 1 failed",
        )
        assert "the source still takes writes stop the application first" in told.body

    def test_run_goes_on_when_nobody_can_be_told(self) -> None:
        # Given a notification service that is down
        class Down(Notifier):
            def send(self, message: Message) -> None:
                raise ThrottledError(f"sns: {message.subject}")

        cloud = Cloud()
        cloud.add("orders")
        platform = replace(cloud.platform(), notifier=Down())
        # When
        run = Operator(platform, cloud, approve).drive(cloud.accept(platform))
        # Then it is done, and the audit trail tells what was not delivered
        assert run.status is RunStatus.SUCCEEDED
        assert [e.kind for e in cloud.ledger.events("run-1")].count("undelivered") == 6


def test_stopped_run_is_not_brought_back_to_life_by_a_late_move() -> None:
    # Given a run that is stopped while its next move is being decided
    cloud = Cloud()
    cloud.add("orders")
    platform = started(cloud)
    original = cloud.ledger.gates

    def gates(run_id: str) -> list[Gate]:
        cloud.ledger.change_run(run_id, lambda r: r.but(status=RunStatus.STOPPED, ended_at=cloud.clock.now()))
        return original(run_id)

    cloud.ledger.gates = gates  # type: ignore[method-assign]
    # When
    moving.decide_next(platform, "run-1")
    # Then
    assert cloud.ledger.run("run-1").status is RunStatus.STOPPED
