"""Measure what planning many resources takes and how big what it leaves behind is; prints one JSON object.

    python benchmarks/planning_at_scale.py [--resources 10000]

The product's own verbs on the make-believe cloud of the unit tests: no call to AWS is waited for, so this is what the planner,
the preview, the script and the stores cost. Sizes are held against DynamoDB's 400 KB per item, Step Functions' 256 KB per
payload and the 8 MB of a map's item reader that Step Functions takes line by line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Callable
from typing import Any

from orchestrator import planner, planning, stages, stocktaking
from orchestrator.inventory import Snapshot
from orchestrator.ledger.items import to_item
from orchestrator.plan import plan_key, script_key
from tests.unit.scripted_platform import Cloud

DYNAMODB_ITEM, PAYLOAD = 400_000, 262_144
RUN = "run-1"


def main() -> None:
    """Plan, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--resources", type=int, default=10_000)
    print(json.dumps(measure(parser.parse_args().resources), indent=2))


def measure(resources: int) -> dict[str, Any]:
    """Return the figures; raise SystemExit when something would not fit."""
    cloud = Cloud()
    for number in range(resources):
        needs = {"dr_dependencies": f"thing-{number - 1}"} if number % 10 == 1 else {}
        adapter = ("database", "service", "drs")[number % 3]
        cloud.add(f"thing-{number}", wave=1 + number // 10 % 5, adapter=adapter, **needs)
    platform = cloud.platform()
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        began = time.process_time()
        result = work()
        seconds[name] = round(time.process_time() - began, 2)
        return result

    arn = f"arn:aws:states:us-west-2:111111111111:execution:DROrchestrator:{RUN}"
    request = {
        "Customer": "CustomerX",
        "Environment": "production",
        "Operation": "failover",
        "PrimaryRegion": "us-east-1",
        "DRRegion": "us-west-2",
        "ApprovalMode": "automatic",
    }
    run = planning.accept(platform, request, arn, RUN, cloud.clock.now())
    snapshot = timed("take_inventory", lambda: stocktaking.take_inventory(platform, RUN))
    assert isinstance(snapshot, Snapshot)
    asked = planning.request_of(run)
    plan = timed("planner_alone", lambda: planner.build(asked, snapshot, platform.adapter))
    timed("build_plan", lambda: planning.build_plan(platform, RUN))
    stage = cloud.ledger.stages(RUN)[0]
    groups = timed("start_stage", lambda: stages.start_stage(platform, RUN, stage.stage_id))
    answer = len(json.dumps([[group.key, cloud.blobs.bucket] for group in groups]))
    items = [*cloud.ledger.stages(RUN), *cloud.ledger.actions(RUN), cloud.ledger.run(RUN), *snapshot.resources]
    largest = {type(each).__name__: 0 for each in items}
    for each in items:
        largest[type(each).__name__] = max(largest[type(each).__name__], len(json.dumps(to_item(each))))
    if max(largest.values()) > DYNAMODB_ITEM or answer > PAYLOAD:
        raise SystemExit(f"too big for DynamoDB or Step Functions: {largest}, {answer}")
    return {
        "resources": resources,
        "stages": len(plan.stages),
        "actions": len(plan.actions),
        "cpu_seconds": seconds,
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "plan_mb": round(len(cloud.blobs.get(plan_key(RUN))) / 1e6, 1),
        "script_mb": round(len(cloud.blobs.get(script_key(RUN))) / 1e6, 1),
        "largest_dynamodb_item_bytes": largest,
        "start_stage_answer_bytes": answer,
        "largest_map_file_bytes": max(len(cloud.blobs.get(group.key)) for group in groups),
        "load_average": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    main()
