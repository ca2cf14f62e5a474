"""CloudFormation, the part of it that the product, the CDK and StackSets need."""
