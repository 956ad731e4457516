"""Reads Pulumi's configuration into a `StackConfig`. No other file reads it.

All errors of the stack file are in one report, which ends the program with a `pulumi.RunError`, without a traceback.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pulumi
from pulumi.runtime import config as runtime_config

from config.checked_stack import CheckedStack, WrongStack, check_stack
from config.client_keys import CLIENT_KEYS
from config.settings.stack import StackSettings
from vllm_eks.specs.access import ClusterAccess, Deployer
from vllm_eks.specs.secrets import NamedKey, Secrets
from vllm_eks.specs.stack import IamSpec, StackSpec
from vllm_eks.stack_files.read import StackFileError, read_stack_file
from vllm_eks.stack_files.stack_file import StackFile

STACK_TAG = "vllm-eks/stack"


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The checked configuration of a stack."""

    project: str
    stack: str
    settings: StackSettings
    deployer: Deployer
    secrets: Secrets
    open_questions: tuple[str, ...] = ()
    """Missing values that an offline preview ignores and `pulumi up` refuses."""

    @property
    def cluster_name(self) -> str:
        """The name of the stack's own EKS cluster, and the prefix of all its resources' names."""
        return f"{self.project}-{self.stack}"

    @property
    def spec(self) -> StackSpec:
        """What all components of the stack share."""
        # The tag identifies the stack's resources to `vllm-eks leftovers`. It never changes.
        ownership_tag = {STACK_TAG: self.cluster_name}
        iam = self.settings.iam
        return StackSpec(
            name=self.cluster_name,
            region=self.deployer.region,
            iam=IamSpec(permissions_boundary=iam.permissions_boundary, role_path=iam.role_path),
            tags={**self.settings.tags, **ownership_tag},
            ownership_tag=ownership_tag,
        )

    @property
    def cluster_access(self) -> ClusterAccess:
        """The identity and the path to the API server of the stack's cluster."""
        existing = self.settings.cluster.existing
        return ClusterAccess(
            cluster_name=existing.name if existing else self.cluster_name,
            deployer=self.deployer,
            kubeconfig_path=self.settings.cluster.kubeconfig_path,
        )


def load() -> StackConfig:
    """Read and check the configuration of the running stack.

    Raises:
        pulumi.RunError: It has errors. The message lists all of them.
    """
    given = _given()
    try:
        checked = check_stack(given)
    except WrongStack as error:
        raise pulumi.RunError(str(error)) from None
    for warning in checked.warnings:
        pulumi.log.warn(warning)
    return StackConfig(
        project=given.project,
        stack=given.stack,
        settings=checked.settings,
        deployer=checked.deployer,
        secrets=Secrets(
            hugging_face_token=None if checked.needs_no_token else _secret(given, "huggingFaceToken"),
            api_key=_secret(given, "apiKey"),
            second_api_key=_secret(given, "secondApiKey"),
            named_keys=_named_keys(given, checked),
        ),
        open_questions=checked.open_questions,
    )


def _given() -> StackFile:
    config = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    given = StackFile(
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        config=config,
        secret_keys=[key for key in config if runtime_config.is_config_secret(key)],
    )
    return replace(given, plain_beside_secrets=_plain_beside_secrets(given))


def _plain_beside_secrets(given: StackFile) -> Mapping[str, Sequence[str]]:
    """Return the names with values in plain text beside secrets, which only the file shows."""
    key = f"{given.project}:{CLIENT_KEYS}"
    if key not in given.secret_keys:
        return {}
    try:
        file = read_stack_file(Path(), given.stack)
    except StackFileError:
        return {}  # the settings come from another file (--config-file), or from Pulumi ESC
    # Pulumi runs the program in the project's folder. In any other folder the values differ.
    there, here = file.section(CLIENT_KEYS), given.section(CLIENT_KEYS)
    return {key: tuple(name for name in file.plain_beside_secrets.get(key, ()) if there[name] == here.get(name))}


def _named_keys(given: StackFile, checked: CheckedStack) -> tuple[NamedKey, ...]:
    """Return the keys of named clients, each in an Output of its own."""
    if not checked.client_names:
        return ()
    keys: pulumi.Output[dict[str, str]] = pulumi.Config(given.project).require_secret_object(CLIENT_KEYS)
    limits = checked.settings.clients
    return tuple(
        NamedKey(
            client=name,
            key=keys.apply(lambda all_keys, name=name: all_keys[name]),
            models=limits[name].models if name in limits else None,
        )
        for name in checked.client_names
    )


def _secret(given: StackFile, name: str) -> pulumi.Output[str] | None:
    """Return a secret as an Output. An empty one counts as missing."""
    key = f"{given.project}:{name}"
    if not given.config.get(key):
        return None
    if key not in given.secret_keys:
        # Pulumi encrypts it in the state, but it is readable in the stack file.
        pulumi.log.warn(
            f"{key} is in plaintext in the stack file: run pulumi config set --secret {name}, and replace the secret "
            f"if others have seen the file"
        )
    return pulumi.Config(given.project).get_secret(name)
