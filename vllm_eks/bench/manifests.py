"""The objects of one benchmark: a Job, and what the network must allow for it. It passes Pod Security `restricted`."""

from collections.abc import Mapping, Sequence

from vllm_eks.bench.placement import GPU, Placement
from vllm_eks.bench.target import Target

RUN_SECONDS = 3600
"""Limit of the Job: image, tokenizer and load."""
KEPT_SECONDS = 3600
"""After its end Kubernetes deletes the Job, and all that it owns, where the command could not."""
USER = 1000
"""As the model's pods (charts/vllm/templates/_pod.tpl)."""
MEMORY_REQUEST, MEMORY_LIMIT = "1200Mi", "4Gi"
"""The client of vLLM 0.27 takes 1.1 GB before its first request."""
CPU_REQUEST = "250m"
"""The smallest node has this beside a model. There is no limit."""
DISK_REQUEST, DISK_LIMIT = "1Gi", "4Gi"
"""For the tokenizer and caches."""
HOME = "/home/vllm"
COMPONENT = "bench"


def job_name(target: Target) -> str:
    """Return the Job's name. A model has one at a time, because two would measure each other."""
    return f"{target.name}-bench"


def labels(target: Target) -> dict[str, str]:
    """Return the labels of the benchmark's objects and of its pod."""
    return {
        "app.kubernetes.io/name": "vllm",
        "app.kubernetes.io/instance": target.name,
        "app.kubernetes.io/component": COMPONENT,
        "app.kubernetes.io/managed-by": "vllm-eks",
    }


