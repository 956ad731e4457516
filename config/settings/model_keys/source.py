"""The model keys for its weights, image and network interfaces."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.settings.base import Image, InSchema, Settings, absent
from config.values import option_rules, rules
from vllm_eks.aws import names as aws_names
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.startup import HUGGING_FACE


class WeightsSettings(Settings):
    """The source of a model's weights."""

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
        description="The S3 folder with `config.json` and the weights, for weights that are already in S3.",
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
            "The commit of the Hugging Face repository to serve, as a full hash of 40 digits. A branch or tag is "
            "accepted with a warning, because a restart may then serve other weights."
        ),
        examples=["0123456789abcdef0123456789abcdef01234567"],
        json_schema_extra=absent("the locked commit, or the newest if the model is locked without one"),
    )
    weights: WeightsSettings = Field(
        default=WeightsSettings(),
        description="The source of the weights.",
        examples=[{"source": "s3"}],
        json_schema_extra=absent("downloaded from Hugging Face"),
    )
    own_image: Image | None = Field(
        default=None,
        alias="image",
        description=(
            "The model's own vLLM image: a full reference with a digest or with a tag other than `latest`. It needs "
            "`vllmVersion`."
        ),
        examples=["docker.io/vllm/vllm-openai:v0.27.0"],
        json_schema_extra=absent("`images.vllm`"),
    )
    own_vllm_version: (
        Annotated[str, AfterValidator(rules.vllm_version), InSchema(pattern=rules.VLLM_VERSION)] | None
    ) = Field(
        default=None,
        alias="vllmVersion",
        description="The vLLM version in `image`, in quotes. Its flag table decides which options are valid.",
        examples=["0.27.0"],
        json_schema_extra=absent(f"{DEFAULT_VLLM_VERSION}, the version in the default image"),
    )
    efa: bool = Field(
        default=False,
        description=(
            "Gives the nodes EFA interfaces, and installs the EFA device plugin. g5 has no GPUDirect RDMA, so EFA has "
            "no proven benefit there."
        ),
        examples=[True],
    )
