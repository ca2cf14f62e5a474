"""The probe template: small functions in a workload's VPC that reach private endpoints, which the hub cannot.

Optional: deployed by a workload's owner, once per account and Region, into subnets from which clients reach the data
stores. `python -m infra.probe` writes `stacksets/probe.template.json` from `stacksets/probe_function.py`; for the functions that
ask ONTAP file systems (made only where their secrets are named), `stacksets/ontap_function.py`; and for those that carry
requests to OpenSearch domains (made only where their endpoints are named), `stacksets/opensearch_function.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.spoke import render
from orchestrator.names import ONTAP_DRILL, ONTAP_READ, ONTAP_SWITCH, OPENSEARCH_CHANGE, OPENSEARCH_READ, PROBE
from orchestrator.ontap_functions import DRILLS, READS, SWITCHES

FOLDER = Path(__file__).resolve().parent.parent / "stacksets"
PATH = FOLDER / "probe.template.json"
CODE = FOLDER / "probe_function.py"
ONTAP_CODE = FOLDER / "ontap_function.py"
OPENSEARCH_CODE = FOLDER / "opensearch_function.py"
INLINE_CODE_LIMIT = 4096
"""Characters the probe's code may have. (CloudFormation lifted this limit of Code.ZipFile in 2022; the probe stays small.)"""
TEMPLATE_LIMIT = 51_200
"""Bytes of a template that is sent along with the request (CloudFormation quotas)."""
TIMEOUT_SECONDS = 60
ONTAP_FUNCTIONS = {"Read": (ONTAP_READ, READS), "Drill": (ONTAP_DRILL, DRILLS), "Switch": (ONTAP_SWITCH, SWITCHES)}

Json = dict[str, Any]


def template(code: str, ontap_code: str, opensearch_code: str) -> Json:
    """Return the CloudFormation template; raise ValueError when the code is too long to be inline. Pure."""
    if len(code) > INLINE_CODE_LIMIT:
        raise ValueError(
            f"{CODE.name} has {len(code)} characters, CloudFormation takes {INLINE_CODE_LIMIT}: shorten it"
        )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Disaster-recovery orchestrator: connects to private endpoints for the hub's health checks. Generated.",
        "Parameters": PARAMETERS,
        "Conditions": {
            "HasOntap": {"Fn::Not": [{"Fn::Equals": [{"Fn::Join": ["", {"Ref": "OntapSecretArns"}]}, ""]}]},
            "HasOpenSearch": {"Fn::Not": [{"Fn::Equals": [{"Ref": "OpenSearchEndpoints"}, ""]}]},
        },
        "Resources": {
            "ProbeRole": ROLE,
            "Probe": _function(code),
            "OntapRole": ONTAP_ROLE,
            **{f"Ontap{key}": _ontap(ontap_code, *told) for key, told in ONTAP_FUNCTIONS.items()},
            "OpenSearchRole": OPENSEARCH_ROLE,
            "OpenSearchRead": _opensearch(opensearch_code, OPENSEARCH_READ, "GET"),
            "OpenSearchChange": _opensearch(opensearch_code, OPENSEARCH_CHANGE, "PUT,POST,DELETE"),
        },
        "Outputs": {"FunctionArn": {"Value": {"Fn::GetAtt": ["Probe", "Arn"]}}},
    }


PARAMETERS: Json = {
    "SubnetIds": {"Type": "CommaDelimitedList", "Description": "Subnets from which clients reach the data stores"},
    "SecurityGroupIds": {"Type": "CommaDelimitedList", "Description": "Security groups that the data stores let in"},
    "Runtime": {"Type": "String", "Default": "python3.13", "Description": "Lambda runtime of the functions"},
    "OntapSecretArns": {
        "Type": "CommaDelimitedList",
        "Default": "",
        "Description": "Secrets with the passwords of ONTAP file systems; empty: no functions for ONTAP",
    },
    "OntapEndpoints": {
        "Type": "String",
        "Default": "management.fs-*.fsx.*.amazonaws.com",
        "Description": "Pattern of the management endpoints that passwords may be sent to",
    },
    "OpenSearchEndpoints": {
        "Type": "String",
        "Default": "",
        "Description": "Pattern of the endpoints of OpenSearch domains in the VPC that signed requests are carried to, such as "
        "vpc-orders-*.us-west-2.es.amazonaws.com; empty: no functions for OpenSearch",
    },
}


