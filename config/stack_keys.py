"""Every key directly below `config:` that the program reads, with its words for schema and reference."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from config.settings.charts import ChartsSettings
from config.settings.cluster import ClusterSettings
from config.settings.iam import IamSettings
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings


@dataclass(frozen=True, kw_only=True)
class SectionKey:
    """A section: keys of a pydantic model, or a map from the user's own names."""

    name: str
    description: str
    settings: type[BaseModel] | None
    """The model of the section, or of each value of a map; None: each value is text."""
    is_map: bool = False
    required: bool = False


@dataclass(frozen=True, kw_only=True)
class SecretKey:
    """A secret: a top-level key, set with `pulumi config set --secret`."""

    name: str
    description: str
    absent: str
    """What a missing key means."""


@dataclass(frozen=True, kw_only=True)
class ProviderKey:
    """A key of Pulumi's AWS provider that the program reads as well."""

    name: str
    description: str
    example: Any
    absent: str


SECTION_KEYS = (
    SectionKey(
        name="network", description="The VPC: a new one, or one that exists.", settings=NetworkSettings, required=True
    ),
    SectionKey(
        name="cluster",
        description="The EKS cluster, a new one or one that exists, and what its nodes run.",
        settings=ClusterSettings,
        required=True,
    ),
    SectionKey(
        name="models",
        description=(
            "The served models, one or more, by the name that clients ask for: lower-case letters, digits and -, at "
            "most 40 characters. Each model has its own GPU nodes."
        ),
        settings=ModelSettings,
        is_map=True,
        required=True,
    ),
    SectionKey(
        name="tags",
        description=(
            "Tags of every AWS resource, name to text in quotes. Instances and volumes do not get them: a changed "
            "launch template replaces every GPU node."
        ),
        settings=None,
        is_map=True,
    ),
    SectionKey(
        name="charts",
        description="Where the third-party charts come from, and whether the stack installs them.",
        settings=ChartsSettings,
    ),
    SectionKey(
        name="images",
        description=(
            "Every image that the stack names, for those who mirror them: a full reference with a digest, or with a "
            "tag other than `latest`."
        ),
        settings=ImagesSettings,
    ),
    SectionKey(name="iam", description="What every IAM role of the stack gets.", settings=IamSettings),
)

SECRET_KEYS = (
    SecretKey(
        name="huggingFaceToken",
        description="The Hugging Face token that downloads gated models.",
        absent="no token; required where a model is gated",
    ),
    SecretKey(
        name="apiKey",
        description="The API key that clients must send.",
        absent="the stack generates one, once",
    ),
    SecretKey(
        name="secondApiKey",
        description="Another API key that is accepted as well, while clients move from one key to the next.",
        absent="only `apiKey` is accepted",
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
            "One IAM role that the provider and the cluster's kubeconfig assume. Put a chain of roles into an AWS "
            "profile."
        ),
        example=[{"roleArn": "arn:aws:iam::123456789012:role/deploy"}],
        absent="no role",
    ),
    ProviderKey(
        name="aws:defaultTags",
        description="Tags that the AWS provider adds to every resource; with `tags`, at most 50 in all.",
        example={"tags": {"team": "ml"}},
        absent="no tags",
    ),
)

SECTIONS = tuple(key.name for key in SECTION_KEYS)
SECRETS = tuple(key.name for key in SECRET_KEYS)
