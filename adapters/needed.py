"""What a resource needs in a Region besides itself: keys, secrets, parameters, certificates. Quotas: see `adapters.quotas`.

Reads describe things and never fetch a value: kms:DescribeKey, secretsmanager:DescribeSecret, ssm:DescribeParameters,
acm:DescribeCertificate, iam:GetRole. What belongs to another account is not asked for: the spoke role has no
business there. What may not be looked at (a key policy that says so) is told as that, and no reason to stop.

Sources: KMS developer guide, Key states of AWS KMS keys; Secrets Manager API reference, DescribeSecret; ACM API reference,
CertificateDetail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, JsonValue

from adapters.judging import red, warning
from orchestrator.contract import Finding, Reader
from orchestrator.errors import AccessDeniedError

KEY_MISSING = ("NotFoundException",)
SECRET_MISSING = ("ResourceNotFoundException",)
CERTIFICATE_MISSING = ("ResourceNotFoundException",)
ROLE_MISSING = ("NoSuchEntity",)
USABLE_KEYS = frozenset({"Enabled", "Updating"})
KEY_GONE = "not there"
ELSEWHERE = "another account's, and not looked at"
DENIED = "not to be looked at: its policy lets the spoke role not call kms:DescribeKey"
ISSUED = "ISSUED"
EXPIRES_SOON = timedelta(days=14)
"""ACM begins to renew weeks before (user guide, managed renewal): what ends this soon is not renewed by itself, or in trouble.
As many days as AWS Config's rule acm-certificate-expiration-check takes by default.
"""
AGAIN = "then: dr plan"
_KEY_REMEDIES = {
    "Disabled": "aws kms enable-key --region {region} --key-id {key}",
    "PendingDeletion": "aws kms cancel-key-deletion --region {region} --key-id {key}, and enable-key after it",
    "PendingReplicaDeletion": "aws kms cancel-key-deletion --region {region} --key-id {key}, and enable-key after it",
    "PendingImport": "aws kms import-key-material --region {region} --key-id {key} ...",
    "Unavailable": "aws kms connect-custom-key-store --region {region} ...",
    KEY_GONE: "name a key of {region}",
}


@dataclass(frozen=True)
class Lack:
    """Something that is not as the resource needs it: what was seen and what is expected, and what to type."""

    code: str
    text: str
    remedy: str
    grave: bool = True


def findings(resource_id: str, lacks: Iterable[Lack]) -> list[Finding]:
    """Return what lacks as findings: red, unless the resource works without it for now. Pure."""
    return [
        (red if each.grave else warning)(resource_id, each.code, f"{each.text}.", f"{each.remedy}, {AGAIN}")
        for each in lacks
    ]


def unless_denied(what: str, look: Callable[[], list[Lack]]) -> list[Lack]:
    """Return what a look finds, or that it may not look."""
    try:
        return look()
    except AccessDeniedError as err:
        return [Lack("not-seen", f"{what} may not be looked at: {err.message}", err.remedy.rstrip("."), grave=False)]


# --- keys -----------------------------------------------------------------------------------------------------------


class _KeyMetadata(BaseModel):
    Arn: str = ""
    KeyState: str = ""


class _Key(BaseModel):
    KeyMetadata: _KeyMetadata = _KeyMetadata()


def key_states(reader: Reader, *keys: str | None) -> dict[str, str]:
    """Return the state of each key by its id, an alias's by the key's ARN (kms:DescribeKey); nothing for no key."""
    states: dict[str, str] = {}
    for key in sorted({each for each in keys if each}):
        if not _is_mine(reader, key):
            states[key] = ELSEWHERE
            continue
        try:
            found = reader.find("kms", "DescribeKey", _Key, KEY_MISSING, KeyId=key)
        except AccessDeniedError:
            states[key] = DENIED
            continue
        told = found.KeyMetadata if found else _KeyMetadata(KeyState=KEY_GONE)
        states[told.Arn if "alias/" in key and told.Arn else key] = told.KeyState
    return states


def key_findings(resource_id: str, region: str, states: Mapping[str, str], of: str = "") -> list[Finding]:
    """Return a finding for every key that cannot be used; `of` says whose it is. Pure."""
    return findings(resource_id, key_lacks(region, states, of))


def key_lacks(region: str, states: Mapping[str, str], of: str = "") -> list[Lack]:
    """Return every key that cannot be used; `of` says whose it is. Pure."""
    found: list[Lack] = []
    for key, state in sorted(states.items()):
        where = key.split(":")[3] if key.startswith("arn:") else region
        shown = f"key {key}{f' of {of}' if of else ''} is {state}"
        if state in {ELSEWHERE, DENIED}:
            found.append(Lack("kms-key-unseen", shown, "see that it is Enabled", grave=False))
        elif state not in USABLE_KEYS:
            remedy = _KEY_REMEDIES.get(state, "look at it in the console").format(region=where, key=key)
            found.append(Lack("kms-key", f"{shown}, expected Enabled", remedy))
    return found


# --- secrets and parameters -----------------------------------------------------------------------------------------


class _Secret(BaseModel):
    ARN: str = ""
    KmsKeyId: str | None = None
    DeletedDate: datetime | None = None


class _Parameters(BaseModel):
    class _Parameter(BaseModel):
        Name: str

    Parameters: list[_Parameter] = []


def secret_lacks(reader: Reader, arn: str, of: str) -> list[Lack]:
    """Judge a secret by its ARN or name, and the key that it is encrypted with; `of` says who reads it."""
    if arn.startswith("arn:") and arn.split(":")[3] != reader.region:
        remedy = f"name the replica in {reader.region} (aws secretsmanager replicate-secret-to-regions)"
        return [Lack("needs", f"secret {arn} ({of}) lies in {arn.split(':')[3]}, expected {reader.region}", remedy)]
    if not _is_mine(reader, arn):
        return []
    return unless_denied(f"{arn} ({of})", lambda: _of_secret(reader, arn, of))


def _of_secret(reader: Reader, arn: str, of: str) -> list[Lack]:
    name = ":".join(arn.split(":")[:7])  # a task definition may add a key, a stage and a version
    found = reader.find("secretsmanager", "DescribeSecret", _Secret, SECRET_MISSING, SecretId=name)
    if found is None:
        remedy = f"aws secretsmanager replicate-secret-to-regions --add-replica-regions Region={reader.region} --secret-id ..."
        return [Lack("needs", f"{arn} ({of}) does not exist in {reader.region}", remedy)]
    if found.DeletedDate is not None:
        text = f"secret {name} ({of}) is to be deleted, expected one that stays"
        return [Lack("needs", text, f"aws secretsmanager restore-secret --region {reader.region} --secret-id {name}")]
    return key_lacks(reader.region, key_states(reader, found.KmsKeyId), f"secret {name}")


def has_parameter(reader: Reader, reference: str) -> bool:
    """Say whether a parameter is there, by name or ARN (its value is not read); another account's may not be asked for."""
    if reference.startswith("arn:") and not _is_mine(reader, reference):
        return True
    name = reference.partition(":parameter")[2] or reference
    options: Sequence[str] = (name, name.removeprefix("/"))
    filters: JsonValue = [{"Key": "Name", "Option": "Equals", "Values": [*dict.fromkeys(options)]}]
    return bool(reader.read("ssm", "DescribeParameters", _Parameters, ParameterFilters=filters).Parameters)


