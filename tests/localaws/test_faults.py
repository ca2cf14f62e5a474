"""What goes wrong on purpose: refused, throttled, lost, late, dark, stuck."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from localaws import faults as faults_module
from localaws.admin import AdminError, respond
from localaws.scenario import ScenarioError, parse_fault, read_scenario
from localaws.service import AwsError, ConnectionLost
from localaws.world import Fate
from tests.localaws.hub_and_spoke import EAST, HUB, SPOKE, WEST, Cloud, allow

SCENARIOS = Path(faults_module.__file__).parent / "scenarios"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def inject(cloud: Cloud, **fault: Any) -> str:
    return cloud.local.faults.add(parse_fault(fault))


def tried(cloud: Cloud) -> list[tuple[str, str | None]]:
    return [(line.operation, line.error) for line in cloud.local.call_log]


def test_dead_region_answers_nothing_and_the_other_goes_on(cloud: Cloud) -> None:
    # Given a cluster in each Region, and then us-east-1 gone
    admin = cloud.admin(SPOKE)
    for region in (EAST, WEST):
        cloud.call(admin, "ecs", "CreateCluster", region, clusterName="shop")
    faults_module.load(cloud.local, SCENARIOS / "region-dead.yaml")
    # When clients call both
    here = cloud.client("ecs", WEST, f"LOCALADMIN{SPOKE}")
    there = cloud.client("ecs", EAST, f"LOCALADMIN{SPOKE}")
    # Then one answers and the other's connection closes; so does every control plane that lives there
    assert here.list_clusters()["clusterArns"]
    with pytest.raises(ConnectionClosedError):
        there.list_clusters()
    with pytest.raises(ConnectionLost):
        cloud.call(admin, "route53", "ListHostedZones", EAST)
    # and the attempts are on record
    assert any(line.region == EAST and line.error == "ConnectionLost" for line in cloud.local.call_log)
    assert cloud.local.faults.region_is_down(EAST)
    assert not cloud.local.faults.region_is_down(WEST)


def test_control_planes_of_a_dead_region_are_gone_for_clients_everywhere(cloud: Cloud) -> None:
    # With a custom endpoint an SDK signs Route 53 calls for the client's Region; they go to us-east-1 all the same.
    faults_module.load(cloud.local, SCENARIOS / "region-dead.yaml")
    for service, operation in (
        ("route53", "ListHostedZones"),
        ("iam", "ListRoles"),
        ("organizations", "ListAccounts"),
    ):
        with pytest.raises(ConnectionLost, match=EAST):
            cloud.local.faults.before(_call(cloud, service, operation, WEST))
    cloud.local.faults.before(_call(cloud, "sts", "GetCallerIdentity", WEST))
    cloud.local.faults.before(_call(cloud, "route53-recovery-control-config", "ListClusters", EAST))


def test_global_call_is_logged_in_the_region_that_answers_it(cloud: Cloud) -> None:
    cloud.client("route53", WEST, f"LOCALADMIN{SPOKE}").list_hosted_zones()
    assert cloud.local.call_log[-1].region == EAST


def test_region_dies_later_and_comes_back_in_aws_time(cloud: Cloud) -> None:
    cloud.clock.speed = 10
    inject(cloud, effect="blackout", region=EAST, after_seconds=600, for_seconds=300)
    seen = []
    for _ in range(4):
        seen.append(cloud.local.faults.region_is_down(EAST))
        cloud.clock.advance(30)  # 300 s of AWS time
    assert seen == [False, False, True, False]


def test_dead_control_plane_refuses_its_service_in_every_region_and_nothing_else(cloud: Cloud) -> None:
    faults_module.load(cloud.local, SCENARIOS / "route53-control-plane-dead.yaml")
    admin = cloud.admin(SPOKE)
    error = cloud.refused(admin, "route53", "ListHostedZones", EAST)
    assert (error.code, error.status) == ("ServiceUnavailable", 503)
    cloud.call(admin, "ecs", "ListClusters", EAST)
    assert tried(cloud) == [("ListHostedZones", "ServiceUnavailable"), ("ListClusters", None)]


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("rds", "DescribeDBInstances", "Throttling", 400),
        ("ec2", "DescribeInstances", "RequestLimitExceeded", 503),
        ("ecs", "ListClusters", "ThrottlingException", 400),
        ("lambda", "ListFunctions", "TooManyRequestsException", 429),
        ("drs", "DescribeJobs", "ThrottlingException", 429),
        ("s3", "ListBuckets", "SlowDown", 503),
    ],
)
def test_exhausted_bucket_refuses_with_the_services_own_code(
    cloud: Cloud, service: str, operation: str, code: str, status: int
) -> None:
    inject(cloud, effect="throttle", service=service, rate=0, burst=1)
    admin = cloud.admin(SPOKE)
    cloud.local.faults.before(_call(cloud, service, operation))
    with pytest.raises(AwsError) as caught:
        cloud.local.faults.before(_call(cloud, service, operation))
    assert (caught.value.code, caught.value.status, caught.value.message) == (code, status, "Rate exceeded")
    assert admin.account == SPOKE


def _call(cloud: Cloud, service: str, operation: str, region: str = WEST, account: str = SPOKE, **params: Any) -> Any:
    from localaws.service import Call

    return Call(service, operation, params, account, region, cloud.admin(account), "request-1")


def test_bucket_refills_at_its_rate_and_each_account_region_and_api_has_its_own(cloud: Cloud) -> None:
    # Given a bucket of one call per second on a clock of our own
    now = [0.0]
    faults = faults_module.Faults(cloud.local, seconds=lambda: now[0])
    faults.add(parse_fault({"effect": "throttle", "service": "rds", "rate": 1, "burst": 2}))

    def passes(operation: str = "DescribeDBInstances", region: str = WEST, account: str = SPOKE) -> bool:
        try:
            faults.before(_call(cloud, "rds", operation, region, account))
        except AwsError:
            return False
        return True

    assert [passes() for _ in range(3)] == [True, True, False]
    assert passes(operation="DescribeDBClusters")
    assert passes(region=EAST)
    assert passes(account=HUB)
    now[0] = 1.0
    assert [passes() for _ in range(2)] == [True, False]


def test_shared_bucket_counts_all_apis_of_a_service_together(cloud: Cloud) -> None:
    inject(cloud, effect="throttle", service="route53", rate=0, burst=1, per="service")
    cloud.local.faults.before(_call(cloud, "route53", "ListHostedZones"))
    with pytest.raises(AwsError):
        cloud.local.faults.before(_call(cloud, "route53", "GetHostedZone"))


def test_lost_answer_takes_effect_although_the_caller_hears_nothing(cloud: Cloud) -> None:
    # Given that the answer of the first CreateCluster is lost
    inject(cloud, effect="lost-answer", service="ecs", operation="CreateCluster", nth=1)
    once = Config(retries={"total_max_attempts": 1})
    core = cloud.local.session(SPOKE, WEST)
    ecs = core.client("ecs", config=once)
    # When it is called
    with pytest.raises(ConnectionClosedError):
        ecs.create_cluster(clusterName="shop")
    # Then the cluster is there, and the next answer arrives
    assert [arn.rpartition("/")[2] for arn in ecs.list_clusters()["clusterArns"]] == ["shop"]
    assert ecs.create_cluster(clusterName="other")["cluster"]["clusterName"] == "other"


def test_refused_call_takes_no_effect(cloud: Cloud) -> None:
    inject(cloud, effect="error", service="ecs", operation="Create*", code="ServerException", status=500, message="no")
    error = cloud.refused(cloud.admin(SPOKE), "ecs", "CreateCluster", clusterName="shop")
    assert (error.code, error.message, error.status) == ("ServerException", "no", 500)
    assert cloud.call(cloud.admin(SPOKE), "ecs", "ListClusters")["clusterArns"] == []


def test_boto3_sees_the_injected_error_as_the_services(cloud: Cloud) -> None:
    inject(cloud, effect="error", service="rds", code="InvalidDBInstanceState", message="busy")
    rds = cloud.client("rds", WEST, f"LOCALADMIN{SPOKE}")
    with pytest.raises(rds.exceptions.InvalidDBInstanceStateFault, match="busy"):
        rds.stop_db_instance(DBInstanceIdentifier="o")


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({"service": "ecs"}, True),
        ({"service": "e*", "operation": "Describe*"}, True),
        ({"operation": "Update*"}, False),
        ({"account": SPOKE}, True),
        ({"account": HUB}, False),
        ({"region": EAST}, False),
        ({"resource": "shop"}, True),
        ({"resource": "store"}, False),
        ({"role": "dr-*"}, False),
    ],
)
def test_fault_strikes_only_what_all_its_fields_match(cloud: Cloud, match: dict[str, str], struck: bool) -> None:
    inject(cloud, effect="error", code="Boom", **match)
    call = _call(cloud, "ecs", "DescribeServices", cluster="shop", services=["web"])
    if struck:
        with pytest.raises(AwsError, match="Boom"):
            cloud.local.faults.before(call)
    else:
        cloud.local.faults.before(call)


def test_fault_on_a_role_strikes_that_role_only(cloud: Cloud) -> None:
    inject(cloud, effect="error", code="Boom", role="operator")
    operator = cloud.operator(allow("ecs:*"))
    assert cloud.refused(operator, "ecs", "ListClusters").code == "Boom"
    cloud.call(cloud.admin(SPOKE), "ecs", "ListClusters")


@pytest.mark.parametrize(
    ("choice", "struck"),
    [({"nth": 2}, [2]), ({"nth": [1, 3]}, [1, 3]), ({"first": 2}, [1, 2])],
)
def test_fault_strikes_the_calls_it_counts(cloud: Cloud, choice: dict[str, Any], struck: list[int]) -> None:
    inject(cloud, effect="error", code="Boom", **choice)
    assert _strikes(cloud, 4) == struck


def _strikes(cloud: Cloud, calls: int) -> list[int]:
    hit = []
    for number in range(1, calls + 1):
        try:
            cloud.local.faults.before(_call(cloud, "ecs", "ListClusters"))
        except AwsError:
            hit.append(number)
    return hit


def test_chance_repeats_itself_with_the_same_seed(cloud: Cloud) -> None:
    content = {"seed": 5, "faults": [{"effect": "error", "code": "Boom", "probability": 0.3}]}
    runs = []
    for _ in range(2):
        cloud.local.faults.remove()
        cloud.local.faults.route(cloud.local, "POST", {}, content)
        runs.append(_strikes(cloud, 100))
    assert runs[0] == runs[1]
    assert 15 <= len(runs[0]) <= 45


def test_delay_answers_late(cloud: Cloud) -> None:
    waited: list[float] = []
    faults = faults_module.Faults(cloud.local, sleep=waited.append)
    faults.add(parse_fault({"effect": "delay", "seconds": 2.5, "service": "rds"}))
    faults.before(_call(cloud, "rds", "DescribeDBInstances"))
    faults.before(_call(cloud, "ecs", "ListClusters"))
    assert waited == [2.5]


def test_transition_sticks_fails_or_slows(cloud: Cloud) -> None:
    # Given one fault of each kind
    inject(cloud, effect="stuck", kind="rds.switchover-*", resource="global-1")
    inject(cloud, effect="fail", kind="ecs.deployment", first=1)
    inject(cloud, effect="slow", kind="drs.*", times=3, resource="s-1?")
    fate = cloud.local.faults.transition
    # Then each decides about what it names, and about nothing else
    assert fate("rds.switchover-global-cluster", "arn:aws:rds::1:global-cluster:global-1", 120) == Fate(120, "stick")
    assert fate("rds.switchover-global-cluster", "arn:aws:rds::1:global-cluster:other", 120) is None
    assert fate("ecs.deployment", "web", 60) == Fate(60, "fail")
    assert fate("ecs.deployment", "web", 60) is None
    assert fate("drs.launch", "s-12", 300) == Fate(900)
    assert fate("drs.launch", "s-2", 300) is None


def test_world_applies_what_the_fault_decides(cloud: Cloud) -> None:
    inject(cloud, effect="fail", kind="x.bad")
    inject(cloud, effect="stuck", kind="x.stuck")
    inject(cloud, effect="slow", kind="x.slow", times=10)
    done: list[str] = []
    for kind in ("x.good", "x.bad", "x.stuck", "x.slow"):
        cloud.local.transition(kind, "r", 60, lambda k=kind: done.append(k), lambda k=kind: done.append(f"{k} failed"))
    cloud.clock.advance(60)
    assert sorted(done) == ["x.bad failed", "x.good"]
    cloud.clock.advance(540)
    assert sorted(done) == ["x.bad failed", "x.good", "x.slow"]


def test_faults_are_listed_added_and_removed_over_the_admin_page(cloud: Cloud) -> None:
    fault = {"effect": "blackout", "region": EAST, "id": "dark"}
    assert _page(cloud, "POST", fault) == (200, {"added": ["dark"]})
    assert _page(cloud, "POST", [{"effect": "error", "code": "Boom"}])[1]["added"] == ["error-2"]
    status, listed = _page(cloud, "GET")
    assert status == 200
    assert [(item["id"], item["in_force"]) for item in listed["faults"]] == [("dark", True), ("error-2", True)]
    assert _page(cloud, "DELETE", query="id=dark") == (200, {"removed": 1})
    assert _page(cloud, "DELETE") == (200, {"removed": 1})
    assert _page(cloud, "GET") == (200, {"faults": []})


def _page(cloud: Cloud, method: str, body: Any = None, query: str = "") -> tuple[int, Any]:
    import io

    content = b"" if body is None else json.dumps(body).encode()
    environ = {
        "PATH_INFO": "/_localaws/faults",
        "REQUEST_METHOD": method,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
    }
    answer = respond(cloud.local, environ)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"effect": "explode"}, "explode"),
        ({"region": EAST}, "effect"),
        ({"effect": "blackout"}, "region"),
        ({"effect": "error", "code": "X", "servise": "rds"}, "servise"),
        ({"effect": "error", "code": "X", "probability": 2}, "probability"),
        ({"effect": "throttle", "rate": -1}, "rate"),
        ({"effect": "slow", "kind": "x"}, "times"),
        ({"effect": "stuck", "kind": "x", "times": 2}, "times"),
    ],
)
def test_fault_that_makes_no_sense_is_refused_by_name(cloud: Cloud, content: dict[str, Any], said: str) -> None:
    with pytest.raises(AdminError, match=said):
        cloud.local.faults.route(cloud.local, "POST", {}, content)
    assert cloud.local.faults.route(cloud.local, "GET", {}, None) == {"faults": []}


def test_id_is_given_once(cloud: Cloud) -> None:
    inject(cloud, effect="blackout", region=EAST, id="dark")
    with pytest.raises(ScenarioError, match="dark"):
        inject(cloud, effect="blackout", region=WEST, id="dark")


def test_scenario_file_names_itself_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("faults: [{effect: blackout}]\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"bad\.yaml.*region"):
        read_scenario(path)
    with pytest.raises(ScenarioError, match="missing.yaml"):
        read_scenario(tmp_path / "missing.yaml")


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_scenario_loads_and_is_named_after_its_file(cloud: Cloud, path: Path) -> None:
    scenario = read_scenario(path)
    cloud.local.faults.load(scenario)
    assert scenario.name == path.stem
    assert len(cloud.local.faults.route(cloud.local, "GET", {}, None)["faults"]) == len(scenario.faults) > 0


def test_scenario_sets_the_clock_speed(cloud: Cloud) -> None:
    cloud.local.faults.route(cloud.local, "POST", {}, {"clock": {"speed": 120}})
    assert cloud.clock.speed == 120


def test_without_a_scenario_nothing_goes_wrong(cloud: Cloud) -> None:
    cloud.client("ecs", WEST, f"LOCALADMIN{SPOKE}").list_clusters()
    assert tried(cloud) == [("ListClusters", None)]
