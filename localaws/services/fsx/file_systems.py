"""File systems and their DNS aliases.

Timings in AWS seconds. A fault of the scenario acts on `fsx.create-file-system`, `fsx.restore-file-system`,
`fsx.update-file-system`, `fsx.delete-file-system` (resource: the id) and `fsx.associate-alias` (the alias).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localaws.service import AwsError, Call, Reply, operation
from localaws.services.fsx.backups import Backups
from localaws.services.fsx.models import Life, Shelf, Thing, bad_request, management_endpoint, new_id, pick

CREATE_SECONDS = 1200.0
RESTORE_SECONDS = 1800.0
UPDATE_SECONDS = 300.0
DELETE_SECONDS = 300.0
ALIAS_SECONDS = 150.0
ALIASES_PER_FILE_SYSTEM = 50
CONFIGURATIONS = {
    "WINDOWS": "WindowsConfiguration",
    "LUSTRE": "LustreConfiguration",
    "ONTAP": "OntapConfiguration",
    "OPENZFS": "OpenZFSConfiguration",
}
RESPONSES = {"WINDOWS": "WindowsResponse", "LUSTRE": "LustreResponse", "OPENZFS": "OpenZFSResponse"}
PASSWORD = "FsxAdminPassword"  # noqa: S105  a parameter's name
DELETE_CHILDREN = "DELETE_CHILD_VOLUMES_AND_SNAPSHOTS"


class FileSystems(Backups):
    """Operations on file systems."""

    @operation("CreateFileSystem")
    def create_file_system(self, call: Call) -> Reply:
        """Create an empty file system. Raises MissingFileSystemConfiguration, InvalidNetworkSettings."""
        kind = call.params["FileSystemType"]
        configuration = CONFIGURATIONS[kind]
        if kind != "LUSTRE" and not call.params.get(configuration):
            raise AwsError("MissingFileSystemConfiguration", f"{configuration} is required for {kind}.")

        def make() -> Thing:
            return self._make(call, kind, dict(call.params.get(configuration) or {}), call.params)

        made = self.once(call, make)
        return {"FileSystem": self.shown(made)}

    @operation("CreateFileSystemFromBackup")
    def create_file_system_from_backup(self, call: Call) -> Reply:
        """Restore a backup into a new file system; settings not given are those of the backup.

        Raises: BackupNotFound, BadRequest (backup not AVAILABLE, volume backup), InvalidNetworkSettings.
        """
        backup = self.find(call, Shelf.BACKUPS, call.params["BackupId"])

        def make() -> Thing:
            if backup.life != Life.AVAILABLE:
                raise bad_request(f"Backup {backup.id} is {backup.life}; it must be AVAILABLE.")
            if backup.shape["ResourceType"] != "FILE_SYSTEM":
                raise bad_request(f"{backup.id} is a volume backup: use CreateVolumeFromBackup.")
            saved = backup.shape["FileSystem"]
            kind = saved["FileSystemType"]
            name = CONFIGURATIONS[kind]
            configuration = {**_restorable(saved.get(name) or {}), **dict(call.params.get(name) or {})}
            settings = {**pick(saved, "StorageCapacity", "StorageType"), **call.params}
            return self._make(call, kind, configuration, settings, backup)

        return {"FileSystem": self.shown(self.once(call, make))}

    @operation("DescribeFileSystems")
    def describe_file_systems(self, call: Call) -> Reply:
        """List file systems. Raises FileSystemNotFound for an unknown id."""
        return self.listed(call, Shelf.FILE_SYSTEMS, "FileSystemIds", "FileSystems", {})

    @operation("UpdateFileSystem")
    def update_file_system(self, call: Call) -> Reply:
        """Change settings by way of UPDATING. Raises BadRequest unless the file system is AVAILABLE."""
        found = self._available(call)
        name = CONFIGURATIONS[found.shape["FileSystemType"]]
        self._take_password(found, dict(call.params.get(name) or {}))
        changes = {k: v for k, v in dict(call.params.get(name) or {}).items() if k != PASSWORD}
        found.shape[name] = {**found.shape.get(name, {}), **changes}
        found.shape.update(pick(call.params, "StorageCapacity", "StorageType"))
        found.life = Life.UPDATING
        action = found.act("FILE_SYSTEM_UPDATE", self.world.clock.now())
        self.walk(
            "fsx.update-file-system", found, UPDATE_SECONDS, Life.AVAILABLE, lambda: action.update(Status="COMPLETED")
        )
        return {"FileSystem": self.shown(found)}

    @operation("DeleteFileSystem")
    def delete_file_system(self, call: Call) -> Reply:
        """Delete a file system, after a final backup unless skipped; Lustre skips it by default.

        Raises: FileSystemNotFound, BadRequest (volumes or virtual machines left).
        """
        found = self.find(call, Shelf.FILE_SYSTEMS, call.params["FileSystemId"])
        if found.life == Life.DELETING:
            return {"FileSystemId": found.id, "Lifecycle": found.life, **found.notes.get("deletion", {})}
        kind = found.shape["FileSystemType"]
        options = dict(call.params.get(CONFIGURATIONS[kind]) or {}) if kind in RESPONSES else {}
        self._refuse_children(found, options)
        response: dict[str, Any] = {}
        if not options.get("SkipFinalBackup", kind in {"LUSTRE", "ONTAP"}):
            tags = list(options.get("FinalBackupTags") or [])
            response = {"FinalBackupId": self.back_up(found, tags).id, **({"FinalBackupTags": tags} if tags else {})}
        found.life = Life.DELETING
        found.notes["deletion"] = {RESPONSES[kind]: response} if kind in RESPONSES else {}
        self.world.transition(
            "fsx.delete-file-system",
            found.id,
            DELETE_SECONDS,
            lambda: self._gone(found),
            lambda: found.fail("The file system could not be deleted."),
        )
        return {"FileSystemId": found.id, "Lifecycle": found.life, **found.notes["deletion"]}

    @operation("AssociateFileSystemAliases")
    def associate_file_system_aliases(self, call: Call) -> Reply:
        """Give a Windows file system more DNS names. Raises FileSystemNotFound, BadRequest."""
        found, aliases = self._aliases(call)
        wanted = [name.lower() for name in call.params["Aliases"]]
        if len(aliases.keys() | set(wanted)) > ALIASES_PER_FILE_SYSTEM:
            raise bad_request(f"A file system has at most {ALIASES_PER_FILE_SYSTEM} aliases.")
        for name in wanted:
            if aliases.get(name, {}).get("Lifecycle") in {"AVAILABLE", "CREATING"}:
                continue
            alias = {"Name": name, "Lifecycle": "CREATING"}
            found.shape["WindowsConfiguration"]["Aliases"] = [*(a for n, a in aliases.items() if n != name), alias]
            aliases[name] = alias
            self._associate(found, alias)
        return {"Aliases": [dict(aliases[name]) for name in wanted]}

    @operation("DisassociateFileSystemAliases")
    def disassociate_file_system_aliases(self, call: Call) -> Reply:
        """Take DNS names from a Windows file system. Raises FileSystemNotFound, BadRequest (not its alias)."""
        found, aliases = self._aliases(call)
        wanted = [name.lower() for name in call.params["Aliases"]]
        unknown = [name for name in wanted if name not in aliases]
        if unknown:
            raise bad_request(f"{', '.join(unknown)}: not associated with {found.id}.")
        for name in wanted:
            self._disassociate(found, aliases[name])
        return {"Aliases": [dict(aliases[name]) for name in wanted]}

    @operation("DescribeFileSystemAliases")
    def describe_file_system_aliases(self, call: Call) -> Reply:
        """List the DNS aliases of a Windows file system."""
        _, aliases = self._aliases(call)
        return {"Aliases": [dict(alias) for alias in aliases.values()]}

    def settle(self, thing: Thing) -> None:
        """Make a thing available at once: an estate starts with what is up."""
        ontap = thing.shape.get("VolumeType") == "ONTAP" or "Subtype" in thing.shape
        thing.life = Life.CREATED if ontap else Life.AVAILABLE

    def _make(
        self,
        call: Call,
        kind: str,
        configuration: dict[str, Any],
        settings: Mapping[str, Any],
        backup: Thing | None = None,
    ) -> Thing:
        subnets = list(call.params["SubnetIds"])
        vpc = self._vpc(call, subnets)
        interfaces = self._interfaces(call, subnets, vpc)
        if str(configuration.get("DeploymentType", "")).startswith("MULTI_AZ") and len(subnets) != 2:
            raise bad_request(f"A {configuration['DeploymentType']} file system needs two subnets.")
        file_system_id = new_id("fs")
        if kind == "WINDOWS":
            names = configuration.get("Aliases") or []
            configuration["Aliases"] = [{"Name": str(name).lower(), "Lifecycle": "AVAILABLE"} for name in names]
        shape = {
            "OwnerId": call.account,
            "CreationTime": self.world.clock.now(),
            "FileSystemId": file_system_id,
            "FileSystemType": kind,
            "Lifecycle": str(Life.CREATING),
            "StorageType": "SSD",
            **pick(settings, "StorageCapacity", "StorageType", "KmsKeyId"),
            "VpcId": vpc,
            "SubnetIds": subnets,
            "NetworkInterfaceIds": interfaces,
            "DNSName": f"{file_system_id}.fsx.{call.region}.amazonaws.com",
            "ResourceARN": f"arn:aws:fsx:{call.region}:{call.account}:file-system/{file_system_id}",
            CONFIGURATIONS[kind]: configuration,
        }
        made = Thing(file_system_id, call.account, call.region, str(shape["ResourceARN"]), shape)
        self._take_password(made, configuration)
        configuration.pop(PASSWORD, None)
        self.put(Shelf.FILE_SYSTEMS, made, call.params.get("Tags") or [])
        if kind == "ONTAP":
            management = management_endpoint(self.world.endpoint_url, file_system_id, call.region)
            configuration["Endpoints"] = {"Management": {"DNSName": management}}
        if kind == "OPENZFS":
            configuration["RootVolumeId"] = self.add_root_volume(made).id
            configuration.pop("RootVolumeConfiguration", None)
            self.restore_volumes(made, backup.notes.get("volumes", []) if backup else [])
        what, seconds = ("create", CREATE_SECONDS) if backup is None else ("restore", RESTORE_SECONDS)
        if backup is not None:
            made.notes["restored_from"] = backup.id
        self.walk(f"fsx.{what}-file-system", made, seconds, Life.AVAILABLE, lambda: made.notes.pop("restored_from", 0))
        return made

    def _interfaces(self, call: Call, subnet_ids: list[str], vpc_id: str) -> list[str]:
        """Return the ids of new network interfaces, one a subnet; the security groups are seen on them alone."""
        ec2 = self.world.backend("ec2", call.account, call.region)
        groups = call.params.get("SecurityGroupIds") or [ec2.get_default_security_group(vpc_id).id]
        for group_id in groups:
            found = ec2.get_security_group_from_id(group_id)
            if found is None or found.vpc_id != vpc_id:
                message = f"The security group {group_id} does not exist in {vpc_id}."
                raise AwsError("InvalidNetworkSettings", message, InvalidSecurityGroupId=group_id)
        made = [
            ec2.create_network_interface(ec2.get_subnet(subnet_id), None, group_ids=list(groups))
            for subnet_id in subnet_ids
        ]
        return [each.id for each in made]

    def _vpc(self, call: Call, subnet_ids: list[str]) -> str:
        subnets = {
            subnet.id: subnet
            for zone in self.world.backend("ec2", call.account, call.region).subnets.values()
            for subnet in zone.values()
        }
        for subnet_id in subnet_ids:
            if subnet_id not in subnets:
                message = f"The subnet {subnet_id} does not exist in {call.region}."
                raise AwsError("InvalidNetworkSettings", message, InvalidSubnetId=subnet_id)
        return str(subnets[subnet_ids[0]].vpc_id)

    def _available(self, call: Call) -> Thing:
        found = self.find(call, Shelf.FILE_SYSTEMS, call.params["FileSystemId"])
        if found.life != Life.AVAILABLE:
            raise bad_request(f"File system {found.id} is {found.life}; it must be AVAILABLE.")
        return found

    def _refuse_children(self, found: Thing, options: Mapping[str, Any]) -> None:
        where = (found.account, found.region)
        children = [v for v in self.shelf(*where, Shelf.VOLUMES).values() if v.shape["FileSystemId"] == found.id]
        children = [v for v in children if not v.notes.get("root")]
        machines = [m for m in self.shelf(*where, Shelf.MACHINES).values() if m.shape["FileSystemId"] == found.id]
        if (children or machines) and DELETE_CHILDREN not in (options.get("Options") or []):
            named = ", ".join(thing.id for thing in (*children, *machines))
            raise bad_request(f"File system {found.id} still has {named}: delete them first.")

    def _gone(self, found: Thing) -> None:
        self.drop(Shelf.FILE_SYSTEMS, found)
        volumes = self.shelf(found.account, found.region, Shelf.VOLUMES)
        for volume in [v for v in volumes.values() if v.shape["FileSystemId"] == found.id]:
            self.drop(Shelf.VOLUMES, volume)
        links = self.shelf(found.account, found.region, Shelf.ASSOCIATIONS)
        for link in [a for a in links.values() if a.shape["FileSystemId"] == found.id]:
            self.drop(Shelf.ASSOCIATIONS, link)
        ec2 = self.world.backend("ec2", found.account, found.region)
        for interface_id in found.shape["NetworkInterfaceIds"]:
            ec2.delete_network_interface(interface_id)

    def _take_password(self, found: Thing, given: Mapping[str, Any]) -> None:
        """Keep the password of `fsxadmin` where no description shows it."""
        if PASSWORD in given:
            found.notes["password"] = given[PASSWORD]

    def _aliases(self, call: Call) -> tuple[Thing, dict[str, dict[str, Any]]]:
        found = self.find(call, Shelf.FILE_SYSTEMS, call.params["FileSystemId"])
        if found.shape["FileSystemType"] != "WINDOWS":
            raise bad_request(f"{found.id} is {found.shape['FileSystemType']}: only Windows has aliases.")
        return found, {alias["Name"]: alias for alias in found.shape["WindowsConfiguration"]["Aliases"]}

    def _associate(self, found: Thing, alias: dict[str, Any]) -> None:
        action = found.act("FILE_SYSTEM_ALIAS_ASSOCIATION", self.world.clock.now())

        def done() -> None:
            alias["Lifecycle"], action["Status"] = "AVAILABLE", "COMPLETED"

        def failed() -> None:
            alias["Lifecycle"], action["Status"] = "CREATE_FAILED", "FAILED"

        self.world.transition("fsx.associate-alias", alias["Name"], ALIAS_SECONDS, done, failed)

    def _disassociate(self, found: Thing, alias: dict[str, Any]) -> None:
        if alias["Lifecycle"] == "DELETING":
            return
        alias["Lifecycle"] = "DELETING"
        action = found.act("FILE_SYSTEM_ALIAS_DISASSOCIATION", self.world.clock.now())
        configuration = found.shape["WindowsConfiguration"]

        def done() -> None:
            configuration["Aliases"] = [each for each in configuration["Aliases"] if each is not alias]
            action["Status"] = "COMPLETED"

        def failed() -> None:
            alias["Lifecycle"], action["Status"] = "DELETE_FAILED", "FAILED"

        self.world.transition("fsx.disassociate-alias", alias["Name"], ALIAS_SECONDS, done, failed)

    def add_root_volume(self, file_system: Thing) -> Thing:
        """Add the root volume of an OpenZFS file system."""
        raise NotImplementedError

    def restore_volumes(self, file_system: Thing, saved: Iterable[Mapping[str, Any]]) -> None:
        """Give an OpenZFS file system the volumes of a backup, with their settings."""
        raise NotImplementedError


def _restorable(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a backup that a new file system inherits: not its names and addresses."""
    dropped = {"Aliases", "RootVolumeId", "EndpointIpAddress", "PreferredSubnetId", "RemoteAdministrationEndpoint"}
    return {key: value for key, value in saved.items() if key not in dropped}