def job(target: Target, placement: Placement, *, command: Sequence[str], arguments: Sequence[str]) -> dict[str, object]:
    """Return the Job. It runs once, and ends within RUN_SECONDS."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(target), "namespace": target.namespace, "labels": labels(target)},
        "spec": {
            "activeDeadlineSeconds": RUN_SECONDS,
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels(target)}, "spec": _pod(target, placement, command, arguments)},
        },
    }


def _pod(target: Target, placement: Placement, command: Sequence[str], arguments: Sequence[str]) -> dict[str, object]:
    return {
        "restartPolicy": "Never",
        # The identity that may read the weights, and so the tokenizer, in S3. It has no permissions in the cluster.
        "serviceAccountName": target.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **_scheduling(placement),
        "containers": [_container(target, command, arguments)],
        "volumes": _volumes(target),
    }


def _scheduling(placement: Placement) -> dict[str, object]:
    rules = [
        {"key": label, "operator": "In", "values": list(values)} for label, values in sorted(placement.labels.items())
    ]
    required = {"nodeSelectorTerms": [{"matchExpressions": rules}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    tolerations = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}] if placement.beside_the_model else []
    return {"affinity": affinity, "tolerations": tolerations}


def _container(target: Target, command: Sequence[str], arguments: Sequence[str]) -> dict[str, object]:
    mounts = [
        {"name": "home", "mountPath": HOME},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "api-key", "mountPath": "/secrets/api-key", "readOnly": True},
    ]
    if target.hugging_face_secret:
        mounts.append({"name": "hugging-face-token", "mountPath": "/secrets/hugging-face", "readOnly": True})
    return {
        "name": COMPONENT,
        "image": target.image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        # `$(NAME)` in an argument would be replaced by Kubernetes.
        "args": [argument.replace("$(", "$$(") for argument in arguments],
        "env": [{"name": name, "value": value} for name, value in _environment(target).items()],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "resources": {
            "requests": {"cpu": CPU_REQUEST, "memory": MEMORY_REQUEST, "ephemeral-storage": DISK_REQUEST},
            "limits": {"memory": MEMORY_LIMIT, "ephemeral-storage": DISK_LIMIT},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _environment(target: Target) -> dict[str, str]:
    """Return the variables, none of which is secret."""
    given = target.download_variables
    # A proxy is for the tokenizer, not for the endpoint.
    directly = {
        name: ",".join(filter(None, [given.get(name), target.service_host])) for name in ("NO_PROXY", "no_proxy")
    }
    return {
        **given,
        **directly,
        "HOME": HOME,
        "XDG_CACHE_HOME": f"{HOME}/.cache",
        "XDG_CONFIG_HOME": f"{HOME}/.config",
        "VLLM_CONFIG_ROOT": f"{HOME}/.config/vllm",
        "VLLM_CACHE_ROOT": f"{HOME}/.cache/vllm",
        "HF_HOME": f"{HOME}/.cache/huggingface",
        # User 1000 may be missing from the image's /etc/passwd.
        "USER": "vllm",
        "LOGNAME": "vllm",
        "VLLM_NO_USAGE_STATS": "1",
        # Images with CUDA ask for all GPUs, and on a GPU node a pod gets them without a request.
        "NVIDIA_VISIBLE_DEVICES": "void",
        "CUDA_VISIBLE_DEVICES": "",
        **({"HF_TOKEN_PATH": "/secrets/hugging-face/token"} if target.hugging_face_secret else {}),
    }


def _volumes(target: Target) -> list[dict[str, object]]:
    volumes: list[dict[str, object]] = [
        {"name": "home", "emptyDir": {"sizeLimit": "3Gi"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}},
        _secret("api-key", target.api_key_secret, "apiKey"),
    ]
    if target.hugging_face_secret:
        volumes.append(_secret("hugging-face-token", target.hugging_face_secret, "token"))
    return volumes


def _secret(volume: str, secret: str, key: str) -> dict[str, object]:
    items = [{"key": key, "path": key}]
    return {"name": volume, "secret": {"secretName": secret, "defaultMode": 0o440, "items": items}}


def network_policies(target: Target, owner: Mapping[str, object]) -> list[dict[str, object]]:
    """Return the policies beside the chart's, which deny all other traffic (charts/vllm/templates/networkpolicy.yaml).

    Args:
        target: The endpoint.
        owner: The Job as the server stored it. The policies end with it.
    """
    client, leaders = {"matchLabels": labels(target)}, {"matchLabels": _leaders(target)}
    port: dict[str, object] = {"protocol": "TCP", "port": target.port}
    egress: list[dict[str, object]] = [
        {"to": [{"podSelector": leaders}], "ports": [port]},
        # The tokenizer, from the Hub or from S3.
        {"to": [_addresses("0.0.0.0/0")], "ports": [{"protocol": "TCP", "port": 443}]},
    ]
    if target.tokenizer.is_in_s3:
        # The node's Pod Identity agent, which has the credentials for S3.
        egress.append({"to": [_addresses("169.254.170.23/32")], "ports": [{"protocol": "TCP", "port": 80}]})
    ingress: list[dict[str, object]] = [{"from": [{"podSelector": client}], "ports": [port]}]
    # The policies of an earlier Job may still be there, and go while this one runs.
    name = f"{job_name(target)}-{str(owner['uid'])[:8]}"
    return [
        _policy(target, owner, name, {"podSelector": client, "policyTypes": ["Egress"], "egress": egress}),
        _policy(
            target, owner, f"{name}-leaders", {"podSelector": leaders, "policyTypes": ["Ingress"], "ingress": ingress}
        ),
    ]


def _leaders(target: Target) -> dict[str, str]:
    return {
        "leaderworkerset.sigs.k8s.io/name": target.name,
        "leaderworkerset.sigs.k8s.io/worker-index": "0",
    }


def _addresses(cidr: str) -> dict[str, object]:
    return {"ipBlock": {"cidr": cidr}}


def _policy(target: Target, owner: Mapping[str, object], name: str, spec: Mapping[str, object]) -> dict[str, object]:
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": owner["name"], "uid": owner["uid"]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": name,
            "namespace": target.namespace,
            "labels": labels(target),
            "ownerReferences": [reference],
        },
        "spec": spec,
    }
