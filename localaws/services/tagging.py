"""Resource Groups Tagging API: moto's GetResources, and the types moto does not report.

One account and Region per call, at most 100 resources per page, 50 tag keys with 20 values each. Auto Scaling
groups are left out, as AWS leaves them out.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.resource_explorer_2.collect import collect

ADDED_TYPES = frozenset(
    {
        "codepipeline:pipeline",
        "es:domain",
        "events:rule",
        "lambda:function",
        "memorydb:cluster",
        "memorydb:snapshot",
        "memorydb:subnetgroup",
        "rds:subgrp",
        "route53:healthcheck",
        "route53:hostedzone",
        "scheduler:schedule-group",
    }
)
PAGE_LIMIT = 100
KEY_LIMIT = 50
VALUE_LIMIT = 20


class TaggingService(Service):
    """resourcegroupstaggingapi."""

    name: ClassVar[str] = "resourcegroupstaggingapi"

    @operation("GetResources")
    def get_resources(self, call: Call) -> Reply:
        """List tagged resources of the Region. Raises InvalidParameterException beyond the limits."""
        size = call.params.get("ResourcesPerPage", PAGE_LIMIT)
        filters = call.params.get("TagFilters", [])
        _check(size, filters)
        found = {**self._from_moto(call), **self._added(call, filters)}
        entries = [
            {"ResourceARN": arn, "Tags": [{"Key": key, "Value": value} for key, value in sorted(tags.items())]}
            for arn, tags in sorted(found.items())
        ]
        start = _offset(call.params.get("PaginationToken"))
        end = start + size
        token = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(entries) else ""
        return {"ResourceTagMappingList": entries[start:end], "PaginationToken": token}

    def _from_moto(self, call: Call) -> dict[str, Mapping[str, str]]:
        found: dict[str, Mapping[str, str]] = {}
        token: str | None = None
        while True:
            page = self.world.moto(call.with_params(PaginationToken=token, ResourcesPerPage=PAGE_LIMIT))
            for entry in page.get("ResourceTagMappingList", []):
                found[entry["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in entry["Tags"]}
            token = page.get("PaginationToken") or None
            if token is None:
                return found

    def _added(self, call: Call, filters: list[Mapping[str, Any]]) -> dict[str, Mapping[str, str]]:
        types = call.params.get("ResourceTypeFilters", [])
        arns = call.params.get("ResourceARNList", [])
        return {
            record.arn: record.tags
            for record in collect(self.world, call.account, call.region)
            if record.type in ADDED_TYPES
            and record.tags
            and (not types or record.type in types or record.service in types)
            and (not arns or record.arn in arns)
            and all(_matches(record.tags, wanted) for wanted in filters)
        }


def _matches(tags: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    return wanted["Key"] in tags and (not wanted.get("Values") or tags[wanted["Key"]] in wanted["Values"])


def _check(size: int, filters: list[Mapping[str, Any]]) -> None:
    if not 1 <= size <= PAGE_LIMIT:
        raise AwsError("InvalidParameterException", f"ResourcesPerPage is {size}; it must be 1 to {PAGE_LIMIT}.")
    if len(filters) > KEY_LIMIT or any(len(f.get("Values", [])) > VALUE_LIMIT for f in filters):
        raise AwsError("InvalidParameterException", f"At most {KEY_LIMIT} tag keys with {VALUE_LIMIT} values each.")


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token))
    except (ValueError, binascii.Error) as error:
        raise AwsError("PaginationTokenExpiredException", "The pagination token is not valid.") from error
