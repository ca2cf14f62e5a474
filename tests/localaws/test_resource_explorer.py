"""Resource Explorer in the embedded AWS: it sees what the real one sees, no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws import estate as estates
from localaws.clock import ManualClock
from localaws.dispatcher import LocalAws
from localaws.services.resource_explorer_2 import ResourceExplorerService
from localaws.services.resource_explorer_2 import query as queries
from localaws.services.resource_explorer_2.collect import Record, collect

HUB, DATA, APPS, NETWORK = "111111111111", "222222222222", "333333333333", "444444444444"
OTHER = "555555555555"
SOURCE, TARGET = "us-east-1", "us-west-2"

Client = Any


class DarkRegion:
    """Stands for the fault of a Region that does not answer."""

    def __init__(self) -> None:
        self.dark: set[str] = set()

    def region_is_down(self, region: str) -> bool:
        return region in self.dark


@pytest.fixture(scope="module")
def demo() -> LocalAws:
    local = LocalAws({}, clock=ManualClock())
    estates.load(local, "demo")
    return local


@pytest.fixture(scope="module")
def client(demo: LocalAws) -> Callable[..., Client]:
    return cache(lambda service, region, account=HUB: demo.session(account, region).client(service))


@pytest.fixture
def blackout(demo: LocalAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[DarkRegion]:
    faults = DarkRegion()
    monkeypatch.setattr(demo, "faults", faults, raising=False)
    yield faults
    faults.dark.clear()


@pytest.fixture
def explorer(demo: LocalAws) -> ResourceExplorerService:
    service = demo.service("resource-explorer-2")
    assert isinstance(service, ResourceExplorerService)
    return service


def listed(client: Client, text: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("list_resources").paginate(
        Filters={"FilterString": text}, PaginationConfig={"PageSize": 7}
    )
    return [resource for page in pages for resource in page["Resources"]]


def tags_of(resource: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for p in resource["Properties"] for tag in p["Data"]}


def test_the_aggregator_view_finds_a_customer_in_every_account_and_region(client: Callable[..., Client]) -> None:
    found = listed(client("resource-explorer-2", TARGET), "tag:Customer=CustomerX tag:dr:enabled=true")

    assert {r["OwningAccountId"] for r in found} == {DATA, APPS, NETWORK}
    assert {r["Region"] for r in found} == {SOURCE, TARGET, "global"}
    kinds = {r["ResourceType"] for r in found}
    assert {"rds:db", "rds:cluster", "ecs:service", "ec2:instance", "route53:healthcheck"} <= kinds
    assert all(tags_of(r)["Customer"] == "CustomerX" for r in found)


def test_what_the_real_service_does_not_list_is_not_found(client: Callable[..., Client]) -> None:
    explorer = client("resource-explorer-2", TARGET)
    assert listed(explorer, "service:drs") == []
    assert listed(explorer, "resourcetype:rds:global-cluster tag:Customer=CustomerX") == []
    assert len(listed(explorer, "resourcetype:rds:global-cluster")) == 3


def test_a_view_beside_a_local_index_sees_its_own_region_only(client: Callable[..., Client]) -> None:
    found = listed(client("resource-explorer-2", SOURCE), "tag:Customer=CustomerX")
    assert {r["Region"] for r in found} == {SOURCE, "global"}


def test_a_dark_region_stays_listed_from_its_last_report(
    demo: LocalAws, client: Callable[..., Client], blackout: DarkRegion
) -> None:
    explorer = client("resource-explorer-2", TARGET)
    before = {r["Arn"] for r in listed(explorer, f"region:{SOURCE}")}
    blackout.dark.add(SOURCE)
    assert {r["Arn"] for r in listed(explorer, f"region:{SOURCE}")} == before

    reply = demo.call("ecs", "CreateCluster", APPS, SOURCE, clusterName="born-in-the-dark")
    assert reply["cluster"]["clusterArn"] not in {r["Arn"] for r in listed(explorer, f"region:{SOURCE}")}

    blackout.dark.clear()
    assert reply["cluster"]["clusterArn"] in {r["Arn"] for r in listed(explorer, f"region:{SOURCE}")}
    demo.call("ecs", "DeleteCluster", APPS, SOURCE, cluster="born-in-the-dark")


def test_news_take_as_long_as_the_index_needs(
    demo: LocalAws, client: Callable[..., Client], explorer: ResourceExplorerService
) -> None:
    api = client("resource-explorer-2", TARGET)
    (machine, *_) = listed(api, "resourcetype:ec2:instance tag:Name=jump-host")
    instance_id = machine["Arn"].rsplit("/", 1)[1]
    clock = demo.clock
    assert isinstance(clock, ManualClock)
    explorer.reports.delay_seconds = 30
    try:
        change = [{"Key": "Team", "Value": "ops"}]
        client("ec2", TARGET, APPS).create_tags(Resources=[instance_id], Tags=change)
        assert listed(api, "tag:Team=ops") == []
        clock.advance(31)
        assert len(listed(api, "tag:Team=ops")) == 1
    finally:
        explorer.reports.delay_seconds = 0
        client("ec2", TARGET, APPS).delete_tags(Resources=[instance_id], Tags=change)


def test_a_page_of_a_thousand_has_no_successor(client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        Record(f"arn:aws:ec2:{TARGET}:{APPS}:instance/i-{n:017x}", APPS, TARGET, "ec2:instance") for n in range(1200)
    ]

    def crowd(world: object, account: str, region: str) -> list[Record]:
        return many if (account, region) == (APPS, TARGET) else []

    monkeypatch.setattr("localaws.services.resource_explorer_2.index.collect", crowd)
    explorer = client("resource-explorer-2", TARGET)

    trap = explorer.list_resources(MaxResults=1000)
    assert (len(trap["Resources"]), "NextToken" in trap) == (1000, False)
    pages = explorer.get_paginator("list_resources").paginate(PaginationConfig={"PageSize": 500})
    assert sum(len(page["Resources"]) for page in pages) == 1200
    searched = explorer.get_paginator("search").paginate(QueryString="*", PaginationConfig={"PageSize": 500})
    totals = [(len(page["Resources"]), page["Count"]["Complete"]) for page in searched]
    assert totals == [(500, False), (500, False)]


def test_an_account_without_index_is_missing_from_the_coverage_and_from_results(
    client: Callable[..., Client], explorer: ResourceExplorerService
) -> None:
    api = client("resource-explorer-2", TARGET)
    for region in (SOURCE, TARGET):
        removed = explorer.registry.indexes.pop((DATA, region))
        assert removed.account == DATA
    try:
        covered = api.list_indexes_for_members(AccountIdList=[DATA, APPS], MaxResults=10)["Indexes"]
        assert {(i["AccountId"], i["Region"], i["Type"]) for i in covered} == {
            (APPS, SOURCE, "LOCAL"),
            (APPS, TARGET, "AGGREGATOR"),
        }
        assert DATA not in {r["OwningAccountId"] for r in listed(api, "tag:Customer=CustomerX")}
    finally:
        for region in (SOURCE, TARGET):
            client("resource-explorer-2", region, DATA).create_index()
            explorer.registry.indexes[DATA, region].state = "ACTIVE"
        arn = explorer.registry.indexes[DATA, TARGET].arn
        client("resource-explorer-2", TARGET, DATA).update_index_type(Arn=arn, Type="AGGREGATOR")


def test_an_account_has_one_aggregator(client: Callable[..., Client], explorer: ResourceExplorerService) -> None:
    arn = explorer.registry.indexes[APPS, SOURCE].arn
    with pytest.raises(ClientError) as failure:
        client("resource-explorer-2", SOURCE, APPS).update_index_type(Arn=arn, Type="AGGREGATOR")
    assert failure.value.response["Error"]["Code"] == "ConflictException"


def test_a_view_without_tags_included_returns_none(client: Callable[..., Client]) -> None:
    api = client("resource-explorer-2", TARGET)
    view = api.create_view(ViewName="bare", Filters={"FilterString": "service:ecs"})["View"]["ViewArn"]
    found = api.list_resources(ViewArn=view)["Resources"]
    assert all(r["Service"] == "ecs" and r["Properties"] == [] for r in found)
    api.delete_view(ViewArn=view)
    with pytest.raises(ClientError) as failure:
        api.list_resources(ViewArn=view)
    assert failure.value.response["Error"]["Code"] == "UnauthorizedException"


def test_a_region_without_view_refuses_to_list(client: Callable[..., Client]) -> None:
    with pytest.raises(ClientError) as failure:
        client("resource-explorer-2", TARGET, APPS).list_resources()
    assert failure.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_the_tagging_api_finds_the_same_customer_in_one_account_and_region(client: Callable[..., Client]) -> None:
    filters = [{"Key": "Customer", "Values": ["CustomerX"]}, {"Key": "dr:enabled", "Values": ["true"]}]

    def arns(region: str, account: str) -> set[str]:
        api = client("resourcegroupstaggingapi", region, account)
        pages = api.get_paginator("get_resources").paginate(TagFilters=filters, PaginationConfig={"PageSize": 3})
        return {entry["ResourceARN"] for page in pages for entry in page["ResourceTagMappingList"]}

    names = {"orders-db", "catalog-db", "payments-db", "customers-db"}
    assert names <= {arn.rsplit(":", 1)[1] for arn in arns(TARGET, DATA)}
    assert any(":healthcheck/" in arn for arn in arns(SOURCE, NETWORK))
    assert not any(":healthcheck/" in arn for arn in arns(TARGET, NETWORK))


SERVER = Record(
    "arn:aws:ec2:us-east-1:333333333333:instance/i-1",
    APPS,
    SOURCE,
    "ec2:instance",
    {"Customer": "CustomerX", "dr:wave": "2", "Owner": "Team A, B"},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag:Customer=CustomerX", True),
        ("tag:customer=customerx", True),
        ("tag:Customer=CustomerY,CustomerX", True),
        ("tag:Customer=Customer*", True),
        ("tag:Customer=Customer", False),
        ('tag:"dr:wave=2"', True),
        ('tag:"dr:wave"=2', True),
        ("tag:dr:wave=3", False),
        ('tag.key:"dr:wave"', True),
        ('tag.value:"Team A, B"', True),
        ("tag.key:Nothing", False),
        ("tag:none", False),
        ("-tag:none", True),
        ("region:us-west-2,us-east-1 service:ec2", True),
        ("region:us-west-2 service:ec2", False),
        ("resourcetype:ec2:instance accountid:333333333333", True),
        ("-resourcetype:ec2:instance", False),
        ("id:arn:aws:ec2:us-east-1:*", True),
        ("", True),
    ],
)
def test_filters_mean_what_they_say(text: str, expected: bool) -> None:
    assert queries.parse(text, free_text=False).matches(SERVER) is expected


@pytest.mark.parametrize("text", ["orders", "colour:red", 'tag:"Customer', "tag:Customer", "region:"])
def test_a_filter_that_cannot_be_understood_is_refused(client: Callable[..., Client], text: str) -> None:
    with pytest.raises(ClientError) as failure:
        client("resource-explorer-2", TARGET).list_resources(Filters={"FilterString": text})
    assert failure.value.response["Error"]["Code"] == "ValidationException"


def test_words_are_found_by_search(client: Callable[..., Client]) -> None:
    found = client("resource-explorer-2", TARGET).search(QueryString="payments-db resourcetype:rds:db")
    assert {r["Arn"].rsplit(":", 1)[1] for r in found["Resources"]} == {"payments-db"}
    assert found["Count"] == {"TotalResources": 2, "Complete": True}


def test_types_carry_the_names_resource_explorer_uses(demo: LocalAws) -> None:
    # Given one of each resource whose name differs from the service's own
    demo.accounts.add(OTHER, "other")
    tags = [{"Key": "Customer", "Value": "X"}]
    demo.call("opensearch", "CreateDomain", OTHER, TARGET, DomainName="search", TagList=tags)
    demo.call("efs", "CreateFileSystem", OTHER, TARGET, CreationToken="files", Tags=tags)
    demo.call("events", "PutRule", OTHER, TARGET, Name="nightly", ScheduleExpression="rate(1 day)", Tags=tags)
    demo.call(
        "memorydb",
        "CreateCluster",
        OTHER,
        TARGET,
        ClusterName="m",
        NodeType="db.t4g.small",
        ACLName="open-access",
        Tags=tags,
    )
    demo.call("rds", "CreateDBCluster", OTHER, TARGET, DBClusterIdentifier="graph", Engine="neptune", Tags=tags)
    image = next(iter(demo.backend("ec2", OTHER, TARGET).amis))
    configuration = {"LaunchConfigurationName": "c", "ImageId": image, "InstanceType": "t3.micro"}
    demo.call("autoscaling", "CreateLaunchConfiguration", OTHER, TARGET, **configuration)
    group = {"AutoScalingGroupName": "fleet", "MinSize": 0, "MaxSize": 1, "AvailabilityZones": [f"{TARGET}a"]}
    group_tags = [{**tags[0], "PropagateAtLaunch": True}]
    demo.call(
        "autoscaling", "CreateAutoScalingGroup", OTHER, TARGET, LaunchConfigurationName="c", Tags=group_tags, **group
    )

    # When the index reads the account
    found = {record.type for record in collect(demo, OTHER, TARGET) if record.tags.get("Customer") == "X"}

    # Then they are listed under the documented names, Neptune as rds
    assert found == {
        "es:domain",
        "elasticfilesystem:file-system",
        "events:rule",
        "memorydb:cluster",
        "autoscaling:autoScalingGroup",
        "rds:cluster",
    }