def _role(name: str, description: str) -> Json:
    return {
        "RoleName": {"Fn::Sub": f"{name}-function-${{AWS::Region}}"},
        "Description": description,
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        },
        "ManagedPolicyArns": [
            {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"}
        ],
    }


ROLE: Json = {
    "Type": "AWS::IAM::Role",
    "Properties": _role(PROBE, "Lets the probe function run in its VPC and write its log"),
}

ONTAP_ROLE: Json = {
    "Type": "AWS::IAM::Role",
    "Condition": "HasOntap",
    "Properties": {
        **_role("dr-ontap", "Lets the functions for ONTAP run in their VPC and read the secrets they are given"),
        "Policies": [
            {
                "PolicyName": "secrets",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Action": "secretsmanager:GetSecretValue",
                            "Resource": {"Ref": "OntapSecretArns"},
                        }
                    ],
                },
            }
        ],
    },
}


OPENSEARCH_ROLE: Json = {
    "Type": "AWS::IAM::Role",
    "Condition": "HasOpenSearch",
    "Properties": _role("dr-opensearch", "Lets the functions that carry signed requests run in their VPC"),
}


def _opensearch(code: str, name: str, methods: str) -> Json:
    told = f"Carries {methods} that the disaster-recovery hub has signed to OpenSearch domains; has no rights there of its own"
    settings = {"Variables": {"ALLOWED": methods, "ENDPOINTS": {"Ref": "OpenSearchEndpoints"}}}
    made = _function(code, name, told, "OpenSearchRole", MemorySize=256, Environment=settings)
    return {**made, "Condition": "HasOpenSearch"}


def _ontap(code: str, name: str, requests: Sequence[str]) -> Json:
    told = f"Asks ONTAP file systems for the disaster-recovery hub: {', '.join(requests)}"
    settings = {"ALLOWED": ",".join(requests), "ENDPOINTS": {"Ref": "OntapEndpoints"}}
    made = _function(code, name, told, "OntapRole", MemorySize=256, Environment={"Variables": settings})
    return {**made, "Condition": "HasOntap"}


def _function(code: str, name: str = PROBE, description: str = "", role: str = "ProbeRole", **more: Any) -> Json:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "FunctionName": name,
            "Description": description
            or "Connects to private endpoints for the disaster-recovery hub; sends and reads nothing",
            "Runtime": {"Ref": "Runtime"},
            "Handler": "index.handler",
            "Timeout": TIMEOUT_SECONDS,
            "MemorySize": 128,
            "Role": {"Fn::GetAtt": [role, "Arn"]},
            "Code": {"ZipFile": code},
            "VpcConfig": {"SubnetIds": {"Ref": "SubnetIds"}, "SecurityGroupIds": {"Ref": "SecurityGroupIds"}},
            **more,
        },
    }


def current() -> str:
    """Return the template as it should be checked in."""
    return render(template(*(each.read_text(encoding="utf-8") for each in (CODE, ONTAP_CODE, OPENSEARCH_CODE))))


def main(arguments: list[str] | None = None) -> int:
    """Write the template, or with --check say whether the checked-in one is current."""
    parser = argparse.ArgumentParser(prog="python -m infra.probe", description=f"Generate stacksets/{PATH.name}.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is not current")
    options = parser.parse_args(arguments)
    fresh = current()
    if not options.check:
        PATH.write_text(fresh, encoding="utf-8")
        return 0
    if PATH.exists() and PATH.read_text(encoding="utf-8") == fresh:
        return 0
    sys.stderr.write(f"{PATH} differs from its functions. Try: python -m infra.probe\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
