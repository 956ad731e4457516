"""Dependencies between resources that ordinary inputs do not express."""

import pulumi


def known_after(value: pulumi.Output[str], *resources: pulumi.CustomResource) -> pulumi.Output[str]:
    """Return the value, known only after the resources exist.

    Resources with this input are created after them and, more importantly, deleted before them.
    """
    return pulumi.Output.all(value, *[resource.id for resource in resources]).apply(_first)


def _first(values: list[str]) -> str:
    return values[0]
