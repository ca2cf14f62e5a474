"""The condition keys the embedded AWS knows.

A key outside these tables is refused when a matching statement uses it, so that a policy can never rest
on a condition nobody evaluates. Names are lower case: condition keys are not case-sensitive.
"""

from __future__ import annotations

# Filled in by the authorization hook or by STS whenever they apply to the request.
_SUPPLIED = """
aws:calledvia aws:calledviafirst aws:calledvialast aws:currenttime aws:epochtime aws:principalaccount aws:principalarn
aws:principalisawsservice aws:principalorgid aws:principalservicename aws:principaltype aws:requestedregion
aws:resourceaccount aws:securetransport aws:sourceidentity aws:sourceip aws:tagkeys aws:userid aws:username
aws:viaawsservice application-autoscaling:service-namespace application-autoscaling:scalable-dimension
autoscaling:forcedelete autoscaling:maxsize autoscaling:minsize cloudwatch:namespace
ec2:createaction ec2:region ecs:cluster ecs:service ecs:task-definition iam:passedtoservice iam:permissionsboundary
iam:policyarn iam:awsservicename kms:calleraccount
kms:encryptioncontextkeys kms:grantisforawsresource kms:requestalias kms:viaservice lambda:functionarn
route53-recovery-cluster:allowsafetyrulesoverrides route53:changeresourcerecordsetsactions
route53:changeresourcerecordsetsnormalizedrecordnames route53:changeresourcerecordsetsrecordtypes s3:delimiter
s3:max-keys s3:prefix s3:resourceaccount s3:versionid s3:x-amz-acl s3:x-amz-server-side-encryption
s3:x-amz-server-side-encryption-aws-kms-key-id secretsmanager:secretid sns:endpoint sns:protocol ssm:overwrite
sts:externalid sts:rolesessionname sts:sourceidentity sts:transitivetagkeys
"""

# Real keys that are rightly absent from every request the embedded AWS receives (no VPC endpoints, no MFA,
# no federation; `aws:Source*` appear only when a service supplies them), so "absent" is the true answer.
_ABSENT = """
aws:federatedprovider aws:multifactorauthage aws:multifactorauthpresent aws:principalorgpaths
aws:principalservicenameslist aws:referer aws:resourceorgid aws:resourceorgpaths aws:sourceaccount aws:sourcearn
aws:sourceorgid aws:sourceorgpaths aws:sourceowner aws:sourcevpc aws:sourcevpce aws:sourcevpcarn aws:tokenissuetime
aws:useragent aws:vpcsourceip aws:ec2instancesourcevpc aws:ec2instancesourceprivateipv4 lambda:eventsourcetoken
lambda:invokedviafunctionurl lambda:functionurlauthtype s3:authtype s3:signatureage s3:signatureversion s3:tlsversion
s3:dataaccesspointaccount s3:dataaccesspointarn
"""

_PREFIXES = (
    "aws:principaltag/",
    "aws:requesttag/",
    "aws:resourcetag/",
    "autoscaling:resourcetag/",
    "ec2:resourcetag/",
    "ecs:resourcetag/",
    "elasticloadbalancing:resourcetag/",
    "iam:resourcetag/",
    "kms:encryptioncontext:",
    "rds:cluster-tag/",
    "rds:db-tag/",
    "rds:req-tag/",
    "secretsmanager:resourcetag/",
    "ssm:resourcetag/",
)

# Keys whose value is a set: a condition on them needs ForAllValues, ForAnyValue or Null.
_SETS = """
aws:calledvia aws:principalorgpaths aws:principalservicenameslist aws:resourceorgpaths aws:sourceorgpaths aws:tagkeys
kms:encryptioncontextkeys route53:changeresourcerecordsetsactions
route53:changeresourcerecordsetsnormalizedrecordnames route53:changeresourcerecordsetsrecordtypes
sts:transitivetagkeys
"""

MULTI_VALUED = frozenset(_SETS.split())
KNOWN = frozenset(_SUPPLIED.split()) | frozenset(_ABSENT.split())


def is_known(key: str) -> bool:
    """Tell whether the lower-case condition key `key` is one the embedded AWS evaluates truly."""
    return key in KNOWN or any(key.startswith(prefix) and len(key) > len(prefix) for prefix in _PREFIXES)
