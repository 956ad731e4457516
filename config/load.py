"""From Pulumi's configuration to `StackConfig`; the only file that reads it.

Every fault of the stack file is told in one report, and ends the program as a `pulumi.RunError`: a clean exit
without a traceback.
"""

from dataclasses import dataclass

import pulumi
from pulumi.runtime import config as runtime_config

from config.checked_stack import WrongStack, check_stack
from config.settings.stack import StackSettings
from vllm_eks.specs.access import ClusterAccess, Deployer
from vllm_eks.specs.secrets import Secrets
from vllm_eks.stack_files.stack_file import StackFile

STACK_TAG = "vllm-eks/stack"


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """What the stack says, checked."""

    project: str
    stack: str
    settings: StackSettings
    deployer: Deployer
    secrets: Secrets
    open_questions: tuple[str, ...] = ()
    """What an offline preview passes over and `pulumi up` will refuse."""

    @property
    def cluster_name(self) -> str:
        """The name of the stack's own EKS cluster, and the beginning of all its resources' names."""
        return f"{self.project}-{self.stack}"

    @property
    def mark(self) -> dict[str, str]:
        """The tag by which `vllm-eks leftovers` knows what is this stack's. It never changes."""
        return {STACK_TAG: self.cluster_name}

    @property
    def tags(self) -> dict[str, str]:
        """The stack's own tags and its mark."""
        return {**self.settings.tags, **self.mark}

    @property
    def cluster_access(self) -> ClusterAccess:
        """Who talks to the API server of the stack's cluster, and from where."""
        existing = self.settings.cluster.existing
        return ClusterAccess(
            cluster_name=existing.name if existing else self.cluster_name,
            deployer=self.deployer,
            kubeconfig_path=self.settings.cluster.kubeconfig_path,
        )


def load() -> StackConfig:
    """Read and check the configuration of the running stack.

    Raises:
        pulumi.RunError: It has faults; the message lists all of them.
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
        ),
        open_questions=checked.open_questions,
    )


def _given() -> StackFile:
    config = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    return StackFile(
        project=pulumi.get_project(),
        stack=pulumi.get_stack(),
        config=config,
        secret_keys=[key for key in config if runtime_config.is_config_secret(key)],
    )


def _secret(given: StackFile, name: str) -> pulumi.Output[str] | None:
    """Return a secret that never leaves its Output; an empty one counts as not given."""
    key = f"{given.project}:{name}"
    if not given.config.get(key):
        return None
    if key not in given.secret_keys:
        # It is one in the state all the same; the stack file is what shows it.
        pulumi.log.warn(
            f"{key} is in plain text in the stack file: run pulumi config set --secret {name}, and replace the secret "
            "itself if others have seen the file"
        )
    return pulumi.Config(given.project).get_secret(name)
