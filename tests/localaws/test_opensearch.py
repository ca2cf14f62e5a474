"""OpenSearch domains in the embedded AWS: their life, their connections, replication index by index, snapshots."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import SSLError
from botocore.httpsession import URLLib3Session

from localaws.server import Server
from orchestrator.signed_http import SignedHttpClient
from tests.localaws.datastores import ACCOUNT, SOURCE, TARGET, open_stores, refused
from tests.localaws.search_domains import Answer, Search, ask, signed

ROLES = {"leader_cluster_role": "leader", "follower_cluster_role": "follower"}
PLUGIN = "/_plugins/_replication"


@pytest.fixture
def empty(monkeypatch: pytest.MonkeyPatch) -> Search:
    stores = open_stores(monkeypatch, "opensearch")
    return Search(stores.local, stores.client)


@pytest.fixture
def shop(empty: Search) -> Search:
    empty.seed("opensearch-ccr", "search")
    return empty


def domain(shop: Search, region: str = TARGET) -> dict[str, Any]:
    return dict(shop.client("opensearch", region).describe_domain(DomainName="search")["DomainStatus"])


def place(region: str) -> dict[str, Any]:
    return {"AWSDomainInformation": {"OwnerId": ACCOUNT, "DomainName": "search", "Region": region}}


def connect(shop: Search, local: str, remote: str, alias: str = "old-leader") -> str:
    asked = shop.client("opensearch", local).create_outbound_connection(
        LocalDomainInfo=place(local), RemoteDomainInfo=place(remote), ConnectionAlias=alias, ConnectionMode="DIRECT"
    )
    return str(asked["ConnectionId"])


def outbound(shop: Search, region: str, connection: str) -> str:
    filters = [{"Name": "connection-id", "Values": [connection]}]
    found = shop.client("opensearch", region).describe_outbound_connections(Filters=filters)["Connections"]
    return str(found[0]["ConnectionStatus"]["StatusCode"])


def inbound(shop: Search, region: str) -> dict[str, str]:
    found = shop.client("opensearch", region).describe_inbound_connections()["Connections"]
    return {one["ConnectionId"]: one["ConnectionStatus"]["StatusCode"] for one in found}


# --- the domain


def test_a_seeded_domain_is_healthy_and_answers_at_its_endpoint(shop: Search) -> None:
    shown = domain(shop)
    assert (shown["Created"], shown["Deleted"], shown["Processing"]) == (True, False, False)
    assert (shown["DomainProcessingStatus"], shown["EngineVersion"]) == ("Active", "OpenSearch_2.17")
    health = shop.target.describe_domain_health(DomainName="search")
    assert (health["ClusterHealth"], health["MasterNode"], health["DomainState"]) == ("Green", "Available", "Active")
    assert shop.done(TARGET, "GET", "/_cluster/health")["status"] == "green"
    listed = shop.done(TARGET, "GET", "/_cat/indices?format=json")
    assert [(one["index"], one["health"]) for one in listed] == [("customers", "green"), ("orders", "green")]
    tags = shop.target.list_tags(ARN=shown["ARN"])["TagList"]
    assert tags == [{"Key": "Customer", "Value": "CustomerX"}]


def test_a_larger_cluster_takes_a_blue_green_deployment_that_a_dry_run_foretells(shop: Search) -> None:
    larger = {"DomainName": "search", "ClusterConfig": {"InstanceCount": 6}}
    foretold = shop.target.update_domain_config(**larger, DryRun=True)
    assert foretold["DryRunResults"]["DeploymentType"] == "Blue/Green"
    assert domain(shop)["Processing"] is False

    shop.target.update_domain_config(**larger)
    with refused("ValidationException"):
        shop.target.update_domain_config(DomainName="search", ClusterConfig={"InstanceCount": 9})
    seen = shop.watch(lambda: _change(shop), minutes=25, step_seconds=30)
    assert seen == [(True, "Modifying", "PROCESSING", 3), (False, "Active", "COMPLETED", 6)]
    assert domain(shop)["ClusterConfig"]["InstanceType"] == "r6g.large.search"


def _change(shop: Search) -> tuple[bool, str, str, int]:
    shown = domain(shop)
    progress = shop.target.describe_domain_change_progress(DomainName="search")["ChangeProgressStatus"]
    count = shown["ClusterConfig"]["InstanceCount"]
    return shown["Processing"], shown["DomainProcessingStatus"], progress["Status"], count


def test_a_change_that_fails_validation_leaves_the_domain_as_it_was(shop: Search) -> None:
    shop.make("fail", "opensearch.update-domain-config")
    shop.target.update_domain_config(DomainName="search", ClusterConfig={"InstanceCount": 6})
    shop.wait(minutes=25)
    assert _change(shop) == (False, "Active", "FAILED", 3)
    assert domain(shop)["ChangeProgressDetails"]["ConfigChangeStatus"] == "ValidationFailed"


def test_a_new_domain_has_no_endpoint_before_it_is_active(empty: Search) -> None:
    empty.target.create_domain(DomainName="search")
    assert ("Endpoint" in domain(empty), domain(empty)["DomainProcessingStatus"]) == (False, "Creating")
    empty.wait(minutes=16)
    assert domain(empty)["Endpoint"].endswith(".es.localhost")
    with refused("ResourceNotFoundException"):
        empty.source.describe_domain(DomainName="search")
    empty.target.delete_domain(DomainName="search")
    assert domain(empty)["Deleted"] is True
    empty.wait(minutes=11)
    with refused("ResourceNotFoundException"):
        domain(empty)


# --- who may ask


def role(shop: Search, *actions: str) -> Any:
    """Return a session of a role that may do `actions` on the target domain's paths."""
    iam = shop.client("iam", SOURCE)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName="probe", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    may = {"Effect": "Allow", "Action": list(actions), "Resource": f"arn:aws:es:{TARGET}:{ACCOUNT}:domain/search/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_role_policy(RoleName="probe", PolicyName="own", PolicyDocument=policy)
    sts = shop.client("sts", TARGET)
    given = sts.assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="probe")["Credentials"]
    session = shop.local.session(ACCOUNT, TARGET)
    session._session.set_credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return session


