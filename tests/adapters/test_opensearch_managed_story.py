"""Managed replication of OpenSearch domains through the real engine: AWS keeps one writer, we keep the data."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import CheckState, Operation, Outcome, Phase
from tests.adapters.opensearch_estate import ARN, NAME, Estate, open_estate
from tests.support.driver import SOURCE, TARGET

TAG = {"dr:recovery-strategy": "managed-replication"}


@pytest.fixture
def estate(monkeypatch: pytest.MonkeyPatch) -> Estate:
    return open_estate(monkeypatch, replication="managed")


def test_a_failover_and_a_failback_exchange_the_roles_without_loss(estate: Estate) -> None:
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        before = estate.count(there)
        run = estate.world.start(operation)
        assert run.ready, run.findings

        ended = run.all()

        assert ended[Phase.ACTIVATE].outcome is Outcome.SUCCEEDED, ended[Phase.ACTIVATE].detail
        assert ended[Phase.CLEANUP].outcome is Outcome.SKIPPED
        assert ended[Phase.REPLICATE].outcome is Outcome.SUCCEEDED
        assert estate.replication(here) == ("PRIMARY", "ACTIVE")
        assert estate.replication(there) == ("SECONDARY", "ACTIVE")
        assert estate.count(here) >= before
        assert estate.is_written_to(here)
        assert run.made() == ["SwitchoverReplication"]
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}
        run.end()
    assert estate.world.refusals() == []


def test_rollback_switches_back(estate: Estate) -> None:
    run = estate.prepared()
    run.phase(Phase.ACTIVATE)

    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK

    assert estate.replication(SOURCE) == ("PRIMARY", "ACTIVE")
    assert estate.world.operations(SOURCE) == ["SwitchoverReplication"]


def test_a_switchover_that_fails_ends_the_phase_with_awss_words_and_a_retry_succeeds(estate: Estate) -> None:
    run = estate.prepared()
    estate.world.fault(effect="fail", kind="opensearch.switchover-replication")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "The switchover failed" in action.detail
    assert estate.replication(SOURCE) == ("PRIMARY", "ACTIVE")
    estate.world.repair()
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert estate.replication(TARGET) == ("PRIMARY", "ACTIVE")


def test_an_emergency_promotes_the_copy_and_asks_nothing_of_the_lost_region(estate: Estate) -> None:
    run = estate.lost()
    assert run.plan.losses[0].seconds is None

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert estate.replication(TARGET) == ("PRIMARY", "DETACHED")
    assert estate.is_written_to(TARGET)
    assert {call.region for call in estate.world.calls()} == {TARGET}
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.FAILED
    assert "cannot be undone" in run.action(Phase.ACTIVATE).detail


def test_an_ejected_primary_stays_read_only_and_is_paired_again_when_a_snapshot_holds_its_data(estate: Estate) -> None:
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()
    assert estate.replication(SOURCE) == ("SECONDARY", "EJECTED")

    later = estate.world.start(Phases=["CLEANUP", "REPLICATE"])
    cleaned = later.phase(Phase.CLEANUP)
    assert cleaned.outcome is Outcome.SKIPPED
    assert "ejected" in cleaned.detail
    assert not estate.is_written_to(SOURCE)
    first = later.tick(Phase.REPLICATE)
    assert {step.name: step.state for step in first.steps}["snapshot-of-ejected-data"] == "busy"
    ended = later.phase(Phase.REPLICATE)

    assert ended.outcome is Outcome.SUCCEEDED, ended.detail
    assert later.made() == ["AddReplicationPeer"]
    assert estate.replication(TARGET) == ("PRIMARY", "ACTIVE")
    assert estate.replication(SOURCE) == ("SECONDARY", "ACTIVE")
    assert {check.state for check in later.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}
    assert estate.world.refusals() == []


def test_a_pair_that_cannot_be_made_again_ends_the_phase(estate: Estate) -> None:
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()
    estate.world.fault(effect="fail", kind="opensearch.add-replication-peer")

    later = estate.world.start(Phases=["REPLICATE"])
    action = later.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "FAILED" in action.detail
    assert "remove-replication-peer" in action.remedy


def test_an_old_primary_that_somebody_opened_again_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="managed", tags=TAG)
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()
    estate.world.aws("opensearch", SOURCE).remove_replication_peer(DomainName=NAME, PeerDomainArn=ARN[TARGET])
    estate.world.wait(minutes=5)

    # Then the target is no primary any more, and nobody makes it one over the other's data
    action = estate.world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "no role, no peer, expected PRIMARY" in action.detail
    assert estate.count(SOURCE) > 0
    assert estate.replication(SOURCE) == (None, None)


def test_cleanup_stops_where_the_old_primary_is_neither_copy_nor_ejected(estate: Estate) -> None:
    action = estate.world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "expected PRIMARY" in action.detail


# --- pairs that are to be made


def test_an_empty_domain_is_paired_and_one_that_holds_indices_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", target_instances=2, tags=TAG)
    run = estate.world.start()
    assert "not-paired" in run.findings
    assert run.previewed_calls(Phase.INSTANTIATE) == ["UpdateDomainConfig", "AddReplicationPeer"]

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert run.made() == ["UpdateDomainConfig", "AddReplicationPeer"]
    assert estate.replication(TARGET) == ("SECONDARY", "ACTIVE")
    assert estate.domain(TARGET)["ClusterConfig"]["InstanceCount"] == 3


def test_a_domain_with_indices_of_its_own_is_left_to_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags=TAG)
    estate.done(TARGET, "PUT", "/precious", {})

    action = estate.prepared().action(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "precious" in action.detail
    assert "aws opensearch add-replication-peer --region us-east-1" in action.remedy
    assert estate.indices(TARGET) == ["precious"]


def test_a_pair_that_cannot_be_set_up_ends_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags=TAG)
    estate.world.fault(effect="fail", kind="opensearch.add-replication-peer")

    action = estate.prepared().action(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "Replication could not be set up" in action.detail


def test_without_a_copy_an_emergency_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags=TAG)
    run = estate.lost()
    assert not run.ready or "replication" in run.findings

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "nothing was replicated" in action.detail


@pytest.mark.parametrize(
    ("status", "outcome", "told"),
    [
        ("PENDING_SETUP", Outcome.FAILED, "its copy is not complete"),
        ("FAILED", Outcome.FAILED, "expected ACTIVE"),
        ("EJECTED", Outcome.FAILED, "expected ACTIVE"),
        ("SWITCHING_OVER", Outcome.FAILED, "is SWITCHING_OVER"),
    ],
)
def test_an_emergency_promotes_only_a_copy_that_is_whole(
    estate: Estate, status: str, outcome: Outcome, told: str
) -> None:
    run = estate.lost()
    service: Any = estate.world.local.service("opensearch")
    service.peerings[0].status = status

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is outcome
    assert told in action.detail
    assert estate.replication(TARGET)[0] == "SECONDARY"


def test_a_switchover_that_hangs_on_the_lost_region_is_overridden_after_two_minutes(estate: Estate) -> None:
    run = estate.lost()
    service: Any = estate.world.local.service("opensearch")
    service.peerings[0].status = "SWITCHING_OVER"
    for _ in range(3):
        action = run.tick(Phase.ACTIVATE)
        estate.world.clock.advance(15)
    assert action.calls == 0

    # Then AWS is asked to fail over, and has the last word
    action = run.phase(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "opensearch.FailoverReplication" in action.detail
    service.peerings[0].status = "ACTIVE"
    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED


def test_domains_inside_a_vpc_are_switched_without_their_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTO_AMIS_PATH", raising=False)
    estate = open_estate(monkeypatch, images=True, replication="managed", vpc=True)
    run = estate.world.start()
    assert run.ready, run.findings

    run.all()

    assert estate.replication(TARGET) == ("PRIMARY", "ACTIVE")
    assert [call for call in estate.world.calls() if call.operation.startswith("ESHttp")] == []


def test_an_unseen_ejected_primary_inside_a_vpc_is_paired_by_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTO_AMIS_PATH", raising=False)
    estate = open_estate(monkeypatch, images=True, replication="managed", vpc=True)
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()

    action = estate.world.start(Phases=["REPLICATE"]).phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "its indices cannot be seen" in action.detail
    assert f"--domain-name {NAME} --peer-domain-arn {ARN[SOURCE]}" in action.remedy


def test_a_drill_only_looks(estate: Estate) -> None:
    run = estate.world.start(Operation.TEST)

    ended = run.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SKIPPED}
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {CheckState.HEALTHY}
    assert estate.world.operations() == []
