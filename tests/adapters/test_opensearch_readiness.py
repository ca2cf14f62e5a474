"""What readiness says of search domains that cannot take over, or not as they should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from localaws.services.opensearch.state import Place
from orchestrator.words import Operation, Severity
from tests.adapters.opensearch_estate import NAME, PLUGIN, Estate, open_estate
from tests.support.driver import APPS, SOURCE, TARGET, Journey

Spoil = Callable[[Estate], None]


def service(estate: Estate) -> Any:
    return estate.world.local.service("opensearch")


def moto(estate: Estate, region: str) -> Any:
    """Return moto's domain, to be spoiled in ways that AWS allows at creation only."""
    return service(estate).domain(Place(APPS, region, NAME))


def state(estate: Estate, region: str = TARGET) -> Any:
    return service(estate).state(Place(APPS, region, NAME))


def set_version(estate: Estate) -> None:
    moto(estate, SOURCE).engine_version.options = "OpenSearch_2.19"


def set_plain(estate: Estate) -> None:
    moto(estate, TARGET).node_to_node_encryption_options["Enabled"] = False


def set_open(estate: Estate) -> None:
    moto(estate, TARGET).advanced_security_options["Enabled"] = False


def set_burstable(estate: Estate) -> None:
    moto(estate, TARGET).cluster_config["InstanceType"] = "t3.medium.search"


def set_small(estate: Estate) -> None:
    moto(estate, TARGET).ebs_options["VolumeSize"] = 10


def set_modifying(estate: Estate) -> None:
    state(estate).status = "Modifying"


def set_isolated(estate: Estate) -> None:
    state(estate).status = "Isolated"


def pause(estate: Estate) -> None:
    estate.done(TARGET, "POST", f"{PLUGIN}/orders/_pause", {})


def begin_anew(estate: Estate) -> None:
    state(estate).indices["orders"].follow.status = "BOOTSTRAPPING"


def fall_behind(estate: Estate) -> None:
    state(estate).lag_seconds = 3600
    state(estate).indices["orders"].checkpoint = 0.0


def rename(estate: Estate) -> None:
    state(estate).indices["orders"].follow.leader_index = "customers"


def make_foreign(estate: Estate) -> None:
    estate.done(TARGET, "POST", f"{PLUGIN}/orders/_stop", {})


def add_index(estate: Estate) -> None:
    estate.done(SOURCE, "PUT", "/invoices", {})


def block_one(estate: Estate) -> None:
    estate.done(SOURCE, "PUT", "/orders/_settings", {"index.blocks.write": True})


def follow_two(estate: Estate) -> None:
    (link,) = service(estate).connections.values()
    other = replace(link, id="0" * 32, alias="other", remote=Place(APPS, SOURCE, "elsewhere"))
    service(estate).connections[other.id] = other


def restore_something(estate: Estate) -> None:
    state(estate).indices["orders"].recovering_from = "nightly"


