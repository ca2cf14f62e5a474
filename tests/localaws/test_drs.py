"""Elastic Disaster Recovery in the embedded AWS, told as its user meets it: through boto3, on a clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator
from moto.core.utils import get_service_model

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.estate import Estate
from localaws.scenario import Blackout, Effect, Transition
from localaws.service import Call, Reply

ACCOUNT = "222222222222"
SOURCE, TARGET = "us-east-1", "us-west-2"
MINUTE = 60
JOB_SECONDS = 10 * MINUTE

Client = Any


def estate_of(*resources: dict[str, Any]) -> Estate:
    return estates.parse(
        {
            "name": "test",
            "organization": {"id": "o-exampleorg1", "root": "r-abcd"},
            "hub": {"account": "hub", "regions": [SOURCE, TARGET]},
            "accounts": {"hub": "111111111111", "apps": ACCOUNT},
            "primary_region": SOURCE,
            "dr_region": TARGET,
            "resources": list(resources),
        },
        "test",
    )


@pytest.fixture(scope="module")
def local() -> LocalAws:
    aws = LocalAws({ACCOUNT: "apps"}, clock=ManualClock())
    aws.after.append(has_the_documented_shape)
    return aws


def has_the_documented_shape(call: Call, reply: Reply) -> Reply:
    """Fail any test whose DRS answers carry a field or a type that botocore's model does not know."""
    if call.service == "drs":
        shape = get_service_model("drs").operation_model(call.operation).output_shape
        report = ParamValidator().validate(dict(reply), shape) if shape is not None else None
        assert report is None or not report.has_errors(), report.generate_report()
    return reply


@pytest.fixture(scope="module")
def clients(local: LocalAws) -> Callable[[str, str], Client]:
    session = {region: local.session(ACCOUNT, region) for region in (SOURCE, TARGET)}
    return cache(lambda service, region: session[region].client(service))


@pytest.fixture
def clock(local: LocalAws) -> ManualClock:
    local.reset()
    assert isinstance(local.clock, ManualClock)
    return local.clock


@pytest.fixture
def client(clients: Callable[[str, str], Client], clock: ManualClock) -> Callable[[str, str], Client]:
    return clients


def seed(local: LocalAws, *names: str, **settings: Any) -> None:
    entries = [
        {"kind": "drs-server", "account": "apps", "name": n, "tags": {"Customer": "X"}, **settings} for n in names
    ]
    estates.seed(local, estate_of(*entries))


def server_ids(drs: Client) -> list[str]:
    return [server["sourceServerID"] for server in drs.describe_source_servers()["items"]]


def launch(drs: Client, clock: ManualClock, *ids: str, **options: Any) -> dict[str, Any]:
    """Launch and wait; return the job."""
    job = drs.start_recovery(sourceServers=[{"sourceServerID": i} for i in ids], **options)["job"]
    clock.advance(JOB_SECONDS)
    done: dict[str, Any] = drs.describe_jobs(filters={"jobIDs": [job["jobID"]]})["items"][0]
    return done


def events(drs: Client, job: dict[str, Any]) -> list[str]:
    return [item["event"] for item in drs.describe_job_log_items(jobID=job["jobID"])["items"]]


def replication(drs: Client) -> dict[str, Any]:
    info: dict[str, Any] = drs.describe_source_servers()["items"][0]["dataReplicationInfo"]
    return info


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code(failure: pytest.ExceptionInfo[ClientError]) -> str:
    return str(failure.value.response["Error"]["Code"])


def test_a_region_nobody_set_up_refuses_every_question(client: Callable[[str, str], Client]) -> None:
    drs = client("drs", TARGET)
    with pytest.raises(ClientError) as failure:
        drs.describe_source_servers()
    assert code(failure) == "UninitializedAccountException"

    drs.initialize_service()
    assert drs.describe_source_servers()["items"] == []
    assert drs.describe_replication_configuration_templates()["items"] == []


