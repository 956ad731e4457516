"""A bucket for copies of model weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

KEEP_DAYS = 7
"""How long overwritten, deleted and unfinished objects are kept."""


@dataclass(frozen=True, kw_only=True)
class WeightsBucketArgs:
    """The arguments of a WeightsBucket."""

    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class WeightsBucket(pulumi.ComponentResource):
    """Encrypted, versioned, not public, and reachable only with TLS.

    It is deleted with the stack, including its content, because weights can be copied again.
    """

    name: pulumi.Output[str]
    """Known after all of these settings are applied."""

    def __init__(self, name: str, args: WeightsBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:WeightsBucket", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(name, force_destroy=True, tags=args.tags, opts=child)
        closed = aws.s3.BucketPublicAccessBlock(
            f"{name}-closed",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=child,
        )
        versioned = aws.s3.BucketVersioning(
            f"{name}-versioned",
            bucket=bucket.id,
            versioning_configuration={"status": "Enabled"},
            opts=child,
        )
        encrypted = aws.s3.BucketServerSideEncryptionConfiguration(
            f"{name}-encrypted",
            bucket=bucket.id,
            # S3's own key: weights are not so secret that each part should need a request to KMS.
            rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
            opts=child,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{name}-tidy",
            bucket=bucket.id,
            rules=[
                {
                    "id": "tidy",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "abort_incomplete_multipart_upload": {"days_after_initiation": KEEP_DAYS},
                    "noncurrent_version_expiration": {"noncurrent_days": KEEP_DAYS},
                }
            ],
            # Rules about versions need a bucket with versioning.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioned]),
        )
        tls = aws.s3.BucketPolicy(
            f"{name}-tls-only",
            bucket=bucket.id,
            policy=pulumi.Output.json_dumps(tls_only(bucket.arn)),
            # S3 refuses two simultaneous changes of a bucket's access.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[closed]),
        )
        self.name = pulumi.Output.all(bucket.id, tls.id, versioned.id, encrypted.id).apply(_first)
        self.register_outputs({"name": self.name})


def tls_only(bucket_arn: pulumi.Input[str]) -> dict[str, object]:
    """Return the bucket policy that denies every request without TLS."""
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, pulumi.Output.concat(bucket_arn, "/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _first(values: list[str]) -> str:
    return values[0]


def weights_bucket_name(name: str, args: WeightsBucketArgs, *, wanted: bool) -> pulumi.Output[str] | None:
    """Return the name of the stack's bucket, or None if no model's weights are copied."""
    return WeightsBucket(f"{name}-weights", args).name if wanted else None
