"""Discovery of DRS: each tagged source server with the instance that it protects, and what its launches go into."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from adapters.drs.instances import unprotected
from adapters.drs.models import Server
from adapters.drs.permissions import INTO, PLAN
from adapters.drs.view import listed
from adapters.drs.view_needs import settings
from adapters.drs.view_plan import plans_of_servers
from orchestrator.contract import TOGETHER, Found, Place, Reader
from orchestrator.errors import ValidationError
from orchestrator.tags import ENABLED, STRATEGY


def discovered(aws: Reader, arns: Sequence[str]) -> list[Found]:
    """Return both sides of every tagged source server, and tagged instances that DRS must know and does not."""
    servers = listed(aws)
    tagged = [server for server in servers if ENABLED in server.tags]
    into = {s.sourceServerID: launch.into for s in tagged if (launch := settings(aws, s)) is not None}
    executed = {server.sourceServerID for server in tagged if server.tags.get(STRATEGY) == PLAN}
    plans = {me: arns for me, arns in (plans_of_servers(aws) if executed else {}).items() if me in executed}
    found = [
        each for s in tagged for each in _both_sides(aws, s, into[s.sourceServerID], plans.get(s.sourceServerID, []))
    ]
    known = {s.recoveryInstanceId for s in servers if s.recoveryInstanceId} | {i for i in into.values() if i}
    return found + unprotected(aws, arns, known)


def _both_sides(aws: Reader, server: Server, into: str, plans: list[str]) -> list[Found]:
    cloud, protected = server.sourceCloudProperties, server.protects
    if cloud is None or not cloud.originRegion or not protected:
        raise ValidationError(
            f"{server.arn} protects a server outside EC2; expected an EC2 instance.",
            "remove dr:enabled from it: failing back to it needs DRS's failback client.",
            code="OnPremises",
        )
    account = cloud.originAccountID or aws.account
    key = f"{server.name} {'+'.join(sorted({aws.account, account}))}"
    facts: dict[str, JsonValue] = {"server": server.sourceServerID, "protects": protected}
    strategy = INTO if into else "drs-recovery"
    mine: dict[str, JsonValue] = {**facts, "into": into} if into else {**facts}
    if plans:
        mine |= {"plans": [*plans], TOGETHER: plans[0]}
    here = Place(aws.account, aws.region, server.sourceServerID, server.arn, mine)
    partition = server.arn.split(":")[1]
    arn = f"arn:{partition}:ec2:{cloud.originRegion}:{account}:instance/{protected}"
    there = Place(account, cloud.originRegion, protected, arn, facts)
    return [
        Found(key, server.name, here, server.tags, strategy),
        Found(key, server.name, there, server.tags, strategy, counterpart=True),
    ]
