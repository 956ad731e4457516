"""Lists and stores files below one prefix of an S3 bucket, and explains S3's errors."""

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
MAX_PARTS = 9000
"""S3 allows 10,000 parts per object."""
PARTS_IN_FLIGHT = 2
"""Parts of one file that are uploaded at once, while the next one is read. All are in memory."""


class Bucket:
    """A prefix of a bucket."""

    def __init__(self, name: str, prefix: str, *, part_bytes: int, parallel: int) -> None:
        self._name, self._prefix, self._part_bytes = name, prefix, part_bytes
        retries = {"mode": "standard", "total_max_attempts": 8}
        self._s3 = boto3.client("s3", config=Config(retries=retries, max_pool_connections=parallel * 3))

    def abort_unfinished(self) -> None:
        """Abort the unfinished uploads of a killed run, or of this one. They are billed and cannot be resumed."""
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._name, Prefix=f"{self._prefix}/")
        try:
            for upload in [one for page in pages for one in page.get("Uploads", [])]:
                self._s3.abort_multipart_upload(Bucket=self._name, Key=upload["Key"], UploadId=upload["UploadId"])
        except ClientError as error:
            if code_of(error) not in DENIED:
                raise
            # They cost money but do no harm. The bucket's lifecycle rule deletes them some days later.
            say("unfinished uploads were not deleted: the role may not list them")

    def has(self, file: HubFile) -> bool:
        """Return whether a listed file has the right hash. S3 may answer 403 for a missing file."""
        found = self._s3.head_object(Bucket=self._name, Key=f"{self._prefix}/{file.name}")
        return found["ContentLength"] == file.size and found["Metadata"].get(file.algorithm) == file.digest

    def put(self, file: HubFile, source: CheckedFile) -> None:
        """Store a file. If reading it fails, neither the object nor a part of it remains."""
        part = max(self._part_bytes, -(-file.size // MAX_PARTS))
        config = TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=PARTS_IN_FLIGHT)
        # Not a documented option of boto3. The default is 10.
        config.max_in_memory_upload_chunks = PARTS_IN_FLIGHT
        self._s3.upload_fileobj(
            source,
            self._name,
            f"{self._prefix}/{file.name}",
            ExtraArgs={"Metadata": {file.algorithm: file.digest}, "ChecksumAlgorithm": "SHA256"},
            Config=config,
        )

    def put_manifest(self, hub: Hub, files: Sequence[HubFile]) -> None:
        """Record the copied files, outside the prefix of the weights, because vLLM reads every file below that."""
        manifest = {
            "model": hub.model,
            "revision": hub.revision,
            "total_bytes": total_size(files),
            "files": [{"name": one.name, "size": one.size, one.algorithm: one.digest} for one in files],
        }
        key = f"manifests/{self._prefix.replace('/', '-')}.json"
        self._s3.put_object(Bucket=self._name, Key=key, Body=json.dumps(manifest, indent=1).encode())

    def sizes(self) -> dict[str, int]:
        """Return the size of every object below the prefix, by its relative name."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=f"{self._prefix}/")
        found = [entry for page in pages for entry in page.get("Contents", [])]
        return {entry["Key"].removeprefix(f"{self._prefix}/"): entry["Size"] for entry in found}


def code_of(error: BaseException | None) -> str:
    """Return the S3 error code, or an empty string."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def is_permanent(error: BaseException) -> bool:
    """Return whether another run fails too. A new role's permissions take a minute, so a denial may be temporary."""
    inner = error.__cause__ or error.__context__ if isinstance(error, Boto3Error) else error
    return code_of(inner) in ("NoSuchBucket", "PermanentRedirect", "QuotaExceeded", "InvalidAccessKeyId")


def s3_cause(error: BaseException, bucket: str) -> str:
    """Return what an error of S3 or boto3 means, with a fix."""
    inner = error.__cause__ or error.__context__ if isinstance(error, Boto3Error) else error
    code = code_of(inner)
    if code in DENIED:
        return (
            f"S3 refuses access to s3://{bucket} ({code}). The Job's Pod Identity role, *-write-role, is missing or "
            "lacks a permission: run pulumi up"
        )
    if code == "NoSuchBucket":
        return f"there is no bucket {bucket}: run pulumi refresh, then pulumi up"
    if isinstance(inner, (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)):
        return (
            "the pod has no AWS credentials. Its Pod Identity association is missing, or the add-on "
            "eks-pod-identity-agent does not run on its node: run pulumi up"
        )
    if isinstance(inner, (ConnectionError, HTTPClientError)):
        return f"S3 cannot be reached ({inner}). Check the S3 endpoint or NAT of the private subnets"
    return f"S3: {' '.join(str(inner or error).split())[:300]}. Run pulumi up again: the copy resumes"
