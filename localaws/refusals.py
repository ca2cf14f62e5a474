"""How each service says no: the error codes and statuses of denial and of throttling."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from moto.core.utils import get_service_model

from localaws.service import AwsError


class Refusal(NamedTuple):
    """An error code and its HTTP status."""

    code: str
    status: int


_XML_DENIED = Refusal("AccessDenied", 403)
_DENIED = {
    "cloudwatch": _XML_DENIED,
    "ec2": Refusal("UnauthorizedOperation", 403),
    "sns": Refusal("AuthorizationError", 403),
    "sqs": Refusal("AccessDenied", 403),
}

_THROTTLED = {
    "dynamodb": Refusal("ThrottlingException", 400),
    "ec2": Refusal("RequestLimitExceeded", 503),
    "lambda": Refusal("TooManyRequestsException", 429),
    "organizations": Refusal("TooManyRequestsException", 400),
    "resourcegroupstaggingapi": Refusal("ThrottledException", 400),
    "route53": Refusal("Throttling", 400),
    "s3": Refusal("SlowDown", 503),
    "service-quotas": Refusal("TooManyRequestsException", 400),
    "sns": Refusal("Throttled", 429),
    "xray": Refusal("ThrottledException", 429),
}


def denied(service: str, message: str) -> AwsError:
    """Return the service's access-denied error."""
    refusal = _DENIED.get(service) or _by_protocol(service, _XML_DENIED, "AccessDeniedException", 403)
    if service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
    return AwsError(refusal.code, message, refusal.status)


def throttled(service: str) -> AwsError:
    """Return the service's rate-exceeded error."""
    default = Refusal("Throttling", 400)
    refusal = _THROTTLED.get(service) or _by_protocol(service, default, "ThrottlingException", 429)
    return AwsError(refusal.code, "Rate exceeded", refusal.status)


def _by_protocol(service: str, xml: Refusal, json_code: str, rest_status: int) -> Refusal:
    protocol = _protocol(service)
    if protocol in ("query", "ec2", "rest-xml"):
        return xml
    return Refusal(json_code, rest_status if protocol == "rest-json" else 400)


@lru_cache
def _protocol(service: str) -> str:
    return str(get_service_model(service).metadata["protocol"])
