"""Who may do what: a small, strict evaluator of IAM policies.

Everything here is pure: documents, a request and its context in, a decision out. What it does not know
(an element, an operator, a condition key) is an error, never ignored: a policy that silently loses a
condition is a hole. Semantics follow the IAM User Guide, "Policy evaluation logic" and "IAM JSON policy
elements: Condition operators".
"""

from localaws.iam.context import Context
from localaws.iam.document import Policy, PolicyError, PolicyKind, Statement, parse_policy
from localaws.iam.evaluate import Decision, Effect, Policies, PolicyType, Request, decide
from localaws.iam.principals import Caller

__all__ = [
    "Caller",
    "Context",
    "Decision",
    "Effect",
    "Policies",
    "Policy",
    "PolicyError",
    "PolicyKind",
    "PolicyType",
    "Request",
    "Statement",
    "decide",
    "parse_policy",
]