# --- certificates ---------------------------------------------------------------------------------------------------


class _Certificate(BaseModel):
    Status: str = ""
    DomainName: str = ""
    NotAfter: datetime | None = None
    FailureReason: str | None = None


class _DescribedCertificate(BaseModel):
    Certificate: _Certificate = _Certificate()


def certificate_lacks(reader: Reader, arn: str, of: str, now: datetime) -> list[Lack]:
    """Judge a certificate of ACM; `of` says where it is shown. One of IAM has no Region and tells less: it is not looked at."""
    if ":acm:" not in arn or not _is_mine(reader, arn):
        return []
    return unless_denied(f"certificate {arn} of {of}", lambda: _of_certificate(reader, arn, of, now))


def _of_certificate(reader: Reader, arn: str, of: str, now: datetime) -> list[Lack]:
    remedy = f"issue or import one in {reader.region} (aws acm request-certificate) and put it on {of}"
    found = reader.find("acm", "DescribeCertificate", _DescribedCertificate, CERTIFICATE_MISSING, CertificateArn=arn)
    if found is None:
        return [Lack("certificate", f"certificate {arn} of {of} does not exist", remedy)]
    told = found.Certificate
    shown = f"certificate {told.DomainName} of {of} ({arn})"
    if told.Status != ISSUED:
        why = f" ({told.FailureReason})" if told.FailureReason else ""
        return [Lack("certificate", f"{shown} is {told.Status}{why}, expected {ISSUED}", remedy)]
    if told.NotAfter is not None and told.NotAfter - now < EXPIRES_SOON:
        over, at = told.NotAfter <= now, f"{told.NotAfter:%Y-%m-%d %H:%M} UTC"
        return [Lack("certificate", f"{shown} {'ended' if over else 'ends'} on {at}", remedy, grave=over)]
    return []


# --- roles ----------------------------------------------------------------------------------------------------------


class _Role(BaseModel):
    class _Described(BaseModel):
        AssumeRolePolicyDocument: JsonValue = None

    Role: _Described = _Described()


def role_lacks(reader: Reader, arn: str, principal: str) -> list[Lack]:
    """Judge a role that a service is to assume (iam:GetRole): a global service, so not for emergencies."""
    return unless_denied(f"role {arn}", lambda: _of_role(reader, arn, principal)) if _is_mine(reader, arn) else []


def _of_role(reader: Reader, arn: str, principal: str) -> list[Lack]:
    name = arn.rpartition("/")[2]
    found = reader.find("iam", "GetRole", _Role, ROLE_MISSING, RoleName=name)
    if found is None:
        return [Lack("role", f"role {arn} does not exist", "aws iam create-role ..., or name another")]
    if principal not in str(found.Role.AssumeRolePolicyDocument):
        remedy = f"aws iam update-assume-role-policy --role-name {name} ..."
        return [Lack("role", f"role {arn} may not be assumed by {principal}", remedy)]
    return []


def _is_mine(reader: Reader, reference: str) -> bool:
    """Say whether what an ARN names belongs to the reader's account; a bare name or id does."""
    return not reference.startswith("arn:") or reference.split(":")[4] == reader.account
