"""OpenSearch followers through the real engine: nothing is lost, nobody writes in two places, and the way back is made."""

from __future__ import annotations

from typing import Any

import pytest

from localaws.service import AwsError
from orchestrator.words import LIFECYCLE, CheckState, Operation, Outcome, Phase
from tests.adapters.opensearch_estate import NAME, PLUGIN, Estate, open_estate
from tests.support.driver import SOURCE, TARGET


@pytest.fixture
def estate(monkeypatch: pytest.MonkeyPatch) -> Estate:
    return open_estate(monkeypatch, autofollow="logs-*")


def test_a_failover_and_a_failback_lose_nothing_and_leave_followers_behind(estate: Estate) -> None:
    for operation in (Operation.FAILOVER, Operation.FAILBACK):
        here, there = (TARGET, SOURCE) if operation is Operation.FAILOVER else (SOURCE, TARGET)
        run = estate.world.start(operation)
        assert run.ready, run.findings
        assert [stage.phase for stage in run.plan.stages if stage.irreversible] == [Phase.ACTIVATE]
        foreseen = run.previewed_calls()
        run.phase(Phase.INSTANTIATE)

        # When the writers are fenced and the followers have drained
        activated = run.phase(Phase.ACTIVATE)

        # Then the target holds everything that was written, and clients write there
        assert activated.outcome is Outcome.SUCCEEDED, activated.detail
        assert estate.count(here) >= estate.count(there) > 0
        assert estate.is_written_to(here)
        assert not estate.is_written_to(there)
        assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED
        replicated = run.phase(Phase.REPLICATE)
        assert replicated.outcome is Outcome.SUCCEEDED, replicated.detail
        assert estate.statuses(there) == {"SYNCING"}
        assert estate.statuses(here) == {"REPLICATION NOT IN PROGRESS"}
        assert estate.links(there).count("ACTIVE") == 1
        assert "ACTIVE" not in estate.links(here)
        assert (estate.rules(here), estate.rules(there)) == ([], ["orders-autofollow"])
        assert {check.state for check in run.stage(Phase.REPLICATE).checks} == {CheckState.HEALTHY}
        assert run.made() == foreseen
        run.end()
    assert estate.world.refusals() == []


def test_followers_are_stopped_only_when_they_hold_what_their_leader_holds(estate: Estate) -> None:
    run = estate.prepared()
    # Given a follower that is far behind, because its leader writes a lot
    run.until(Phase.ACTIVATE, "fence")
    action = run.tick(Phase.ACTIVATE)
    assert "stop-orders" not in action.called_at, "equal checkpoints are believed after a minute only"

    action = run.phase(Phase.ACTIVATE)

    fenced, stopped = action.called_at["fence"], action.called_at["stop-customers"]
    assert (stopped - fenced).total_seconds() >= 60
    assert estate.count(TARGET) >= estate.count(SOURCE)


def test_a_follower_that_does_not_drain_stops_the_run_and_rollback_opens_the_source_again(estate: Estate) -> None:
    run = estate.prepared()
    estate.done(TARGET, "POST", f"{PLUGIN}/orders/_pause", {})

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "orders is PAUSED" in action.detail
    assert "rollback" in action.remedy
    assert not estate.is_written_to(SOURCE)
    assert estate.rules(TARGET) == []
    assert run.rollback(Phase.ACTIVATE).outcome is Outcome.ROLLED_BACK
    assert estate.is_written_to(SOURCE)
    assert estate.rules(TARGET) == ["orders-autofollow"]
    assert estate.world.refusals() == []


def test_a_retry_after_the_follower_was_resumed_goes_on(estate: Estate) -> None:
    run = estate.prepared()
    estate.done(TARGET, "POST", f"{PLUGIN}/orders/_pause", {})
    run.phase(Phase.ACTIVATE)
    estate.done(TARGET, "POST", f"{PLUGIN}/orders/_resume", {})

    assert run.retry(Phase.ACTIVATE).outcome is Outcome.SUCCEEDED
    assert estate.count(TARGET) >= estate.count(SOURCE)


