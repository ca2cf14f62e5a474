"""Calls made inside the embedded AWS by somebody with a role: they pass the hooks and are logged.

A state machine, an automation or a rule acts with its role, so authorization and faults apply to it as to
any caller; only the wire is left out.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from localaws.service import AwsError, Call, Principal, Reply

if TYPE_CHECKING:
    from localaws.dispatcher import LocalAws


def role_principal(role_arn: str, session_name: str) -> Principal:
    """Return the principal of a session of `role_arn`."""
    account = role_arn.split(":")[4]
    role = role_arn.rsplit("/", 1)[-1]
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/{session_name}"
    return Principal(account, arn, role_name=role, session_name=session_name)


def act(local: LocalAws, principal: Principal, service: str, operation: str, region: str, /, **params: Any) -> Reply:
    """Make one call as `principal` in its account; raise `AwsError` (or `ConnectionLost`) as the caller would see it."""
    call = Call(service, operation, params, principal.account, region, principal, str(uuid.uuid4()))
    started = time.perf_counter()
    problem: AwsError | None = None
    try:
        for hook in local.before:
            hook(call)
        reply = local.perform(call)
        for after in local.after:
            reply = after(call, reply)
    except AwsError as error:
        problem = error
        raise
    else:
        return reply
    finally:
        local._log(call, problem, started)


def client_error(error: AwsError, operation: str) -> ClientError:
    """Return the exception that boto3 would raise, its class named after the code as modelled ones are."""
    name = error.code if error.code.isidentifier() else "ClientError"
    kind = type(name, (ClientError,), {})
    metadata = {"HTTPStatusCode": error.status, "RequestId": str(uuid.uuid4())}
    response = {"Error": {"Code": error.code, "Message": error.message}, "ResponseMetadata": metadata, **error.details}
    raised: ClientError = kind(response, operation)
    return raised
