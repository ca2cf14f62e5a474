"""How a product talks to a search domain: SigV4 requests to `https://{Endpoint}`, sent by botocore's own transport."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.httpsession import URLLib3Session

from tests.localaws.datastores import SOURCE, TARGET, Stores


@dataclass(frozen=True)
class Answer:
    """Status and JSON content of an answer."""

    status: int
    content: Any

    @property
    def kind(self) -> str:
        return str(self.content["error"]["type"])


def signed(
    session: boto3.Session, region: str, url: str, method: str, body: Any = None, host: str | None = None
) -> AWSPreparedRequest:
    """Return a signed request to a domain."""
    data = json.dumps(body).encode() if body is not None else b""
    headers = {"Content-Type": "application/json", **({"Host": host} if host else {})}
    request = AWSRequest(method=method, url=url, data=data, headers=headers)
    credentials = session.get_credentials()
    if credentials is not None:
        SigV4Auth(credentials.get_frozen_credentials(), "es", region).add_auth(request)
    return request.prepare()


def ask(
    session: boto3.Session, region: str, url: str, method: str, body: Any = None, from_vpc: str | None = None
) -> Answer:
    """Send a signed request the way botocore does: the session's hooks first, then the network."""
    request = signed(session, region, url, method, body)
    if from_vpc is not None:
        request.headers["X-Localaws-Vpc"] = from_vpc
    hooks = session._session.get_component("event_emitter")
    reply = hooks.emit_until_response("before-send.opensearch-domain", request=request)[1]
    if reply is None:
        ca_bundle = session._session.get_config_variable("ca_bundle")
        with_tls = URLLib3Session(verify=ca_bundle or True)
        reply = with_tls.send(request)
    return Answer(reply.status_code, json.loads(reply.content) if reply.content else None)


class Search(Stores):
    """A shop whose domain is called `search` on both sides."""

    service = "opensearch"
    account = "222222222222"

    def endpoint(self, region: str, domain: str = "search") -> str:
        shown = self.client("opensearch", region).describe_domain(DomainName=domain)["DomainStatus"]
        return str(shown.get("Endpoint") or shown["Endpoints"]["vpc"])

    def ask(self, region: str, method: str, path: str, body: Any = None, session: Any = None) -> Answer:
        session = session or self.local.session(self.account, region)
        return ask(session, region, f"https://{self.endpoint(region)}{path}", method, body)

    def done(self, region: str, method: str, path: str, body: Any = None) -> Any:
        answer = self.ask(region, method, path, body)
        assert answer.status == 200, answer
        return answer.content

    def status_of(self, index: str, region: str = TARGET) -> str:
        return str(self.done(region, "GET", f"/_plugins/_replication/{index}/_status")["status"])

    def checkpoints(self, index: str, region: str = TARGET) -> tuple[int, int]:
        """Return the checkpoints of leader and follower."""
        details = self.done(region, "GET", f"/_plugins/_replication/{index}/_status")["syncing_details"]
        return details["leader_checkpoint"], details["follower_checkpoint"]

    def count(self, index: str, region: str = SOURCE) -> int:
        return int(self.done(region, "GET", f"/{index}/_count")["count"])

    def stop_following(self, index: str, region: str = TARGET) -> None:
        self.done(region, "POST", f"/_plugins/_replication/{index}/_stop", {})

    def block(self, index: str, region: str = SOURCE) -> None:
        self.done(region, "PUT", f"/{index}/_settings", {"index.blocks.write": True})
