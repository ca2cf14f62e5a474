"""Lambda in the contract tests."""

from __future__ import annotations

from tests.contract.facts import Facts, Statuses

ORDERS = {"kind": "lambda-function", "name": "orders", "artifact": True, "releases": 4, "reserved": 50}

FACTS = Facts(
    estates={
        "alias-shift": ({**ORDERS, "provisioned": 5, "outdated": True},),
        "deploy-from-source": ({**ORDERS, "on_target": False, "queue": False},),
    },
    unused={
        "ec2:DescribeSecurityGroups": "Lambda asks for it when a function in a VPC is made; the embedded AWS does not",
        "ec2:DescribeSubnets": "Lambda asks for it when a function in a VPC is made; the embedded AWS does not",
        "ec2:DescribeVpcs": "Lambda asks for it when a function in a VPC is made; the embedded AWS does not",
        "lambda:GetLayerVersion": "Lambda asks for it when a function with layers is made; the embedded AWS does not",
        "application-autoscaling:DescribeScalingPolicies": "asked where a scalable target is found; a story of the adapter does",
        "application-autoscaling:DescribeScheduledActions": "asked where a scalable target is found; a story of the adapter does",
        "kms:DescribeKey": "asked for functions with a key of the customer only; a story of the adapter does",
        "ecr:DescribeImages": "asked for functions of images only; a story of the adapter does",
        "lambda:InvokeFunction": "a drill calls its copy only with dr:drill-safe; a story of the adapter does",
        "lambda:UpdateFunctionConfiguration": "called where settings differ; a story of the adapter does",
        "lambda:DeleteFunctionConcurrency": "called where nothing is reserved in production; a story of the adapter does",
    },
    statuses=(
        Statuses(
            "lambda.GetFunction Configuration.State",
            good=("Active", "Inactive", "Deactivated", "ActiveNonInvocable"),
            passing=("Pending", "Deactivating"),
            failed=("Failed", "Deleting"),
        ),
        Statuses(
            "lambda.GetFunction Configuration.LastUpdateStatus",
            good=("Successful",),
            passing=("InProgress",),
            failed=("Failed",),
        ),
        Statuses(
            "lambda.ListVersionsByFunction Versions[].State",
            good=("Active", "Inactive", "Deactivated", "ActiveNonInvocable"),
            passing=("Pending", "Deactivating"),
            failed=("Failed", "Deleting"),
        ),
        Statuses(
            "lambda.ListEventSourceMappings EventSourceMappings[].State",
            good=("Enabled", "Disabled"),
            passing=("Creating", "Enabling", "Disabling", "Updating"),
            failed=("Deleting",),
        ),
        Statuses(
            "lambda.ListProvisionedConcurrencyConfigs ProvisionedConcurrencyConfigs[].Status",
            good=("READY",),
            passing=("IN_PROGRESS",),
            failed=("FAILED",),
        ),
    ),
    judged={
        "lambda.ListVersionsByFunction Versions[].LastUpdateStatus": "a published version is not updated",
    },
)
