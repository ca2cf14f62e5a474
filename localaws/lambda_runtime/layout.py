"""What lies on disk: unpacked code, one directory per hash, and the packages that AWS ships with the runtime."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import tempfile
import threading
import zipfile
from pathlib import Path

# What /var/runtime holds: the runtime itself and boto3 with its dependencies. A zip's own copy comes first.
RUNTIME_MODULES = (
    "awslambdaric",
    "runtime_client",
    "snapshot_restore_py",
    "simplejson",
    "boto3",
    "botocore",
    "s3transfer",
    "jmespath",
    "dateutil",
    "urllib3",
    "six",
)


class Layout:
    """The state directory of the Lambda service."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()

    @property
    def logs(self) -> Path:
        """Return the directory of the log files, one per account, Region and function."""
        return self.directory / "logs"

    def code(self, archive_hash: str) -> Path:
        """Return where the archive with this hash is unpacked."""
        return self.directory / "code" / archive_hash

    def unpack(self, archive_hash: str, archive: bytes) -> None:
        """Unpack a zip; a second call with the same hash does nothing."""
        target = self.code(archive_hash)
        with self._lock:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                fresh = Path(tempfile.mkdtemp(dir=target.parent))
                _extract(archive, fresh)
                fresh.rename(target)

    def runtime(self) -> Path:
        """Return a directory that shows the runtime's packages and no other package of the host."""
        target = self.directory / "runtime"
        with self._lock:
            if not target.exists():
                self.directory.mkdir(parents=True, exist_ok=True)
                fresh = Path(tempfile.mkdtemp(dir=self.directory))
                for module in RUNTIME_MODULES:
                    source = _source_of(module)
                    (fresh / source.name).symlink_to(source)
                fresh.rename(target)
        return target

    def forget(self) -> None:
        """Remove unpacked code and logs."""
        shutil.rmtree(self.directory, ignore_errors=True)


def _extract(archive: bytes, target: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as package:
        for entry in package.infolist():
            written = package.extract(entry, target)
            mode = (entry.external_attr >> 16) & 0o777
            if mode and not entry.is_dir():
                Path(written).chmod(mode | 0o600)


def _source_of(module: str) -> Path:
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise RuntimeError(f"the Lambda runtime needs the package of module {module}: pip install awslambdaric boto3")
    origin = Path(found.origin)
    return origin.parent if found.submodule_search_locations else origin


def search_path(*directories: Path) -> str:
    """Join directories as one `sys.path` argument."""
    return os.pathsep.join(str(directory) for directory in directories)
