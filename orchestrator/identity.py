"""Who gives an order: a proof made by the caller's own credentials, redeemed by the hub at AWS itself.

The caller signs sts:GetCallerIdentity and sends the signature instead of the call; the hub makes the call with it at the
STS endpoint of its own Region and learns from AWS who signed (the way of Vault's AWS login and of EKS tokens). Nothing
beyond lambda:InvokeFunction is needed, and nothing outside the Region being activated. The signature also covers the
order (`X-Dr-Order`), so it is worth nothing for another one, and AWS takes a signature for minutes only.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import create_parser
from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints

from orchestrator.errors import AccessDeniedError, RefusedError, UnreachableError
from orchestrator.sessions import Hub

BODY = "Action=GetCallerIdentity&Version=2011-06-15"
CONTENT_TYPE = "application/x-www-form-urlencoded; charset=utf-8"
ORDER = "x-dr-order"
SECONDS_TO_ANSWER = 10
_SIGNED = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/,\s]+/\d{8}/([a-z0-9-]+)/sts/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}"
)
_Line = Annotated[str, StringConstraints(max_length=8192, pattern=r"^[\x20-\x7e]*$")]


class Identity(BaseModel):
    """Somebody as AWS knows them."""

    model_config = ConfigDict(frozen=True)

    arn: str
    account: str


class Proof(BaseModel):
    """The signature of a GetCallerIdentity that its owner did not send."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    Authorization: _Line
    Date: _Line
    SecurityToken: _Line = ""

    @property
    def fingerprint(self) -> str:
        """Return a short id of this very signature."""
        return hashlib.sha256(self.Authorization.encode()).hexdigest()[:16]


def order_of(verb: str, event: Mapping[str, JsonValue]) -> str:
    """Return the digest of an order: the verb and everything it says."""
    text = json.dumps({"verb": verb, **event}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def prove(hub: Hub, order: str) -> Proof:
    """Sign GetCallerIdentity for an order with the credentials of whoever runs this."""
    credentials = hub.session.get_credentials()
    if credentials is None:
        raise AccessDeniedError("there are no AWS credentials to prove who you are with.", "sign in to the hub account")
    request = _request(hub, order)
    SigV4Auth(credentials.get_frozen_credentials(), "sts", hub.region).add_auth(request)
    return Proof(
        Authorization=request.headers["Authorization"],
        Date=request.headers["X-Amz-Date"],
        SecurityToken=request.headers.get("X-Amz-Security-Token", ""),
    )


def redeem(hub: Hub, proof: Proof, order: str) -> Identity:
    """Return who signed a proof for exactly this order; raise `RefusedError` when nobody did."""
    _check(hub, proof)
    request = _request(hub, order)
    request.headers["Authorization"] = proof.Authorization
    request.headers["X-Amz-Date"] = proof.Date
    if proof.SecurityToken:
        request.headers["X-Amz-Security-Token"] = proof.SecurityToken
    reply = _send(hub, request)
    if "Error" in reply:
        error = reply["Error"]
        raise _refused(f"AWS does not confirm it: {error.get('Code')}: {error.get('Message')}")
    return Identity(arn=str(reply["Arn"]), account=str(reply["Account"]))


def _check(hub: Hub, proof: Proof) -> None:
    signed = _SIGNED.fullmatch(proof.Authorization)
    if signed is None:
        raise _refused("its Authorization is no signature of an STS request")
    if signed[1] != hub.region:
        raise _refused(f"it was signed for {signed[1]}, this hub is in {hub.region}")
    if not {"host", ORDER} <= set(signed[2].split(";")):
        raise _refused("its signature covers no order")


def _refused(why: str) -> RefusedError:
    return RefusedError(
        f"the proof of who you are does not count: {why}.", "give the order again with dr", code="NoProof"
    )


def _request(hub: Hub, order: str) -> AWSRequest:
    """Return the request that is signed on one side and sent on the other: always to the hub's own Regional endpoint."""
    endpoint = str(hub.client("sts").meta.endpoint_url).rstrip("/")
    headers = {"Content-Type": CONTENT_TYPE, ORDER: order}
    return AWSRequest("POST", url=f"{endpoint}/", data=BODY, headers=headers)


def _send(hub: Hub, request: AWSRequest) -> Mapping[str, Any]:
    client = hub.client("sts")
    prepared = request.prepare()
    _, answer = client.meta.events.emit_until_response("before-send.sts.GetCallerIdentity", request=prepared)
    if answer is None:
        transport = URLLib3Session(verify=_authorities(hub), timeout=SECONDS_TO_ANSWER)
        try:
            answer = transport.send(prepared)
        except HTTPClientError as err:
            raise UnreachableError(f"sts.GetCallerIdentity in {hub.region}: {err}") from err
    shape = client.meta.service_model.operation_model("GetCallerIdentity").output_shape
    raw = {"status_code": answer.status_code, "headers": answer.headers, "body": answer.content}
    reply: Mapping[str, Any] = create_parser("query").parse(raw, shape)
    if answer.status_code >= 500:
        raise UnreachableError(f"sts.GetCallerIdentity in {hub.region} answered {answer.status_code}.")
    return reply


def _authorities(hub: Hub) -> Any:
    return hub.session._session.get_config_variable("ca_bundle") or True


def person(arn_or_name: str) -> str:
    """Return what stays the same of a person: the last part of an ARN (user, or session name), in small letters."""
    return arn_or_name.strip().rsplit(":", 1)[-1].rsplit("/", 1)[-1].lower()


def same_person(one: str, other: str) -> bool:
    """Say whether two ARNs or names mean the same person, whatever role they came through."""
    return person(one) == person(other)
