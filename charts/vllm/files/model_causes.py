"""Failure causes in the model and its settings: the Hub, the files, the flags.

tests/data/vllm_failures records which patterns are from real runs and which from source code. Standard library only.
"""

from __future__ import annotations

from vllm_eks.pods.cause import FIRST, NEVER, OUTER, Cause

HUB_CAUSES = (
    Cause(
        code="hub_forbidden",
        title="the Hugging Face account has no access to the model",
        remedy="accept the model's terms on its page, with the account of huggingFaceToken",
        signs=r"GatedRepoError|\b403 (?:Client Error|Forbidden)|Cannot access gated repo|gated repo|awaiting a review"
        r"|HTTP 403 from the Hub",
        patience_seconds=NEVER,
    ),
    Cause(
        code="hub_unauthorized",
        title="the Hugging Face token is missing or wrong",
        remedy="run pulumi config set --secret huggingFaceToken, then pulumi up",
        signs=r"\b401 (?:Client Error|Unauthorized)|Invalid user token|Invalid username or password"
        r"|HTTP 401 from the Hub",
        patience_seconds=NEVER,
    ),
    Cause(
        code="hub_not_found",
        title="the repository, commit or file does not exist, or the token has no access to it",
        remedy="correct model and revision; for a private or gated model set huggingFaceToken",
        signs=r"RepositoryNotFoundError|Repository Not Found|RevisionNotFoundError|Revision Not Found|Invalid rev id"
        r"|HTTP 404 from the Hub|is not a local folder and is not a valid model|is not a valid git identifier",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="no_such_path",
        title="the model is neither a repository nor a folder with a config.json",
        remedy="correct model (organisation/name), or the path in extraArgs",
        signs=r"Repo id must be in the form|Repo id must use alphanumeric|HFValidationError"
        r"|Invalid repository ID or local"
        r"|Incorrect path_or_model_id",
        patience_seconds=NEVER,
    ),
    Cause(
        code="hub_failing",
        title="the Hub returns a server error",
        remedy="wait for the retry; weights.source: s3 needs the Hub only once",
        signs=r"\b(?:429|50\d) (?:Client|Server) Error|HfHubHTTPError: (?:429|50\d)|HTTP (?:429|5\d\d) from the Hub"
        r"|Too Many Requests for url",
    ),
    Cause(
        code="hub_unreachable",
        title="the Hugging Face Hub cannot be reached",
        remedy="check NAT, routes and DNS of the private subnets (and HF_HUB_OFFLINE in env); with weights.source: s3 "
        "a start does not need the Hub",
        signs=r"We couldn't connect to '|LocalEntryNotFoundError|OfflineModeIsEnabled|offline mode is enabled"
        r"|outgoing traffic has been disabled|huggingface\.co.{0,200}(?:Max retries exceeded|[Nn]ame resolution"
        r"|timed out)"
        r"|the Hub at \S+ does not answer|Can't load the configuration of '",
        explains=OUTER,
    ),
)

