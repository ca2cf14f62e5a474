"""`service-quota`: a quota of an account that differs from AWS's default.

Settings: `service` (for example ec2), `code` (L-...), `value`, `region` (default: both Regions).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localaws.services.service_quotas import ServiceQuotasService

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Set the applied value."""
    quotas = world.service("service-quotas")
    assert isinstance(quotas, ServiceQuotasService)
    regions = [entry.setting("region")] if entry.setting("region") else list(estate.regions)
    for region in regions:
        account = estate.account_id(entry.account)
        quotas.override(account, region, entry.setting("service"), entry.setting("code"), float(entry.setting("value")))
