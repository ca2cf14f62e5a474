"""What a plan takes of a quota is judged over all its resources, against what is left."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.claims import judged
from orchestrator.contract import Claim
from orchestrator.words import Severity

API = Claim(("api",), "1", "us-west-2", "vCPUs on Fargate", "6 tasks of 1 vCPU", 6, limit=10, used=0)
JOBS = replace(API, resource_ids=("jobs",), what="5 tasks of 1 vCPU", amount=5)


def test_each_alone_fits_and_both_together_do_not() -> None:
    # Given two services that fit one by one into a quota of ten
    assert judged([API]) == []
    assert judged([JOBS]) == []
    # When a plan moves both
    found = judged([API, JOBS])
    # Then both are red, and each says what they need together
    assert {(each.resource_id, each.code, each.severity) for each in found} == {
        ("api", "quota", Severity.RED),
        ("jobs", "quota", Severity.RED),
    }
    assert (
        "6 tasks of 1 vCPU need 6 vCPUs on Fargate, the quota of us-west-2 is 10, 0 of it in use." in found[0].message
    )
    assert "2 members of this plan need 11 of it together in account 1" in found[0].message


def test_what_is_in_use_is_not_left() -> None:
    assert judged([replace(API, used=4)]) == []
    (found,) = judged([replace(API, used=5)])
    assert "5 of it in use" in found.message


def test_accounts_regions_and_quotas_are_not_mixed() -> None:
    others = [
        replace(JOBS, account="2"),
        replace(JOBS, region="eu-west-1"),
        replace(JOBS, quota="concurrent executions"),
    ]
    assert judged([API, *others]) == []


def test_a_quota_whose_usage_aws_does_not_tell_is_compared_whole_and_the_finding_says_so() -> None:
    (found,) = judged([replace(API, amount=11, used=None)])
    assert "how much of it is in use, AWS does not tell" in found.message
    assert judged([replace(API, used=None)]) == []


def test_a_quota_nobody_may_look_at_is_a_warning_and_stops_nothing() -> None:
    (found,) = judged([replace(API, limit=None, used=None, note="no permission")])
    assert (found.code, found.severity) == ("quota-unseen", Severity.WARNING)
    assert "no permission" in found.message


def test_a_quota_aws_does_not_know_and_a_resource_that_needs_nothing_are_no_findings() -> None:
    assert judged([replace(API, limit=None, used=None), replace(API, amount=0, used=10)]) == []


def test_of_looks_at_different_moments_the_least_favourable_counts() -> None:
    assert {each.resource_id for each in judged([replace(API, used=0), replace(JOBS, amount=4, used=1)])} == {
        "api",
        "jobs",
    }
