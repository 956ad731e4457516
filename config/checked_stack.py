"""Checks a stack's configuration without Pulumi, and returns the settings or a report of all errors.

Pulumi's SDK takes seconds to load, so a command checks the file here before it loads the program.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from config.client_keys import given_keys, parse_clients
from config.cross_field.models import gated_models
from config.cross_field.stack import Draft, cross_field_errors
from config.cross_field.warnings import stack_warnings
from config.errors import ConfigError, report
from config.sections import Section, decode, parse_models, parse_section, parse_tags
from config.settings.charts import ChartsSettings
from config.settings.cluster import ClusterSettings
from config.settings.endpoint import EndpointSettings
from config.settings.iam import IamSettings
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings
from config.settings.observability import ObservabilitySettings
from config.settings.stack import StackSettings
from config.stack_keys import SECRET_MAPS, SECRETS, SECTIONS
from config.stray_keys import is_explained, unknown_keys
from vllm_eks.aws import names as aws_names
from vllm_eks.aws.regions import known_region
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object
from vllm_eks.specs.access import Deployer
from vllm_eks.stack_files.stack_file import NOT_SET_PLACEHOLDER, StackFile

Item = TypeVar("Item")


class WrongStack(WrongQuestion):
    """The configuration has errors. The message has a line for each."""


@dataclass(frozen=True, kw_only=True)
class CheckedStack:
    """A stack's checked settings, without the secrets."""

    settings: StackSettings
    deployer: Deployer
    """Region, profile and role from `aws:region`, `aws:profile` and `aws:assumeRoles`."""
    client_names: tuple[str, ...]
    """The named clients, all of which have a key."""
    needs_no_token: bool
    """Whether the token is only a preview's placeholder that no model needs."""
    open_questions: tuple[str, ...]
    warnings: tuple[str, ...]
    """Accepted settings with side effects, each with its full key."""


def check_stack(given: StackFile) -> CheckedStack:
    """Return the settings of a stack.

    Raises:
        WrongStack: The configuration has errors. The message lists all of them.
    """
    reader = _Reader(given)
    region, profile, role = reader.region(), reader.text("aws:profile"), reader.role()
    network, cluster = reader.section(NetworkSettings, "network"), reader.section(ClusterSettings, "cluster")
    models, tags = reader.collect(parse_models, "models"), reader.collect(parse_tags, "tags")
    charts = reader.section(ChartsSettings, "charts")
    images, iam = reader.section(ImagesSettings, "images"), reader.section(IamSettings, "iam")
    observability = reader.section(ObservabilitySettings, "observability")
    endpoint = reader.optional_section(EndpointSettings, "endpoint")
    clients, client_keys = reader.collect(parse_clients, "clients"), given_keys(given)
    reader.errors += client_keys.errors
    token_text = reader.text(f"{reader.project}:huggingFaceToken")
    draft = Draft(
        project=reader.project,
        region=region,
        has_hugging_face_token=token_text is not None,
        network=network,
        cluster=cluster,
        models=models,
        written_models=given.section("models"),
        charts=charts,
        observability=observability,
        tags=tags,
        default_tags=reader.default_tags(),
        iam=iam,
        assumed_role=role,
        endpoint=endpoint,
        written_endpoint=given.section("endpoint"),
        clients=clients,
        clients_with_keys=client_keys.names,
    )
    config = given.config
    unexplained = [
        error
        for error in (*reader.errors, *cross_field_errors(draft))
        if not is_explained(error, config, given.project)
    ]
    strays = unknown_keys(
        config, given.secret_keys, given.project, sections=SECTIONS, secrets=SECRETS, secret_maps=SECRET_MAPS
    )
    errors = [*unexplained, *strays, *reader.cluster_name_errors()]
    if errors or not (network and cluster and charts and images and iam and observability and region):
        raise WrongStack(report(given.stack, sorted(errors, key=_place_in_the_file), given.environments))
    open_questions = _open_questions(models, given.stack) if token_text == NOT_SET_PLACEHOLDER else ()
    settings = StackSettings(
        network=network,
        cluster=cluster,
        models=models,
        tags=tags,
        charts=charts,
        images=images,
        iam=iam,
        observability=observability,
        endpoint=endpoint,
        clients=clients,
    )
    return CheckedStack(
        settings=settings,
        client_names=client_keys.names,
        deployer=Deployer(region=region, profile=profile, role_arn=role),
        # A placeholder token that no model needs is left out, as in a real deployment.
        needs_no_token=token_text == NOT_SET_PLACEHOLDER and not open_questions,
        open_questions=(*open_questions, *client_keys.open_questions),
        warnings=tuple(str(warning) for warning in stack_warnings(settings, reader.project, region)),
    )


