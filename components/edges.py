"""Order between resources that an ordinary input would not show."""

import pulumi


def known_after(value: pulumi.Output[str], *resources: pulumi.CustomResource) -> pulumi.Output[str]:
    """Return the value, known only once the resources exist.

    Whoever takes it as an input is made after them and, what matters more, deleted before them.
    """
    return pulumi.Output.all(value, *[resource.id for resource in resources]).apply(_first)


def _first(values: list[str]) -> str:
    return values[0]
