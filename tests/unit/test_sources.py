"""Several sources know where tagged objects are: what each says, and what is told when they do not agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.asking import GIVE_UP_AFTER
from orchestrator.errors import AccessDeniedError, DrError, UnreachableError
from orchestrator.ledger.records import FindingRecord
from orchestrator.sightings import Sightings, put_together, with_ghosts
from orchestrator.sources import Explorer, Hit, Listing, Tagging, hit_of
from tests.unit.scripted_platform import APPS, SCOPE, SOURCE, TARGET

REGIONS = (SOURCE, TARGET)
SPOTS = frozenset({(APPS, SOURCE), (APPS, TARGET)})
DATABASE = frozenset({"rds:db"})


def database(name: str, region: str = SOURCE, account: str = APPS) -> Hit:
    return hit_of(f"arn:aws:rds:{region}:{account}:db:{name}", account, region)


def codes(findings: Sequence[FindingRecord]) -> list[tuple[str, str]]:
    return [(each.code, each.resource_id.rpartition(":")[2]) for each in findings]


class Said:
    """Answers each operation with a reply, or with the error it is given; remembers what it was asked."""

    region = TARGET

    def __init__(self, account: str = "hub", **replies: Any) -> None:
        self.account = account
        self.replies = replies
        self.asked: list[Mapping[str, Any]] = []

    def pages(self, _service: str, operation: str, model: Any, /, **params: Any) -> list[Any]:
        self.asked.append(params)
        reply = self.replies[operation]
        if isinstance(reply, DrError):
            raise reply
        return [model.model_validate(reply)]


def explored(*regions: str) -> dict[str, Any]:
    return {
        "Resources": [{"Arn": f"a{r}", "OwningAccountId": APPS, "Region": r, "ResourceType": "x:y"} for r in regions]
    }


class TestExplorer:
    def test_scope_is_asked_for_by_its_tags_in_pages_below_a_thousand(self) -> None:
        reader = Said(ListResources={}, ListIndexesForMembers={})
        Explorer(reader, "arn:view").listing(SCOPE, REGIONS, [])  # type: ignore[arg-type]
        assert reader.asked[0]["Filters"] == {
            "FilterString": 'tag:Customer="CustomerX" tag:Environment="production" tag.key:dr:enabled'
        }
        assert reader.asked[0]["MaxResults"] < 1000
        assert reader.asked[0]["ViewArn"] == "arn:view"

    def test_objects_of_other_regions_drop_out_and_global_ones_stay(self) -> None:
        reader = Said(ListResources=explored(SOURCE, "eu-west-1", "global", TARGET), ListIndexesForMembers={})
        listing = Explorer(reader).listing(SCOPE, REGIONS, [])  # type: ignore[arg-type]
        assert [each.region for each in listing.hits] == [SOURCE, "global", TARGET]

    def test_indexes_are_asked_for_ten_accounts_at_a_time(self) -> None:
        accounts = [f"{number:012d}" for number in range(23)]
        index = {"Indexes": [{"AccountId": accounts[0], "Region": SOURCE}]}
        reader = Said(ListResources={}, ListIndexesForMembers=index)
        listing = Explorer(reader).listing(SCOPE, REGIONS, accounts)  # type: ignore[arg-type]
        assert [len(each["AccountIdList"]) for each in reader.asked[1:]] == [10, 10, 3]
        assert listing.seen == {(accounts[0], SOURCE)}

    def test_who_may_not_ask_for_indexes_knows_only_what_was_found(self) -> None:
        refused = AccessDeniedError("resource-explorer-2.ListIndexesForMembers: not the administrator")
        reader = Said(ListResources=explored(SOURCE), ListIndexesForMembers=refused)
        listing = Explorer(reader).listing(SCOPE, REGIONS, [APPS])  # type: ignore[arg-type]
        assert listing.seen == {(APPS, SOURCE)}
        assert listing.failed.keys() == {(APPS, TARGET)}


class TestTagging:
    def test_every_account_and_region_is_asked_and_an_error_stays_where_it_happened(self) -> None:
        # Given a second account that may not be entered
        def open_reader(account: str, region: str) -> Any:
            if account != APPS:
                raise AccessDeniedError("no role", "update the StackSet")
            arn = f"arn:aws:rds:{region}:{account}:db:orders"
            return Said(account, GetResources={"ResourceTagMappingList": [{"ResourceARN": arn}]})

        # When
        listing = Tagging(open_reader).listing(SCOPE, REGIONS, [APPS, "333333333333"])
        # Then
        assert [(each.region, each.resource_type) for each in listing.hits] == [(SOURCE, "rds:db"), (TARGET, "rds:db")]
        assert listing.seen == SPOTS
        assert listing.failed.keys() == {("333333333333", SOURCE), ("333333333333", TARGET)}

    def test_global_objects_are_asked_for_where_they_are_listed(self) -> None:
        zone = {"ResourceTagMappingList": [{"ResourceARN": "arn:aws:route53:::hostedzone/Z1"}]}
        bucket = {"ResourceTagMappingList": [{"ResourceARN": f"arn:aws:rds:us-east-1:{APPS}:db:orders"}]}

        def open_reader(_account: str, region: str) -> Any:
            return Said(GetResources={"us-east-1": zone, "eu-west-1": bucket}.get(region, {}))

        listing = Tagging(open_reader, also_global=True).listing(SCOPE, ("eu-west-1", "eu-central-1"), [APPS])
        assert [(each.region, each.resource_type) for each in listing.hits] == [
            ("eu-west-1", "rds:db"),
            ("global", "route53:hostedzone"),
        ]

    def test_region_that_is_gone_is_not_waited_for_in_every_account(self) -> None:
        asked: list[str] = []

        def open_reader(_account: str, region: str) -> Any:
            if region == SOURCE:
                asked.append(region)
                raise UnreachableError(f"{region}: no answer")
            return Said(GetResources={})

        accounts = [f"{number:012d}" for number in range(200)]
        listing = Tagging(open_reader).listing(SCOPE, REGIONS, accounts)
        assert len(asked) < GIVE_UP_AFTER + 20
        assert len(listing.failed) == 200
        assert "it was not asked here" in str(listing.failed[accounts[-1], SOURCE])

    def test_type_is_told_as_resource_explorer_tells_it(self) -> None:
        arns = {
            "arn:aws:autoscaling:r:1:autoScalingGroup:id:autoScalingGroupName/x": "autoscaling:autoScalingGroup",
            "arn:aws:elasticfilesystem:r:1:file-system/fs-1": "elasticfilesystem:file-system",
            "arn:aws:es:r:1:domain/logs": "es:domain",
            "arn:aws:route53:::healthcheck/1": "route53:healthcheck",
            "arn:aws:sqs:r:1:orders": "sqs:queue",
            "arn:aws:rds:r:1:subgrp:private": "rds:subgrp",
        }
        assert {arn: hit_of(arn, "1", "r").resource_type for arn in arns} == arns


class TestDisagreement:
    def together(self, explorer: Listing, tagging: Listing, accounts: Sequence[str] = (APPS,)) -> Sightings:
        return put_together(explorer, tagging, accounts, REGIONS, DATABASE)

    def test_sources_that_agree_have_nothing_to_tell(self) -> None:
        both = Listing((database("orders"),), SPOTS)
        found = self.together(both, both)
        assert (found.hits, found.missing, found.findings) == ((database("orders"),), {}, ())

    def test_what_only_one_of_them_lists_is_taken_and_told(self) -> None:
        found = self.together(Listing((database("old"),), SPOTS), Listing((database("new"),), SPOTS))
        assert found.hits == (database("new"), database("old"))
        assert codes(found.findings) == [("not-explored", "new"), ("not-tagged", "old")]

    def test_auto_scaling_group_is_not_missed_by_a_source_that_never_lists_any(self) -> None:
        group = Hit("arn:group", APPS, SOURCE, "autoscaling:autoScalingGroup")
        kinds = frozenset({group.resource_type})
        found = put_together(Listing((group,), SPOTS), Listing((), SPOTS), [APPS], REGIONS, kinds)
        assert found.findings == ()

    def test_account_without_an_index_is_told_once_and_its_objects_are_taken(self) -> None:
        here = frozenset({(APPS, SOURCE)})
        found = self.together(Listing((), here), Listing((database("orders", TARGET),), SPOTS))
        assert [each.arn for each in found.hits] == [database("orders", TARGET).arn]
        (finding,) = found.findings
        assert (finding.code, finding.resource_id) == ("no-index", f"{APPS}/{TARGET}")
        assert "create-index --region us-west-2" in finding.remedy

    def test_place_where_nobody_looked_is_missing(self) -> None:
        refused = AccessDeniedError("no role dr-spoke-discovery", "update the StackSet")
        tagging = Listing((), frozenset({(APPS, SOURCE)}), {(APPS, TARGET): refused})
        blind = self.together(Listing((), frozenset({(APPS, SOURCE)})), tagging)
        assert blind.missing == {f"{APPS}/{TARGET}": "no role dr-spoke-discovery Try: update the StackSet"}
        # With an index there, Resource Explorer's word is enough to go on
        told = self.together(Listing((), SPOTS), tagging)
        assert (told.missing, codes(told.findings)) == ({}, [("tagging-failed", f"{APPS}/{TARGET}")])

    def test_without_resource_explorer_only_accounts_that_were_named_are_known(self) -> None:
        lost = Listing(error=UnreachableError("resource-explorer-2.ListResources: no answer"))
        tagging = Listing((database("orders"),), SPOTS)
        assert codes(self.together(lost, tagging).findings) == [("source-failed", "Resource Explorer")]
        assert self.together(lost, tagging).missing == {}
        assert self.together(lost, tagging, ()).missing.keys() == {"Resource Explorer"}

    def test_unknown_coverage_matters_only_where_the_other_source_did_not_look(self) -> None:
        refused = AccessDeniedError("not the administrator")
        unknown = Listing((), frozenset(), dict.fromkeys(SPOTS, refused))
        assert self.together(unknown, Listing((), SPOTS)).findings == ()
        half = self.together(unknown, Listing((), frozenset({(APPS, SOURCE)})))
        assert codes(half.findings) == [("coverage-unknown", "Resource Explorer")]

    def test_object_that_its_service_does_not_know_is_a_ghost_and_named(self) -> None:
        found = self.together(Listing((database("gone"), database("kept")), SPOTS), Listing((), SPOTS))
        arns = [each.arn for each in found.hits]
        told = with_ghosts(found, [database("kept").arn], arns)
        assert codes(told) == [("ghost", "gone"), ("not-tagged", "kept")]

    def test_object_that_an_adapter_leaves_out_for_its_reasons_is_no_ghost(self) -> None:
        both = Listing((database("retired"),), SPOTS)
        assert with_ghosts(self.together(both, both), [], [database("retired").arn]) == []

    @given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
    def test_nothing_that_a_source_lists_is_lost(self, one: set[str], other: set[str]) -> None:
        explorer, tagging = (Listing(tuple(map(database, sorted(names))), SPOTS) for names in (one, other))
        found = self.together(explorer, tagging)
        assert [each.arn for each in found.hits] == [database(name).arn for name in sorted(one | other)]
        assert {name for _, name in codes(found.findings)} == one ^ other
