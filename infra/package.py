"""Build the zip that every function runs: `python -m infra.package --target aws|host [--out dist]`.

Both targets hold the same code and the same pinned dependencies (requirements/runtime.txt); `aws` is for the current
Lambda Python on arm64, `host` for the Python and machine that runs this. boto3 is inside, so that the functions run on
the botocore they were tested with. Same input, same bytes: entries are sorted and carry a fixed time. Nothing is done
when the inputs are unchanged. The result is `<out>/<target>/package.zip`, and `package.json` that describes it.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("adapters", "lambdas", "orchestrator")
REQUIREMENTS = Path("requirements/runtime.txt")
RECIPE = "1"
"""Part of the input hash: raise it when this module builds differently."""

LAMBDA_PYTHON = "3.14"
"""The newest Python runtime of Lambda for which every dependency ships wheels."""

FIXED_TIME = (1980, 1, 1, 0, 0, 0)
UNZIPPED_LIMIT_BYTES = 250 * 1024 * 1024
"""Lambda's limit, all layers included."""

NEVER_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "examples-1.json"}
"""pip's notes on the build machine, and botocore's documentation examples."""


@dataclass(frozen=True)
class Target:
    """What a package is built for, as Lambda and pip name it."""

    name: str
    python: str
    architecture: str
    platforms: tuple[str, ...]

    @property
    def runtime(self) -> str:
        """Return Lambda's name of the runtime, such as `python3.14`."""
        return f"python{self.python}"

    @property
    def pip_options(self) -> list[str]:
        """Return the options that make pip choose wheels for the target instead of for this machine."""
        if not self.platforms:
            return []
        chosen = [option for tag in self.platforms for option in ("--platform", tag)]
        return [*chosen, "--python-version", self.python, "--implementation", "cp"]


HOST_ARCHITECTURE = "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"
TARGETS = {
    "aws": Target("aws", LAMBDA_PYTHON, "arm64", ("manylinux2014_aarch64", "manylinux_2_28_aarch64")),
    "host": Target("host", f"{sys.version_info.major}.{sys.version_info.minor}", HOST_ARCHITECTURE, ()),
}


class Package(BaseModel):
    """What was built: the contents of `package.json`."""

    target: str
    runtime: str
    architecture: str
    inputs: str
    """Hash of everything the package was made of."""
    unzipped_bytes: int


def load(out: Path, name: str) -> tuple[Package, Path]:
    """Return a target's package and its zip; raise ValueError when it is missing or older than the code."""
    target = _target(name)
    command = f"python -m infra.package --target {name} --out {out}"
    description, archive = out / name / "package.json", out / name / "package.zip"
    if not (description.exists() and archive.exists()):
        raise ValueError(f"{archive} does not exist. Try: {command}")
    package = Package.model_validate_json(description.read_bytes())
    if package.inputs != inputs_hash(target):
        raise ValueError(f"{archive} was built from other code or dependencies than are here now. Try: {command}")
    return package, archive


def build(out: Path, name: str) -> Package:
    """Build a target's package unless it is current, and return its description."""
    target, directory = _target(name), out / name
    try:
        return load(out, name)[0]
    except ValueError:
        directory.mkdir(parents=True, exist_ok=True)
    return write(target, directory, dependencies(target, directory))


def dependencies(target: Target, directory: Path) -> Path:
    """Install the pinned dependencies for the target, or return the directory where that was done before."""
    wanted = directory / f"dependencies-{_dependencies_hash(target)[:16]}"
    if wanted.exists():
        return wanted
    for stale in directory.glob("dependencies-*"):
        shutil.rmtree(stale)
    with tempfile.TemporaryDirectory(dir=directory) as scratch:
        fresh = Path(scratch, "site")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-compile", "--only-binary=:all:", *target.pip_options]
        subprocess.run([*command, "--target", str(fresh), "-r", str(ROOT / REQUIREMENTS)], check=True)
        fresh.rename(wanted)
    return wanted


def write(target: Target, directory: Path, *libraries: Path) -> Package:
    """Write `package.zip` and `package.json` from the sources and `libraries`, and return the description."""
    inputs, entries = inputs_hash(target), dict(_entries(libraries))
    unzipped_bytes = sum(path.stat().st_size for path in entries.values())
    if unzipped_bytes > UNZIPPED_LIMIT_BYTES:
        raise ValueError(
            f"the {target.name} package is {unzipped_bytes} bytes unzipped, Lambda takes {UNZIPPED_LIMIT_BYTES}; "
            f"remove a dependency from {REQUIREMENTS}"
        )
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = directory / "package.zip.new"
    with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, path in sorted(entries.items()):
            entry = zipfile.ZipInfo(inside, FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    unfinished.replace(directory / "package.zip")
    package = Package(
        target=target.name,
        runtime=target.runtime,
        architecture=target.architecture,
        inputs=inputs,
        unzipped_bytes=unzipped_bytes,
    )
    (directory / "package.json").write_text(package.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return package


def inputs_hash(target: Target) -> str:
    """Return the hash of everything a target's package is made of."""
    digest = hashlib.sha256(_dependencies_hash(target).encode())
    for inside, path in _source_files():
        digest.update(f"\0{inside}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _dependencies_hash(target: Target) -> str:
    text = (ROOT / REQUIREMENTS).read_text(encoding="utf-8")
    return hashlib.sha256(f"{RECIPE}\0{target}\0{text}".encode()).hexdigest()


def _entries(libraries: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for library in libraries:
        yield from _files(library, library)
    yield from _source_files()


def _source_files() -> Iterator[tuple[str, Path]]:
    for source in SOURCES:
        yield from _files(ROOT / source, ROOT)


def _files(directory: Path, base: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.rglob("*")):
        inside = path.relative_to(base)
        packed = path.name not in NEVER_PACKED and path.suffix != ".pyc" and inside.parts[0] != "bin"
        if packed and path.is_file():
            yield inside.as_posix(), path


def _target(name: str) -> Target:
    if name not in TARGETS:
        raise ValueError(f'no package target is called "{name}"; use one of: {", ".join(sorted(TARGETS))}')
    return TARGETS[name]


def main(arguments: list[str] | None = None) -> None:
    """Build the package of one target and say what it is."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description="Build the zip of the functions.")
    parser.add_argument("--target", choices=sorted(TARGETS), required=True)
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    options = parser.parse_args(arguments)
    package = build(options.out, options.target)
    archive = options.out / options.target / "package.zip"
    sizes = f"{archive.stat().st_size / 1e6:.1f} MB, {package.unzipped_bytes / 1e6:.1f} MB unzipped"
    sys.stdout.write(f"{archive}: {package.runtime} {package.architecture}, {sizes}\n")


if __name__ == "__main__":
    main()
