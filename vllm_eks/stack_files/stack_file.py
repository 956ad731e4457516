"""A stack's configuration as Pulumi hands it to a program: text by full key."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

SECRET_PLACEHOLDER = "[secret]"
"""In place of every `secure:` value."""

NOT_SET_PLACEHOLDER = "[not set]"
"""In place of a secret the stack lacks, where a preview goes on all the same."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """A stack's configuration, ready for `pulumi.runtime.set_all_config(config, secret_keys)`."""

    project: str
    stack: str
    config: dict[str, str]
    """Full keys (`vllm-eks:network`) to values as Pulumi hands them to a program: text, objects as JSON."""
    secret_keys: list[str]
    environments: Sequence[str] = ()
    """Pulumi ESC environments the file imports; what they set is not known offline."""

    def for_offline_preview(self) -> "StackFile":
        """Fill in a missing huggingFaceToken, so that a fresh clone can preview a gated model.

        `config.load` then reports it as an open question instead of refusing.
        """
        key = f"{self.project}:huggingFaceToken"
        if self.config.get(key):
            return self
        return replace(
            self,
            config={**self.config, key: NOT_SET_PLACEHOLDER},
            secret_keys=sorted({*self.secret_keys, key}),
        )
