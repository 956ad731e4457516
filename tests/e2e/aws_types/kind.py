"""What the types share. The lab's provider calls these methods, so the shape of a type is the lab's."""

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar, TypeAlias

Properties: TypeAlias = dict[str, Any]
"""Inputs or outputs of a resource, by Pulumi's names."""


class Kind:
    """A type of resource. Its outputs are its inputs and what the account adds, so that a refresh can differ."""

    name: str | None = None
    """The property for which the provider makes up a value, unless the program sets it or its prefix."""
    longest = 255
    lower = False
    force: tuple[str, ...] = ()
    """Properties whose change replaces the resource (ForceNew in the Terraform provider)."""
    computed: tuple[str, ...] = ()
    tags = True
    service: ClassVar[str]

    def __init__(self, client: Any) -> None:
        """Take the lab's function from the name of a service to its boto3 client."""
        self._client_of = client

    @property
    def client(self) -> Any:
        """The client of the type's service."""
        return self._client_of(self.service)

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create the resource, and return its ID and outputs."""
        raise NotImplementedError

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the outputs, or None if the resource is gone. A "not found" error also means that."""
        raise NotImplementedError

    def update(self, id: str, old: Properties, new: Properties) -> None:
        """Change the resource. Most types here are never changed by a test."""
        raise NotImplementedError(f"the stand-in of {type(self).__name__} changes nothing")

    def delete(self, id: str, state: Properties) -> None:
        """Delete the resource."""
        raise NotImplementedError

    def set_tags(self, id: str, state: Properties, old: Properties, new: Properties) -> None:
        """No test of these types changes tags."""
        raise NotImplementedError(f"the stand-in of {type(self).__name__} changes no tags")

    def newly_computed(self, changed: list[str]) -> list[str]:
        """Return nothing: a change makes no output unknown."""
        return []


def tag_list(inputs: Properties) -> list[dict[str, str]]:
    """Return tags as AWS takes them."""
    return [{"Key": key, "Value": value} for key, value in (inputs.get("tags") or {}).items()]


def unique_name(inputs: Properties) -> str:
    """Return the prefix and 26 characters, as many as the Terraform provider adds (its `id.PrefixedUniqueId`)."""
    return inputs.get("name") or inputs["namePrefix"] + uuid.uuid4().hex[:26]


def pascal_keys(value: Any) -> Any:
    """Return Pulumi's names as AWS's, at every depth."""
    if isinstance(value, Mapping):
        return {f"{key[0].upper()}{key[1:]}": pascal_keys(one) for key, one in value.items()}
    return [pascal_keys(one) for one in value] if isinstance(value, list) else value
