"""The model keys for its clients, and for other flags and variables of vLLM."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.settings.bounds import Adapters
from config.settings.endpoint import HostName
from config.values import option_rules, rules


class EndpointKeys(Settings):
    """Parsers, adapters, names, clients, and other flags and variables of vLLM."""

    tool_call_parser: (
        Annotated[str, AfterValidator(option_rules.parser_name), InSchema(pattern=option_rules.PARSER_NAME)] | None
    ) = Field(
        default=None,
        description=(
            "The parser of tool calls: a parser of the vLLM version, or `auto` for the parser of the model's family. "
            "Other names need your own `image` (with a warning) or `--tool-parser-plugin` in `extraArgs`."
        ),
        examples=["auto", "hermes"],
        json_schema_extra=absent("vLLM does not parse tool calls"),
    )
    reasoning_parser: (
        Annotated[str, AfterValidator(option_rules.parser_name), InSchema(pattern=option_rules.PARSER_NAME)] | None
    ) = Field(
        default=None,
        description=(
            "The parser of reasoning text: a parser of the vLLM version, or `auto` for the parser of the model's "
            "family. Other names need your own `image` (with a warning) or `--reasoning-parser-plugin` in `extraArgs`."
        ),
        examples=["auto", "qwen3"],
        json_schema_extra=absent("reasoning remains in the text of the answer"),
    )
    enable_prefix_caching: bool | None = Field(
        default=None,
        description="Whether vLLM keeps the KV cache of common prefixes.",
        examples=[False],
        json_schema_extra=absent("vLLM's default"),
    )
    enable_chunked_prefill: bool | None = Field(
        default=None,
        description="Whether vLLM splits long prompts over several steps.",
        examples=[True],
        json_schema_extra=absent("vLLM's default"),
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
            "LoRA adapters: the name that clients send, and a Hugging Face ID. The plan includes their memory. Not "
            "for mixture-of-experts models, latent attention or linear attention."
        ),
        examples=[{"support": "acme/qwen3-8b-support-lora"}],
        json_schema_extra=absent("no adapters"),
    )
    max_loras: Adapters | None = Field(
        default=None,
        description="The maximum number of adapters in one batch.",
        examples=[4],
        json_schema_extra=absent("the number of `loraModules`"),
    )
    max_lora_rank: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="The maximum rank of the adapters: 1, 8, 16, 32, 64, 128, 256, 320 or 512.",
        examples=[32],
        json_schema_extra=absent("16"),
    )
    extra_args: tuple[str, ...] = Field(
        default=(),
        strict=False,
        description=(
            "Additional arguments of `vllm serve`, one list item each. They are checked against the flag table of the "
            "vLLM version. Flags that vllm-eks sets are refused."
        ),
        examples=[["--seed=7", "--max-log-len=200"]],
    )
    env: dict[str, str] = Field(
        default={},
        description=(
            "Environment variables of vLLM's containers: names and quoted values. Not for secrets, or for variables "
            "that the chart sets or the plan depends on."
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
            "Other names that clients may send as `model`, such as a Hugging Face ID, or a name that an application "
            "has built in. Answers always have the model's key."
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
        description=(
            "The namespaces whose pods may call the model. With an `internal` load balancer, which shares its subnets "
            "with the pods, all pods may."
        ),
        examples=[["chat", "batch"]],
        json_schema_extra=absent("every namespace of the cluster"),
    )
    hostname: HostName | None = Field(
        default=None,
        description="The DNS name of the model at the load balancer of `endpoint`.",
        examples=["chat.example.com"],
        json_schema_extra=absent("`<model>.<domain>`"),
    )
