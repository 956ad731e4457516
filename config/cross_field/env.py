"""Checks `env` of a model: environment variables of vLLM's container that the chart does not set."""

import re
from collections.abc import Iterator, Mapping

from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.errors import closest_name
from vllm_eks.planner.engine.flag_tables import flag_table
from vllm_eks.stack_files.wording import key_path

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)

CHART_NAMES = frozenset(
    {
        *("POD_IP", "VLLM_HOST_IP", "NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME", "API_KEYS_FOLDER", "PYTHONPATH"),
        *("AWS_REGION", "AWS_DEFAULT_REGION", "HF_TOKEN_PATH", "HF_HOME", "HOME", "HF_XET_CHUNK_CACHE_SIZE_BYTES"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "TORCHINDUCTOR_CACHE_DIR"),
        *("TRITON_CACHE_DIR", "FLASHINFER_WORKSPACE_BASE", "CUDA_CACHE_PATH", "USER", "LOGNAME", "VLLM_NO_USAGE_STATS"),
        *("HF_MODULES_CACHE", "POD_NAME", "CACHES_FOLDER", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE"),
    }
)
"""Variables that the chart's templates set on a leader or a worker. A test reads them from there."""
SET_BY_OTHERS = re.compile(r"LWS_\w+|KUBERNETES_\w+|AWS_(CONTAINER|WEB_IDENTITY|ROLE)_\w+|TPU_\w+")
"""Variables that LeaderWorkerSet, the kubelet and EKS's webhooks set in a pod."""

SECRET_WORDS = frozenset({"SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS", "APIKEY"})
SECRET_VALUE = re.compile(
    r"(?:^|[^A-Za-z0-9])(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{12,}|gh[pousr]_\w{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|nvapi-[\w-]{16,}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.)"
    r"|-----BEGIN|\b(?:Bearer|Basic)[ %]\S{8,}|://[^/@\s:]*:[^/@\s]+@"
)

ONE_ENGINE = "a group of pods is one engine: remove it, and set replicas for more copies"
GPUS = "Kubernetes gives each pod its GPUs: remove it"
WEIGHTS = "the weights are stored on the volume planned for them: remove it"
CHUNKS = "the KV cache is planned with vLLM's default: remove it"
REFUSED: Mapping[str, str] = {
    "CUDA_VISIBLE_DEVICES": GPUS,
    "NVIDIA_VISIBLE_DEVICES": GPUS,
    "LOCAL_RANK": "vLLM sets it for each worker: remove it",
    "RANK": "vLLM sets it for each worker: remove it",
    "WORLD_SIZE": "vLLM sets it for each worker: remove it",
    "MASTER_ADDR": "the chart sets the address of the group: remove it",
    "MASTER_PORT": "the chart sets the address of the group: remove it",
    "VLLM_PORT": "the chart sets the ports: remove it",
    "VLLM_USE_V1": "the plan is for the V1 engine, which is the default: remove it",
    "VLLM_TARGET_DEVICE": "the plan is for GPUs: remove it",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "the probes need the engine in its own process: remove it",
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "a server without its engine would appear healthy: remove it",
    "VLLM_USE_RUST_FRONTEND": "API keys are checked in the Python API server: remove it",
    "VLLM_RUST_FRONTEND_PATH": "API keys are checked in the Python API server: remove it",
    "VLLM_PP_LAYER_PARTITION": "the plan splits the layers as vLLM does by default: remove it",
    "VLLM_MLA_DISABLE": "without latent attention the KV cache is many times larger than planned: remove it",
    "VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE": CHUNKS,
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "its output is unreliable beyond the model's own limit: remove it",
    "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "the plan includes the memory reserved for CUDA graphs: remove it",
    "VLLM_TEST_FORCE_LOAD_FORMAT": "it loads other weights than planned: remove it",
    "VLLM_TEST_FORCE_FP8_MARLIN": "the weights of these kernels are larger than planned: remove it",
    "VLLM_MXFP4_EMULATION_DEQUANT_AT_LOAD": "the plan is for the weights as in the checkpoint: remove it",
    "VLLM_MXFP8_EMULATION_DEQUANT_AT_LOAD": "the plan is for the weights as in the checkpoint: remove it",
    "VLLM_HUMMING_ONLINE_QUANT_CONFIG": "the plan is for the weights as in the checkpoint: remove it",
    "VLLM_USE_SIMPLE_KV_OFFLOAD": "the plan does not include host memory for the KV cache: remove it",
    "VLLM_USE_MODELSCOPE": "pods load only from the Hugging Face Hub or S3: remove it",
    "VLLM_MODEL_REDIRECT_PATH": "pods load only the planned model: remove it",
    "VLLM_SKIP_MODEL_NAME_VALIDATION": "the server would accept any model name: use the model's key servedNames",
    "VLLM_CPU_KVCACHE_SPACE": "the plan is for GPUs: remove it",
    "HF_HUB_CACHE": WEIGHTS,
    "HUGGINGFACE_HUB_CACHE": WEIGHTS,
    "TRANSFORMERS_CACHE": WEIGHTS,
    "HF_XET_CACHE": WEIGHTS,
    "HF_HUB_OFFLINE": "a new node must download the weights: remove it",
    "TRANSFORMERS_OFFLINE": "a new node must download the weights: remove it",
    "PYTHONHOME": "vLLM's Python would not find its modules: remove it",
}
"""Variables that break the plan or the chart, with the reason and a fix."""
REFUSED_PREFIXES: Mapping[str, str] = {
    "VLLM_DP_": ONE_ENGINE,
    "VLLM_RAY_": "groups of pods start without Ray: remove it",
    "VLLM_USE_RAY_": "groups of pods start without Ray: remove it",
    "VLLM_ELASTIC_EP_": ONE_ENGINE,
}

PATHS = "replaces the image's value: keep the image's folders in it, or programs and libraries are not found"
ALLOCATOR = "the plan assumes the default settings of torch's allocator"
WORK_SPACE = "the plan does not include the workspace of other kernels"
LOG = "vllm-eks reads progress and failure causes from vLLM's log in its default format"
OPENS = "lets clients with an API key change the engine or run code in it"
WARNED: Mapping[str, str] = {
    "PATH": PATHS,
    "LD_LIBRARY_PATH": PATHS,
    "LD_PRELOAD": "loads this library into every process, including the probes",
    "CUDA_HOME": PATHS,
    "PYTORCH_CUDA_ALLOC_CONF": ALLOCATOR,
    "PYTORCH_ALLOC_CONF": ALLOCATOR,
    "PYTORCH_NO_CUDA_MEMORY_CACHING": ALLOCATOR,
    "VLLM_ATTENTION_BACKEND": WORK_SPACE,
    "VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE": WORK_SPACE,
    "VLLM_SPARSE_INDEXER_MAX_LOGITS_MB": WORK_SPACE,
    "VLLM_MAX_TOKENS_PER_EXPERT_FP4_MOE": WORK_SPACE,
    "VLLM_DEEPEP_BUFFER_SIZE_MB": WORK_SPACE,
    "VLLM_FUSED_MOE_CHUNK_SIZE": WORK_SPACE,
    "VLLM_USE_TRITON_AWQ": WORK_SPACE,
    "VLLM_REPLICATE_EMBED": "each GPU then holds the whole embedding, and the plan includes only a part of it",
    "VLLM_USE_V2_MODEL_RUNNER": "the plan is for the default model runner",
    "VLLM_USE_NCCL_SYMM_MEM": "the plan includes only NCCL's default buffers",
    "NCCL_BUFFSIZE": "the plan includes only NCCL's default buffers",
    "VLLM_PLUGINS": "the plan does not include the memory of code outside vLLM",
    "VLLM_CONFIGURE_LOGGING": LOG,
    "VLLM_LOGGING_CONFIG_PATH": LOG,
    "VLLM_LOGGING_PREFIX": LOG,
    "VLLM_LOGGING_LEVEL": LOG,
    "VLLM_SERVER_DEV_MODE": OPENS,
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": OPENS,
    "VLLM_ALLOW_INSECURE_SERIALIZATION": OPENS,
}
"""Accepted variables, with their side effects."""
HARMLESS_VALUES: Mapping[str, frozenset[str]] = {
    "VLLM_LOGGING_LEVEL": frozenset({"INFO", "DEBUG"}),
    "VLLM_USE_V1": frozenset({"1"}),
    "VLLM_ENABLE_V1_MULTIPROCESSING": frozenset({"1"}),
    "HF_HUB_OFFLINE": frozenset({"0"}),
    "TRANSFORMERS_OFFLINE": frozenset({"0"}),
}
WRITABLE = ("/tmp", "/home/vllm", "/weights", "/dev/shm")
WRITTEN_TO = re.compile(r"\w*(_CACHE|_CACHE_DIR|_CACHE_PATH|_DUMP_PATH|_DUMP_DIR|_LOG_DIR)|TMPDIR|TMP|TEMP")


def env_errors(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield an error for each refused variable. A value is never shown, because it may be a secret."""
    for name, value in (model.env or {}).items():
        text = _refusal(name, value)
        if text:
            yield ConfigError(key=key_path(key, "env", name), text=text)


def env_warnings(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield a warning for each accepted variable whose effect is unknown or not in the plan."""
    for name, value in (model.env or {}).items():
        text = None if _refusal(name, value) else _warning(name, value, model.vllm_version)
        if text:
            yield ConfigError(key=key_path(key, "env", name), text=text)


def _refusal(name: str, value: str) -> str | None:
    if not NAME.fullmatch(name):
        return "is not a valid variable name: use letters, digits and _, starting with a letter"
    if name in CHART_NAMES:
        return "is set by the chart: remove it"
    if SET_BY_OTHERS.fullmatch(name):
        return "is set by Kubernetes, LeaderWorkerSet or EKS: remove it"
    if _is_secret(name, value):
        return _advice_for_secret(name)
    if value in HARMLESS_VALUES.get(name, ()):
        return None
    beginning = next((text for start, text in REFUSED_PREFIXES.items() if name.startswith(start)), None)
    return REFUSED.get(name, beginning)


def _is_secret(name: str, value: str) -> bool:
    words = [word for word in name.upper().split("_") if not word.isdigit()]
    # vLLM has variables for numbers of tokens. A secret token comes last in a name.
    named = SECRET_WORDS & set(words) or words[-1:] in (["TOKEN"], ["KEY"]) or "ACCESS_KEY" in name.upper()
    return bool(named or SECRET_VALUE.search(value))


def _advice_for_secret(name: str) -> str:
    shows = "looks like a secret, which would be visible in the pod, the release and the state"
    if name.startswith(("HF_", "HUGGING", "HUB_")):
        return f"{shows}: run pulumi config set --secret huggingFaceToken, and remove it"
    if name.startswith(("AWS_", "S3_")):
        return f"{shows}: pods read S3 with their own role (weights.source: s3), so remove it"
    if name == "VLLM_API_KEY":
        return f"{shows}: run pulumi config set --secret apiKey, and remove it"
    return f"{shows}: only the stack's huggingFaceToken and apiKey become Secrets, so remove it"


def _warning(name: str, value: str, version: str) -> str | None:
    if value in HARMLESS_VALUES.get(name, ()):
        return None
    if name in WARNED:
        return WARNED[name]
    if WRITTEN_TO.fullmatch(name) and value.startswith("/") and not value.startswith(WRITABLE):
        return f"the root filesystem is read-only: set a path below {', '.join(WRITABLE)}"
    return _unknown(name, version)


def _unknown(name: str, version: str) -> str | None:
    table = flag_table(version)
    if not name.startswith("VLLM_") or table is None or name in table.environment:
        return None
    near = closest_name(name, table.environment)
    return f"vLLM {version} does not read this variable" + (f": did you mean {near}?" if near else "")
