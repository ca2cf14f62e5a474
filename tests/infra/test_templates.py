"""What CloudFormation would be given is what CloudFormation takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cfnlint import ManualArgs, lint_file

from adapters.registry import adapters
from infra import spoke
from tests.contract.matrix import facts
from tests.infra.synthesised import Assembly

REDUNDANT_DEPENDENCY = "W3005"
"""The CDK writes DependsOn beside the references that already say it."""
TOO_RECENT = {
    "listresources",
    *(a.split(":")[1].lower() for each in adapters() for a in facts(each.spec.key).too_recent),
}
"""Actions that are younger than the linter's list; tests/contract tells of each that AWS has it."""
UNKNOWN_TO_THE_LINTER = tuple(f"W3037 '{action}' is not one of [" for action in sorted(TOO_RECENT))


def _complaints(path: Path, region: str) -> list[str]:
    found = lint_file(path, config=ManualArgs(regions=[region], ignore_checks=[REDUNDANT_DEPENDENCY]))
    complaints = [f"{match.rule.id} {match.message} ({'/'.join(map(str, match.path or []))})" for match in found]
    return [each for each in complaints if not each.startswith(UNKNOWN_TO_THE_LINTER)]


@pytest.mark.parametrize("index", range(6))
def test_stack_template_passes_the_linter(assembly: Assembly, index: int) -> None:
    template = assembly.all[index]
    assert not _complaints(assembly.directory / f"{template.name}.template.json", template.region)


def test_spoke_template_passes_the_linter() -> None:
    # Unknown actions, too, are found here: an adapter that misspells one fails
    assert not _complaints(spoke.PATH, "us-east-1")


def test_security_checks_ran_without_an_open_finding(assembly: Assembly) -> None:
    report = json.loads((assembly.directory / "validation-report.json").read_bytes())
    findings = [v["ruleName"] for plugin in report["pluginReports"] for v in plugin["violations"]]
    assert not findings


def test_every_acknowledged_finding_has_a_reason(assembly: Assembly) -> None:
    # Given the acknowledgements that synth wrote down
    reasons = [
        reason
        for path in assembly.directory.glob("*.metadata.json")
        for entries in json.loads(path.read_bytes()).values()
        for entry in entries
        if entry["type"] == "aws:cdk:acknowledged-rules"
        for reason in dict(entry["data"]).values()
    ]
    # Then each explains itself in a sentence
    assert reasons
    assert all(len(str(reason)) > 30 for reason in reasons)


def test_stacks_are_deployed_in_an_order_that_needs_no_reference(assembly: Assembly) -> None:
    manifest = json.loads((assembly.directory / "manifest.json").read_bytes())["artifacts"]
    home, peer = assembly.config.hub.regions
    before = {name: set(each.get("dependencies", [])) for name, each in manifest.items()}
    assert {f"DrHubKeys-{home}", f"DrHubKeys-{peer}"} <= before["DrHubData"]
    assert "DrHubData" in before[f"DrHub-{home}"] & before[f"DrHub-{peer}"]
    assert {f"DrHub-{home}", f"DrHub-{peer}"} <= before["DrSpokes"]


def test_stacks_that_hold_data_are_protected_from_deletion(assembly: Assembly) -> None:
    manifest = json.loads((assembly.directory / "manifest.json").read_bytes())["artifacts"]
    protected = {n for n, each in manifest.items() if each.get("properties", {}).get("terminationProtection")}
    assert protected == {"DrHubData", *(template.name for template in assembly.keys)}
