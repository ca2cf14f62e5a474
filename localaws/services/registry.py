"""The service modules, named explicitly: `module:Class`, imported when the embedded AWS starts.

Add a line for each new module.
"""

from __future__ import annotations

SERVICES: tuple[str, ...] = (
    "localaws.services.sts:StsService",
    "localaws.services.iam:IamService",
    "localaws.services.lambda_:LambdaService",
    "localaws.services.stepfunctions:StepFunctionsService",
    "localaws.services.events:EventsService",
    "localaws.services.scheduler:SchedulerService",
    "localaws.services.sns:SnsService",
    "localaws.services.ssm:SsmService",
    # First: other modules register computed metrics with it.
    "localaws.services.cloudwatch:CloudWatchService",
    "localaws.services.application_autoscaling:ApplicationAutoScalingService",
    "localaws.services.ecs:EcsService",
    "localaws.services.elbv2:Elbv2Service",
    "localaws.services.ec2:Ec2Service",
    "localaws.services.autoscaling:AutoScalingService",
    "localaws.services.drs:DrsService",
    "localaws.services.route53:Route53Service",
    "localaws.services.arc:RecoveryClusterService",
    "localaws.services.arc:RecoveryControlConfigService",
    "localaws.services.rds:RdsService",
    "localaws.services.efs:EfsService",
    "localaws.services.fsx:FsxService",
    "localaws.services.backup:BackupService",
    "localaws.services.elasticache:ElastiCacheService",
    "localaws.services.memorydb:MemoryDbService",
    "localaws.services.opensearch:OpenSearchService",
    "localaws.services.service_quotas:ServiceQuotasService",
    "localaws.services.resource_explorer_2:ResourceExplorerService",
    "localaws.services.tagging:TaggingService",
    "localaws.services.cloudformation.service:CloudFormation",
    "localaws.services.dynamodb:DynamoDbService",
    "localaws.services.kms:KmsService",
    "localaws.services.acm:AcmService",
    "localaws.services.codedeploy:CodeDeployService",
    "localaws.services.codepipeline:CodePipelineService",
    "localaws.services.organizations:OrganizationsService",
    "localaws.services.s3:S3Service",
)
