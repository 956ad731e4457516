"""The keys of a model that decide what its pods load and run."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.settings.base import Image, InSchema, Settings, absent
from config.values import option_rules, rules
from vllm_eks.aws import names as aws_names
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.startup import HUGGING_FACE


class WeightsSettings(Settings):
    """Where vLLM gets a model's weights from."""

    source: Literal["huggingFace", "s3"] = Field(
        default=HUGGING_FACE,
        description=(
            "`huggingFace`: each node downloads the repository. `s3`: vLLM streams the weights from S3, and the stack "
            "copies them to its own bucket once, unless `s3Uri` is set."
        ),
        examples=["s3"],
    )
    s3_uri: Annotated[str, AfterValidator(aws_names.s3_uri), InSchema(pattern=aws_names.S3_URI)] | None = Field(
        default=None,
        description="The folder of `config.json` and the weights in S3, for weights that are there already.",
        examples=["s3://models/llama-4-scout"],
        json_schema_extra=absent("with `source: s3`, the stack copies the weights"),
    )


class SourceKeys(Settings):
    """The weights, the image and the network interfaces of a model's pods."""

    revision: (
        Annotated[
            str,
            Field(min_length=1),
            AfterValidator(option_rules.revision),
            InSchema(pattern=option_rules.REVISION),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "The commit of the Hugging Face repository to serve, as its full hash of 40 digits. A branch or a tag "
            "passes with a warning, because a restart may then serve other weights."
        ),
        examples=["0123456789abcdef0123456789abcdef01234567"],
        json_schema_extra=absent("the locked commit; for a model locked without one, the newest"),
    )
    weights: WeightsSettings = Field(
        default=WeightsSettings(),
        description="Where vLLM gets the weights from.",
        examples=[{"source": "s3"}],
        json_schema_extra=absent("downloaded from Hugging Face"),
    )
    own_image: Image | None = Field(
        default=None,
        alias="image",
        description=(
            "The model's own vLLM image: a full reference with a digest, or with a tag other than `latest`. "
            "It needs `vllmVersion`."
        ),
        examples=["docker.io/vllm/vllm-openai:v0.27.0"],
        json_schema_extra=absent("`images.vllm`"),
    )
    own_vllm_version: (
        Annotated[str, AfterValidator(rules.vllm_version), InSchema(pattern=rules.VLLM_VERSION)] | None
    ) = Field(
        default=None,
        alias="vllmVersion",
        description="The vLLM version in `image`, in quotes. Its table of flags decides what the stack may set.",
        examples=["0.27.0"],
        json_schema_extra=absent(f"{DEFAULT_VLLM_VERSION}, the version in the default image"),
    )
    efa: bool = Field(
        default=False,
        description=(
            "Gives the nodes their EFA interfaces and installs the EFA device plugin. g5 has no GPUDirect RDMA, so it "
            "has no proven gain there."
        ),
        examples=[True],
    )
