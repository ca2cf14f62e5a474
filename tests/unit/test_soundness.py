"""A run of some waves or some phases: what it leaves out must have happened."""

from __future__ import annotations

from orchestrator.stocktaking import refresh
from orchestrator.words import RunStatus
from tests.unit.scripted_platform import SCOPE, SOURCE, TARGET, Cloud, Operator


def a_cloud() -> Cloud:
    cloud = Cloud()
    cloud.add("orders")
    cloud.add("web", wave=2, adapter="service", dr_dependencies="orders")
    return cloud


def red(cloud: Cloud, run_id: str) -> list[tuple[str, str]]:
    return [(f.code, f.resource_id) for f in cloud.ledger.run(run_id).findings if f.severity == "red"]


def moved(cloud: Cloud, run_id: str = "run-1", **request: object) -> RunStatus:
    platform = cloud.platform(SOURCE if request.get("Operation") == "failback" else TARGET)
    return Operator(platform, cloud).drive(cloud.accept(platform, run_id, **request)).status


class TestWaves:
    def test_wave_without_the_one_it_depends_on_is_red_and_says_what_to_do(self) -> None:
        cloud = a_cloud()
        cloud.accept(cloud.platform(), Waves=[2])
        assert red(cloud, "run-1") == [("wave-left-out", "service/web")]
        (finding,) = cloud.ledger.run("run-1").findings
        assert "depends on database/orders of wave 1" in finding.message
        assert "add 1 to Waves" in finding.remedy
        assert "not ready" in str(cloud.ledger.run("run-1").failure)

    def test_wave_whose_dependency_an_earlier_run_has_moved_may_go(self) -> None:
        cloud = a_cloud()
        assert moved(cloud, "run-1", Waves=[1]) is RunStatus.SUCCEEDED
        cloud.clock.advance(3600)
        cloud.accept(cloud.platform(), "run-2", Waves=[2])
        assert red(cloud, "run-2") == []

    def test_what_was_moved_and_moved_back_does_not_count(self) -> None:
        cloud = a_cloud()
        moved(cloud, "run-1", Waves=[1])
        cloud.clock.advance(3600)
        moved(cloud, "run-2", Operation="failback", Waves=[1])
        cloud.clock.advance(3600)
        cloud.accept(cloud.platform(), "run-3", Waves=[2])
        assert red(cloud, "run-3") == [("wave-left-out", "service/web")]

    def test_drill_copies_and_needs_nothing_moved(self) -> None:
        cloud = a_cloud()
        cloud.accept(cloud.platform(), Operation="test", Waves=[2])
        assert red(cloud, "run-1") == []

    def test_emergency_is_told_and_goes_on(self) -> None:
        cloud = a_cloud()
        refresh(cloud.platform(), SCOPE, (SOURCE, TARGET))
        cloud.accept(cloud.platform(), Emergency=True, Waves=[2])
        assert red(cloud, "run-1") == [("wave-left-out", "service/web")]
        assert cloud.ledger.run("run-1").failure is None


class TestPhases:
    def test_cleanup_before_anything_was_activated_is_red(self) -> None:
        cloud = a_cloud()
        cloud.accept(cloud.platform(), Phases=["CLEANUP"])
        assert red(cloud, "run-1") == [("activate-first", "database/orders"), ("activate-first", "service/web")]
        finding = cloud.ledger.run("run-1").findings[0]
        assert "CLEANUP is asked for without ACTIVATE, which has not happened: fence is todo" in finding.message

    def test_phases_that_an_emergency_deferred_may_follow_it(self) -> None:
        cloud = a_cloud()
        assert moved(cloud, "run-1", Phases=["INSTANTIATE", "ACTIVATE"]) is RunStatus.SUCCEEDED
        cloud.clock.advance(3600)
        cloud.accept(cloud.platform(), "run-2", Phases=["CLEANUP", "REPLICATE"])
        assert red(cloud, "run-2") == []

    def test_standby_may_be_made_ready_alone(self) -> None:
        cloud = a_cloud()
        cloud.accept(cloud.platform(), Phases=["INSTANTIATE"])
        assert red(cloud, "run-1") == []
