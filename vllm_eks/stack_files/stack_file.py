"""A stack's configuration as Pulumi passes it to a program: text by full key."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from vllm_eks.json_values import object_or_empty

SECRET_PLACEHOLDER = "[secret]"
"""Replaces every `secure:` value."""

NOT_SET_PLACEHOLDER = "[not set]"
"""Replaces a missing secret, so that a preview can continue."""


@dataclass(frozen=True, kw_only=True)
class StackFile:
    """A stack's configuration, ready for `pulumi.runtime.set_all_config(config, secret_keys)`."""

    project: str
    stack: str
    config: dict[str, str]
    """Full keys (`vllm-eks:network`) to values as Pulumi passes them to a program: text, with objects as JSON."""
    secret_keys: list[str]
    plain_beside_secrets: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """By full key: the names below it whose values are in plain text, although others are secret. Pulumi passes the
    whole object as a secret then."""
    environments: Sequence[str] = ()
    """Pulumi ESC environments that the file imports. Their values are unknown offline."""

    def section(self, name: str) -> dict[str, object]:
        """Return a section of the project, or an empty one when it is missing or invalid."""
        try:
            section: object = json.loads(self.config.get(f"{self.project}:{name}") or "{}")
        except json.JSONDecodeError:
            return {}
        return object_or_empty(section)

    def for_offline_preview(self) -> "StackFile":
        """Fill in a missing huggingFaceToken and missing keys of clients, so that a fresh clone can be previewed.

        `config.load` then reports open questions instead of refusing.
        """
        config = {**self.config, **self._placeholders()}
        if config == self.config:
            return self
        return replace(self, config=config, secret_keys=sorted({*self.secret_keys, *self._placeholders()}))

    def _placeholders(self) -> dict[str, str]:
        found: dict[str, str] = {}
        token, keys = f"{self.project}:huggingFaceToken", f"{self.project}:clientKeys"
        if not self.config.get(token):
            found[token] = NOT_SET_PLACEHOLDER
        given = self.section("clientKeys")
        missing = [name for name in self.section("clients") if name not in given]
        # Keys in plain text are refused, and would pass as secrets beside a placeholder.
        if missing and (keys in self.secret_keys or not given):
            found[keys] = json.dumps({**given, **dict.fromkeys(missing, NOT_SET_PLACEHOLDER)})
        return found
