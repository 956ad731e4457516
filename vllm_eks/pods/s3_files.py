"""One prefix of an S3 bucket: what is there, how a file gets there whole or not at all, and what S3's errors mean."""

from __future__ import annotations

import json
from collections.abc import Sequence

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from vllm_eks.pods.checked_file import CheckedFile
from vllm_eks.pods.hub_files import Hub, HubFile, say, total_size

S3_ERRORS = (Boto3Error, BotoCoreError, ClientError)
DENIED = ("AccessDenied", "403", "Forbidden")
MOST_PARTS = 9000
"""S3 takes 10,000 parts of an object."""
SENT_AT_ONCE = 2
"""Parts of one file that are on their way to S3, while a third is read: all are in memory."""


class Bucket:
    """One prefix of a bucket."""

    def __init__(self, name: str, prefix: str, *, part_bytes: int, parallel: int) -> None:
        self._name, self._prefix, self._part_bytes = name, prefix, part_bytes
        retries = {"mode": "standard", "total_max_attempts": 8}
        self._s3 = boto3.client("s3", config=Config(retries=retries, max_pool_connections=parallel * 3))

    def drop_unfinished(self) -> None:
        """Give up what a killed run left half uploaded: it is billed, and cannot be gone on with."""
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._name, Prefix=f"{self._prefix}/")
        try:
            for upload in [one for page in pages for one in page.get("Uploads", [])]:
                self._s3.abort_multipart_upload(Bucket=self._name, Key=upload["Key"], UploadId=upload["UploadId"])
        except ClientError as error:
            if code_of(error) not in DENIED:
                raise
            # Worth money, not the model: the bucket's own rule drops them some days later.
            say("the role may not look for uploads that an earlier run left unfinished: they stay")

    def has(self, file: HubFile) -> bool:
        """Tell whether a file that is listed has the right hash. S3 may answer 403 for one that is not there."""
        found = self._s3.head_object(Bucket=self._name, Key=f"{self._prefix}/{file.name}")
        return found["ContentLength"] == file.size and found["Metadata"].get(file.algorithm) == file.digest

    def put(self, file: HubFile, source: CheckedFile) -> None:
        """Store a file; where reading it fails there is no object, and no part of one."""
        part = max(self._part_bytes, -(-file.size // MOST_PARTS))
        config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=SENT_AT_ONCE)
        # Not an option of boto3's, and 10 by default.
        config.max_in_memory_upload_chunks = SENT_AT_ONCE  # pyright: ignore[reportAttributeAccessIssue]
        self._s3.upload_fileobj(
            source,
            self._name,
            f"{self._prefix}/{file.name}",
            ExtraArgs={"Metadata": {file.algorithm: file.digest}, "ChecksumAlgorithm": "SHA256"},
            Config=config,
        )

    def put_manifest(self, hub: Hub, files: Sequence[HubFile]) -> None:
        """Write down what was copied, beside the weights: what lies below their prefix, vLLM takes for its own."""
        manifest = {
            "model": hub.model,
            "revision": hub.revision,
            "total_bytes": total_size(files),
            "files": [{"name": one.name, "size": one.size, one.algorithm: one.digest} for one in files],
        }
        key = f"manifests/{self._prefix.replace('/', '-')}.json"
        self._s3.put_object(Bucket=self._name, Key=key, Body=json.dumps(manifest, indent=1).encode())

    def sizes(self) -> dict[str, int]:
        """Return the size of every object below the prefix, by its name there."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=f"{self._prefix}/")
        found = [entry for page in pages for entry in page.get("Contents", [])]
        return {entry["Key"].removeprefix(f"{self._prefix}/"): entry["Size"] for entry in found}


def code_of(error: BaseException | None) -> str:
    """Return S3's own word for an error, or nothing."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def is_lasting(error: BaseException) -> bool:
    """Tell whether another run gets the same answer. A new role's rights take a minute, so a denial may pass."""
    inner = error.__cause__ or error.__context__ if isinstance(error, Boto3Error) else error
    return code_of(inner) in ("NoSuchBucket", "PermanentRedirect", "QuotaExceeded", "InvalidAccessKeyId")


def s3_cause(error: BaseException, bucket: str) -> str:
    """Say what an error of S3 or boto3 means and what to do."""
    inner = error.__cause__ or error.__context__ if isinstance(error, Boto3Error) else error
    code = code_of(inner)
    if code in DENIED:
        return (
            f"S3 refuses access to s3://{bucket} ({code}). The Job's Pod Identity role, *-write-role, is missing or "
            "lacks a right: run pulumi up"
        )
    if code == "NoSuchBucket":
        return f"there is no bucket {bucket}. Run pulumi refresh, then pulumi up"
    if isinstance(inner, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        return (
            "the pod has no AWS credentials. Its Pod Identity association is missing, or the add-on "
            "eks-pod-identity-agent does not run on its node: run pulumi up"
        )
    if isinstance(inner, (ConnectionError, HTTPClientError)):
        return f"S3 is not reached ({inner}). Look at the S3 endpoint or NAT of the private subnets"
    return f"S3: {' '.join(str(inner or error).split())[:300]}. Run it again: it continues where it stopped"
