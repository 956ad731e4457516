"""The endpoint of a benchmark, as it runs: read from the model's LeaderWorkerSet, because that is what is measured."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vllm_eks.doctor.api import KubernetesApi, UnreadableAnswerError
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import list_or_empty, object_or_empty

GROUPS = "/apis/leaderworkerset.x-k8s.io/v1"
NOT_FOUND = 404
SERVED_NAME, REVISION, TOKENIZER = "--served-model-name", "--revision", "--tokenizer"
SIZES = ("--tensor-parallel-size", "--pipeline-parallel-size", "--max-model-len", "--max-num-seqs")
"""The flags that decide the speed, and that the chart always passes."""
DOWNLOAD_VARIABLES = re.compile(
    r"AWS_(REGION|DEFAULT_REGION|ENDPOINT_URL\w*|CA_BUNDLE)|HF_ENDPOINT|HF_HUB_\w+|(HTTPS?|NO)_PROXY"
    r"|SSL_CERT_\w+|(REQUESTS|CURL)_CA_BUNDLE",
    re.IGNORECASE,
)
"""The variables of the model's container that a download of its tokenizer needs, too: a mirror, a proxy, a region."""
TOKENIZER_FLAGS = {"--tokenizer-mode": True, "--trust-remote-code": False}
"""The model's flags that its tokenizer needs in the client, too, and whether each has a value."""


@dataclass(frozen=True, kw_only=True)
class TokenizerSource:
    """Where the client gets the tokenizer that the server uses."""

    place: str
    """A Hub repository, an s3:// URI, or a folder of the image."""
    revision: str | None = None
    """The commit of a Hub repository, or None for the newest."""
    flags: tuple[str, ...] = ()
    """Flags of vLLM that this tokenizer needs."""

    @property
    def is_in_s3(self) -> bool:
        """Whether it is read from a bucket, with the identity of the pod."""
        return self.place.startswith("s3://")


@dataclass(frozen=True, kw_only=True)
class Target:
    """One model's endpoint in its cluster."""

    name: str
    """Of the model in the stack file, and the name that clients send."""
    namespace: str
    image: str
    port: int
    api_key_secret: str
    hugging_face_secret: str | None
    tokenizer: TokenizerSource
    ready_replicas: int
    instance_type: str
    """The type of the model's nodes."""
    zones: tuple[str, ...]
    download_variables: Mapping[str, str]
    """Environment variables for the download of the tokenizer. They are settings of the stack and not secret."""
    sizes: Mapping[str, int]
    """The values of SIZES on vLLM's command line."""

    @property
    def service_host(self) -> str:
        """The name of the Service, as pods resolve it."""
        return f"{self.name}-api.{self.namespace}.svc"

    @property
    def service_url(self) -> str:
        """The Service, as pods reach it."""
        return f"http://{self.service_host}:{self.port}"


def read_target(cluster: KubernetesApi, name: str) -> Target:
    """Return the endpoint of a model.

    Raises:
        UnreadableAnswerError: The API does not answer.
        WrongQuestion: The model is not deployed, is parked, or has no ready replica.
    """
    namespace = f"vllm-{name}"
    try:
        group = cluster.object(f"{GROUPS}/namespaces/{namespace}/leaderworkersets/{name}")
    except UnreadableAnswerError as error:
        if error.status != NOT_FOUND:
            raise
        raise WrongQuestion(
            f"there is no model {name} in {namespace}: check that --kubeconfig is the stack's cluster, and run "
            f"pulumi up"
        ) from None
    return target_of(group, name, namespace)


