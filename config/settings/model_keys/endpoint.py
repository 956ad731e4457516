"""The keys of a model that decide what its clients can ask for, and what else vLLM gets."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.settings.bounds import Adapters
from config.values import option_rules, rules


class EndpointKeys(Settings):
    """Parsers, adapters, names, clients, and further flags and variables of vLLM."""

    tool_call_parser: (
        Annotated[str, AfterValidator(option_rules.parser_name), InSchema(pattern=option_rules.PARSER_NAME)] | None
    ) = Field(
        default=None,
        description=(
            "The parser of tool calls: one of the vLLM version, or `auto` for the one of the model's family. With "
            "an own `image` another name passes with a warning, with `--tool-parser-plugin` in `extraArgs` without one."
        ),
        examples=["auto", "hermes"],
        json_schema_extra=absent("vLLM does not parse tool calls"),
    )
    reasoning_parser: (
        Annotated[str, AfterValidator(option_rules.parser_name), InSchema(pattern=option_rules.PARSER_NAME)] | None
    ) = Field(
        default=None,
        description=(
            "The parser of reasoning text: one of the vLLM version, or `auto` for the one of the model's family. With "
            "an own `image` another name passes with a warning, with `--reasoning-parser-plugin` in `extraArgs` "
            "without one."
        ),
        examples=["auto", "qwen3"],
        json_schema_extra=absent("reasoning stays in the text of the answer"),
    )
    enable_prefix_caching: bool | None = Field(
        default=None,
        description="Whether vLLM keeps the KV cache of common prefixes.",
        examples=[False],
        json_schema_extra=absent("vLLM's own default"),
    )
    enable_chunked_prefill: bool | None = Field(
        default=None,
        description="Whether vLLM splits long prompts over several steps.",
        examples=[True],
        json_schema_extra=absent("vLLM's own default"),
    )
    lora_modules: Annotated[
        dict[str, str],
        AfterValidator(option_rules.lora_modules),
        InSchema(
            additionalProperties={"type": "string", "pattern": f"^{option_rules.ADAPTER_PLACE.pattern}$"},
        ),
    ] = Field(
        default={},
        description=(
            "LoRA adapters: the name that clients ask for, and a Hugging Face id. The plan counts their memory. Not "
            "for mixture-of-experts models, latent attention or linear attention."
        ),
        examples=[{"support": "acme/qwen3-8b-support-lora"}],
        json_schema_extra=absent("no adapters"),
    )
    max_loras: Adapters | None = Field(
        default=None,
        description="The largest number of adapters in one batch.",
        examples=[4],
        json_schema_extra=absent("the number of `loraModules`"),
    )
    max_lora_rank: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="The largest rank of the adapters: 1, 8, 16, 32, 64, 128, 256, 320 or 512.",
        examples=[32],
        json_schema_extra=absent("16"),
    )
    extra_args: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description=(
            "Further flags of `vllm serve`, one list item each. Flags are checked against the table of the vLLM "
            "version; flags that vllm-eks sets itself are refused."
        ),
        examples=[["--seed=7", "--max-log-len=200"]],
    )
    env: dict[str, str] = Field(
        default={},
        description=(
            "Environment variables of vLLM's containers, name to text in quotes. Not for secrets, nor for variables "
            "that the chart sets or the plan relies on."
        ),
        examples=[{"NCCL_DEBUG": "INFO"}],
    )
    served_names: Annotated[
        tuple[Annotated[str, InSchema(pattern=option_rules.SERVED_NAME)], ...],
        AfterValidator(option_rules.served_names),
        InSchema(uniqueItems=True),
    ] = Field(
        default=(),
        strict=False,
        description=(
            "Further names that clients may send as `model`: a Hugging Face id, or a name that is built into an "
            "application. Answers carry the model's key."
        ),
        examples=[["gpt-4o", "Qwen/Qwen3-8B"]],
    )
    client_namespaces: Annotated[
        tuple[Annotated[str, AfterValidator(rules.namespace), InSchema(pattern=rules.NAMESPACE)], ...],
        AfterValidator(rules.distinct),
        InSchema(uniqueItems=True),
    ] = Field(
        default=(),
        strict=False,
        description="The namespaces whose pods may call the model.",
        examples=[["chat", "batch"]],
        json_schema_extra=absent("every namespace of the cluster"),
    )
