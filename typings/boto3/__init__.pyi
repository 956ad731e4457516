# The part of boto3 that this project calls: boto3 has no types of its own.
from botocore.client import BaseClient
from botocore.config import Config

class Session:
    def __init__(
        self,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        aws_session_token: str | None = None,
        region_name: str | None = None,
        *,
        profile_name: str | None = None,
    ) -> None: ...
    def client(
        self,
        service_name: str,
        region_name: str | None = None,
        *,
        endpoint_url: str | None = None,
        aws_access_key_id: str | None = None,
        aws_secret_access_key: str | None = None,
        config: Config | None = None,
    ) -> BaseClient: ...
    def get_available_regions(self, service_name: str) -> list[str]: ...

def client(
    service_name: str,
    region_name: str | None = None,
    *,
    endpoint_url: str | None = None,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    config: Config | None = None,
) -> BaseClient: ...
