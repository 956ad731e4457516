"""From Pulumi's configuration to `StackConfig`; the only file that reads it.

Every fault of the stack file is told in one report, and ends the program as a `pulumi.RunError`: a clean exit
without a traceback.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import config as runtime_config

from config import aws_names, rules
from config.cross_checks import Draft, cross_faults
from config.faults import Fault, nearest, report
from config.model_checks import gated_models
from config.model_settings import ModelSettings
from config.sections import Section, decode, parse_models, parse_section, parse_tags
from config.stack_file import NOT_SET_PLACEHOLDER
from config.stack_settings import ChartsSettings, ClusterSettings, NetworkSettings, StackSettings

Item = TypeVar("Item")

SECTIONS = ("network", "cluster", "models", "tags", "charts")
SECRETS = ("huggingFaceToken", "apiKey", "secondApiKey")
STACK_TAG = "vllm-eks/stack"


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """What the stack says, checked."""

    project: str
    stack: str
    settings: StackSettings
    region: str
    aws_profile: str | None
    aws_role_arn: str | None
    """The role that `aws:assumeRoles` has the AWS provider take, for the kubeconfig to take too."""
    hugging_face_token: pulumi.Output[str] | None
    api_keys: tuple[pulumi.Output[str] | None, pulumi.Output[str] | None]
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
    def secrets(self) -> dict[str, pulumi.Output[str] | None]:
        """The stack's secrets, as a model's server takes them."""
        first, second = self.api_keys
        return {"hugging_face_token": self.hugging_face_token, "api_key": first, "second_api_key": second}

    @property
    def cluster_access(self) -> dict[str, Any]:
        """Who talks to the API server of the stack's cluster, and from where."""
        return {
            "cluster_name": self.settings.cluster.existing or self.cluster_name,
            "region": self.region,
            "aws_profile": self.aws_profile,
            "aws_role_arn": self.aws_role_arn,
            "kubeconfig_path": self.settings.cluster.kubeconfig_path,
        }


def load() -> StackConfig:
    """Read and check the configuration of the running stack.

    Raises:
        pulumi.RunError: It has faults; the message lists all of them.
    """
    reader = _Reader(pulumi.get_project())
    region, profile, role = reader.region(), reader.text("aws:profile"), reader.role()
    network = reader.section(NetworkSettings, "network")
    cluster = reader.section(ClusterSettings, "cluster")
    models = reader.collect(parse_models, "models")
    tags = reader.collect(parse_tags, "tags")
    charts = reader.section(ChartsSettings, "charts")
    token_text = reader.text(f"{reader.project}:huggingFaceToken")
    draft = Draft(
        project=reader.project,
        region=region,
        has_hugging_face_token=token_text is not None,
        network=network,
        cluster=cluster,
        models=models,
        charts=charts,
    )
    faults = [*reader.faults, *cross_faults(draft), *reader.unknown_keys(), *reader.cluster_name_faults()]
    if faults or network is None or cluster is None or charts is None or region is None:
        raise pulumi.RunError(report(pulumi.get_stack(), sorted(faults, key=_place_in_the_file)))
    open_questions = _open_questions(models) if token_text == NOT_SET_PLACEHOLDER else ()
    # A token that nobody set and no model needs is not there, in a preview as in earnest.
    needs_no_token = token_text == NOT_SET_PLACEHOLDER and not open_questions
    return StackConfig(
        project=reader.project,
        stack=pulumi.get_stack(),
        settings=StackSettings(network=network, cluster=cluster, models=models, tags=tags, charts=charts),
        region=region,
        aws_profile=profile,
        aws_role_arn=role,
        hugging_face_token=None if needs_no_token else reader.secret("huggingFaceToken"),
        api_keys=(reader.secret("apiKey"), reader.secret("secondApiKey")),
        open_questions=open_questions,
    )


