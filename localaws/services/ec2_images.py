"""Machine images that travel between Regions, and launch template versions made from others, each once per token.

An image is `pending` for minutes, and a copy tells what it was copied from. A fault of the scenario acts on
`ec2.copy-image` (resource: the new image's id).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from localaws.service import AwsError, Call, Reply, Service, operation

if TYPE_CHECKING:
    from localaws.world import World

COPY_IMAGE_SECONDS = 600.0
LINEAGE = {"source-image-id": "SourceImageId", "source-image-region": "SourceImageRegion"}


class ImagesAndTemplates(Service):
    """The operations that moto answers at once or without their token."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self._tokens: dict[tuple[str, ...], tuple[Mapping[str, Any], Reply]] = {}

    def forget_tokens(self) -> None:
        """Forget which tokens were used."""
        self._tokens.clear()

    @operation("CopyImage")
    def copy_image(self, call: Call) -> Reply:
        """Copy an image of another Region; it is `pending` for minutes.

        Raises: InvalidAMIID.NotFound, InvalidAMIID.Unavailable, IdempotentParameterMismatch (a token with other
            parameters), Unavailable (the source Region is down).
        """
        return self._once(call, lambda: self._copy(call))

    @operation("DescribeImages")
    def describe_images(self, call: Call) -> Reply:
        """List images, copies with what they were copied from; moto knows neither that nor filters for it."""
        filters = list(call.params.get("Filters") or [])
        ours = [each for each in filters if each["Name"] in LINEAGE]
        rest = [each for each in filters if each["Name"] not in LINEAGE]
        reply = self.world.moto(call.with_params(Filters=rest or None) if ours else call)
        known = self.world.backend("ec2", call.account, call.region).amis
        shown = [{**each, **self._told(known.get(each["ImageId"]), each)} for each in reply["Images"]]
        kept = [each for each in shown if all(each.get(LINEAGE[f["Name"]]) in f["Values"] for f in ours)]
        return {**reply, "Images": kept}

    def _told(self, image: Any, shown: Mapping[str, Any]) -> dict[str, Any]:
        told = dict(getattr(image, "localaws_lineage", {}))
        if getattr(image, "localaws_encrypted", False):
            disks = shown.get("BlockDeviceMappings") or []
            told["BlockDeviceMappings"] = [
                {**each, "Ebs": {**each["Ebs"], "Encrypted": True}} if each.get("Ebs") else each for each in disks
            ]
        return told

    @operation("CreateLaunchTemplateVersion")
    def create_launch_template_version(self, call: Call) -> Reply:
        """Add a version; what it does not say comes from SourceVersion. Raises IdempotentParameterMismatch."""

        def make() -> Reply:
            return self.world.moto(self._on_top_of_source(call))

        return self._once(call, make)

    def _once(self, call: Call, make: Callable[[], Reply]) -> Reply:
        token = call.params.get("ClientToken")
        if token is None:
            return make()
        key = (call.account, call.region, call.operation, token)
        if key not in self._tokens:
            self._tokens[key] = (call.params, make())
        asked, reply = self._tokens[key]
        if asked != call.params:
            message = f"The client token {token} was used before with other parameters."
            raise AwsError("IdempotentParameterMismatch", message)
        return reply

    def _copy(self, call: Call) -> Reply:
        source = self._source(call)
        reply = self.world.moto(call)
        image = self.world.backend("ec2", call.account, call.region).amis[reply["ImageId"]]
        image.state, image.name = "pending", call.params["Name"]
        tags = {tag["key"]: tag["value"] for tag in source.get_tags()} if call.params.get("CopyImageTags") else {}
        for given in call.params.get("TagSpecifications") or []:
            if given.get("ResourceType") == "image":
                tags |= {tag["Key"]: tag["Value"] for tag in given.get("Tags", [])}
        image.add_tags(tags)
        image.creation_date = self.world.clock.now()
        image.localaws_lineage = {"SourceImageId": source.id, "SourceImageRegion": call.params["SourceRegion"]}
        image.localaws_encrypted = bool(call.params.get("Encrypted")) or getattr(source, "localaws_encrypted", False)

        def end(state: str) -> None:
            if image.state == "pending":
                image.state = state

        done, failed = (lambda: end("available")), (lambda: end("failed"))
        self.world.transition("ec2.copy-image", reply["ImageId"], COPY_IMAGE_SECONDS, done, failed)
        return reply

    def _source(self, call: Call) -> Any:
        region, wanted = call.params["SourceRegion"], call.params["SourceImageId"]
        if call.params.get("KmsKeyId") and not call.params.get("Encrypted"):
            raise AwsError("InvalidParameterCombination", "KmsKeyId needs the encrypted state to be true.")
        if self.world.faults.region_is_down(region):
            raise AwsError("Unavailable", f"{region} does not answer.", 503)
        image = self.world.backend("ec2", call.account, region).amis.get(wanted)
        if image is None:
            raise AwsError("InvalidAMIID.NotFound", f"The image id '[{wanted}]' does not exist")
        if image.state != "available":
            raise AwsError("InvalidAMIID.Unavailable", f"The image {wanted} is {image.state}.")
        return image

    def _on_top_of_source(self, call: Call) -> Call:
        version = call.params.get("SourceVersion")
        if version is None:
            return call
        names = ("LaunchTemplateId", "LaunchTemplateName")
        template: dict[str, Any] = {name: call.params[name] for name in names if call.params.get(name)}
        where = (call.account, call.region)
        reply = self.world.call("ec2", "DescribeLaunchTemplateVersions", *where, **template, Versions=[version])
        known = reply["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        return call.with_params(LaunchTemplateData={**known, **call.params["LaunchTemplateData"]})
