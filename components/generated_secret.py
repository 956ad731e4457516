"""Secrets that the first run generates and the state keeps."""

import secrets

import pulumi


def generated_secret(name: str, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Return a random text that stays the same for as long as the stack exists.

    Each run of the program generates a new one. A Stash's output is its first input for as long as it exists, and with
    the input ignored there is nothing to update. Ignoring a field of the Secret itself has no effect, because the
    provider moves `stringData` into `data` before the engine compares.
    """
    stash = pulumi.Stash(
        name,
        input=pulumi.Output.secret(secrets.token_urlsafe(32)),
        opts=pulumi.ResourceOptions(
            parent=parent, ignore_changes=["input"], additional_secret_outputs=["input", "output"]
        ),
    )
    return pulumi.Output.secret(stash.output)
