"""The SSM documents, one per file in `ssm_documents`, and the role they run with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from aws_cdk import Aws
from aws_cdk import aws_iam as iam
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.acknowledge import acknowledge
from infra.constructs.functions import machine_arn
from orchestrator import names
from orchestrator.names import Machine

DIRECTORY = Path(__file__).resolve().parent.parent.parent / "ssm_documents"


class Documents(Construct):
    """A document's name is its file's name: `DR-Failover.yaml` is started as `DR-Failover`."""

    def __init__(self, scope: Construct, construct_id: str, *, region: str, directory: Path = DIRECTORY) -> None:
        super().__init__(scope, construct_id)
        self.role = self._role(region)
        self.documents = [self._document(path) for path in sorted(directory.glob("*.yaml"))]

    def _document(self, path: Path) -> ssm.CfnDocument:
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return ssm.CfnDocument(
            self,
            path.stem.replace("-", ""),
            name=path.stem,
            document_type="Automation",
            document_format="YAML",
            content=content,
            update_method="NewVersion",
        )

    def _role(self, region: str) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            role_name=f"dr-automation-{region}",
            description="Lets the DR documents start a run, look at it and answer its gates",
            assumed_by=iam.ServicePrincipal(
                "ssm.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
            inline_policies={
                "start": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(
                            actions=["states:DescribeStateMachine", "states:StartExecution"],
                            resources=[machine_arn(Machine.ORCHESTRATOR)],
                        ),
                        iam.PolicyStatement(
                            actions=["states:DescribeExecution"],
                            resources=[f"{machine_arn(Machine.ORCHESTRATOR, 'execution')}:*"],
                        ),
                    ]
                ),
                "answer": iam.PolicyDocument(
                    statements=[
                        iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[_function_arn("answer_gate")])
                    ]
                ),
            },
        )
        acknowledge(
            role,
            "IAM5",
            "Executions are named by run, below the name of one state machine.",
            f"Resource::{machine_arn(Machine.ORCHESTRATOR, 'execution')}:*",
        )
        return role


def _function_arn(verb: str) -> str:
    return f"arn:{Aws.PARTITION}:lambda:{Aws.REGION}:{Aws.ACCOUNT_ID}:function:{names.function(verb)}"