class _Reader:
    """Reads the keys, and collects all errors."""

    def __init__(self, given: StackFile) -> None:
        self.project = given.project
        self.errors: list[ConfigError] = []
        self._given = given

    def text(self, full_key: str) -> str | None:
        """Return a value as Pulumi has it. An empty value counts as missing."""
        return self._given.config.get(full_key) or None

    def section(self, model: type[Section], name: str) -> Section | None:
        """Return the valid part of a section, or None if it cannot be checked."""
        key = f"{self.project}:{name}"
        if self._holds_a_secret(key):
            return None
        parsed = parse_section(model, self._value(key), key)
        self.errors += parsed.errors
        return parsed.settings

    def optional_section(self, model: type[Section], name: str) -> Section | None:
        """Return the valid part of a section, or None if the file does not have it. Pulumi.yaml's default is empty."""
        return self.section(model, name) if self._value(f"{self.project}:{name}") != {} else None

    def collect(
        self, parse: Callable[[object, str], tuple[dict[str, Item], list[ConfigError]]], name: str
    ) -> dict[str, Item]:
        """Return the values of a map, parsed with `parse`."""
        key = f"{self.project}:{name}"
        if self._holds_a_secret(key):
            return {}
        items, errors = parse(self._value(key), key)
        self.errors += errors
        return items

    def region(self) -> str | None:
        """Return `aws:region`, which the zones are checked against."""
        region = self.text("aws:region")
        try:
            if region is None:
                raise ValueError("is missing: run pulumi config set aws:region us-west-2, with your region")
            return known_region(region)
        except ValueError as error:
            self.errors.append(ConfigError(key="aws:region", text=str(error)))
            return None

    def role(self) -> str | None:
        """Return the role that the AWS provider and the kubeconfig's token command assume."""
        if self.text("aws:assumeRole"):
            text = "is ignored by pulumi-aws 7: use a list under aws:assumeRoles, [{roleArn: ...}]"
            self.errors.append(ConfigError(key="aws:assumeRole", text=text))
        roles = decode(self.text("aws:assumeRoles") or "[]")
        if not roles:
            return None
        if is_list(roles) and len(roles) == 1 and is_object(roles[0]):
            arn = roles[0].get("roleArn")
            if isinstance(arn, str):
                return arn
        text = (
            "must be one role, [{roleArn: ...}]: the cluster's token command does not support a chain of roles; put "
            "the chain into an AWS profile and set aws:profile"
        )
        self.errors.append(ConfigError(key="aws:assumeRoles", text=text))
        return None

    def default_tags(self) -> dict[str, str]:
        """Return the tags that the AWS provider adds to every resource."""
        given = decode(self.text("aws:defaultTags") or "{}")
        tags = given.get("tags") if is_object(given) else None
        return {key: str(value) for key, value in tags.items()} if is_object(tags) else {}

    def cluster_name_errors(self) -> Iterator[ConfigError]:
        """Yield an error if the stack's name, which Pulumi accepts, is not valid in the name of an EKS cluster."""
        name = f"{self.project}-{self._given.stack}"
        if not aws_names.CLUSTER_NAME.fullmatch(name):
            text = f"EKS does not accept the cluster name {name!r}: use letters, digits, - and _, at most 100 in total"
            yield ConfigError(key="the stack's name", text=text)

    def _value(self, key: str) -> object:
        """Return a section's content. A missing or empty section is an empty one."""
        value = decode(self.text(key) or "{}")
        return {} if value is None else value

    def _holds_a_secret(self, key: str) -> bool:
        # Pulumi passes a section to the program in plaintext, and stores it in plaintext in the state.
        if key not in self._given.secret_keys:
            return False
        text = (
            "has a secure: value, which would be stored in plaintext in the state: remove it; the only secrets are "
            f"{', '.join(f'{self.project}:{name}' for name in SECRETS)}, set by pulumi config set --secret"
        )
        self.errors.append(ConfigError(key=key, text=text))
        return True


def _place_in_the_file(error: ConfigError) -> int:
    """Return the position of an error's section, so that related errors are together."""
    namespace, _, name = error.key.partition(":")
    section = re.split(r"[.\[]", name)[0]
    if namespace == "aws":
        return -1
    return SECTIONS.index(section) if section in SECTIONS else len(SECTIONS)


def _open_questions(models: Mapping[str, ModelSettings], stack: str) -> tuple[str, ...]:
    return tuple(
        f"huggingFaceToken is not set, and {models[name].model} is gated on Hugging Face: pulumi up will fail until "
        f"you run: pulumi config set --stack {stack} --secret huggingFaceToken"
        for name in gated_models(models)
    )
