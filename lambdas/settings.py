"""The environment of the functions, read in this one place."""

from __future__ import annotations

import os

from pydantic import BaseModel, ConfigDict

from orchestrator.approvals import Approvals
from orchestrator.leases import Leases


class Settings(BaseModel):
    """What the deployment says."""

    model_config = ConfigDict(frozen=True)

    hub_region: str
    runs_table: str
    actions_table: str
    inventory_table: str
    events_table: str
    bucket: str
    topic_arn: str
    external_id: str
    spoke_role_prefix: str = "dr-spoke-"
    partition: str = "aws"
    peer_region: str
    home: bool = False
    """Whether customers run in this Region unless a run has moved them."""
    scopes_elsewhere: tuple[str, ...] = ()
    """The scopes of which the opposite holds."""
    accounts: tuple[str, ...] = ()
    explorer_view_arn: str | None = None
    """The organisation-wide view, in the Region of Resource Explorer's aggregator index; best where a customer stands by."""
    dns_servers: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    approvals: Approvals = Approvals()
    """Whose answers count; JSON in the environment."""
    leases: Leases = Leases()
    """What drills get that do not say; JSON in the environment."""
    probe: bool = False
    """Whether health checks ask the probe functions in the workloads' VPCs."""


def read_settings() -> Settings:
    """Return the settings; raise pydantic's error naming each missing DR_* variable."""
    names = {name: f"DR_{name.upper()}" for name in Settings.model_fields}
    values: dict[str, object] = {
        name: os.environ[variable] for name, variable in names.items() if os.environ.get(variable)
    }
    values.setdefault("hub_region", os.environ["AWS_REGION"])
    for several in ("accounts", "dns_servers", "scopes", "scopes_elsewhere"):
        if several in values:
            values[several] = tuple(part.strip() for part in str(values[several]).split(",") if part.strip())
    if "approvals" in values:
        values["approvals"] = Approvals.model_validate_json(str(values["approvals"]))
    if "leases" in values:
        values["leases"] = Leases.model_validate_json(str(values["leases"]))
    return Settings.model_validate(values)
