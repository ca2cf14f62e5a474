"""The probe template: a small function in a workload's VPC that connects to private endpoints, which the hub cannot.

Optional: deployed by a workload's owner, once per account and Region, into subnets from which clients reach the data
stores. `python -m infra.probe` writes `stacksets/probe.template.json` from `stacksets/probe_function.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from infra.spoke import render
from orchestrator.names import PROBE

FOLDER = Path(__file__).resolve().parent.parent / "stacksets"
PATH = FOLDER / "probe.template.json"
CODE = FOLDER / "probe_function.py"
INLINE_CODE_LIMIT = 4096
"""Characters CloudFormation takes as a function's inline code (AWS::Lambda::Function Code.ZipFile)."""
TIMEOUT_SECONDS = 60

Json = dict[str, Any]


def template(code: str) -> Json:
    """Return the CloudFormation template; raise ValueError when the code is too long to be inline. Pure."""
    if len(code) > INLINE_CODE_LIMIT:
        raise ValueError(
            f"{CODE.name} has {len(code)} characters, CloudFormation takes {INLINE_CODE_LIMIT}: shorten it"
        )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Disaster-recovery orchestrator: connects to private endpoints for the hub's health checks. Generated.",
        "Parameters": PARAMETERS,
        "Resources": {"ProbeRole": ROLE, "Probe": _function(code)},
        "Outputs": {"FunctionArn": {"Value": {"Fn::GetAtt": ["Probe", "Arn"]}}},
    }


PARAMETERS: Json = {
    "SubnetIds": {"Type": "CommaDelimitedList", "Description": "Subnets from which clients reach the data stores"},
    "SecurityGroupIds": {"Type": "CommaDelimitedList", "Description": "Security groups that the data stores let in"},
    "Runtime": {"Type": "String", "Default": "python3.13", "Description": "Lambda runtime of the function"},
}

ROLE: Json = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "RoleName": {"Fn::Sub": f"{PROBE}-function-${{AWS::Region}}"},
        "Description": "Lets the probe function run in its VPC and write its log",
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        },
        "ManagedPolicyArns": [
            {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"}
        ],
    },
}


def _function(code: str) -> Json:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": PROBE,
            "Description": "Connects to private endpoints for the disaster-recovery hub; sends and reads nothing",
            "Runtime": {"Ref": "Runtime"},
            "Handler": "index.handler",
            "Timeout": TIMEOUT_SECONDS,
            "MemorySize": 128,
            "Role": {"Fn::GetAtt": ["ProbeRole", "Arn"]},
            "Code": {"ZipFile": code},
            "VpcConfig": {"SubnetIds": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}},
        },
    }


def main(arguments: list[str] | None = None) -> int:
    """Write the template, or with --check say whether the checked-in one is current."""
    parser = argparse.ArgumentParser(prog="python -m infra.probe", description=f"Generate stacksets/{PATH.name}.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is not current")
    options = parser.parse_args(arguments)
    fresh = render(template(CODE.read_text(encoding="utf-8")))
    if not options.check:
        PATH.write_text(fresh, encoding="utf-8")
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == fresh:
        return 0
    sys.stderr.write(f"{PATH} differs from {CODE}. Try: python -m infra.probe\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