@pytest.mark.parametrize(
    ("spoil", "code", "severity", "told"),
    [
        (set_version, "version", Severity.RED, "us-east-1 runs OpenSearch_2.19, us-west-2 OpenSearch_2.17"),
        (set_plain, "node-encryption", Severity.RED, "node-to-node"),
        (set_open, "access-control", Severity.RED, "fine-grained"),
        (set_burstable, "instance-type", Severity.RED, "t3.medium.search"),
        (set_small, "volume", Severity.WARNING, "10 GiB"),
        (set_modifying, "domain-status", Severity.RED, "is Modifying, expected Active"),
        (set_isolated, "domain-status", Severity.RED, "is Isolated, expected Active"),
        (pause, "follower", Severity.RED, "orders is PAUSED: User initiated"),
        (begin_anew, "follower", Severity.WARNING, "orders is BOOTSTRAPPING"),
        (fall_behind, "lag", Severity.WARNING, "operations behind"),
        (rename, "renamed", Severity.RED, "orders follows customers"),
        (make_foreign, "not-following", Severity.RED, "orders is in orders and follows nobody"),
        (add_index, "new-index", Severity.WARNING, "INSTANTIATE sees to it"),
        (block_one, "own-block", Severity.WARNING, "orders is blocked for writing already"),
        (follow_two, "leaders", Severity.RED, "follows 2 domains"),
        (restore_something, "cluster-health", Severity.WARNING, "Yellow"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_is_wrong_with_followers_is_named(
    monkeypatch: pytest.MonkeyPatch, spoil: Spoil, code: str, severity: Severity, told: str
) -> None:
    estate = open_estate(monkeypatch, autofollow="logs-*")
    spoil(estate)
    estate.world.clock.advance(5)

    run = estate.world.start()

    (finding,) = (each for each in run.run.findings if each.code == code)
    assert finding.severity is severity
    assert told in finding.message
    assert run.ready is (severity is not Severity.RED)


def health(**shown: str) -> Callable[[Any, Any], Any]:
    return lambda real, call: {**real(call), **shown}


@pytest.mark.parametrize(
    ("shown", "code"), [({"ClusterHealth": "Red"}, "cluster-health"), ({"MasterNode": "UnAvailable"}, "master-node")]
)
def test_a_cluster_that_does_not_serve_is_red(
    monkeypatch: pytest.MonkeyPatch, shown: dict[str, str], code: str
) -> None:
    estate = open_estate(monkeypatch)
    operations = service(estate).operations
    real, changed = operations["DescribeDomainHealth"], health(**shown)
    monkeypatch.setitem(operations, "DescribeDomainHealth", lambda call: changed(real, call))

    run = estate.world.start()

    assert not run.ready
    assert code in run.findings


def test_a_healthy_pair_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    run = open_estate(monkeypatch).world.start()

    assert run.ready
    assert run.findings == {"ready": "orders in us-west-2 can take over."}


def test_a_domain_that_is_gone_on_either_side_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for region, code in ((TARGET, "no-target"), (SOURCE, "no-source")):
        estate = open_estate(monkeypatch)
        estate.world.inventory()
        run = gone(estate, region)
        assert not run.ready
        assert code in run.findings


def gone(estate: Estate, region: str) -> Journey:
    """Return a run whose domain disappears between the inventory and the plan."""
    from orchestrator import planning

    platform = estate.world.platform()
    real = planning.preview

    def without(*arguments: Any) -> Any:
        service(estate).backend(APPS, region).domains.pop(NAME)
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "preview", without)
        run = estate.world.start()
    assert platform is estate.world.platform()
    return run


def test_indices_of_a_domain_inside_a_vpc_are_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOTO_AMIS_PATH", raising=False)
    estate = open_estate(monkeypatch, images=True, vpc=True)

    run = estate.world.start()

    assert not run.ready
    assert "cannot be reached from the hub" in run.findings["vpc"]
    assert "dr-opensearch-read is not there" in run.findings["vpc"]
    remedies = [finding.remedy for finding in run.run.findings if finding.code == "vpc"]
    (told, _) = remedies
    for region in (SOURCE, TARGET):
        (deployed,) = [
            each for each in remedies if f"OpenSearchEndpoints=vpc-orders-*.{region}.es.amazonaws.com" in each
        ]
        assert f"aws cloudformation deploy --region {region} --stack-name dr-probe" in deployed
        arn = f"arn:aws:es:{region}:{APPS}:domain/orders"
        tag = "--tag-list Key=dr:recovery-strategy,Value=managed-replication"
        assert f"aws opensearch add-tags --region {region} --arn {arn} {tag}" in told
    assert f"aws opensearch add-replication-peer --region {SOURCE} --domain-name orders --peer-domain-arn" in told
    asked = [call for call in estate.world.calls() if call.operation.startswith("ESHttp")]
    assert asked == [], "not even tried: it would take minutes to time out"


def test_an_emergency_judges_the_target_side_only_and_a_changing_domain_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    estate = open_estate(monkeypatch)
    set_version(estate)
    set_modifying(estate)

    run = estate.lost()

    assert "version" not in run.findings
    (finding,) = (each for each in run.run.findings if each.code == "domain-status")
    assert finding.severity is Severity.WARNING


def test_a_domain_that_follows_nothing_is_red_in_a_drill_and_in_an_emergency(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = {"dr:recovery-strategy": "cross-cluster-replication"}
    estate = open_estate(monkeypatch, replication="none", tags=tags)
    drill = estate.world.start(Operation.TEST)
    assert {"no-index", "connection"} <= set(drill.findings)
    drill.end()

    emergency = estate.lost()
    assert "no-index" in emergency.findings


def test_a_domain_that_was_promoted_before_is_said_to_be_unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in ({}, {"replication": "managed"}):
        estate = open_estate(monkeypatch, **settings)
        emergency = estate.lost()
        emergency.all()
        emergency.end()
        estate.world.repair()
        for index in state(estate, SOURCE).indices.values():
            index.settings["blocks.write"], index.write_blocked = True, True

        run = estate.world.start()

        assert "protected by nothing until REPLICATE" in run.findings["promoted"]


def disable_key(estate: Estate) -> None:
    key = moto(estate, TARGET).encryption_at_rest_options["KmsKeyId"]
    estate.world.aws("kms", TARGET).disable_key(KeyId=key)


def request_certificate(estate: Estate) -> None:
    arn = estate.world.aws("acm", TARGET).request_certificate(DomainName="search.example.com")["CertificateArn"]
    shown = {"CustomEndpointEnabled": True, "CustomEndpoint": "search.example.com", "CustomEndpointCertificateArn": arn}
    moto(estate, TARGET).domain_endpoint_options = shown


@pytest.mark.parametrize(
    ("spoil", "code", "words", "remedy"),
    [
        (disable_key, "kms-key", "is Disabled, expected Enabled", "aws kms enable-key"),
        (request_certificate, "certificate", "of custom endpoint search.example.com", "aws acm request-certificate"),
    ],
)
def test_what_a_domain_needs_of_the_target_region_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, spoil: Spoil, code: str, words: str, remedy: str
) -> None:
    estate = open_estate(monkeypatch)
    spoil(estate)

    run = estate.world.start()

    assert not run.ready
    (found,) = (each for each in run.run.findings if each.code == code)
    assert words in found.message
    assert remedy in found.remedy
    assert estate.world.refusals() == []
