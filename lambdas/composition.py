"""Put the platform together once per process."""

from __future__ import annotations

from functools import cache

from adapters.registry import adapter, adapters
from lambdas.settings import Settings, read_settings
from orchestrator.blobs import S3Blobs
from orchestrator.clock import SystemClock
from orchestrator.ledger.dynamo import DynamoLedger, Tables
from orchestrator.notify import SnsNotifier
from orchestrator.platform import Platform, spoke_reader, spoke_session
from orchestrator.probes import probe_from_vpc
from orchestrator.sessions import AwsReader, Hub, SpokeAccess


@cache
def platform() -> Platform:
    """Return the platform of this function's Region."""
    return compose(read_settings())


def compose(settings: Settings) -> Platform:
    """Return a platform for given settings."""
    access = SpokeAccess(settings.external_id, settings.spoke_role_prefix, settings.partition)
    hub = Hub(settings.hub_region, access, settings.dns_servers)
    tables = Tables(settings.runs_table, settings.actions_table, settings.inventory_table, settings.events_table)
    return Platform(
        hub_region=settings.hub_region,
        ledger=DynamoLedger(hub.client("dynamodb"), tables),
        blobs=S3Blobs(hub.client("s3"), settings.bucket),
        clock=SystemClock(),
        adapter=adapter,
        adapters=adapters,
        open_session=spoke_session(hub),
        open_reader=spoke_reader(hub),
        explorer=lambda: AwsReader.of_hub(hub, region_of(settings.explorer_view_arn) or settings.hub_region),
        explorer_view_arn=settings.explorer_view_arn,
        notifier=SnsNotifier(hub.client("sns"), settings.topic_arn),
        accounts=settings.accounts,
        approvals=settings.approvals,
        leases=settings.leases,
        connect=probe_from_vpc(hub) if settings.probe else None,
    )


def region_of(arn: str | None) -> str | None:
    """Return the Region in an ARN."""
    return arn.split(":")[3] if arn else None
