"""The zip that every function runs: pinned, complete, the same bytes for the same input."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from infra import package
from infra.package import HOST_ARCHITECTURE, ROOT, TARGETS
from infra.verbs import VERBS

DEVELOPMENT = ROOT / "pyproject.toml"


def pins() -> dict[str, str]:
    """Return the pinned runtime dependencies."""
    lines = (ROOT / package.REQUIREMENTS).read_text(encoding="utf-8").splitlines()
    chosen = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in chosen}


def needs_of(name: str) -> set[str]:
    """Return the names a distribution needs here, extras apart."""
    wanted = (Requirement(each) for each in metadata.requires(name) or ())
    return {canonicalize_name(each.name) for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})}


def test_pins_are_the_versions_the_tests_run_with() -> None:
    assert pins() == {name: metadata.version(name) for name in pins()}


def test_pins_are_complete() -> None:
    # Given that they are installed without their dependencies, then those are pinned too
    missing = {need for name in pins() for need in needs_of(name)} - set(pins())
    assert not missing


def test_pins_cover_the_projects_dependencies() -> None:
    declared = re.search(r"^dependencies = \[(.*?)\]", DEVELOPMENT.read_text(encoding="utf-8"), re.M | re.S)
    assert declared
    for line in re.findall(r'"([^"]+)"', declared[1]):
        requirement = Requirement(line)
        assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)]), line


def test_pins_hold_no_address_and_no_option() -> None:
    for line in (ROOT / package.REQUIREMENTS).read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9-]+==[\w.]+", line), line


def test_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    # Given a library whose files were written in another order and at another time
    zips = []
    for run, order in enumerate((("a.py", "b.py"), ("b.py", "a.py"))):
        library = tmp_path / f"library{run}"
        library.mkdir()
        for name in order:
            (library / name).write_text(name, encoding="utf-8")
        package.write(TARGETS["aws"], tmp_path / f"out{run}", library)
        zips.append((tmp_path / f"out{run}" / "package.zip").read_bytes())
    # Then CloudFormation sees no change
    assert zips[0] == zips[1]


def test_package_holds_the_code_and_none_of_the_build_machine(tmp_path: Path) -> None:
    # Given a library as pip leaves it
    library = tmp_path / "library"
    for name in (
        "bin/tool",
        "lib/__pycache__/x.pyc",
        "lib/module.py",
        "lib-1.dist-info/RECORD",
        "lib-1.dist-info/METADATA",
    ):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).touch()
    # When it is packed with the code
    package.write(TARGETS["aws"], tmp_path / "aws", library)
    with zipfile.ZipFile(tmp_path / "aws" / "package.zip") as archive:
        names = set(archive.namelist())
    # Then handlers, their imports and the library are there; caches, scripts, tests, tools and infrastructure are not
    assert {f"lambdas/{verb.name}.py" for verb in VERBS} <= names
    assert {"lib/module.py", "lib-1.dist-info/METADATA", "orchestrator/contract.py"} <= names
    assert not [n for n in names if n.endswith((".pyc", "RECORD")) or n.split("/")[0] in {"bin", "tests", "infra"}]
    assert not [n for n in names if n.split("/")[0] in {"localaws", "cli"}]


def test_package_older_than_the_code_is_refused_with_the_command(tmp_path: Path) -> None:
    # Given a package whose inputs are no longer the ones here
    made = package.write(TARGETS["aws"], tmp_path / "aws")
    old = made.model_copy(update={"inputs": "0" * 64})
    (tmp_path / "aws" / "package.json").write_text(old.model_dump_json(), encoding="utf-8")
    # Then it is not deployed
    with pytest.raises(ValueError, match="python -m infra.package --target aws"):
        package.load(tmp_path, "aws")


def test_missing_package_is_refused_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="python -m infra.package --target host"):
        package.load(tmp_path, "host")


def test_unknown_target_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="aws, host"):
        package.build(tmp_path, "azure")


def test_targets_are_current_lambda_on_arm_and_this_machine() -> None:
    here = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert (TARGETS["aws"].runtime, TARGETS["aws"].architecture) == ("python3.14", "arm64")
    assert (TARGETS["host"].runtime, TARGETS["host"].architecture) == (here, HOST_ARCHITECTURE)


def test_every_handler_can_be_imported_from_the_package_alone(tmp_path: Path) -> None:
    # Given the package for this machine, with its dependencies
    package.build(ROOT / "dist", "host")
    (libraries,) = (ROOT / "dist" / "host").glob("dependencies-*")
    with zipfile.ZipFile(ROOT / "dist" / "host" / "package.zip") as archive:
        ours = [name for name in archive.namelist() if name.split("/")[0] in package.SOURCES]
        archive.extractall(tmp_path, ours)
        assert "boto3/__init__.py" in archive.namelist()
    # When each handler is imported with nothing else of this machine in reach
    imports = "; ".join(f"import lambdas.{verb.name} as {verb.name}" for verb in VERBS)
    calls = "; ".join(f"assert callable({verb.name}.handler)" for verb in VERBS)
    program = f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(libraries)!r}]; {imports}; {calls}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program],
        env={"AWS_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    # Then nothing is missing
    assert done.returncode == 0, done.stderr[-2000:]
