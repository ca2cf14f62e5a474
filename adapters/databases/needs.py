"""What is judged of an RDS database's surroundings, instances and clusters alike: master password, keys, certificates. Pure.

A password that RDS manages in Secrets Manager stays in its Region: AWS makes no replica of such a source (RDS user guide, Password
management with RDS and Secrets Manager, limitations: every engine but SQL Server; Aurora user guide: no global database and no
cross-Region replica), and what is restored elsewhere keeps the password of the snapshot's time, which no secret there tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from adapters.databases.shared import base_name
from adapters.databases.view import ManagedSecret, ServerCertificate
from adapters.judging import red, warning
from adapters.needed import AGAIN, key_findings
from orchestrator.contract import Finding, Member, RunContext

SECRET_FACT = "master_secret"
MODIFY_INSTANCE = "modify-db-instance --db-instance-identifier"
MODIFY_CLUSTER = "modify-db-cluster --db-cluster-identifier"
CERTIFICATE_ENDS_SOON = timedelta(days=30)
USABLE_SECRETS = frozenset({"active", "creating", "rotating"})


def standing(
    member: Member,
    secret: ManagedSecret | None,
    certificates: Mapping[str, ServerCertificate | None],
    states: Mapping[str, str],
    run: RunContext,
) -> list[Finding]:
    """Judge what a database that stands on the target side needs there; `certificates` by instance."""
    me, region = member.resource_id, member.target.region
    found = key_findings(me, region, states)
    for name, told in sorted(certificates.items()):
        if told is None or told.ValidTill is None or told.ValidTill - run.now > CERTIFICATE_ENDS_SOON:
            continue
        over = told.ValidTill <= run.now
        text = f"the certificate of {name} ({told.CAIdentifier}) {'ended' if over else 'ends'} on {told.ValidTill:%Y-%m-%d}"
        remedy = f"aws rds modify-db-instance --region {region} --db-instance-identifier {name} --ca-certificate-identifier ..."
        found.append((red if over else warning)(me, "certificate", f"{text}: clients that verify it fail.", remedy))
    if secret is not None and secret.SecretStatus not in USABLE_SECRETS:
        text = f"the secret {secret.SecretArn} of its master password is {secret.SecretStatus}, expected active."
        found.append(warning(me, "master-password", text, "see that RDS may use the secret and its key"))
    return found


def password_stays(member: Member, secret: ManagedSecret | None, command: str) -> list[Finding]:
    """Tell that the target side's master password will be one that no secret there tells.

    `secret` is what the source side shows, where it was reached; the inventory remembers it for when it is not.
    """
    arn = secret.SecretArn if secret else member.source.facts.get(SECRET_FACT)
    if not arn or member.source.region == member.target.region:
        return []
    name, region = base_name(member.target.id), member.target.region
    text = (
        f"the master password lies in {arn}, and only there: {name} will have it, and no secret in {region} tells it."
    )
    remedy = (
        f"after ACTIVATE: aws rds {command} {name} --region {region} --manage-master-user-password --apply-immediately"
    )
    return [warning(member.resource_id, "master-password", text, remedy)]


def no_replica(member: Member, secret: ManagedSecret | None, command: str) -> list[Finding]:
    """Refuse to make a replica of a database whose master password RDS manages: AWS does not."""
    if secret is None:
        return []
    name = base_name(member.source.id)
    text = f"RDS manages the master password of {name} ({secret.SecretArn}): AWS makes no replica of such a database."
    remedy = f"aws rds {command} {name} --region {member.source.region} --no-manage-master-user-password --master-user-password ..."
    return [red(member.resource_id, "master-password", text, f"{remedy}, {AGAIN}")]
