"""The life of a domain: create, describe, change (blue/green or dynamic), delete."""

from __future__ import annotations

import uuid
from typing import Any

from localaws.service import Call, Reply, operation
from localaws.services.opensearch.base import OpenSearchBase, exists, not_found
from localaws.services.opensearch.state import ConfigChange, DomainState, Place, Processing, Progress, Seconds
from localaws.services.timed import Change

# Sections whose change makes AWS build a second cluster; the others are applied in place.
BLUE_GREEN = frozenset(
    {
        "AdvancedSecurityOptions",
        "ClusterConfig",
        "EBSOptions",
        "EncryptionAtRestOptions",
        "NodeToNodeEncryptionOptions",
        "VPCOptions",
    }
)
# Parameters of UpdateDomainConfig -> attributes of moto's domain.
SECTIONS = {
    "AccessPolicies": "access_policies",
    "AdvancedOptions": "advanced_options",
    "AdvancedSecurityOptions": "advanced_security_options",
    "AutoTuneOptions": "auto_tune_options",
    "ClusterConfig": "cluster_config",
    "CognitoOptions": "cognito_options",
    "DomainEndpointOptions": "domain_endpoint_options",
    "EBSOptions": "ebs_options",
    "EncryptionAtRestOptions": "encryption_at_rest_options",
    "LogPublishingOptions": "log_publishing_options",
    "NodeToNodeEncryptionOptions": "node_to_node_encryption_options",
    "OffPeakWindowOptions": "off_peak_window_options",
    "SnapshotOptions": "snapshot_options",
    "SoftwareUpdateOptions": "software_update_options",
    "VPCOptions": "vpc_options",
}
STAGES = 5


