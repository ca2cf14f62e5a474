"""When the platform itself is gone, a person with a shell moves the shop by the script that was kept beside the plan."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.world import APPS, EAST, WEST, World
from tests.support.changes import is_change

pytestmark = pytest.mark.functional


def test_script_of_a_plan_moves_the_shop_without_the_platform(world: World, tmp_path: Path) -> None:
    # Given a shop whose plan was exported in normal times
    shop = world.shop("Broken", ["ecs-service"])
    script = tmp_path / "break-glass.sh"
    scope = ["--customer", "Broken", "--primary-region", EAST, "--dr-region", WEST]
    planned = world.run_command("dr", "plan", *scope, "--export-script", str(script))
    assert planned.code == 0, planned.err
    mark = world.mark()
    # When a person runs it with their own AWS profile and says yes to everything
    keys = f"aws_access_key_id = LOCALADMIN{APPS}\naws_secret_access_key = local\n"
    (tmp_path / "credentials").write_text(f"[apps]\n{keys}")
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_ENDPOINT_URL": world.hub.endpoint_url,
        f"PROFILE_{APPS}": "apps",
    }
    played = subprocess.run(
        ["bash", str(script)],
        input="\n" * 100,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # Then the shop is served from us-west-2 and asleep in us-east-1, and no function of the platform had a part in it
    assert played.returncode == 0, played.stdout + played.stderr
    assert "it failed" not in played.stderr
    made = [call for call in world.platform_calls_since(mark) if is_change(call) and call.account == APPS]
    assert [call.operation for call in made] == []
    assert (shop.tasks(WEST)[1], shop.tasks(EAST)[1]) == (2, 0)
    # And the platform, when it is back, finds nothing left to do
    again = world.run_command("dr", "plan", *scope, "--diff")
    assert "ACTIVATE.ecs-broken-orders-api: no longer scale-service" in again.out, again.out + again.err
