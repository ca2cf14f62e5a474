"""The functions that carry signed requests to OpenSearch domains, run as Lambda runs them: in the VPC, over TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from localaws import tls
from localaws.estate import add
from localaws.lambda_runtime.pool import WorkerPools
from localaws.services.lambda_ import LambdaService
from orchestrator.errors import UnreachableError, UpstreamError
from orchestrator.names import OPENSEARCH_CHANGE, OPENSEARCH_READ
from orchestrator.signed_http import SignedHttpClient
from tests.support import vpc_functions
from tests.support.driver import APPS, TARGET, World, open_world

ESTATE = {"kind": "opensearch-ccr", "name": "orders", "vpc": True}
ONCE = Config(connect_timeout=3, read_timeout=30, retries={"total_max_attempts": 1})


def test_carries_from_a_process_in_the_vpc_and_trusts_one_authority(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Given functions that really run: processes of their own, which reach the domain by its port alone
    world = open_world(monkeypatch, {"kind": "ecs-service", "name": "orders"}, images=True)
    service = world.local.service("lambda")
    assert isinstance(service, LambdaService)
    assert isinstance(service.pools, WorkerPools)
    service._endpoint_url()
    monkeypatch.setitem(service.operations, "Invoke", service.invoke)
    more = {**world.estate.model_dump(), "resources": [{**ESTATE, "account": "apps", "tags": {}}]}
    world.estate = type(world.estate).model_validate(more)
    add(world.local, world.estate, "test")
    vpc_functions.deploy(world.local, APPS, TARGET)
    world.clock.advance(120)
    endpoint = world.aws("opensearch", TARGET).describe_domain(DomainName="orders")["DomainStatus"]["Endpoints"]["vpc"]
    asked = SignedHttpClient(
        world.local.session(APPS, TARGET)._session, TARGET, ONCE, lambda: world.aws("lambda", TARGET)
    )
    # When nobody has told them whom to trust, nothing is sent
    with pytest.raises(UpstreamError, match="is not trusted"):
        asked.get(Endpoint=endpoint, Path="/_cluster/health")
    assert [call for call in world.local.call_log if call.operation.startswith("ESHttp")] == []
    # When they trust the domain's certificate, requests and answers are carried
    bundle = tmp_path / "ca.pem"
    bundle.write_text(tls.certificate())
    _trust(world, bundle)
    assert asked.get(Endpoint=endpoint, Path="/_cluster/health")["status"] == "green"
    with pytest.raises(ClientError, match="nothing"):
        asked.delete(Endpoint=endpoint, Path="/nothing")
    # And a domain that does not answer is told as such: what was asked of it may have happened
    world.fault(effect="lost-answer", service="opensearch", operation="ESHttpGet")
    with pytest.raises(UnreachableError, match="does not answer"):
        asked.get(Endpoint=endpoint, Path="/_cluster/health")


def _trust(world: World, bundle: Path) -> None:
    functions = world.aws("lambda", TARGET)
    for name in (OPENSEARCH_READ, OPENSEARCH_CHANGE):
        told = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables = {**told, "SSL_CERT_FILE": str(bundle)}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
    world.clock.advance(120)