def test_there_is_no_rollback_once_an_index_has_stopped_following(estate: Estate) -> None:
    run = estate.prepared()
    run.phase(Phase.ACTIVATE)

    action = run.rollback(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "stopped following, which cannot be undone" in action.detail
    assert "failback" in action.remedy
    assert not estate.is_written_to(SOURCE), "never two writers"


@pytest.mark.parametrize("phase", [Phase.INSTANTIATE, Phase.CLEANUP, Phase.REPLICATE])
def test_the_other_phases_leave_nothing_to_be_undone(estate: Estate, phase: Phase) -> None:
    run = estate.world.start()
    for each in LIFECYCLE[: LIFECYCLE.index(phase) + 1]:
        run.phase(each)
    before = (estate.statuses(TARGET), estate.links(SOURCE))

    assert run.rollback(phase).outcome is Outcome.ROLLED_BACK

    assert (estate.statuses(TARGET), estate.links(SOURCE)) == before


def test_an_emergency_stops_following_at_once_without_the_leader(estate: Estate) -> None:
    run = estate.lost()
    assert run.plan.losses[0].seconds is None
    assert "40 operation(s) had not arrived" in run.plan.losses[0].detail or "operation(s)" in run.plan.losses[0].detail

    ended = run.all()

    assert {phase: action.outcome for phase, action in ended.items()} == {Phase.ACTIVATE: Outcome.SUCCEEDED}
    assert estate.is_written_to(TARGET)
    assert {call.region for call in estate.world.calls()} == {TARGET}
    assert "logs-*" in run.findings["autofollow"]
    assert estate.world.refusals() == []


def test_the_lost_side_is_fenced_kept_in_a_snapshot_and_made_a_follower_when_it_is_back(estate: Estate) -> None:
    run = estate.lost()
    run.all()
    run.end()
    estate.world.repair()
    assert estate.is_written_to(SOURCE), "until somebody fences it, its own clients write to it"
    split = estate.count(SOURCE)

    later = estate.world.start(Phases=["CLEANUP", "REPLICATE"])
    ended = later.all()

    assert {action.outcome for action in ended.values()} == {Outcome.SUCCEEDED}, ended
    assert estate.statuses(SOURCE) == {"SYNCING"}
    assert estate.is_written_to(TARGET)
    # And what only the lost side held is in a snapshot that is younger than its fence
    action = later.action(Phase.REPLICATE)
    (step,) = (step for step in action.steps if step.name == "snapshot-of-stale-indices")
    assert step.done_at is not None
    listed = estate.done(SOURCE, "GET", "/_snapshot/cs-automated-enc/_all")["snapshots"]
    assert any({"orders", "customers"} <= set(each["indices"]) for each in listed)
    assert split > 0


def test_stale_indices_are_not_deleted_before_a_snapshot_holds_them(estate: Estate) -> None:
    run = estate.world.start()
    for phase in LIFECYCLE[:3]:
        run.phase(phase)

    action = run.tick(Phase.REPLICATE)

    waiting = {step.name: step.state for step in action.steps}
    assert waiting["snapshot-of-stale-indices"] == "busy"
    assert estate.indices(SOURCE) == ["customers", "orders"]
    run.until(Phase.REPLICATE, "delete-stale-customers")
    assert (
        run.action(Phase.REPLICATE).called_at["connect"]
        < run.action(Phase.REPLICATE).called_at["delete-stale-customers"]
    )


def test_nothing_is_deleted_while_the_target_is_not_green(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    run = estate.world.start()
    for phase in LIFECYCLE[:3]:
        run.phase(phase)
    service: Any = estate.world.local.service("opensearch")
    monkeypatch.setattr(service, "cluster_health", lambda _place: "red")

    action = run.phase(Phase.REPLICATE)

    assert action.outcome is Outcome.FAILED
    assert "orders is Red, expected Green" in action.detail
    assert estate.indices(SOURCE) == ["customers", "orders"]


def test_cleanup_before_activate_is_refused(estate: Estate) -> None:
    action = estate.world.start(Phases=["CLEANUP"]).phase(Phase.CLEANUP)

    assert action.outcome is Outcome.FAILED
    assert "still follow the source side" in action.detail
    assert estate.is_written_to(SOURCE)
    assert estate.statuses(TARGET) == {"SYNCING"}


def test_a_second_failover_after_the_first_changes_nothing(estate: Estate) -> None:
    estate.failover()
    estate.world.local.call_log.clear()

    second = estate.world.start()
    ended = second.all()

    assert {a.outcome for a in ended.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}
    assert estate.world.operations() == []


# --- INSTANTIATE: what is missing is made


def test_unconnected_domains_are_sized_connected_and_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(
        monkeypatch, replication="none", target_instances=2, tags={"dr:recovery-strategy": "cross-cluster-replication"}
    )
    run = estate.world.start()
    assert run.ready, run.findings
    assert "lacks InstanceCount 3" in run.findings["size"]
    foreseen = run.previewed_calls(Phase.INSTANTIATE)

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.SUCCEEDED, action.detail
    assert (
        run.made()
        == foreseen
        == ["UpdateDomainConfig", "CreateOutboundConnection", "AcceptInboundConnection", "Put", "Put"]
    )
    assert estate.domain(TARGET)["ClusterConfig"]["InstanceCount"] == 3
    assert estate.statuses(TARGET) == {"SYNCING"}
    assert estate.is_written_to(SOURCE)
    assert estate.world.refusals() == []


def test_a_new_index_is_followed_before_the_switch(estate: Estate) -> None:
    estate.done(SOURCE, "PUT", "/invoices", {})
    run = estate.world.start()
    assert "invoices is not followed yet" in run.findings["new-index"]

    run.all()

    assert "invoices" in estate.indices(TARGET)


def test_an_index_made_between_instantiate_and_activate_is_not_left_behind(estate: Estate) -> None:
    run = estate.prepared()
    estate.done(SOURCE, "PUT", "/invoices", {})

    action = run.phase(Phase.ACTIVATE)

    assert action.outcome is Outcome.FAILED
    assert "invoices in us-east-1 is not replicated" in action.detail
    assert estate.statuses(TARGET) == {"SYNCING"}


def test_a_change_of_size_that_fails_ends_the_phase_and_a_retry_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, target_instances=2)
    run = estate.world.start()
    estate.world.fault(effect="fail", kind="opensearch.update-domain-config")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "ValidationFailed" in action.detail
    estate.world.repair()
    assert run.retry(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED
    assert estate.domain(TARGET)["ClusterConfig"]["InstanceCount"] == 3


def test_a_connection_that_fails_ends_the_phase_and_a_retry_asks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags={"dr:recovery-strategy": "cross-cluster-replication"})
    run = estate.world.start()
    estate.world.fault(effect="fail", kind="opensearch.validate-connection")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "VALIDATION_FAILED" in action.detail
    estate.world.repair()
    assert run.retry(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED


def test_a_rejected_connection_ends_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags={"dr:recovery-strategy": "cross-cluster-replication"})
    run = estate.world.start()
    run.until(Phase.INSTANTIATE, "connect")
    estate.world.clock.advance(60)
    leader = estate.world.aws("opensearch", SOURCE)
    (asked,) = leader.describe_inbound_connections()["Connections"]
    leader.reject_inbound_connection(ConnectionId=asked["ConnectionId"])

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "REJECTED" in action.detail


def test_a_copy_that_cannot_be_made_ends_the_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch, replication="none", tags={"dr:recovery-strategy": "cross-cluster-replication"})
    run = estate.world.start()
    estate.world.fault(effect="fail", kind="opensearch.bootstrap-follower")

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "PAUSED: AutoPaused" in action.detail
    assert "_resume" in action.remedy