def test_a_role_reads_a_domain_but_may_not_change_it(shop: Search) -> None:
    reader = role(shop, "es:ESHttpGet")
    assert shop.ask(TARGET, "GET", "/_cluster/health", session=reader).status == 200
    denied = shop.ask(TARGET, "POST", f"{PLUGIN}/orders/_stop", {}, session=reader)
    assert denied.status == 403
    assert "es:ESHttpPost" in denied.content["Message"]
    assert shop.status_of("orders") == "SYNCING"


def test_a_request_without_a_signature_is_refused(shop: Search) -> None:
    nobody = shop.local.session(ACCOUNT, TARGET)
    nobody._session.get_component("credential_provider").providers = []
    nobody._session._credentials = None
    assert shop.ask(TARGET, "GET", "/_cluster/health", session=nobody).status == 403


def test_a_domain_is_reached_over_tls_on_the_servers_own_port(shop: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the embedded AWS on a port, and a tool with the environment it hands out
    with Server(shop.local) as server:
        for name, value in server.environment(ACCOUNT, TARGET).items():
            monkeypatch.setenv(name, value)
        outside = boto3.Session()

        # When it follows what DescribeDomain says
        shown = outside.client("opensearch").describe_domain(DomainName="search")["DomainStatus"]
        url = f"https://{shown['Endpoint']}/_cluster/health"
        answer = ask(outside, TARGET, url, "GET")

        # Then the domain answers, and plain HTTP to the same port with the domain's Host header does, too
        assert (answer.status, answer.content["status"]) == (200, "green")
        label = shown["Endpoint"].rsplit("/", 1)[1]
        plain = signed(outside, TARGET, f"{server.endpoint_url}/_cluster/health", "GET", host=f"{label}.es.localhost")
        assert URLLib3Session().send(plain).status_code == 200
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(SSLError):
            ask(boto3.Session(), TARGET, url, "GET")
    shop.local.endpoint_url = None


def test_the_platforms_client_verifies_the_domains_certificate(shop: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a domain behind TLS, with a certificate of an authority that only AWS_CA_BUNDLE names
    once = Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 1})
    with Server(shop.local) as server:
        for name, value in server.environment(ACCOUNT, TARGET).items():
            monkeypatch.setenv(name, value)
        outside = boto3.Session()
        endpoint = outside.client("opensearch").describe_domain(DomainName="search")["DomainStatus"]["Endpoint"]

        # Then it is answered with that bundle
        client = SignedHttpClient(outside._session, TARGET, once, lambda: None)
        assert client.get(Endpoint=endpoint, Path="/_cluster/health")["status"] == "green"
        assert client.put(Endpoint=endpoint, Path="/fresh", Body={}) == {
            "acknowledged": True,
            "shards_acknowledged": True,
            "index": "fresh",
        }

        # And speaks to nobody without it
        monkeypatch.delenv("AWS_CA_BUNDLE")
        with pytest.raises(SSLError):
            SignedHttpClient(boto3.Session()._session, TARGET, once, lambda: None).get(
                Endpoint=endpoint, Path="/_cluster/health"
            )
    shop.local.endpoint_url = None