class OpenSearchDomains(OpenSearchBase):
    """Operations on domains."""

    @operation("CreateDomain")
    def create_domain(self, call: Call) -> Reply:
        """Create a domain: `Creating` without an endpoint, then `Active`."""
        place = Place(call.account, call.region, call.params["DomainName"])
        if self.exists_domain(place):
            raise exists(f"Domain {place.domain} already exists.")
        self.world.moto(call)
        self._lead(place, "create-domain", Seconds.CREATE_DOMAIN, Processing.CREATING)
        return {"DomainStatus": self.show_domain(call, place)}

    @operation("DescribeDomain")
    def describe_domain(self, call: Call) -> Reply:
        """Describe a domain; raise `ResourceNotFoundException`."""
        return {"DomainStatus": self.show_domain(call, self.addressed(call))}

    @operation("DescribeDomains")
    def describe_domains(self, call: Call) -> Reply:
        """Describe domains; unknown names are left out."""
        places = [Place(call.account, call.region, name) for name in call.params["DomainNames"]]
        return {"DomainStatusList": [self.show_domain(call, one) for one in places if self.exists_domain(one)]}

    @operation("DeleteDomain")
    def delete_domain(self, call: Call) -> Reply:
        """Delete a domain: `Deleting`, then gone."""
        place = self.addressed(call)

        def deleted() -> None:
            self.backend(place.account, place.region).domains.pop(place.domain, None)

        self._lead(place, "delete-domain", Seconds.DELETE_DOMAIN, Processing.DELETING, done=deleted)
        return {"DomainStatus": self.show_domain(call, place)}

    @operation("UpdateDomainConfig")
    def update_domain_config(self, call: Call) -> Reply:
        """Change a domain's configuration: `Modifying`, then `Active` with the new settings.

        A dry run tells the kind of deployment and changes nothing. A failed change leaves everything as it was.
        """
        place = self.addressed(call)
        given = {name: call.params[name] for name in SECTIONS if name in call.params}
        kind = self._deployment(place, given)
        if call.params.get("DryRun"):
            message = f"This request will be applied as {kind}."
            return {
                "DomainConfig": self._show_config(place),
                "DryRunResults": {"DeploymentType": kind, "Message": message},
            }
        self.require_active(place)
        if kind == "None":
            return {"DomainConfig": self._show_config(place)}
        self._apply(place, given, Seconds.BLUE_GREEN if kind == "Blue/Green" else Seconds.DYNAMIC_UPDATE)
        return {"DomainConfig": self._show_config(place)}

    def _deployment(self, place: Place, given: dict[str, Any]) -> str:
        if self.state(place).status != Processing.ACTIVE:
            return "Undetermined"
        domain = self.domain(place)
        changed = {
            name
            for name, value in given.items()
            if _merged(getattr(domain, SECTIONS[name]), value) != getattr(domain, SECTIONS[name])
        }
        if not changed:
            return "None"
        return "Blue/Green" if changed & BLUE_GREEN else "DynamicUpdate"

    def _apply(self, place: Place, given: dict[str, Any], seconds: float) -> None:
        now = self.world.clock.now()
        domain, state = self.domain(place), self.state(place)
        change = state.change = ConfigChange(str(uuid.uuid4()), now, now, Progress.APPLYING, tuple(given))

        def applied() -> None:
            for name, value in given.items():
                setattr(domain, SECTIONS[name], _merged(getattr(domain, SECTIONS[name]), value))
            change.progress, change.updated = Progress.COMPLETED, self.world.clock.now()

        def failed() -> None:
            change.progress, change.updated = Progress.VALIDATION_FAILED, self.world.clock.now()

        self._lead(place, "update-domain-config", seconds, Processing.MODIFYING, done=applied, on_failure=failed)

    def _lead(self, place: Place, what: str, seconds: float, during: Processing, **effects: Any) -> None:
        end = Processing.DELETING if during is Processing.DELETING else Processing.ACTIVE
        failed = Processing.CREATING if during is Processing.CREATING else Processing.ACTIVE
        self.lead(self.state(place), Change(f"opensearch.{what}", place.arn, seconds, during, end, failed), **effects)

    # --- what is shown

    def show_domain(self, call: Call, place: Place) -> dict[str, Any]:
        """Return a domain. It has an endpoint once it is created, under `Endpoints` when it lies in a VPC."""
        shown = dict(self.ask_moto(call, "DescribeDomain", DomainName=place.domain)["DomainStatus"])
        state = self.state(place)
        shown.pop("Endpoint", None)
        shown.pop("Endpoints", None)
        shown |= {
            "Created": True,
            "Deleted": state.status == Processing.DELETING,
            "Processing": state.status != Processing.ACTIVE,
            "UpgradeProcessing": False,
            "DomainProcessingStatus": str(state.status),
        }
        if state.status != Processing.CREATING:
            in_vpc = bool(self.domain(place).vpc_options)
            shown |= {"Endpoints": {"vpc": self.endpoint(place)}} if in_vpc else {"Endpoint": self.endpoint(place)}
        return shown | _change_details(state)

    def _show_config(self, place: Place) -> dict[str, Any]:
        domain, state = self.domain(place), self.state(place)
        now = self.world.clock.now()
        changing = state.change.properties if state.change and state.status == Processing.MODIFYING else ()
        sections = {name: getattr(domain, attribute) for name, attribute in SECTIONS.items()}
        sections["EngineVersion"] = domain.engine_version.options
        shown = {}
        for name, options in sections.items():
            if options is None or name in ("AutoTuneOptions", "OffPeakWindowOptions", "SoftwareUpdateOptions"):
                continue
            status = {
                "CreationDate": now,
                "UpdateDate": now,
                "UpdateVersion": 1,
                "State": "Processing" if name in changing else "Active",
                "PendingDeletion": False,
            }
            shown[name] = {"Options": options, "Status": status}
        return shown | _change_details(state)

    @operation("DescribeDomainChangeProgress")
    def describe_domain_change_progress(self, call: Call) -> Reply:
        """Describe the latest configuration change; empty when there was none."""
        change = self.state(self.addressed(call)).change
        wanted = call.params.get("ChangeId")
        if wanted and (change is None or change.id != wanted):
            raise not_found(f"Change {wanted} was not found.")
        if change is None:
            return {}
        status = {Progress.COMPLETED: "COMPLETED", Progress.VALIDATION_FAILED: "FAILED"}.get(
            change.progress, "PROCESSING"
        )
        done = change.progress is Progress.COMPLETED
        return {
            "ChangeProgressStatus": {
                "ChangeId": change.id,
                "StartTime": change.started,
                "LastUpdatedTime": change.updated,
                "Status": status,
                "ConfigChangeStatus": str(change.progress),
                "PendingProperties": [] if done else list(change.properties),
                "CompletedProperties": list(change.properties) if done else [],
                "TotalNumberOfStages": STAGES,
                "InitiatedBy": "CUSTOMER",
            }
        }

    @operation("DescribeDomainHealth")
    def describe_domain_health(self, call: Call) -> Reply:
        """Describe the health of a domain's cluster: `NotAvailable` while it is created."""
        place = self.addressed(call)
        state, config = self.state(place), self.domain(place).cluster_config
        created = state.status != Processing.CREATING
        zones = config.get("ZoneAwarenessConfig", {}).get("AvailabilityZoneCount", 1)
        shards = sum(index.shards for index in state.indices.values())
        return {
            "DomainState": {Processing.CREATING: "NotAvailable", Processing.ACTIVE: "Active"}.get(
                Processing(state.status), "Processing"
            ),
            "AvailabilityZoneCount": str(zones),
            "ActiveAvailabilityZoneCount": str(zones),
            "StandByAvailabilityZoneCount": "0",
            "DataNodeCount": str(config["InstanceCount"]),
            "DedicatedMaster": bool(config.get("DedicatedMasterEnabled")),
            "MasterEligibleNodeCount": str(config.get("DedicatedMasterCount", config["InstanceCount"])),
            "WarmNodeCount": str(config.get("WarmCount", 0)),
            "MasterNode": "Available" if created else "UnAvailable",
            "ClusterHealth": self.cluster_health(place).capitalize() if created else "NotAvailable",
            "TotalShards": str(shards),
            "TotalUnAssignedShards": "0",
        }

    def cluster_health(self, place: Place) -> str:
        """Return `green`, or `yellow` while an index is being restored."""
        indices = self.state(place).indices.values()
        return "yellow" if any(index.recovering_from for index in indices) else "green"


def _change_details(state: DomainState) -> dict[str, Any]:
    """Return what both a domain and its configuration show of the latest change."""
    if state.change is None:
        return {}
    return {
        "ChangeProgressDetails": {
            "ChangeId": state.change.id,
            "ConfigChangeStatus": str(state.change.progress),
            "InitiatedBy": "CUSTOMER",
            "StartTime": state.change.started,
            "LastUpdatedTime": state.change.updated,
        }
    }


def _merged(old: Any, new: Any) -> Any:
    return {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new