# --- drill


def test_a_drill_writes_to_copies_of_a_snapshot_and_stops_nothing(estate: Estate) -> None:
    run = estate.world.start(Operation.TEST)
    assert run.phase(Phase.INSTANTIATE).outcome is Outcome.SUCCEEDED

    copies = [name for name in estate.indices(TARGET) if name.startswith("drill-")]
    assert [name.partition("-")[2].partition("-")[2] for name in copies] == ["customers", "orders"]
    assert estate.ask(TARGET, "PUT", f"/{copies[0]}/_settings", {"index.refresh_interval": "1s"}).status == 200
    assert run.phase(Phase.ACTIVATE).outcome is Outcome.SKIPPED
    assert {check.state for check in run.stage(Phase.ACTIVATE).checks} == {CheckState.HEALTHY}
    assert estate.is_written_to(SOURCE)
    assert run.phase(Phase.CLEANUP).outcome is Outcome.SUCCEEDED

    assert estate.indices(TARGET) == ["customers", "orders"]
    assert estate.statuses(TARGET) == {"SYNCING"}
    assert estate.world.operations() == ["ESHttpPost", "ESHttpDelete", "ESHttpDelete"]
    assert estate.world.refusals() == []


def test_a_drill_leaves_the_copies_of_another_drill_alone(estate: Estate) -> None:
    estate.done(TARGET, "PUT", "/drill-0a1b2c3d-orders", {})
    run = estate.world.start(Operation.TEST)

    run.all()

    assert "drill-0a1b2c3d-orders" in estate.indices(TARGET)


