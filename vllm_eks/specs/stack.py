"""What all components of a stack share."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class IamSpec:
    """Settings of every role."""

    permissions_boundary: str | None = None
    """The ARN of a managed policy."""
    role_path: str | None = None
    """Such as /platform/. IAM cannot move a role, so a new path is a new role."""


@dataclass(frozen=True, kw_only=True)
class StackSpec:
    """The name, region, roles and tags of a stack."""

    name: str
    """`<project>-<stack>`: the prefix of all names, and the name of the stack's own cluster."""
    region: str
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of every resource: the user's tags and the ownership tag."""
    ownership_tag: Mapping[str, str] = field(default_factory=dict[str, str])
    """The tag that never changes, for resources that a changed tag would replace."""