def test_requests_to_a_domain_are_in_the_call_log_and_stop_with_their_region(shop: Search) -> None:
    shop.local.call_log.clear()
    shop.done(TARGET, "GET", "/_cluster/health")
    shop.block("orders")
    logged = [(one.operation, one.region, one.mutating) for one in shop.local.call_log if "ESHttp" in one.operation]
    assert logged == [("ESHttpGet", TARGET, False), ("ESHttpPut", SOURCE, True)]

    url = f"https://{shop.endpoint(SOURCE)}/_cluster/health"
    shop.darken(SOURCE)
    with pytest.raises(Exception, match="Connection was closed"):
        ask(shop.local.session(ACCOUNT, SOURCE), SOURCE, url, "GET")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nothing/_count", 404, "index_not_found_exception"),
        ("DELETE", "/orders", 403, "cluster_block_exception"),  # a follower
        ("PUT", "/orders", 400, "resource_already_exists_exception"),
        ("PUT", f"{PLUGIN}/orders/_start", 400, "illegal_argument_exception"),  # no roles named
        ("POST", f"{PLUGIN}/nothing/_stop", 400, "illegal_argument_exception"),
        ("GET", "/_snapshot/nothing/_all", 404, "repository_missing_exception"),
        ("PATCH", "/orders", 400, "illegal_argument_exception"),
    ],
)
def test_a_domain_refuses_in_its_own_words(shop: Search, method: str, path: str, status: int, kind: str) -> None:
    answer = shop.ask(TARGET, method, path, {} if method in ("PUT", "POST") else None)
    assert (answer.status, answer.kind) == (status, kind)


# --- connections and replication


def test_a_connection_is_asked_for_by_the_follower_and_accepted_by_the_leader(shop: Search) -> None:
    connection = connect(shop, SOURCE, TARGET)
    assert (outbound(shop, SOURCE, connection), connection in inbound(shop, TARGET)) == ("VALIDATING", False)
    with refused("ResourceAlreadyExistsException"):  # a blind second call
        connect(shop, SOURCE, TARGET)
    with refused("ResourceNotFoundException"):
        shop.target.accept_inbound_connection(ConnectionId=connection)
    shop.wait(minutes=1)
    assert inbound(shop, TARGET)[connection] == "PENDING_ACCEPTANCE"
    shop.target.accept_inbound_connection(ConnectionId=connection)
    seen = shop.watch(lambda: outbound(shop, SOURCE, connection), minutes=4)
    assert seen == ["APPROVED", "PROVISIONING", "ACTIVE"]
    shop.source.delete_outbound_connection(ConnectionId=connection)
    assert shop.watch(lambda: outbound(shop, SOURCE, connection), minutes=2) == ["DELETING", "DELETED"]


def test_a_rejected_connection_and_one_to_a_dark_region_never_become_active(shop: Search) -> None:
    rejected = connect(shop, SOURCE, TARGET)
    shop.wait(minutes=1)
    shop.target.reject_inbound_connection(ConnectionId=rejected)
    shop.wait(minutes=2)
    assert outbound(shop, SOURCE, rejected) == "REJECTED"
    unreachable = connect(shop, SOURCE, TARGET)
    shop.darken(TARGET)
    shop.wait(minutes=2)
    assert outbound(shop, SOURCE, unreachable) == "VALIDATION_FAILED"


