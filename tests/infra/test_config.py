"""A wrong deployment configuration fails the build, and says where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import config as configuration

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "config"
VIEW = "arn:aws:resource-explorer-2:us-west-2:123456789012:view/dr/5f2c7a0e-6c1b-4c39-9c43-2f1c4f7d7d10"
ESTATE = DIRECTORY.parent / "localaws" / "estates" / "demo.yaml"


def written(path: Path, **changes: Any) -> Path:
    """Write the example configuration with changes given as section__field=value."""
    document = yaml.safe_load((DIRECTORY / "example.yaml").read_text(encoding="utf-8"))
    for name, value in changes.items():
        section, _, field = name.partition("__")
        if field:
            document[section][field] = value
        else:
            document[section] = value
    target = path / "hub.yaml"
    target.write_text(yaml.safe_dump(document), encoding="utf-8")
    return target


@pytest.mark.parametrize("name", ["example.yaml", "local.yaml"])
def test_configuration_checked_in_is_valid(name: str) -> None:
    assert configuration.load(DIRECTORY / name).hub.regions == ("us-east-1", "us-west-2")


def test_approvals_of_a_customer_nobody_knows_or_of_no_form_fail_the_build(tmp_path: Path) -> None:
    for rule, why in (
        ({"customers": ["CustomerZ"], "another_person": True}, "CustomerZ"),
        ({"approvers": ["DR-Approver"]}, "no pattern of an IAM or STS ARN"),
        ({"gates": ["everything"]}, "approvals"),
        ({"approvers": [f"arn:aws:iam::*:role/{'x' * 1990}"]}, "at most 2000"),
    ):
        with pytest.raises(ValueError, match=why):
            configuration.load(written(tmp_path, approvals__rules=[rule]))


def test_leases_beyond_the_limits_or_of_no_form_fail_the_build(tmp_path: Path) -> None:
    for lease, why in (
        ({"minutes": 14}, "greater than or equal to 15"),
        ({"minutes": 10081}, "less than or equal to 10080"),
        ({"hours": 4}, "hours"),
    ):
        with pytest.raises(ValueError, match=why):
            configuration.load(written(tmp_path, lease=lease))


DRILL = {
    "name": "weekly",
    "environment": "production",
    "schedule": "cron(0 9 ? * SUN *)",
    "primary_region": "us-east-1",
    "dr_region": "us-west-2",
}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schedule": "every sunday"}, "is no schedule that repeats"),
        ({"schedule": "cron(0 9 * * SUN)"}, "is no schedule that repeats"),
        ({"schedule": "rate(0 days)"}, "is no schedule that repeats"),
        ({"time_zone": "Europe/Atlantis"}, "is no time zone"),
        ({"environment": "staging"}, "drill weekly of CustomerX is of staging, expected one of"),
        ({"dr_region": "eu-west-1"}, "where there is no hub"),
        ({"primary_region": "us-west-2"}, "drill weekly of CustomerX: .*must differ"),
        ({"lease_minutes": 5}, "LeaseMinutes is 5, expected 15 to 10080"),
        ({"cost_ceiling_usd": -1}, "CostCeilingUSD is -1.0"),
        ({"waves": [0]}, "Waves are numbered from 1"),
        ({"approval": "sometimes"}, "approval"),
        ({"name": "Weekly drill"}, "name"),
    ],
)
def test_drill_that_could_not_be_held_fails_the_build(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    customer = {"name": "CustomerX", "environments": ["production"], "drills": [{**DRILL, **change}]}
    with pytest.raises(ValueError, match=why):
        configuration.load(written(tmp_path, customers=[customer]))


def test_two_drills_of_one_name_fail_the_build(tmp_path: Path) -> None:
    customer = {"name": "CustomerX", "environments": ["production"], "drills": [DRILL, DRILL]}
    with pytest.raises(ValueError, match="more than once"):
        configuration.load(written(tmp_path, customers=[customer]))


def test_local_configuration_fits_the_demo_estate() -> None:
    # Given the estate that the embedded AWS loads for the demo
    estate = yaml.safe_load(ESTATE.read_text(encoding="utf-8"))
    local = configuration.load(DIRECTORY / "local.yaml")
    # Then hub, organisation, units and accounts are the same there
    assert local.hub.account == estate["accounts"][estate["hub"]["account"]]
    assert list(local.hub.regions) == estate["hub"]["regions"]
    assert local.organization.id == estate["organization"]["id"]
    assert set(local.spokes.organizational_units) == {unit["id"] for unit in estate["organization"]["units"]}
    assert set(local.spokes.accounts) == set(estate["accounts"].values()) - {local.hub.account}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"hub__peer_region": "us-east-1"}, "both us-east-1"),
        ({"hub__account": "12345"}, "hub.account"),
        ({"hub__external_id": "short"}, "hub.external_id"),
        ({"hub__account": "210987654321"}, "external_id is still the example's"),
        ({"hub__extrenal_id": "x" * 20}, "hub.extrenal_id"),
        ({"hub__log_retention_days": 42}, "42 is not a retention"),
        ({"hub__explorer_views": {"eu-west-1": VIEW}}, "no Region of this hub"),
        ({"hub__explorer_views": {"us-east-1": "the-default-one"}}, "hub.explorer_views.us-east-1"),
        ({"organization__id": "my-org"}, "organization.id"),
        ({"spokes__organizational_units": []}, "list at least one"),
        ({"spokes__deployment": "self-managed"}, "remove organizational_units"),
        ({"operators__emails": ["nobody"]}, "operators.emails.0"),
        ({"operators__phones": ["555-0100"]}, "operators.phones.0"),
        ({"customers": []}, "customers"),
        ({"customers": [{"name": "A", "environments": ["production"]}] * 2}, "more than once"),
        ({"customers": [{"name": "A", "environments": ["prod"]}]}, "customers.0.environments.0"),
        ({"customers": [{"name": "A/B", "environments": ["production"]}]}, "customers.0.name"),
        (
            {"customers": [{"name": "A", "environments": ["production"], "home_region": "eu-west-1"}]},
            "customer A has home_region eu-west-1, which is no Region of this hub",
        ),
        ({"refresh_minutes": 1}, "refresh_minutes"),
    ],
)
def test_wrong_value_is_refused_with_its_place(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    # Given an otherwise good configuration with one mistake
    path = written(tmp_path, **changes)
    # When it is loaded, then the file and the mistake are named
    with pytest.raises(ValueError, match="hub.yaml") as refusal:
        configuration.load(path)
    assert complaint in str(refusal.value)


def test_missing_file_says_what_to_copy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="copy config/example.yaml"):
        configuration.load(tmp_path / "none.yaml")


def test_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("hub: [", encoding="utf-8")
    with pytest.raises(ValueError, match="broken.yaml"):
        configuration.load(broken)


def test_scopes_are_every_customer_and_environment(tmp_path: Path) -> None:
    customers = [
        {"name": "A", "environments": ["production", "staging"]},
        {"name": "B", "environments": ["production"]},
    ]
    loaded = configuration.load(written(tmp_path, customers=customers))
    assert loaded.scopes == ("A/production", "A/staging", "B/production")


def test_customers_at_home_in_the_hubs_other_region_are_told_apart(tmp_path: Path) -> None:
    customers = [
        {"name": "A", "environments": ["production", "staging"], "home_region": "us-west-2"},
        {"name": "B", "environments": ["production"], "home_region": "us-east-1"},
        {"name": "C", "environments": ["production"]},
    ]
    loaded = configuration.load(written(tmp_path, customers=customers))
    assert loaded.scopes_elsewhere == ("A/production", "A/staging")
