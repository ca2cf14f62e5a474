"""OpenSearch snapshots through the real engine: what is restored is what was written, and nothing is restored over anything."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.adapters.opensearch_estate import Estate, open_estate
from tests.support.driver import SOURCE, TARGET

TAG = {"dr:recovery-strategy": "snapshot-restore"}


@pytest.fixture
def estate(monkeypatch: pytest.MonkeyPatch) -> Estate:
    return open_estate(monkeypatch, replication="snapshot", tags=TAG)


def snapshots(estate: Estate, region: str, writer: str) -> dict[str, str]:
    listed = estate.done(region, "GET", f"/_snapshot/dr-{writer}/_all")["snapshots"]
    return {each["snapshot"]: each["state"] for each in listed}


def test_a_failover_and_a_failback_restore_everything_that_was_written(estate: Estate) -> None:
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = estate.world.start(operation)
        assert run.ready, run.findings
        assert [stage.phase for stage in run.plan.stages if stage.irreversible] == [Phase.ACTIVATE]
        foreseen = run.previewed_calls()
        run.phase(Phase.INSTANTIATE)

        activated = run.phase(Phase.ACTIVATE)

        assert activated.outcome is Outcome.SUCCEEDED, activated.detail
        assert estate.count(here) == estate.count(there) > 0
        assert not estate.is_written_to(there)
        assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
        replicated = run.phase(Phase.REPLICATE)
        assert replicated.outcome is Outcome.SUCCEEDED, replicated.detail
        assert estate.indices(there) == [], "room for a restore of the way back"
        assert list(snapshots(estate, there, here))[-1].startswith("dr-")
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}
        assert run.made() == foreseen
        run.end()
    assert estate.world.refusals() == []


def test_a_snapshot_is_restored_only_when_its_files_have_had_time_to_arrive(estate: Estate) -> None:
    run = estate.prepared()

    action = run.phase(Phase.ACTIVATE)

    waited = action.called_at["restore"] - action.called_at["snapshot"]
    assert waited.total_seconds() >= 15 * 60
    assert action.called_at["fence"] < action.called_at["snapshot"]


def test_an_emergency_restores_the_last_snapshot_that_has_arrived(estate: Estate) -> None:
    # Given a snapshot of half an hour ago, and one that was listed a minute ago
    estate.world.wait(minutes=30)
    estate.done(SOURCE, "PUT", f"/_snapshot/dr-{SOURCE}/young", {})
    estate.world.wait(minutes=2)
    run = estate.lost()
    assert run.plan.losses[0].seconds is not None
    assert run.plan.losses[0].seconds > 30 * 60

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    (restored,) = (call for call in estate.world.calls() if call.operation == "ESHttpPost")
    assert restored.params["path"] == f"/_snapshot/dr-{SOURCE}/nightly/_restore"
    assert {call.region for call in estate.world.calls()} == {TARGET}
    assert estate.indices(TARGET) == ["customers", "orders"]


def test_the_lost_side_is_kept_in_a_snapshot_and_emptied_when_it_is_back(estate: Estate) -> None:
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()

    later = estate.world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = later.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert estate.indices(SOURCE) == []
    kept = [name for name in snapshots(estate, SOURCE, SOURCE) if name.startswith("dr-")]
    listed = estate.done(SOURCE, "GET", f"/_snapshot/dr-{SOURCE}/{kept[0]}")["snapshots"][0]
    assert listed["indices"] == ["customers", "orders"]


def test_rollback_opens_the_source_while_nothing_is_restored_and_is_refused_afterwards(estate: Estate) -> None:
    run = estate.prepared()
    run.until(Phase.ACTIVATE, "snapshot")
    assert not estate.is_written_to(SOURCE)
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert estate.is_written_to(SOURCE)
    run.end()

    again = estate.prepared()
    assert again.phase(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    action = again.rollback(Phase.ACTIVATE)
    assert action.outcome is Outcome.FAILED
    assert "clients may have written" in action.detail


def test_indices_that_are_in_the_way_are_red_and_block_before_the_source_is_fenced(estate: Estate) -> None:
    estate.done(TARGET, "PUT", "/orders", {})
    run = estate.world.start()
    assert not run.ready
    assert "in-the-way" in run.findings
    run.phase(Phase.INSTANTIATE)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "orders is in orders already" in action.detail
    assert estate.is_written_to(SOURCE)


def test_an_emergency_restores_over_nothing(estate: Estate) -> None:
    estate.done(TARGET, "PUT", "/orders", {})
    run = estate.lost()

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "was not restored from nightly" in action.detail
    assert estate.indices(TARGET) == ["orders"]


def test_a_snapshot_that_fails_ends_the_phase(estate: Estate) -> None:
    run = estate.prepared()
    estate.world.fault(effect="fail", kind="opensearch.create-snapshot")

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "is FAILED, expected SUCCESS" in action.detail
    assert "DELETE /_snapshot/" in action.remedy
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert estate.is_written_to(SOURCE)


def test_cleanup_and_replicate_before_activate_are_refused(estate: Estate) -> None:
    run = estate.world.start(Phases=["CLEANUP", "REPLICATE"])

    assert run.phase(Phase.CLEANUP).outcome is Outcome.FAILED
    assert estate.indices(SOURCE) == ["customers", "orders"]
    assert estate.is_written_to(SOURCE)


def test_without_a_snapshot_an_emergency_says_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags=TAG)
    run = estate.lost()
    assert not run.ready or {"no-snapshot", "repository"} <= set(run.findings)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "holds no complete snapshot" in action.detail


def test_missing_and_shared_repositories_and_old_snapshots_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="snapshot", tags={**TAG, "dr:rpo-target": "60", "dr:rto-target": "5"})
    estate.world.wait(minutes=120)
    service: Any = estate.world.local.service("opensearch")
    there = service.state(next(service.places("222222222222", TARGET))).repositories
    del there[f"dr-{TARGET}"]
    there[f"dr-{SOURCE}"].settings.pop("readonly")

    run = estate.world.start()

    assert not run.ready
    assert "no snapshot repository dr-us-west-2" in run.findings["repository"]
    assert "two writers destroy it" in run.findings["repository-writers"]
    assert "dr:rpo-target is 60 min" in run.findings["lag"]
    assert "dr:rto-target is 5 min" in run.findings["rto"]


def test_nobody_is_fenced_while_the_data_could_not_travel(estate: Estate) -> None:
    run = estate.prepared()
    service: Any = estate.world.local.service("opensearch")
    del service.state(next(service.places("222222222222", TARGET))).repositories[f"dr-{SOURCE}"]

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "orders in us-west-2 has no snapshot repository dr-us-east-1" in action.detail
    assert estate.is_written_to(SOURCE)


def test_a_snapshot_of_this_run_that_lacks_an_index_is_not_relied_upon(estate: Estate) -> None:
    run = estate.world.start()
    for phase in LIFECYCLE[:3]:
        run.phase(phase)
    estate.done(SOURCE, "PUT", "/invoices", {})
    estate.done(TARGET, "PUT", "/invoices", {})

    action = run.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "does not hold invoices" in action.detail
    assert estate.indices(SOURCE) == ["customers", "invoices", "orders"]


def test_a_drill_restores_the_snapshot_beside_everything_and_removes_it(estate: Estate) -> None:
    run = estate.world.start(Operation.TEST)

    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    assert len(estate.indices(TARGET)) == 2
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert estate.indices(TARGET) == []
    assert estate.is_written_to(SOURCE)


def test_a_restore_that_fails_leaves_nothing_and_is_repeated(estate: Estate) -> None:
    run = estate.prepared()
    estate.world.fault(effect="fail", kind="opensearch.restore-snapshot", first=2)

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert action.call_counts["restore"] == 2
    assert estate.count(TARGET) == estate.count(SOURCE)


def test_a_second_failover_after_the_first_changes_nothing(estate: Estate) -> None:
    estate.failover()
    estate.world.local.call_log.clear()

    ended = estate.world.start().all()

    assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}, ended
    assert estate.world.operations() == []
    assert len(LIFECYCLE) == len(ended)
