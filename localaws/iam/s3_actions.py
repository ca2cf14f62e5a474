"""S3 operations whose IAM action has another name.

Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
"""

from __future__ import annotations

_CONFIGURATIONS = {
    "Accelerate": "AccelerateConfiguration",
    "Analytics": "AnalyticsConfiguration",
    "Encryption": "EncryptionConfiguration",
    "IntelligentTiering": "IntelligentTieringConfiguration",
    "Inventory": "InventoryConfiguration",
    "Lifecycle": "LifecycleConfiguration",
    "Metrics": "MetricsConfiguration",
    "Replication": "ReplicationConfiguration",
}


def _configurations() -> dict[str, str]:
    """GetBucketEncryption -> GetEncryptionConfiguration, and so on; deleting one needs the Put permission."""
    table: dict[str, str] = {}
    for name, action in _CONFIGURATIONS.items():
        for suffix in ("", "Configuration"):
            table[f"GetBucket{name}{suffix}"] = f"Get{action}"
            table[f"PutBucket{name}{suffix}"] = f"Put{action}"
            table[f"DeleteBucket{name}{suffix}"] = f"Put{action}"
        table[f"ListBucket{name}Configurations"] = f"Get{action}"
    return table


S3_ACTIONS: dict[str, str] = {
    **_configurations(),
    "AbortMultipartUpload": "AbortMultipartUpload",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "CreateMultipartUpload": "PutObject",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteObjects": "DeleteObject",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "HeadObject": "GetObject",
    "ListBuckets": "ListAllMyBuckets",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjectVersions": "ListBucketVersions",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListParts": "ListMultipartUploadParts",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "SelectObjectContent": "GetObject",
    "UploadPart": "PutObject",
    "UploadPartCopy": "PutObject",
}

# With a VersionId the version's own permission is asked.
S3_VERSIONED = {
    "GetObject": "GetObjectVersion",
    "HeadObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
    "GetObjectAcl": "GetObjectVersionAcl",
}