def test_a_follower_trails_its_leader_and_meets_it_when_the_writer_is_fenced(shop: Search) -> None:
    assert shop.status_of("orders") == "SYNCING"
    first, second = shop.checkpoints("orders"), None
    assert 0 < first[0] - first[1] <= 40
    shop.clock.advance(60)
    second = shop.checkpoints("orders")
    assert second[0] - first[0] == 1200

    shop.block("orders")
    shop.clock.advance(10)
    leader, follower = shop.checkpoints("orders")
    assert leader == follower == shop.count("orders")
    shop.clock.advance(60)
    assert shop.checkpoints("orders") == (leader, follower)


def test_a_planned_move_loses_nothing_and_the_way_back_bootstraps_anew(shop: Search) -> None:
    shop.block("orders")
    shop.clock.advance(10)
    total = shop.count("orders")
    shop.stop_following("orders")
    assert shop.ask(TARGET, "POST", f"{PLUGIN}/orders/_stop", {}).status == 400  # a blind second call
    assert (shop.status_of("orders"), shop.count("orders", TARGET)) == ("REPLICATION NOT IN PROGRESS", total)
    shop.clock.advance(60)
    assert shop.count("orders", TARGET) > total == shop.count("orders")  # clients write at the new place

    connection = connect(shop, SOURCE, TARGET)
    shop.wait(minutes=1)
    shop.target.accept_inbound_connection(ConnectionId=connection)
    shop.wait(minutes=3)
    start = {"leader_alias": "old-leader", "leader_index": "orders", "use_roles": ROLES}
    assert shop.ask(SOURCE, "PUT", f"{PLUGIN}/orders/_start", start).kind == "resource_already_exists_exception"
    shop.done(SOURCE, "DELETE", "/orders")
    shop.done(SOURCE, "PUT", f"{PLUGIN}/orders/_start", start)
    assert shop.watch(lambda: shop.status_of("orders", SOURCE), minutes=3) == ["BOOTSTRAPPING", "SYNCING"]
    leader, follower = shop.checkpoints("orders", SOURCE)
    assert 0 < leader - follower <= 40


def test_an_emergency_stop_works_without_the_leader_and_loses_what_had_not_arrived(shop: Search) -> None:
    shop.clock.advance(60)
    shop.darken(SOURCE)
    shop.clock.advance(300)
    leader, follower = shop.checkpoints("orders")
    assert leader - follower == 40  # two seconds of writes
    shop.stop_following("orders")
    assert shop.count("orders", TARGET) == follower

    shop.repair()
    assert shop.count("orders") >= leader


def test_a_paused_follower_can_be_resumed_for_twelve_hours_only(shop: Search) -> None:
    shop.done(TARGET, "POST", f"{PLUGIN}/orders/_pause", {})
    assert shop.status_of("orders") == "PAUSED"
    dimensions = {"DomainName": "search", "ClientId": ACCOUNT}
    assert shop.measure(TARGET, ("AWS/ES", "ReplicationNumPausedIndices"), **dimensions)[0] == 1.0
    shop.done(TARGET, "POST", f"{PLUGIN}/orders/_resume", {})
    assert shop.status_of("orders") == "SYNCING"
    shop.done(TARGET, "POST", f"{PLUGIN}/orders/_pause", {})
    shop.wait(minutes=13 * 60)
    assert shop.ask(TARGET, "POST", f"{PLUGIN}/orders/_resume", {}).kind == "resource_not_found_exception"


def test_an_autofollow_rule_follows_new_indices_until_it_is_deleted(empty: Search) -> None:
    empty.seed("opensearch-ccr", "search", autofollow="logs-*")
    rule = {"leader_alias": "source-side", "name": "search-autofollow"}
    empty.done(SOURCE, "PUT", "/logs-1", {})
    empty.wait(minutes=4)
    assert empty.status_of("logs-1") == "SYNCING"
    empty.done(TARGET, "DELETE", f"{PLUGIN}/_autofollow", rule)
    empty.done(SOURCE, "PUT", "/logs-2", {})
    empty.wait(minutes=4)
    assert empty.status_of("logs-2") == "REPLICATION NOT IN PROGRESS"
    assert empty.status_of("logs-1") == "SYNCING"
    assert empty.ask(TARGET, "DELETE", f"{PLUGIN}/_autofollow", rule).status == 404


