"""The deployment: a CDK app whose stacks compose and whose constructs build, one per capability."""
