"""One table from AWS error codes to our error families. Adapters need no exception handling of their own."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError

from orchestrator.errors import (
    AccessDeniedError,
    ConflictError,
    DrError,
    NotFoundError,
    ThrottledError,
    UnreachableError,
    UpstreamError,
    ValidationError,
)

THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
    "RequestThrottledException",
    "PriorRequestNotComplete",
    "SlowDown",
    "ProvisionedThroughputExceededException",
}
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredToken",
    "ExpiredTokenException",
    "NotAuthorized",
    "AuthFailure",
    "SecurityException",
}
UNAVAILABLE = {
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "RequestTimeout",
    "RequestTimeoutException",
}
CONFLICT_HINTS = (
    "Conflict",
    "InvalidDB",
    "InvalidGlobalCluster",
    "InvalidState",
    "StateFault",
    "InvalidReplicationGroupState",
    "InvalidGlobalReplicationGroupState",
    "InvalidCacheClusterState",
    "InvalidSnapshotState",
    "InUse",
    "InProgress",
    "Contention",
    "Mismatch",
    "AlreadyExists",
    "Duplicate",
    "PreconditionFailed",
)
FULL = {"ServiceQuotaExceededException"}
"""What others use up, too: most of these quotas count what runs at the moment, so another look comes before giving up."""
MISSING_HINTS = ("NotFound", "NoSuch", "DoesNotExist")

_UNANSWERED = (BotoConnectionError, HTTPClientError)


def translate(err: ClientError | BotoCoreError, what: str) -> DrError:
    """Return our error for botocore's; `what` names service, operation, account, Region and role."""
    if isinstance(err, _UNANSWERED):
        return UnreachableError(f"{what}: no answer ({type(err).__name__}).", _UNREACHABLE_REMEDY)
    if not isinstance(err, ClientError):
        return UpstreamError(f"{what}: {err}", "check the parameters named in the message.")
    code = str(err.response.get("Error", {}).get("Code", "Unknown"))
    message = str(err.response.get("Error", {}).get("Message", "")) or str(err)
    status = int(err.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    family = _family(code, status)
    return family(f"{what}: {code}: {message}", _remedy(code, family), code=code)


def _family(code: str, status: int) -> type[DrError]:
    if code in THROTTLED or status == 429:
        return ThrottledError
    if code in DENIED:
        return AccessDeniedError
    if code in UNAVAILABLE or status >= 500:
        return UnreachableError
    if any(hint in code for hint in MISSING_HINTS):
        return NotFoundError
    if code in FULL or any(hint in code for hint in CONFLICT_HINTS):
        return ConflictError
    if "Validation" in code or "InvalidParameter" in code or "Malformed" in code:
        return ValidationError
    return UpstreamError


_UNREACHABLE_REMEDY = "if the source Region is down, start the run again with Emergency set to true."


_BY_FAMILY: dict[type[DrError], str] = {
    UnreachableError: "wait until the service answers (AWS Health Dashboard), then retry.",
    NotFoundError: "find out who removed it, or correct its name in tags and manifest, then retry.",
    ConflictError: "look at what is going on with it in the console; retry when that is over.",
}


def _remedy(code: str, family: type[DrError]) -> str:
    if code == "SecurityException":
        return "map the spoke role to a role of the domain (fine-grained access control), then retry."
    if code in DENIED:
        return (
            "compare the spoke role with stacksets/spoke.template.json, update the StackSet, then retry; "
            "a wrong external ID shows the same error."
        )
    if code in THROTTLED:
        return "wait; the platform slows down by itself."
    if code in FULL:
        return "retry when what fills the quota has ended, or raise it (Service Quotas console)."
    return _BY_FAMILY.get(family, "correct what AWS names here, then retry.")
