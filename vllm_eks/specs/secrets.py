"""The secrets of a stack, each inside an Output that Pulumi keeps encrypted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """The stack's secrets; None: not set."""

    hugging_face_token: "pulumi.Output[str] | None" = None
    api_key: "pulumi.Output[str] | None" = None
    """What clients must show; where it is None, one is made."""
    second_api_key: "pulumi.Output[str] | None" = None
    """What clients may show as well, while keys are changed."""
