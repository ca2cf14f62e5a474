"""Every foreseen error, with what to do next.

DrError
├── ValidationError          the request, a tag, a manifest or the configuration is wrong
├── RefusedError             it would be unsafe or is not allowed in this run; nothing was changed
│   └── FencedError          another run, epoch or Region owns this resource; this one must not act
├── ConflictError            somebody else's operation is in the way; look again later
│   └── StaleRecordError     the ledger's record was changed meanwhile; read it again
├── NotFoundError            the named thing does not exist
├── AccessDeniedError        a role, trust or policy does not allow the call
├── DeadlineError            it took longer than it may
├── UpstreamError            AWS failed or answered something we do not know
└── ThrottledError           AWS asked us to slow down (retryable)
    UnreachableError         no answer from the endpoint (retryable; look before repeating a mutation)
"""

from __future__ import annotations

from typing import ClassVar


class DrError(Exception):
    """A foreseen error: `message` names the resource, observed and expected; `remedy` is the next step."""

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, remedy: str = "", *, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or type(self).__name__.removesuffix("Error")

    def __str__(self) -> str:
        return f"{self.message} Try: {self.remedy}" if self.remedy else self.message


class ValidationError(DrError):
    """The request, a tag, a manifest or the configuration is wrong."""


class RefusedError(DrError):
    """It would be unsafe or is not allowed in this run; nothing was changed."""


class FencedError(RefusedError):
    """Another run, epoch or Region owns this resource; this one must not act."""


class ConflictError(DrError):
    """Somebody else's operation is in the way."""


class StaleRecordError(ConflictError):
    """The ledger's record was changed meanwhile; read it again."""


class NotFoundError(DrError):
    """The named thing does not exist."""


class AccessDeniedError(DrError):
    """A role, trust or policy does not allow the call."""


class DeadlineError(DrError):
    """It took longer than it may."""


class UpstreamError(DrError):
    """AWS failed or answered something we do not know."""


class ThrottledError(DrError):
    """AWS asked us to slow down."""

    retryable = True


class UnreachableError(DrError):
    """No answer came from the endpoint; the call may or may not have taken effect."""

    retryable = True
