"""SSM Automation: runs documents of schema 0.3.

Actions: aws:executeAwsApi, aws:assertAwsResourceProperty, aws:waitForAwsResourceProperty, aws:branch,
aws:sleep, aws:invokeLambdaFunction, aws:executeStateMachine.
"""