MODEL_FILE_CAUSES = (
    Cause(
        code="lora",
        title="a LoRA adapter cannot be loaded",
        remedy="correct loraModules (name=organisation/adapter) or maxLoraRank; a private adapter needs "
        "huggingFaceToken",
        signs=r"LoRAAdapterNotFoundError|No adapter found for|Loading lora \S+ failed|LoRA rank \d+ is greater than"
        r"|is not in the model's supported LoRA target modules|does not support LoRA",
        explains=FIRST,
        # An unreachable Hub causes the same error.
        patience_seconds=600,
    ),
    Cause(
        code="remote_code",
        title="the model contains its own Python code, which vLLM does not run by default",
        remedy="review that code, then add --trust-remote-code to extraArgs",
        signs=r"trust_remote_code=True|requires you to execute the (?:configuration|modeling) file"
        r"|contains custom code which",
        patience_seconds=NEVER,
    ),
    Cause(
        code="architecture",
        title="this vLLM version does not support the model's architecture",
        remedy="use an image with a newer vLLM (image and vllmVersion), or another model",
        signs=r"[Mm]odel architectures? .{0,200}(?:not supported|failed to be inspected)"
        r"|does not recognize this architecture"
        r"|Cannot find model module|has no vLLM implementation and the Transformers",
        patience_seconds=NEVER,
    ),
    Cause(
        code="context",
        title="maxModelLen is above the model's own limit",
        remedy="lower maxModelLen",
        signs=r"max_model_len .{0,40}is greater than the derived max_model_len",
        patience_seconds=NEVER,
    ),
    Cause(
        code="batch",
        title="maxNumBatchedTokens is too small",
        remedy="raise maxNumBatchedTokens to maxModelLen, lower maxModelLen, or enable chunked prefill",
        signs=r"max_num_batched_tokens .{0,60}(?:is smaller than|must be greater than)"
        r"|Chunked MM input disabled but max_tokens_per_mm_item",
        patience_seconds=NEVER,
    ),
    Cause(
        code="not_divisible",
        title="the model cannot be split over this number of GPUs",
        remedy="set another tensorParallelSize (vllm-eks plan shows which fit)",
        signs=r"must be divisible by (?:the )?tensor.parallel.size|\d+ is not divisible by \d+"
        r"|not divisible by (?:the )?tensor|Pipeline parallelism is not supported for this model",
        patience_seconds=NEVER,
    ),
    Cause(
        code="dtype",
        title="this GPU does not support the model's data type or quantization",
        remedy="choose a newer GPU (instanceType), or a model with another quantization",
        signs=r"quantization method .{0,200}not supported|Bfloat16 is only supported on GPUs"
        r"|no kernel image is available for execution|Minimum capability: ?\d|Unknown quantization method"
        r"|Failed to find a kernel that can implement|No valid attention backend found",
        patience_seconds=NEVER,
    ),
    Cause(
        code="parser",
        title="this vLLM version has no parser with this name",
        remedy="correct toolCallParser or reasoningParser",
        signs=r"invalid tool call parser|[Rr]easoning parser '?[\w.-]+'? not found|invalid reasoning parser"
        r"|invalid chat"
        r"|Tool parser '?[\w.-]+'? not found",
        patience_seconds=NEVER,
    ),
    Cause(
        code="tokenizer",
        title="the model's tokenizer cannot be loaded",
        remedy="check that the repository (or the S3 prefix) has its tokenizer files, or set --tokenizer in extraArgs",
        signs=r"Can't load tokenizer for|Couldn't instantiate the backend tokenizer|Unable to load vocabulary"
        r"|Converting from"
        r" (?:SentencePiece and )?Tiktoken failed|Failed to load the tokenizer|`tokenizer` .{0,60}not found",
        patience_seconds=NEVER,
    ),
    Cause(
        code="chat_template",
        title="the chat template cannot be read",
        remedy="correct --chat-template in extraArgs: set a file in the image, or the template itself",
        signs=r"supplied chat template .{0,200}(?:doesn't exist|is not a valid)|chat template .{0,60}appears path-like",
        patience_seconds=NEVER,
    ),
    Cause(
        code="config_file",
        title="the model's config.json is missing or cannot be read",
        remedy="check that model, revision and weights.s3Uri refer to a complete copy of one model",
        signs=r"config file at '.{0,300}' is not a valid JSON file|does not appear to have a file named config\.json"
        r"|Should have a `model_type` key in its config\.json",
        patience_seconds=NEVER,
    ),
    Cause(
        code="no_weights",
        title="the model has no weight files",
        remedy="check that the repository has safetensors files; with weights.s3Uri, check the prefix and that the "
        "copy is complete",
        signs=r"Cannot find any model weights with|Cannot find any safetensors|No safetensors found"
        r"|no file named model\.safe"
        r"|Could not find any \.safetensors",
        patience_seconds=NEVER,
    ),
    Cause(
        code="broken_weights",
        title="a weight file is truncated or corrupt",
        remedy="delete it from its cache (the node's weights folder, or the S3 prefix) and start again",
        signs=r"SafetensorError|incomplete metadata, file not fully covered|Error while deserializing header"
        r"|HeaderTooLarge"
        r"|MetadataIncompleteBuffer|InvalidHeaderDeserialization",
        patience_seconds=NEVER,
    ),
    Cause(
        code="other_weights",
        title="the weight files do not match the model's config.json",
        remedy="check that weights.s3Uri, model and revision refer to the same model",
        signs=r"Following weights were not initialized from checkpoint|There is no module or parameter named"
        r"|start \(\d+\) \+ length \(\d+\) exceeds dimension size"
        r"|size mismatch for|Attempted to load weight \(.{0,60}into parameter",
        patience_seconds=NEVER,
    ),
)

COMMAND_CAUSES = (
    Cause(
        code="unknown_flag",
        title="this vLLM version does not have a flag",
        remedy="correct extraArgs, or set vllmVersion to the version in the image",
        signs=r"error: unrecognized arguments|error: ambiguous option|error: the following arguments are required",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="flag_value",
        title="a vLLM flag has an invalid value",
        remedy="correct the flag in extraArgs, or the key that sets it",
        signs=r"error: argument -\S+:|Invalid JSON string|Could not parse .{0,80}as JSON"
        r"|\w: Input should (?:be|have|match) |Load format `\S+` is not supported"
        r"|No tokenizer registered for tokenizer_mode="
        r"|Cannot find the config file for \w+|port must be 0-65535",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="environment",
        title="an environment variable has an invalid value",
        remedy="correct the variable in env",
        signs=r"Invalid value .{0,80} (?:for|in) VLLM_\w+|\(environment variable \w+"
        r"|VLLM_PORT '.{0,80}' (?:appears|must)",
        patience_seconds=NEVER,
    ),
    Cause(
        code="no_module",
        title="the image lacks a Python module",
        remedy="check that the image has vLLM in version vllmVersion, or correct the module name in extraArgs",
        signs=r"ModuleNotFoundError: No module named|ImportError: cannot import name"
        r"|--middleware \S+ cannot be imported",
        explains=OUTER,
        patience_seconds=NEVER,
    ),
    Cause(
        code="port",
        title="another process uses the port",
        remedy="remove the process that opens it, from extraArgs or from the image's entry point",
        signs=r"Address already in use|EADDRINUSE",
        patience_seconds=NEVER,
    ),
    Cause(
        code="settings",
        title="vLLM refuses the settings",
        remedy="correct the setting in the message",
        signs=r"(?:^|: )Value error, |\d+ validation errors? for \w*Config|NotImplementedError:",
        explains=OUTER,
        patience_seconds=NEVER,
    ),
)

MODEL_CAUSES = (*HUB_CAUSES, *MODEL_FILE_CAUSES, *COMMAND_CAUSES)