class _Reader:
    """Reads keys one after another and keeps every fault it meets."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.faults: list[Fault] = []
        self._config = pulumi.Config(project)

    def text(self, full_key: str) -> str | None:
        """Return a value as Pulumi has it; an empty one counts as not given."""
        namespace, _, name = full_key.partition(":")
        return pulumi.Config(namespace).get(name) or None

    def secret(self, name: str) -> pulumi.Output[str] | None:
        """Return a secret that never leaves its Output; an empty one counts as not given."""
        if not self._config.get(name):
            return None
        if not runtime_config.is_config_secret(f"{self.project}:{name}"):
            # It is one in the state all the same; the stack file is what shows it.
            pulumi.log.warn(f"{self.project}:{name} stands in plain text: pulumi config set --secret {name}")
        return self._config.get_secret(name)

    def section(self, model: type[Section], name: str) -> Section | None:
        """Return a section as far as it is good, or None where it may not be looked at."""
        key = f"{self.project}:{name}"
        if self._holds_a_secret(key):
            return None
        parsed = parse_section(model, self._value(key), key)
        self.faults += parsed.faults
        return parsed.settings

    def collect(
        self, parse: Callable[[object, str], tuple[dict[str, Item], list[Fault]]], name: str
    ) -> dict[str, Item]:
        """Return a map of the user's own names to what `parse` makes of it."""
        key = f"{self.project}:{name}"
        if self._holds_a_secret(key):
            return {}
        items, faults = parse(self._value(key), key)
        self.faults += faults
        return items

    def region(self) -> str | None:
        """Return `aws:region`, which the zones are checked against."""
        region = self.text("aws:region")
        try:
            if region is None:
                raise ValueError("is missing: run pulumi config set aws:region us-west-2, with your own region")
            return rules.region(region)
        except ValueError as error:
            self.faults.append(Fault(key="aws:region", text=str(error)))
            return None

    def role(self) -> str | None:
        """Return the role the AWS provider will take, which the kubeconfig's token command must take too."""
        if self.text("aws:assumeRole"):
            text = "is not read by pulumi-aws 7: write it as a list under aws:assumeRoles, [{roleArn: ...}]"
            self.faults.append(Fault(key="aws:assumeRole", text=text))
        roles = decode(self.text("aws:assumeRoles") or "[]")
        if not roles:
            return None
        match roles:
            case [{"roleArn": str(arn)}]:
                return arn
        text = (
            "must be one role, [{roleArn: ...}]: the cluster's token command cannot follow a chain, so put a chain "
            "into an AWS profile and name it in aws:profile"
        )
        self.faults.append(Fault(key="aws:assumeRoles", text=text))
        return None

    def unknown_keys(self) -> Iterator[Fault]:
        """Yield a fault for each key under the project's name that nobody reads."""
        given = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
        for full_key in sorted(given):
            namespace, _, name = full_key.partition(":")
            if namespace == self.project and name not in (*SECTIONS, *SECRETS):
                yield Fault(key=full_key, text=f"is not a setting: {nearest(name, (*SECTIONS, *SECRETS))}")

    def cluster_name_faults(self) -> Iterator[Fault]:
        """Yield a fault when the stack's name, legal for Pulumi, cannot be part of an EKS cluster's."""
        name = f"{self.project}-{pulumi.get_stack()}"
        if not aws_names.CLUSTER_NAME.fullmatch(name):
            text = f"EKS refuses {name!r} as a cluster's name: use letters, digits, - and _, at most 100 in all"
            yield Fault(key="the stack's name", text=text)

    def _value(self, key: str) -> object:
        """Return a section's content; one that is absent or empty is an empty section."""
        value = decode(self.text(key) or "{}")
        return {} if value is None else value

    def _holds_a_secret(self, key: str) -> bool:
        # Pulumi gives a program the plaintext of a section and keeps it in plaintext in the state.
        if not runtime_config.is_config_secret(key):
            return False
        text = (
            "holds a secure: value, which would be kept in plaintext in the state: remove it; secrets are only "
            f"{', '.join(f'{self.project}:{name}' for name in SECRETS)}, set by pulumi config set --secret"
        )
        self.faults.append(Fault(key=key, text=text))
        return True


def _place_in_the_file(fault: Fault) -> int:
    """Return the place of a fault's section, so that what belongs together stands together."""
    namespace, _, name = fault.key.partition(":")
    section = re.split(r"[.\[]", name)[0]
    if namespace == "aws":
        return -1
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _open_questions(models: Mapping[str, ModelSettings]) -> tuple[str, ...]:
    return tuple(
        f"huggingFaceToken is not set, and {models[name].model} is gated on Hugging Face: pulumi up will refuse "
        "until you run: pulumi config set --secret huggingFaceToken"
        for name in gated_models(models)
    )
