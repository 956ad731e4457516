"""The secrets of a stack, each in an Output that Pulumi keeps encrypted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The stack's secrets. None if not set."""

    hugging_face_token: "pulumi.Output[str] | None" = None
    api_key: "pulumi.Output[str] | None" = None
    """The key that clients must send. If None, the stack generates one."""
    second_api_key: "pulumi.Output[str] | None" = None
    """A second valid key, for key rotation."""
