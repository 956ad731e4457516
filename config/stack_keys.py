"""Every key directly below `config:` that the program reads, with its description for the schema and the reference."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from config.settings.charts import ChartsSettings
from config.settings.client import ClientSettings
from config.settings.cluster import ClusterSettings
from config.settings.endpoint import EndpointSettings
from config.settings.iam import IamSettings
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings
from config.settings.observability import ObservabilitySettings


@dataclass(frozen=True, kw_only=True)
class SectionKey:
    """A section: the keys of a pydantic model, or a map with the user's own names."""

    name: str
    description: str
    settings: type[BaseModel] | None
    """The model of the section, or of each value of a map. None if each value is text."""
    is_map: bool = False
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """A secret: a top-level key, set with `pulumi config set --secret`."""

    name: str
    description: str
    absent: str
    """The meaning of a missing key."""
    is_map: bool = False
    """Whether it has a secret for each name, set with --path."""


@dataclass(frozen=True, kw_only=True)
class ProviderKey:
    """A key of Pulumi's AWS provider that the program also reads."""

    name: str
    description: str
    example: Any
    absent: str


SECTION_KEYS = (
    SectionKey(name="network", description="The VPC, new or existing.", settings=NetworkSettings, required=True),
    SectionKey(
        name="cluster",
        description="The EKS cluster, new or existing, and the versions that its nodes run.",
        settings=ClusterSettings,
        required=True,
    ),
    SectionKey(
        name="models",
        description=(
            "One or more served models, by the name that clients send: lower-case letters, digits and -, at most 40 "
            "characters. Each model has its own GPU nodes."
        ),
        settings=ModelSettings,
        is_map=True,
        required=True,
    ),
    SectionKey(
        name="tags",
        description=(
            "Tags for every AWS resource: names and quoted values. Instances and volumes do not get them, because a "
            "changed launch template would replace every GPU node."
        ),
        settings=None,
        is_map=True,
    ),
    SectionKey(
        name="charts",
        description="The sources of the third-party charts, and whether the stack installs them.",
        settings=ChartsSettings,
    ),
    SectionKey(
        name="images",
        description=(
            "Images of the stack, for mirrors: full references with a digest or with a tag other than `latest`."
        ),
        settings=ImagesSettings,
    ),
    SectionKey(name="iam", description="Settings of every IAM role of the stack.", settings=IamSettings),
    SectionKey(
        name="observability",
        description="Metrics, alerts and logs. Without this section there are none, and they cost nothing.",
        settings=ObservabilitySettings,
    ),
    SectionKey(
        name="endpoint",
        description="The load balancer in front of the models. Without it, they answer inside the cluster only.",
        settings=EndpointSettings,
    ),
    SectionKey(
        name="clients",
        description="Limits of named clients, by the name in `clientKeys`. A client without an entry has none.",
        settings=ClientSettings,
        is_map=True,
    ),
)

SECRET_KEYS = (
    SecretKey(
        name="huggingFaceToken",
        description="The Hugging Face token that downloads gated models.",
        absent="no token; required if a model is gated",
    ),
    SecretKey(
        name="apiKey",
        description="The API key that clients must send.",
        absent="the stack generates a key once",
    ),
    SecretKey(
        name="secondApiKey",
        description="A second valid API key, for the time when clients change from one key to the next.",
        absent="only `apiKey` is accepted",
    ),
    SecretKey(
        name="clientKeys",
        description=(
            "A key for each named client. Metrics and the log have the client's name. Names: lower-case letters, "
            "digits and -, at most 40 characters. Keys: at least 16 characters."
        ),
        absent="no named clients",
        is_map=True,
    ),
)

PROVIDER_KEYS = (
    ProviderKey(name="aws:region", description="The AWS region of the stack.", example="us-west-2", absent="required"),
    ProviderKey(
        name="aws:profile",
        description="The AWS profile of the provider, which the cluster's kubeconfig uses too.",
        example="platform",
        absent="the environment's credentials",
    ),
    ProviderKey(
        name="aws:assumeRoles",
        description=(
            "The IAM role that the provider and the cluster's kubeconfig assume. Put a chain of roles into an AWS "
            "profile."
        ),
        example=[{"roleArn": "arn:aws:iam::123456789012:role/deploy"}],
        absent="no role",
    ),
    ProviderKey(
        name="aws:defaultTags",
        description="Tags that the AWS provider adds to every resource. At most 50 together with `tags`.",
        example={"tags": {"team": "ml"}},
        absent="no tags",
    ),
)

SECTIONS = tuple(key.name for key in SECTION_KEYS)
SECRETS = tuple(key.name for key in SECRET_KEYS)
SECRET_MAPS = tuple(key.name for key in SECRET_KEYS if key.is_map)