def test_a_leader_whose_policy_does_not_allow_reading_is_not_followed(empty: Search) -> None:
    empty.seed("opensearch-ccr", "search", replication="none")
    empty.source.update_domain_config(DomainName="search", AccessPolicies=json.dumps({"Statement": []}))
    connection = connect(empty, TARGET, SOURCE)
    empty.wait(minutes=2)
    empty.source.accept_inbound_connection(ConnectionId=connection)
    empty.wait(minutes=3)
    start = {"leader_alias": "old-leader", "leader_index": "orders", "use_roles": ROLES}
    assert empty.ask(TARGET, "PUT", f"{PLUGIN}/orders/_start", start).kind == "security_exception"


def test_a_follower_that_loses_its_connection_is_paused(shop: Search) -> None:
    connection = shop.target.describe_outbound_connections()["Connections"][0]["ConnectionId"]
    shop.source.delete_inbound_connection(ConnectionId=connection)
    shop.wait(minutes=2)
    assert shop.status_of("orders") == "PAUSED"


# --- snapshots


def repository(shop: Search, region: str, bucket: str) -> Answer:
    settings = {"bucket": bucket, "region": region, "role_arn": f"arn:aws:iam::{ACCOUNT}:role/snapshots"}
    return shop.ask(region, "PUT", "/_snapshot/dr", {"type": "s3", "settings": settings})


def test_a_snapshot_travels_with_its_bucket_and_is_restored_under_other_names(shop: Search) -> None:
    shop.bucket("snaps-west", TARGET)
    shop.bucket("snaps-east", SOURCE, replicate_to="snaps-west")
    assert repository(shop, SOURCE, "snaps-west").status == 500  # a bucket of another Region
    assert repository(shop, SOURCE, "snaps-east").status == 200
    assert repository(shop, TARGET, "snaps-west").status == 200
    shop.done(SOURCE, "PUT", "/_snapshot/dr/nightly", {"indices": "orders"})
    assert _snapshots(shop, SOURCE) == {"nightly": "IN_PROGRESS"}
    assert shop.ask(SOURCE, "PUT", "/_snapshot/dr/nightly", {}).kind == "invalid_snapshot_name_exception"
    shop.wait(minutes=2)
    assert _snapshots(shop, TARGET) == {"nightly": "SUCCESS"}

    restore = "/_snapshot/dr/nightly/_restore"
    assert shop.ask(TARGET, "POST", restore, {"indices": "orders"}).kind == "snapshot_restore_exception"
    renamed = {"indices": "orders", "rename_pattern": "(.+)", "rename_replacement": "drill-$1"}
    shop.done(TARGET, "POST", restore, renamed)
    assert shop.done(TARGET, "GET", "/_cluster/health")["status"] == "yellow"
    seen = shop.watch(lambda: shop.done(TARGET, "GET", "/_cat/recovery/drill-*")[0]["stage"], minutes=3)
    assert seen == ["index", "done"]
    assert shop.count("drill-orders", TARGET) >= 120_000
    shop.done(TARGET, "DELETE", "/drill-orders")
    assert shop.ask(TARGET, "GET", "/drill-orders/_count").status == 404
    assert shop.status_of("orders") == "SYNCING"


def _snapshots(shop: Search, region: str) -> dict[str, str]:
    return {one["snapshot"]: one["state"] for one in shop.done(region, "GET", "/_snapshot/dr/_all")["snapshots"]}


def test_registering_a_repository_needs_the_right_to_pass_its_role(shop: Search) -> None:
    shop.bucket("snaps-west", TARGET)
    settings = {"bucket": "snaps-west", "region": TARGET, "role_arn": f"arn:aws:iam::{ACCOUNT}:role/snapshots"}
    clerk = role(shop, "es:ESHttpPut")
    answer = shop.ask(TARGET, "PUT", "/_snapshot/dr", {"type": "s3", "settings": settings}, session=clerk)
    assert (answer.status, "iam:PassRole" in answer.content["Message"]) == (403, True)


# --- what the service snapshots by itself


