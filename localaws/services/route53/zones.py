"""Hosted zones: what moto keeps, plus features, protections and tags that answer truthfully."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation
from localaws.services.route53.changes import Changes
from localaws.services.route53.records import normal_name

if TYPE_CHECKING:
    from localaws.world import World

FEATURE_SECONDS = 1800.0
TAGGED_AT_ONCE = 10


class HostedZoneOperations(Service):
    """The operations on hosted zones and their tags. moto answers ListHostedZones*, GetHostedZoneCount and VPCs."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.changes = Changes(world)
        self._accelerated: dict[str, str] = {}
        self._protected: dict[str, dict[tuple[str, str], str]] = {}

    @operation("CreateHostedZone")
    def create_hosted_zone(self, call: Call) -> Reply:
        zones = self._backend(call).zones.values()
        if any(zone.caller_reference == call.params["CallerReference"] for zone in zones):
            raise AwsError(
                "HostedZoneAlreadyExists",
                f"A hosted zone has already been created with the specified caller reference: "
                f"{call.params['CallerReference']}",
                409,
            )
        reply = dict(self.world.moto(call))
        zone = self.zone(call, reply["HostedZone"]["Id"])
        change = self.changes.submit(call.account, None, None, {}, [])
        return {**reply, "HostedZone": self._with_features(reply["HostedZone"], zone), "ChangeInfo": change.info()}

    @operation("GetHostedZone")
    def get_hosted_zone(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["Id"])
        reply = dict(self.world.moto(call))
        return {**reply, "HostedZone": self._with_features(reply["HostedZone"], zone)}

    @operation("DeleteHostedZone")
    def delete_hosted_zone(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["Id"])
        if self._accelerated.get(zone.resource_id, "DISABLED") != "DISABLED":
            raise AwsError("InvalidInput", f"Hosted zone {zone.resource_id}: disable accelerated recovery first.")
        self.world.moto(call)
        self._protected.pop(zone.resource_id, None)
        return {"ChangeInfo": self.changes.submit(call.account, None, None, {}, []).info()}

    @operation("UpdateHostedZoneFeatures")
    def update_hosted_zone_features(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        if zone.private_zone:
            raise AwsError("InvalidInput", "Accelerated recovery is available for public hosted zones only.")
        status = self._accelerated.get(zone.resource_id, "DISABLED")
        if status.endswith("ING"):
            raise AwsError("PriorRequestNotComplete", f"Accelerated recovery of {zone.resource_id} is {status}.")
        wanted = call.params.get("EnableAcceleratedRecovery")
        final = "ENABLED" if wanted else "DISABLED"
        if wanted is None or final == status:
            return {}
        self._accelerated[zone.resource_id] = "ENABLING" if wanted else "DISABLING"

        def finish(outcome: str) -> None:
            self._accelerated[zone.resource_id] = outcome

        failed = "ENABLE_FAILED" if wanted else "DISABLE_FAILED"
        self.world.transition(
            "route53.update-hosted-zone-features",
            f"arn:aws:route53:::hostedzone/{zone.resource_id}",
            FEATURE_SECONDS,
            lambda: finish(final),
            lambda: finish(failed),
        )
        return {}

    @operation("ListResourceRecordSetProtections")
    def list_protections(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        protected = self._protected.get(zone.resource_id, {})
        start_name = call.params.get("StartRecordName")
        listed = [
            {"RecordName": name, "RecordType": kind, **({"Comment": comment} if comment else {})}
            for (name, kind), comment in sorted(protected.items())
            if (start_name is None or name >= normal_name(start_name))
            and call.params.get("StartRecordType", kind) <= kind
        ]
        size = int(call.params.get("MaxResults") or 100)
        start = int(call.params.get("NextToken") or 0)
        reply: dict[str, Any] = {"ResourceRecordSetProtections": listed[start : start + size]}
        return {**reply, "NextToken": str(start + size)} if start + size < len(listed) else reply

    @operation("CreateResourceRecordSetProtections")
    def create_protections(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        protected = self._protected.setdefault(zone.resource_id, {})
        new = {
            (normal_name(each["RecordName"]), each["RecordType"]): each.get("Comment", "")
            for each in call.params["Protections"]
        }
        for name, kind in new:
            if (name, kind) in protected:
                raise AwsError("ProtectionAlreadyExists", f"{kind} {name} is already protected.", 409)
        protected.update(new)
        return {}

    @operation("DeleteResourceRecordSetProtections")
    def delete_protections(self, call: Call) -> Reply:
        zone = self.zone(call, call.params["HostedZoneId"])
        protected = self._protected.get(zone.resource_id, {})
        for each in call.params["Protections"]:
            protected.pop((normal_name(each["RecordName"]), each["RecordType"]), None)
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call) -> Reply:
        return {"ResourceTagSet": self._tag_set(call, call.params["ResourceType"], call.params["ResourceId"])}

    @operation("ListTagsForResources")
    def list_tags_for_resources(self, call: Call) -> Reply:
        ids = call.params["ResourceIds"]
        if not 1 <= len(ids) <= TAGGED_AT_ONCE:
            raise AwsError("InvalidInput", f"ResourceIds must have 1 to {TAGGED_AT_ONCE} members, {len(ids)} given.")
        return {"ResourceTagSets": [self._tag_set(call, call.params["ResourceType"], each) for each in ids]}

    @operation("ChangeTagsForResource")
    def change_tags_for_resource(self, call: Call) -> Reply:
        self._check_taggable(call, call.params["ResourceType"], call.params["ResourceId"])
        tags = self._backend(call).resource_tags[call.params["ResourceId"]]
        for key in call.params.get("RemoveTagKeys") or []:
            tags.pop(key, None)
        for tag in call.params.get("AddTags") or []:
            tags[tag["Key"]] = tag.get("Value", "")
        return {}

    def zone(self, call: Call, zone_id: str) -> Any:
        """Return moto's hosted zone by id, with or without `/hostedzone/`; raise NoSuchHostedZone."""
        plain = zone_id.rsplit("/", 1)[-1]
        zone = self._backend(call).zones.get(plain)
        if zone is None:
            raise AwsError("NoSuchHostedZone", f"No hosted zone found with ID: {plain}", 404)
        return zone

    def is_protected(self, zone: Any, name: str, kind: str) -> bool:
        """Say whether a record name and type must not be changed."""
        return (name, kind) in self._protected.get(zone.resource_id, {})

    def _tag_set(self, call: Call, kind: str, resource_id: str) -> dict[str, Any]:
        self._check_taggable(call, kind, resource_id)
        tags = self._backend(call).resource_tags.get(resource_id, {})
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return {"ResourceType": kind, "ResourceId": resource_id, "Tags": listed}

    def _check_taggable(self, call: Call, kind: str, resource_id: str) -> None:
        if kind == "hostedzone":
            if "/" in resource_id:
                raise AwsError("InvalidInput", f"ResourceId {resource_id}: give the id without /hostedzone/.")
            self.zone(call, resource_id)
        elif resource_id not in self._backend(call).health_checks:
            raise AwsError("NoSuchHealthCheck", f"No health check exists with the specified ID: {resource_id}", 404)

    def _with_features(self, shown: dict[str, Any], zone: Any) -> dict[str, Any]:
        features = {"AcceleratedRecoveryStatus": self._accelerated.get(zone.resource_id, "DISABLED")}
        return shown if zone.private_zone else {**shown, "Features": features}

    def _forget_zones(self) -> None:
        self.changes.clear()
        self._accelerated.clear()
        self._protected.clear()

    def _backend(self, call: Call) -> Any:
        return self.world.backend("route53", call.account, "us-east-1")