def test_a_drill_without_a_snapshot_says_so(estate: Estate) -> None:
    run = estate.world.start(Operation.TEST)
    service: Any = estate.world.local.service("opensearch")
    for index in service.state(next(service.places("222222222222", TARGET))).indices.values():
        index.made_at = estate.world.clock.now()

    action = run.phase(Phase.INSTANTIATE)

    assert action.outcome is Outcome.FAILED
    assert "holds no complete snapshot" in action.detail


# --- the old side is the standby


def test_decommission_deletes_nothing_of_a_standby(estate: Estate) -> None:
    run = estate.world.start(Decommission=True)

    ended = run.all()

    assert ended[Phase.DECOMMISSION].outcome is Outcome.SKIPPED
    assert "new standby" in ended[Phase.DECOMMISSION].detail
    assert estate.domain(SOURCE)["Deleted"] is False


def test_a_domain_that_is_gone_but_still_listed_drops_out_of_the_inventory(estate: Estate) -> None:
    # Given Resource Explorer, which shows resources for a while after they are gone
    service: Any = estate.world.local.service("opensearch")
    real = service.operations["DescribeDomain"]

    def gone(call: Any) -> Any:
        if call.region == SOURCE:
            raise AwsError("ResourceNotFoundException", "Domain not found: orders", 409)
        return real(call)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(service.operations, "DescribeDomain", gone)
        (resource,) = estate.world.inventory().resources

    assert set(resource.sides) == {TARGET}


def test_a_domain_that_does_not_answer_is_in_the_inventory_without_its_rules(estate: Estate) -> None:
    estate.world.fault(
        effect="error",
        service="opensearch",
        operation="ESHttpGet",
        code="AccessDeniedException",
        message="no",
        status=403,
    )

    (resource,) = estate.world.inventory().resources

    assert "rules" not in resource.sides[TARGET].facts
    assert resource.strategy == "cross-cluster-replication"


def test_the_inventory_tells_endpoint_size_rules_and_strategy(estate: Estate) -> None:
    (resource,) = estate.world.inventory().resources
    facts = resource.sides[TARGET].facts

    assert resource.strategy == "cross-cluster-replication"
    assert resource.resource_id == f"opensearch/{NAME}"
    assert (facts["instances"], facts["version"]) == (3, "OpenSearch_2.17")
    assert facts["rules"] == [{"name": "orders-autofollow", "pattern": "logs-*"}]
    assert facts["endpoint"] == estate.domain(TARGET)["Endpoint"]
