"""Where a call really goes: some services have one control plane for all Regions.

Whitepaper "AWS Fault Isolation Boundaries", partitional services. With a custom endpoint SDKs sign such calls
for the client's own Region, so the signature does not tell.
"""

from __future__ import annotations

HOME_REGIONS = {
    "account": "us-east-1",
    "cloudfront": "us-east-1",
    "globalaccelerator": "us-west-2",
    "iam": "us-east-1",
    "networkmanager": "us-west-2",
    "organizations": "us-east-1",
    "route53": "us-east-1",
    "route53-recovery-control-config": "us-west-2",
    "route53domains": "us-east-1",
}


def serving_region(service: str, region: str) -> str:
    """Return the Region whose control plane answers a call of `service` signed for `region`."""
    return HOME_REGIONS.get(service, region)