def test_every_hour_a_domain_snapshots_itself_and_keeps_what_is_deleted_later(shop: Search) -> None:
    shop.wait(minutes=65)
    listed = shop.done(SOURCE, "GET", "/_snapshot/cs-automated-enc/_all")["snapshots"]
    newest = listed[-1]
    assert (newest["state"], newest["indices"]) == ("SUCCESS", ["customers", "orders"])
    assert newest["start_time"] < newest["end_time"]

    shop.done(SOURCE, "DELETE", "/orders")
    again = shop.done(SOURCE, "GET", f"/_snapshot/cs-automated-enc/{newest['snapshot']}")["snapshots"]
    assert again == [newest]
    shop.done(SOURCE, "POST", f"/_snapshot/cs-automated-enc/{newest['snapshot']}/_restore", {"indices": "orders"})
    shop.wait(minutes=60)
    assert shop.count("orders") > 0
    assert (
        shop.done(SOURCE, "GET", "/_snapshot/cs-automated-enc/_all")["snapshots"][-1]["snapshot"] > newest["snapshot"]
    )


def test_nobody_writes_to_the_automated_repository_or_to_one_that_is_readonly(empty: Search) -> None:
    empty.seed("opensearch-ccr", "search", replication="snapshot")
    for region, repository in ((SOURCE, "cs-automated-enc"), (TARGET, f"dr-{SOURCE}")):
        answer = empty.ask(region, "PUT", f"/_snapshot/{repository}/mine", {})
        assert (answer.status, answer.kind) == (500, "repository_exception")
    assert empty.ask(TARGET, "DELETE", f"/_snapshot/dr-{SOURCE}/nightly").kind == "repository_exception"


def test_seeded_repositories_travel_one_way_each(empty: Search) -> None:
    empty.seed("opensearch-ccr", "search", replication="snapshot")
    assert [one["snapshot"] for one in _all_in(empty, TARGET, f"dr-{SOURCE}")] == ["nightly"]
    empty.done(TARGET, "PUT", f"/_snapshot/dr-{TARGET}/back", {})
    empty.wait(minutes=3)
    assert [one["snapshot"] for one in _all_in(empty, SOURCE, f"dr-{TARGET}")] == ["back"]
    assert [one["snapshot"] for one in _all_in(empty, TARGET, f"dr-{SOURCE}")] == ["nightly"]


def _all_in(shop: Search, region: str, repository: str) -> list[dict[str, Any]]:
    return list(shop.done(region, "GET", f"/_snapshot/{repository}/_all")["snapshots"])


# --- what a hub outside meets


def test_a_domain_in_a_vpc_does_not_answer_outside_of_it(empty: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    empty.local.reset()
    monkeypatch.delenv("MOTO_AMIS_PATH", raising=False)
    empty.seed("opensearch-ccr", "search", vpc=True)
    assert "Endpoint" not in domain(empty)
    with pytest.raises(Exception, match="Connection was closed"):
        empty.ask(TARGET, "GET", "/_cluster/health")


def test_several_indices_are_blocked_by_one_request_and_listed_as_blocked(shop: Search) -> None:
    listing = "/_all/_settings/index.blocks.write?flat_settings=true"
    assert shop.done(SOURCE, "GET", listing) == {}
    shop.done(SOURCE, "PUT", "/orders,customers/_settings", {"index.blocks.write": True})
    blocked = {"settings": {"index.blocks.write": "true"}}
    assert shop.done(SOURCE, "GET", listing) == {"customers": blocked, "orders": blocked}
    shop.done(SOURCE, "PUT", "/orders/_settings", {"index.blocks.write": False})
    assert shop.done(SOURCE, "GET", listing)["orders"]["settings"] == {"index.blocks.write": "false"}
    assert shop.ask(SOURCE, "PUT", "/orders,nothing/_settings", {"index.blocks.write": True}).status == 404


def test_tags_of_a_domain_decide_about_requests_to_it(shop: Search) -> None:
    iam = shop.client("iam", SOURCE)
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName="tagged", AssumeRolePolicyDocument=json.dumps({"Statement": [trust]}))
    for customer, expected in (("CustomerY", 403), ("CustomerX", 200)):
        only = {"StringEquals": {"aws:ResourceTag/Customer": customer}}
        may = {"Effect": "Allow", "Action": "es:ESHttpGet", "Resource": "*", "Condition": only}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
        iam.put_role_policy(RoleName="tagged", PolicyName="own", PolicyDocument=policy)
        given = shop.client("sts", TARGET).assume_role(RoleArn=made["Role"]["Arn"], RoleSessionName="probe")[
            "Credentials"
        ]
        session = shop.local.session(ACCOUNT, TARGET)
        session._session.set_credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        assert shop.ask(TARGET, "GET", "/orders/_count", session=session).status == expected
