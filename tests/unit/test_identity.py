"""The proof of who gives an order: bound to the order, redeemed at STS, worth nothing when anything is off."""

from __future__ import annotations

import hashlib
import hmac
from types import SimpleNamespace

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.credentials import Credentials

from orchestrator.errors import RefusedError, UnreachableError
from orchestrator.identity import BODY, Proof, order_of, prove, redeem
from orchestrator.sessions import Hub

KEY = "AKIDEXAMPLE"
EVENT = {"GateId": "g-1", "Choice": "approve"}
ORDER = order_of("answer_gate", dict(EVENT))
ARN = "arn:aws:sts::111111111111:assumed-role/Approver/kim"
ANSWER = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    f"<Arn>{ARN}</Arn><UserId>A</UserId><Account>111111111111</Account></GetCallerIdentityResult>"
    "</GetCallerIdentityResponse>"
)
DENIAL = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>SignatureDoesNotMatch</Code><Message>it does not match</Message></Error></ErrorResponse>"
)


class Sts:
    """STS as far as it matters: it computes the signature of what arrives, and knows one secret."""

    def __init__(self, secret: str = "secret") -> None:
        self.secret = secret
        self.seen: list[AWSPreparedRequest] = []
        self.broken = False

    def answer(self, request: AWSPreparedRequest, **_: object) -> SimpleNamespace:
        self.seen.append(request)
        if self.broken:
            return SimpleNamespace(status_code=503, headers={}, content=b"<x/>")
        headers = {k.lower(): v.decode() if isinstance(v, bytes) else str(v) for k, v in request.headers.items()}
        signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
        host = request.url.split("/")[2]
        lines = [f"{name}:{host if name == 'host' else headers.get(name, '')}" for name in signed]
        body = request.body.encode() if isinstance(request.body, str) else request.body
        text = "\n".join(["POST", "/", "", *lines, "", ";".join(signed), hashlib.sha256(body).hexdigest()])
        date, region = headers["x-amz-date"], "us-west-2"
        scope = f"{date[:8]}/{region}/sts/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(text.encode()).hexdigest()])
        auth = SigV4Auth(Credentials(KEY, self.secret), "sts", region)
        key = f"AWS4{self.secret}".encode()
        for part in (date[:8], region, "sts", "aws4_request"):
            key = auth._sign(key, part)
        good = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest() in headers["authorization"]
        return SimpleNamespace(
            status_code=200 if good else 403, headers={}, content=(ANSWER if good else DENIAL).encode()
        )


def hub(sts: Sts, secret: str = "secret", region: str = "us-west-2") -> Hub:
    made = Hub.plain(region)
    made.session = boto3.Session(KEY, secret, region_name=region)
    made.client("sts").meta.events.register("before-send", sts.answer)
    return made


def test_caller_is_who_aws_says_signed_and_the_request_leaves_for_the_regions_own_endpoint() -> None:
    sts = Sts()
    # Given a proof made by the caller
    proof = prove(hub(sts), ORDER)
    assert sts.seen == [], "a proof is made without any call"
    # When the hub redeems it
    identity = redeem(hub(sts, secret="the hub's own"), proof, ORDER)
    # Then it learns who that is, from the Regional endpoint
    assert (identity.arn, identity.account) == (ARN, "111111111111")
    (request,) = sts.seen
    assert (request.url, request.body) == ("https://sts.us-west-2.amazonaws.com/", BODY)


def test_proof_for_one_order_is_worth_nothing_for_another() -> None:
    sts = Sts()
    proof = prove(hub(sts), ORDER)
    for other in (
        order_of("answer_gate", {**EVENT, "Choice": "reject"}),
        order_of("answer_gate", {**EVENT, "GateId": "g-2"}),
        order_of("cancel_run", dict(EVENT)),
    ):
        with pytest.raises(RefusedError, match="AWS does not confirm it: SignatureDoesNotMatch"):
            redeem(hub(sts), proof, other)


def test_proof_with_a_guessed_secret_is_refused() -> None:
    sts = Sts()
    with pytest.raises(RefusedError, match="SignatureDoesNotMatch"):
        redeem(hub(sts), prove(hub(sts, secret="guessed"), ORDER), ORDER)


def test_proof_of_another_region_without_an_order_or_of_another_form_is_not_even_sent() -> None:
    sts = Sts()
    good = prove(hub(sts), ORDER)
    for bad, why in (
        (prove(hub(sts, region="us-east-1"), ORDER), "signed for us-east-1, this hub is in us-west-2"),
        (Proof(Authorization=good.Authorization.replace(";x-dr-order", ""), Date=good.Date), "covers no order"),
        (Proof(Authorization="Bearer x", Date=good.Date), "no signature of an STS request"),
        (Proof(Authorization=good.Authorization.replace("/sts/", "/s3/"), Date=good.Date), "no signature of an STS"),
    ):
        with pytest.raises(RefusedError, match=why):
            redeem(hub(sts), bad, ORDER)
    assert sts.seen == []


def test_sts_that_does_not_work_is_no_refusal_and_may_be_tried_again() -> None:
    sts = Sts()
    proof = prove(hub(sts), ORDER)
    sts.broken = True
    with pytest.raises(UnreachableError) as caught:
        redeem(hub(sts), proof, ORDER)
    assert caught.value.retryable
