from typing import Any

class Config:
    connect_timeout: float
    read_timeout: float
    retries: dict[str, Any]

    def __init__(
        self,
        *,
        connect_timeout: float = ...,
        read_timeout: float = ...,
        max_pool_connections: int = ...,
        retries: dict[str, str] | dict[str, str | int] = ...,
    ) -> None: ...