def target_of(group: Mapping[str, object], name: str, namespace: str) -> Target:
    """Return the endpoint that a LeaderWorkerSet serves.

    Raises:
        WrongQuestion: It is parked, or has no ready replica.
    """
    wanted = object_or_empty(group.get("spec")).get("replicas")
    ready = object_or_empty(group.get("status")).get("readyReplicas")
    if wanted == 0:
        raise WrongQuestion(f"{name} is parked (0 replicas): start it with pulumi up before you measure it")
    if not isinstance(ready, int) or ready < 1:
        raise WrongQuestion(f"no replica of {name} is ready: find out why with vllm-eks doctor")
    spec = object_or_empty(group.get("spec"))
    leader = object_or_empty(object_or_empty(spec.get("leaderWorkerTemplate")).get("leaderTemplate"))
    pod = object_or_empty(leader.get("spec"))
    container = object_or_empty(next(iter(list_or_empty(pod.get("containers"))), None))
    ports = [object_or_empty(port) for port in list_or_empty(container.get("ports"))]
    secrets = _secrets(list_or_empty(pod.get("volumes")))
    args = [str(one) for one in list_or_empty(container.get("args"))]
    return Target(
        name=name,
        namespace=namespace,
        image=str(container.get("image")),
        port=next((port for one in ports if isinstance(port := one.get("containerPort"), int)), 8000),
        api_key_secret=secrets["api-key"],
        hugging_face_secret=secrets.get("hugging-face-token"),
        tokenizer=_tokenizer(args),
        ready_replicas=ready,
        instance_type=str(object_or_empty(pod.get("nodeSelector")).get("node.kubernetes.io/instance-type")),
        zones=_zones(pod),
        download_variables=_download_variables(container),
        sizes={flag: int(value) for flag in SIZES if (value := _value(args, flag)) and value.isdigit()},
    )


def _secrets(volumes: Sequence[object]) -> dict[str, str]:
    """Return the name of each Secret, by the volume's name."""
    by_volume = {str(one.get("name")): object_or_empty(one.get("secret")) for one in map(object_or_empty, volumes)}
    return {name: str(secret["secretName"]) for name, secret in by_volume.items() if "secretName" in secret}


def _tokenizer(args: Sequence[str]) -> TokenizerSource:
    """Return the tokenizer of a `vllm serve`. Its first argument is the model."""
    flags: list[str] = []
    for flag, has_value in TOKENIZER_FLAGS.items():
        if has_value and (value := _value(args, flag)) is not None:
            flags += [flag, value]
        elif not has_value and flag in args:
            flags.append(flag)
    own = _value(args, TOKENIZER)
    return TokenizerSource(
        place=own or args[0],
        # --revision is the model's: another tokenizer has its own.
        revision=_value(args, "--tokenizer-revision") or (None if own else _value(args, REVISION)),
        flags=tuple(flags),
    )


def _value(args: Sequence[str], flag: str) -> str | None:
    """Return the value of a flag, written as `--flag value` or `--flag=value`."""
    for number, argument in enumerate(args):
        if argument == flag and number + 1 < len(args):
            return args[number + 1]
        if argument.startswith(f"{flag}="):
            return argument.partition("=")[2]
    return None


def _download_variables(container: Mapping[str, object]) -> dict[str, str]:
    variables = [object_or_empty(one) for one in list_or_empty(container.get("env"))]
    values = {str(one.get("name")): str(one["value"]) for one in variables if "value" in one}
    return {name: value for name, value in values.items() if DOWNLOAD_VARIABLES.fullmatch(name)}


def _zones(pod: Mapping[str, object]) -> tuple[str, ...]:
    """Return the zones that the model's pods require."""
    affinity = object_or_empty(object_or_empty(pod.get("affinity")).get("nodeAffinity"))
    required = object_or_empty(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = map(object_or_empty, list_or_empty(required.get("nodeSelectorTerms")))
    rules = [object_or_empty(rule) for term in terms for rule in list_or_empty(term.get("matchExpressions"))]
    zones = [rule.get("values") for rule in rules if rule.get("key") == "topology.kubernetes.io/zone"]
    return tuple(str(zone) for listed in zones for zone in list_or_empty(listed))
