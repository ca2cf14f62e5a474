"""`fsx-ontap`: an ONTAP file system on either side, whose volumes follow each other by SnapMirror.

Settings: `volumes` ({"data": "/data"}: name -> junction path on the source side), `schedule_minutes` (5; 0: only when asked),
`mirrored` (true: the relationships are there and in sync), `peered` (true), `secret` (true: the password of `fsxadmin` lies on
both sides in the secret `<name>-fsxadmin` with the certificate of the embedded AWS, and the tag `dr:ontap-secret` says so),
`throughput_mbps` (128), `deployment` (SINGLE_AZ_1). The virtual machine on both sides is called like the entry.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localaws import tls
from localaws.seeds.network import default_network, tag_list
from localaws.services.fsx import FsxService
from localaws.services.fsx.models import Shelf, Thing

if TYPE_CHECKING:
    from localaws.estate import Entry, Estate
    from localaws.world import World

PASSWORD = "a-Password-1"  # noqa: S105  of an embedded file system
GIB = 2**30


def seed(world: World, estate: Estate, entry: Entry) -> None:
    """Create both file systems with their virtual machines, volumes and relationships, all up and tagged."""
    fsx = world.service("fsx")
    assert isinstance(fsx, FsxService)
    account = estate.account_id(entry.account)
    sides = [_side(world, fsx, estate, entry, account, region) for region in estate.regions]
    machines = [_machine(world, fsx, entry, side) for side in sides]
    if entry.setting("peered", True):
        fsx.peer(*machines)
    if not entry.setting("mirrored", True):
        volumes = entry.setting("volumes", {"data": "/data"})
        for name, path in volumes.items():
            _volume(world, fsx, machines[0], name, JunctionPath=path)
        return
    for name, path in entry.setting("volumes", {"data": "/data"}).items():
        source = _volume(world, fsx, machines[0], name, JunctionPath=path)
        target = _volume(world, fsx, machines[1], name, OntapVolumeType="DP")
        fsx.mirror_now(source, target, int(entry.setting("schedule_minutes", 5)) or None)


def _side(world: World, fsx: FsxService, estate: Estate, entry: Entry, account: str, region: str) -> Thing:
    tags = {"Name": entry.name, **estate.tags(entry)}
    if entry.setting("secret", True):
        name = f"{entry.name}-fsxadmin"
        told = {"username": "fsxadmin", "password": PASSWORD, "certificate": tls.certificate()}
        world.call("secretsmanager", "CreateSecret", account, region, Name=name, SecretString=json.dumps(told))
        tags["dr:ontap-secret"] = name
    network = default_network(world, account, region)
    configuration = {
        "DeploymentType": entry.setting("deployment", "SINGLE_AZ_1"),
        "ThroughputCapacity": int(entry.setting("throughput_mbps", 128)),
        "FsxAdminPassword": PASSWORD,
    }
    reply = world.call(
        "fsx",
        "CreateFileSystem",
        account,
        region,
        FileSystemType="ONTAP",
        StorageCapacity=1024,
        SubnetIds=list(network.subnet_ids[:1]),
        SecurityGroupIds=[network.security_group_id],
        OntapConfiguration=configuration,
        Tags=tag_list(tags),
    )
    return _settled(fsx, account, region, Shelf.FILE_SYSTEMS, reply["FileSystem"]["FileSystemId"])


def _machine(world: World, fsx: FsxService, entry: Entry, home: Thing) -> Thing:
    where = (home.account, home.region)
    made = world.call("fsx", "CreateStorageVirtualMachine", *where, FileSystemId=home.id, Name=entry.name)
    return _settled(fsx, *where, Shelf.MACHINES, made["StorageVirtualMachine"]["StorageVirtualMachineId"])


def _volume(world: World, fsx: FsxService, machine: Thing, name: str, **settings: Any) -> Thing:
    where = (machine.account, machine.region)
    settings |= {"StorageVirtualMachineId": machine.id, "SizeInBytes": 100 * GIB}
    made = world.call("fsx", "CreateVolume", *where, VolumeType="ONTAP", Name=name, OntapConfiguration=settings)
    return _settled(fsx, *where, Shelf.VOLUMES, made["Volume"]["VolumeId"])


def _settled(fsx: FsxService, account: str, region: str, kind: Shelf, thing_id: str) -> Thing:
    thing = fsx.shelf(account, region, kind)[thing_id]
    fsx.settle(thing)
    return thing
