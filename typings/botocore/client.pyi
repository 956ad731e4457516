# botocore makes the methods of a client at run time, from the service's model.
from collections.abc import Callable, Iterator
from typing import Any

from botocore.config import Config

class Paginator:
    def paginate(self, **asked: object) -> Iterator[dict[str, Any]]: ...

class ClientMeta:
    region_name: str
    config: Config

class BaseClient:
    meta: ClientMeta

    def can_paginate(self, operation_name: str) -> bool: ...
    def get_paginator(self, operation_name: str) -> Paginator: ...
    def __getattr__(self, item: str) -> Callable[..., dict[str, Any]]: ...
