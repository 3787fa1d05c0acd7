"""The AWS managed policies that the bed has, by path and name, with what they allow in short.

https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html
"""

from __future__ import annotations

from typing import Any


def _allow(*actions: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}


#: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/PowerUserAccess.html
POWER_USER: dict[str, Any] = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
    {"Effect": "Allow", "Action": ["iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"],
     "Resource": "*"},
]}

DOCUMENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("/", "AdministratorAccess"): _allow("*"),
    ("/", "PowerUserAccess"): POWER_USER,
    ("/", "ReadOnlyAccess"): _allow(
        "application-autoscaling:Describe*", "ec2:Describe*", "ecs:Describe*", "ecs:List*",
        "elasticloadbalancing:Describe*", "iam:Get*", "iam:List*", "logs:Describe*", "logs:Get*",
        "logs:ListTagsForResource", "logs:ListTagsLogGroup", "s3:Get*", "s3:List*", "sts:GetCallerIdentity",
        "tag:Get*",
    ),
    ("/job-function/", "ViewOnlyAccess"): _allow("ec2:Describe*", "ecs:List*", "iam:List*"),
    ("/", "SecurityAudit"): _allow("ec2:Describe*", "iam:Get*", "iam:List*"),
    ("/service-role/", "AmazonECSTaskExecutionRolePolicy"): _allow(
        "ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
        "ecr:BatchGetImage", "logs:CreateLogStream", "logs:PutLogEvents",
    ),
    ("/service-role/", "AmazonEC2ContainerServiceforEC2Role"): _allow("ecs:*", "ecr:*", "logs:*"),
    ("/service-role/", "AmazonEC2ContainerServiceRole"): _allow("elasticloadbalancing:*"),
    ("/service-role/", "AWSLambdaBasicExecutionRole"): _allow("logs:CreateLogGroup", "logs:PutLogEvents"),
    ("/", "CloudWatchAgentServerPolicy"): _allow("cloudwatch:PutMetricData", "logs:PutLogEvents"),
    ("/", "CloudWatchFullAccess"): _allow("cloudwatch:*", "logs:*"),
    ("/", "CloudWatchLogsFullAccess"): _allow("logs:*"),
    ("/", "AmazonSSMManagedInstanceCore"): _allow("ssmmessages:*", "ec2messages:*"),
    ("/", "AmazonSSMReadOnlyAccess"): _allow("ssm:Describe*", "ssm:Get*", "ssm:List*"),
    ("/", "AmazonECS_FullAccess"): _allow("ecs:*"),
    ("/", "AmazonEC2ContainerRegistryReadOnly"): _allow("ecr:Get*", "ecr:BatchGetImage"),
    ("/", "AmazonS3ReadOnlyAccess"): _allow("s3:Get*", "s3:List*"),
    ("/", "AmazonS3FullAccess"): _allow("s3:*"),
    ("/", "AmazonDynamoDBReadOnlyAccess"): _allow("dynamodb:Get*", "dynamodb:Query", "dynamodb:Scan"),
    ("/", "AmazonDynamoDBFullAccess"): _allow("dynamodb:*"),
    ("/", "AmazonKinesisReadOnlyAccess"): _allow("kinesis:Get*", "kinesis:List*", "kinesis:Describe*"),
    ("/", "AmazonSQSFullAccess"): _allow("sqs:*"),
    ("/", "AmazonSNSFullAccess"): _allow("sns:*"),
    ("/", "AWSXRayDaemonWriteAccess"): _allow("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
    ("/", "SecretsManagerReadWrite"): _allow("secretsmanager:*"),
}