def test_a_healthy_server_replicates_without_lag_and_has_fresh_recovery_points(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs = client("drs", TARGET)

    server = drs.describe_source_servers()["items"][0]
    assert server["dataReplicationInfo"]["dataReplicationState"] == "CONTINUOUS"
    assert "lagDuration" not in server["dataReplicationInfo"]
    assert server["tags"]["Customer"] == "X"
    assert server["sourceCloudProperties"]["originRegion"] == SOURCE

    clock.advance(25 * MINUTE)
    newest = drs.describe_recovery_snapshots(sourceServerID=server["sourceServerID"], order="DESC", maxResults=1)
    age = clock.now() - datetime.fromisoformat(newest["items"][0]["timestamp"])
    assert age.total_seconds() <= 10 * MINUTE
    assert newest["nextToken"]


def test_a_backlog_drains_until_the_server_is_continuous(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1", backlog_mib=480)
    drs = client("drs", TARGET)

    before = replication(drs)
    assert (before["dataReplicationState"], before["lagDuration"]) == ("BACKLOG", "PT2M0S")
    clock.advance(MINUTE)
    assert 0 < replication(drs)["replicatedDisks"][0]["backloggedStorageBytes"] < 480 * 1024**2
    clock.advance(2 * MINUTE)
    assert replication(drs)["dataReplicationState"] == "CONTINUOUS"


def test_a_recovery_walks_the_documented_way_and_runs_a_tagged_instance(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1", instance_type="m5.xlarge")
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    (server_id,) = server_ids(drs)

    job = drs.start_recovery(sourceServers=[{"sourceServerID": server_id}], tags={"dr:execution-id": "run-1"})["job"]
    assert (job["status"], job["type"], job["initiatedBy"]) == ("PENDING", "LAUNCH", "START_RECOVERY")
    clock.advance(20)
    started = drs.describe_jobs(filters={"jobIDs": [job["jobID"]]})["items"][0]
    assert (started["status"], started["participatingServers"][0]["launchStatus"]) == ("STARTED", "IN_PROGRESS")
    clock.advance(JOB_SECONDS)

    done = drs.describe_jobs(filters={"jobIDs": [job["jobID"]]})["items"][0]
    assert (done["status"], done["participatingServers"][0]["launchStatus"]) == ("COMPLETED", "LAUNCHED")
    assert events(drs, job) == [
        "JOB_START",
        "SNAPSHOT_START",
        "SNAPSHOT_END",
        "CONVERSION_START",
        "CONVERSION_END",
        "LAUNCH_START",
        "JOB_END",
    ]
    instance = drs.describe_recovery_instances(filters={"sourceServerIDs": [server_id]})["items"][0]
    assert (instance["isDrill"], instance["jobID"], instance["ec2InstanceState"]) == (False, job["jobID"], "RUNNING")
    machine = ec2.describe_instances(InstanceIds=[instance["ec2InstanceID"]])["Reservations"][0]["Instances"][0]
    tags = {tag["Key"]: tag["Value"] for tag in machine["Tags"]}
    assert machine["InstanceType"] == "m5.xlarge"
    assert (tags["Customer"], tags["dr:execution-id"], tags["Name"]) == ("X", "run-1", "orders-app-1")
    last = drs.describe_source_servers()["items"][0]["lifeCycle"]["lastLaunch"]
    assert (last["initiated"]["jobID"], last["status"]) == (job["jobID"], "LAUNCHED")


def test_a_fresh_recovery_instance_passes_its_status_checks_only_after_a_while(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    drs.start_recovery(sourceServers=[{"sourceServerID": server_ids(drs)[0]}])
    seen = []
    for _ in range(40):
        clock.advance(15)
        seen += [s["InstanceStatus"]["Status"] for s in ec2.describe_instance_status()["InstanceStatuses"]]
    assert seen[0] == "initializing"
    assert seen[-1] == "ok"


def test_a_blind_second_launch_destroys_the_first_recovery_instance(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    (server_id,) = server_ids(drs)
    first = launch(drs, clock, server_id)["participatingServers"][0]["recoveryInstanceID"]

    again = launch(drs, clock, server_id)

    second = again["participatingServers"][0]["recoveryInstanceID"]
    assert second != first
    assert events(drs, again)[1:3] == ["CLEANUP_START", "CLEANUP_END"]
    assert [i["recoveryInstanceID"] for i in drs.describe_recovery_instances()["items"]] == [second]
    state = ec2.describe_instances(InstanceIds=[first])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert state == "terminated"


def test_a_server_in_a_job_cannot_join_another(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1", "orders-app-2")
    drs = client("drs", TARGET)
    one, two = server_ids(drs)
    drs.start_recovery(sourceServers=[{"sourceServerID": one}])

    with pytest.raises(ClientError) as failure:
        drs.start_recovery(sourceServers=[{"sourceServerID": two}, {"sourceServerID": one}])
    assert code(failure) == "ConflictException"

    clock.advance(JOB_SECONDS)
    assert launch(drs, clock, one, two)["status"] == "COMPLETED"


def test_more_servers_or_jobs_than_the_quotas_allow_are_refused(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, *[f"app-{n}" for n in range(21)])
    drs = client("drs", TARGET)
    ids = server_ids(drs)

    with pytest.raises(ClientError) as failure:
        drs.start_recovery(sourceServers=[{"sourceServerID": ids[0]}] * 101)
    assert code(failure) == "ValidationException"

    for server_id in ids[:20]:
        drs.start_recovery(sourceServers=[{"sourceServerID": server_id}], isDrill=True)
    with pytest.raises(ClientError) as failure:
        drs.start_recovery(sourceServers=[{"sourceServerID": ids[20]}])
    assert code(failure) == "ServiceQuotaExceededException"


def test_a_job_is_completed_although_its_launch_failed(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    (server_id,) = server_ids(drs)
    template = drs.get_launch_configuration(sourceServerID=server_id)["ec2LaunchTemplateID"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template,
        LaunchTemplateData={"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": "subnet-0deadbeef"}]},
    )
    ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="2")

    job = launch(drs, clock, server_id)

    assert (job["status"], job["participatingServers"][0]["launchStatus"]) == ("COMPLETED", "FAILED")
    log = drs.describe_job_log_items(jobID=job["jobID"])["items"]
    failed = next(item for item in log if item["event"] == "LAUNCH_FAILED")
    assert "subnet-0deadbeef" in failed["eventData"]["rawError"]
    assert drs.describe_source_servers()["items"][0]["lastLaunchResult"] == "FAILED"


def test_a_job_may_end_half_well(local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]) -> None:
    seed(local, "orders-app-1", "orders-app-2")
    drs = client("drs", TARGET)
    fault = Transition(effect=Effect.FAIL, kind="drs.conversion", resource="ordersapp2")
    local.faults.add(fault)
    try:
        job = launch(drs, clock, *server_ids(drs))
    finally:
        local.faults.remove()
    assert job["status"] == "COMPLETED"
    assert {p["launchStatus"] for p in job["participatingServers"]} == {"LAUNCHED", "FAILED"}
    assert "CONVERSION_FAIL" in events(drs, job)


def test_a_stopped_source_stalls_and_is_recovered_from_its_last_recovery_point(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, source = client("drs", TARGET), client("ec2", SOURCE)
    server = drs.describe_source_servers()["items"][0]
    machine = server["sourceProperties"]["identificationHints"]["awsInstanceID"]
    stopped_at = clock.now()
    source.stop_instances(InstanceIds=[machine])
    clock.advance(2 * MINUTE)
    assert replication(drs)["lagDuration"] == "PT2M0S"
    clock.advance(28 * MINUTE)

    info = replication(drs)
    assert (info["dataReplicationState"], info["dataReplicationError"]["error"]) == ("STALLED", "AGENT_NOT_SEEN")
    job = launch(drs, clock, server["sourceServerID"])
    assert "USING_PREVIOUS_SNAPSHOT" in events(drs, job)
    assert "SNAPSHOT_START" not in events(drs, job)
    instance = drs.describe_recovery_instances()["items"][0]
    assert datetime.fromisoformat(instance["pointInTimeSnapshotDateTime"]) <= stopped_at

    source.start_instances(InstanceIds=[machine])
    clock.advance(MINUTE)
    assert replication(drs)["dataReplicationState"] in {"RESCAN", "BACKLOG"}
    clock.advance(10 * MINUTE)
    assert replication(drs)["dataReplicationState"] == "CONTINUOUS"


def test_a_region_that_goes_dark_stalls_its_servers_from_that_moment(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, cloudwatch = client("drs", TARGET), client("cloudwatch", TARGET)
    (server_id,) = server_ids(drs)
    clock.advance(5 * MINUTE)
    dark_from = clock.now()
    local.faults.add(Blackout(effect=Effect.BLACKOUT, region=SOURCE))
    try:
        clock.advance(20 * MINUTE)
        info = replication(drs)
        assert info["dataReplicationState"] == "STALLED"
        assert info["lagDuration"] in {"PT19M0S", "PT19M30S", "PT20M0S"}
        newest = drs.describe_recovery_snapshots(sourceServerID=server_id, order="DESC", maxResults=1)["items"][0]
        assert datetime.fromisoformat(newest["timestamp"]) <= dark_from
        lag = cloudwatch.get_metric_statistics(
            Namespace="AWS/DRS",
            MetricName="LagDuration",
            Dimensions=[{"Name": "SourceServerID", "Value": server_id}],
            StartTime=clock.now() - timedelta(minutes=5),
            EndTime=clock.now(),
            Period=300,
            Statistics=["Maximum"],
        )["Datapoints"]
        assert lag[-1]["Maximum"] >= 19 * MINUTE
        assert launch(drs, clock, server_id)["participatingServers"][0]["launchStatus"] == "LAUNCHED"
    finally:
        local.faults.remove()


def test_a_caller_without_ec2_rights_gets_a_job_whose_launch_fails(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    # Given a role that may start recoveries but not run instances
    seed(local, "orders-app-1")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    rights = {"Effect": "Allow", "Action": "drs:*", "Resource": "*"}
    iam = {"account": ACCOUNT, "region": SOURCE}
    local.call("iam", "CreateRole", **iam, RoleName="narrow", AssumeRolePolicyDocument=policy(trust))
    local.call("iam", "PutRolePolicy", **iam, RoleName="narrow", PolicyName="p", PolicyDocument=policy(rights))
    role = f"arn:aws:iam::{ACCOUNT}:role/narrow"
    keys = client("sts", TARGET).assume_role(RoleArn=role, RoleSessionName="run-1")["Credentials"]
    drs = local.session(ACCOUNT, TARGET).client(
        "drs",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )

    # When it starts a recovery
    job = launch(drs, clock, *server_ids(drs))

    # Then the call succeeds and the launch does not
    assert job["participatingServers"][0]["launchStatus"] == "FAILED"
    failed = drs.describe_job_log_items(jobID=job["jobID"])["items"][-2]
    assert failed["event"] == "LAUNCH_FAILED"
    assert "ec2:" in failed["eventData"]["rawError"]


def test_stopping_replication_deletes_every_recovery_point(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs = client("drs", TARGET)
    (server_id,) = server_ids(drs)
    assert drs.describe_recovery_snapshots(sourceServerID=server_id)["items"]

    drs.stop_replication(sourceServerID=server_id)
    assert replication(drs)["dataReplicationState"] == "STOPPED"
    assert drs.describe_recovery_snapshots(sourceServerID=server_id)["items"] == []
    job = launch(drs, clock, server_id)
    assert job["participatingServers"][0]["launchStatus"] == "FAILED"

    drs.start_replication(sourceServerID=server_id)
    states = []
    for _ in range(12):
        states.append(replication(drs)["dataReplicationState"])
        clock.advance(45)
    assert list(dict.fromkeys(states)) == ["INITIATING", "INITIAL_SYNC", "CREATING_SNAPSHOT", "CONTINUOUS"]


def test_a_drill_ends_with_its_instance_terminated_and_the_server_still_protected(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    job = launch(drs, clock, *server_ids(drs), isDrill=True)
    instance_id = job["participatingServers"][0]["recoveryInstanceID"]
    assert drs.describe_recovery_instances()["items"][0]["isDrill"] is True

    ending = drs.terminate_recovery_instances(recoveryInstanceIDs=[instance_id])["job"]
    assert ending["type"] == "TERMINATE"
    clock.advance(JOB_SECONDS)

    assert drs.describe_recovery_instances()["items"] == []
    state = ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]["State"]["Name"]
    assert state == "terminated"
    ended = drs.describe_jobs(filters={"jobIDs": [ending["jobID"]]})["items"][0]
    assert ended["participatingServers"][0]["launchStatus"] == "TERMINATED"
    assert replication(drs)["dataReplicationState"] == "CONTINUOUS"


def test_reversed_replication_protects_the_recovery_instance_and_leads_back_home(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    # Given a server that runs on the target side and whose old machine is stopped
    seed(local, "orders-app-1")
    there, here = client("drs", TARGET), client("drs", SOURCE)
    original = there.describe_source_servers()["items"][0]
    machine = original["sourceProperties"]["identificationHints"]["awsInstanceID"]
    recovered = launch(there, clock, original["sourceServerID"])["participatingServers"][0]["recoveryInstanceID"]
    client("ec2", SOURCE).stop_instances(InstanceIds=[machine])

    # When replication is reversed
    arn = there.reverse_replication(recoveryInstanceID=recovered)["reversedDirectionSourceServerArn"]
    clock.advance(JOB_SECONDS)

    # Then the source Region has a server that replicates from the recovery instance
    back = here.describe_source_servers()["items"][0]
    assert (back["arn"], back["replicationDirection"]) == (arn, "FAILBACK")
    assert back["sourceCloudProperties"]["originRegion"] == TARGET
    assert back["dataReplicationInfo"]["dataReplicationState"] == "CONTINUOUS"
    assert there.describe_source_servers()["items"][0]["reversedDirectionSourceServerArn"] == arn
    with pytest.raises(ClientError) as failure:
        there.reverse_replication(recoveryInstanceID=recovered)
    assert code(failure) == "ConflictException"

    # And it can be launched there, and protected again by the original server
    home = launch(here, clock, back["sourceServerID"])["participatingServers"][0]["recoveryInstanceID"]
    again = here.reverse_replication(recoveryInstanceID=home)["reversedDirectionSourceServerArn"]
    clock.advance(JOB_SECONDS)
    assert again == original["arn"]
    protected = there.describe_source_servers()["items"][0]
    assert protected["sourceProperties"]["identificationHints"]["awsInstanceID"] == home
    assert protected["dataReplicationInfo"]["dataReplicationState"] == "CONTINUOUS"


def test_replication_cannot_be_reversed_into_a_region_without_templates(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs = client("drs", TARGET)
    recovered = launch(drs, clock, *server_ids(drs))["participatingServers"][0]["recoveryInstanceID"]
    service: Any = local.service("drs")
    service.regions.pop((ACCOUNT, SOURCE))

    with pytest.raises(ClientError) as failure:
        drs.reverse_replication(recoveryInstanceID=recovered)
    assert code(failure) == "UninitializedAccountException"


def into_the_source(here: Client) -> None:
    """Let new source servers of a Region launch into the instance that they came from."""
    template = here.describe_launch_configuration_templates()["items"][0]["launchConfigurationTemplateID"]
    here.update_launch_configuration_template(
        launchConfigurationTemplateID=template, launchIntoSourceInstance=True, copyTags=False
    )


def test_failing_back_into_the_original_instance_needs_it_tagged_before_and_stopped(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    # Given launch-into-source chosen before reversing, and the original machine not tagged
    seed(local, "orders-app-1")
    there, here, ec2 = client("drs", TARGET), client("drs", SOURCE), client("ec2", SOURCE)
    into_the_source(here)
    original = there.describe_source_servers()["items"][0]
    machine = original["sourceProperties"]["identificationHints"]["awsInstanceID"]
    recovered = launch(there, clock, original["sourceServerID"])["participatingServers"][0]["recoveryInstanceID"]

    # When replication is reversed without the tag, then no source server is made
    with pytest.raises(ClientError) as failure:
        there.reverse_replication(recoveryInstanceID=recovered)
    assert code(failure) == "UnauthorizedOperation"
    assert server_ids(here) == []

    # When it is reversed with the tag, then the new server is set to launch into the original machine
    ec2.create_tags(Resources=[machine], Tags=[{"Key": "AWSDRS", "Value": "AllowLaunchingIntoThisInstance"}])
    there.reverse_replication(recoveryInstanceID=recovered)
    clock.advance(JOB_SECONDS)
    (back,) = server_ids(here)
    launch_settings = here.get_launch_configuration(sourceServerID=back)
    assert launch_settings["launchIntoInstanceProperties"] == {"launchIntoEC2InstanceID": machine}

    # And a launch lands there only while it is stopped, with new volumes
    refused = launch(here, clock, back)
    ec2.stop_instances(InstanceIds=[machine])
    clock.advance(MINUTE)
    before = volumes(ec2, machine)
    accepted = launch(here, clock, back)
    assert refused["participatingServers"][0]["launchStatus"] == "FAILED"
    assert accepted["participatingServers"][0]["recoveryInstanceID"] == machine
    assert volumes(ec2, machine).isdisjoint(before)


def volumes(ec2: Client, machine: str) -> set[str]:
    """Return the volumes that are attached to an instance."""
    (found,) = ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
    return {mapping["Ebs"]["VolumeId"] for mapping in found["BlockDeviceMappings"]}


def test_prepared_server_is_launched_into_its_instance_by_recoveries_and_drills_alike(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    # Given a server whose launch settings name a prepared, stopped instance
    seed(local, "orders-app-1", prepared=True)
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    (server,) = server_ids(drs)
    into = drs.get_launch_configuration(sourceServerID=server)["launchIntoInstanceProperties"][
        "launchIntoEC2InstanceID"
    ]
    assert ec2.describe_instances(InstanceIds=[into])["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped"

    # When it is drilled, stopped, and recovered
    drill = launch(drs, clock, server, isDrill=True)
    ec2.stop_instances(InstanceIds=[into])
    clock.advance(MINUTE)
    recovery = launch(drs, clock, server)

    # Then both landed in that instance, which the second launch did not terminate
    landed = [job["participatingServers"][0].get("recoveryInstanceID") for job in (drill, recovery)]
    assert landed == [into, into]
    assert [i["recoveryInstanceID"] for i in drs.describe_recovery_instances()["items"]] == [into]
    assert ec2.describe_instances(InstanceIds=[into])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"


def test_launch_settings_take_only_an_instance_that_fits_the_server(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    common = {"kind": "drs-server", "account": "apps", "tags": {"Customer": "X"}, "prepared": True}
    modes = {"orders-app-1": "legacy-bios", "orders-app-2": "uefi"}
    entries = ({**common, "name": name, "prepared_boot_mode": mode} for name, mode in modes.items())
    estates.seed(local, estate_of(*entries))
    drs = client("drs", TARGET)
    first, second = server_ids(drs)
    bios, uefi = (
        drs.get_launch_configuration(sourceServerID=s)["launchIntoInstanceProperties"] for s in (first, second)
    )

    for settings, complaint in (
        ({"copyTags": True}, "copyTags and copyPrivateIp off"),
        ({"copyPrivateIp": True}, "copyTags and copyPrivateIp off"),
        ({"launchIntoInstanceProperties": {"launchIntoEC2InstanceID": "i-0123456789abcdef0"}}, "was not found"),
        ({"launchIntoInstanceProperties": uefi}, "configuration mismatch: BootMode"),
    ):
        with pytest.raises(ClientError, match=complaint) as failure:
            drs.update_launch_configuration(sourceServerID=first, **settings)
        assert code(failure) == "ValidationException"
    assert drs.get_launch_configuration(sourceServerID=first)["launchIntoInstanceProperties"] == bios


def test_instance_with_termination_protection_survives_a_launch_that_would_replace_it(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs, ec2 = client("drs", TARGET), client("ec2", TARGET)
    (server,) = server_ids(drs)
    machine = launch(drs, clock, server)["participatingServers"][0]["recoveryInstanceID"]
    ec2.modify_instance_attribute(InstanceId=machine, DisableApiTermination={"Value": True})

    with pytest.raises(ClientError) as failure:
        ec2.terminate_instances(InstanceIds=[machine])
    assert code(failure) == "OperationNotPermitted"

    again = launch(drs, clock, server)
    assert again["participatingServers"][0]["launchStatus"] == "FAILED"
    assert "CLEANUP_FAIL" in events(drs, again)
    assert (
        ec2.describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"
    )


def test_a_server_is_forgotten_only_in_the_documented_order(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs = client("drs", TARGET)
    (server_id,) = server_ids(drs)
    recovered = launch(drs, clock, server_id)["participatingServers"][0]["recoveryInstanceID"]

    refused: tuple[Callable[[], Any], ...] = (
        lambda: drs.delete_source_server(sourceServerID=server_id),
        lambda: drs.disconnect_source_server(sourceServerID=server_id),
        lambda: drs.delete_recovery_instance(recoveryInstanceID=recovered),
    )
    for attempt in refused:
        with pytest.raises(ClientError) as failure:
            attempt()
        assert code(failure) == "ConflictException"

    drs.disconnect_recovery_instance(recoveryInstanceID=recovered)
    drs.delete_recovery_instance(recoveryInstanceID=recovered)
    drs.disconnect_source_server(sourceServerID=server_id)
    drs.delete_source_server(sourceServerID=server_id)
    assert server_ids(drs) == []


def test_pages_together_hold_every_server_once(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, *[f"app-{n}" for n in range(5)])
    drs = client("drs", TARGET)
    pages = drs.get_paginator("describe_source_servers").paginate(PaginationConfig={"PageSize": 2})
    found = [server["sourceServerID"] for part in pages for server in part["items"]]
    assert sorted(found) == sorted(server_ids(drs))
    assert len(found) == 5


def test_tags_of_a_source_server_can_be_changed(
    local: LocalAws, clock: ManualClock, client: Callable[[str, str], Client]
) -> None:
    seed(local, "orders-app-1")
    drs = client("drs", TARGET)
    arn = drs.describe_source_servers()["items"][0]["arn"]
    drs.tag_resource(resourceArn=arn, tags={"dr:wave": "2"})
    drs.untag_resource(resourceArn=arn, tagKeys=["Customer"])
    tags = drs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags["dr:wave"] == "2"
    assert "Customer" not in tags
