"""One synthesised assembly for all infrastructure tests.

It is made as a stranger would make it: in a process of its own, with an empty home directory, no AWS variable, no
credentials and no way out. The security checks run in it; a finding without an acknowledgement fails every test here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra import config as configuration
from infra import package
from infra.verbs import VERBS
from tests.infra.synthesised import Assembly

ROOT = Path(__file__).resolve().parent.parent.parent
CONFIG = ROOT / "config" / "example.yaml"
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """Synthesise the example configuration for AWS; the package holds the code without its dependencies."""
    base = tmp_path_factory.mktemp("synth")
    package.write(package.TARGETS["aws"], base / "dist" / "aws")
    context = json.loads((ROOT / "cdk.json").read_bytes())["context"]
    context |= {"config": str(CONFIG), "package": "aws", "dist": str(base / "dist")}
    (base / "home").mkdir()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(base / "home"),
        "JSII_NODE": str(Path(sys.executable).parent / "node"),
        "CDK_OUTDIR": str(base / "out"),
        "CDK_CONTEXT_JSON": json.dumps(context),
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"synth failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return Assembly(base / "out", configuration.load(CONFIG))


@pytest.fixture(params=[verb.name for verb in VERBS])
def verb_name(request: pytest.FixtureRequest) -> str:
    """Each verb in turn."""
    return str(request.param)
