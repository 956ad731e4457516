class TransferConfig:
    max_in_memory_upload_chunks: int
    """Of s3transfer, whose TransferConfig is the base of boto3's."""

    def __init__(
        self, multipart_threshold: int = ..., max_concurrency: int = ..., multipart_chunksize: int = ...
    ) -> None: ...
