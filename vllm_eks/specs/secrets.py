"""The secrets of a stack, each in an Output that Pulumi keeps encrypted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, kw_only=True)
class NamedKey:
    """The key of a named client."""

    client: str
    key: "pulumi.Output[str]"
    models: Sequence[str] | None = None
    """The models that the client may use. None: all."""

    def may_use(self, model: str) -> bool:
        """Return whether the client may use a model."""
        return self.models is None or model in self.models


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The stack's secrets. None if not set."""

    hugging_face_token: "pulumi.Output[str] | None" = None
    api_key: "pulumi.Output[str] | None" = None
    """The key that clients must send. If None, the stack generates one."""
    second_api_key: "pulumi.Output[str] | None" = None
    """A second valid key, for key rotation."""
    named_keys: "Sequence[NamedKey]" = ()
    """Keys of named clients, sorted by name."""

    def clients_of(self, model: str) -> Sequence[str]:
        """Return the names of the clients that may use a model."""
        return [named.client for named in self.named_keys if named.may_use(model)]
