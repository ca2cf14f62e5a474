"""Tagged EC2 instances: each must be protected by a source server somewhere, or it would be left behind without a word."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from adapters.drs.spec import FENCED
from adapters.drs.view_machines import Machines
from adapters.reading import tag_map
from orchestrator.contract import Found, Place, Reader

AT_ONCE = 200
GONE = ("terminated", "shutting-down")
DRILL = "dr:drill-id"


def unprotected(aws: Reader, arns: Sequence[str], launched: set[str]) -> list[Found]:
    """Return a claim for each tagged instance that DRS did not launch here, is not to launch into, and no run has fenced.

    `launched`: the recovery instances and prepared instances of this Region's servers. Discovery drops the claims that a
    source server answers, which usually lies in the other Region (ec2:DescribeInstances).
    """
    wanted = {arn.rpartition("/")[2]: arn for arn in arns if ":instance/" in arn}
    ids = sorted(set(wanted) - launched)
    found: list[Found] = []
    for start in range(0, len(ids), AT_ONCE):
        filters: JsonValue = [{"Name": "instance-id", "Values": list(ids[start : start + AT_ONCE])}]
        for page in aws.pages("ec2", "DescribeInstances", Machines, Filters=filters):
            for machine in (each for reservation in page.Reservations for each in reservation.Instances):
                tags = tag_map(machine.Tags)
                if machine.State.Name not in GONE and not {DRILL, FENCED} & tags.keys():
                    arn = wanted[machine.InstanceId]
                    place = Place(aws.account, aws.region, machine.InstanceId, arn)
                    found.append(Found(f"instance {arn}", machine.InstanceId, place, tags, claim=True))
    return found
