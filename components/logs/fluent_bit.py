"""The configuration of Fluent Bit, and the values of its chart.

Each log line becomes an event with the fields log, model, group, rank, pod, container and node. They come from the path
of the log file and not from the Kubernetes API, which no longer knows a pod that ended before its first line was read.
LeaderWorkerSet names the leader of a group `<model>-<group>` and its workers `<model>-<group>-<rank>`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from components.controllers.accelerators import LEADER_WORKER_SET_NAMESPACE
from components.controllers.images import split_image
from components.nodes.gpu_taint import GPU_TOLERATION
from components.observability.names import object_name
from components.serving.namespaces import model_namespace
from vllm_eks.specs.logs import STREAM_PREFIX

MAX_RELEASE_NAME = 53
"""Helm's limit."""
BUFFER = "16MB"
"""The limit for the lines of one namespace in memory while CloudWatch does not answer. Then Fluent Bit stops to
read, and the lines wait in the kubelet's log files: 5 of 10 MiB for each container. No buffer is on the disk."""
MEMORY = "192Mi"
"""The buffers of several namespaces, their encoded copies, and about 20 MiB for Fluent Bit itself. An estimate."""
RETRIES = 10
"""With Fluent Bit's back-off of up to 2,000 s, about an hour and a half."""

SERVICE = """\
[SERVICE]
    Daemon        Off
    Flush         1
    Log_Level     info
    Parsers_File  /fluent-bit/etc/conf/custom_parsers.conf
    HTTP_Server   On
    HTTP_Listen   0.0.0.0
    HTTP_Port     2020
"""

# A pod's folder is <namespace>_<pod>_<uid>, and the namespace of a model is vllm-<model>. Model names may end in a
# number, so the pod's name is compared with the model's.
PARSERS = r"""
[PARSER]
    Name    pod_of_group
    Format  regex
    Regex   ^/var/log/pods/vllm-(?<model>.+?)_(?<pod>\k<model>-(?<group>\d+)(-(?<rank>\d+))?)_[^/]+/(?<container>[^/]+)
[PARSER]
    Name    pod_of_model
    Format  regex
    Regex   ^/var/log/pods/vllm-(?<model>[^_]+?)(-weights)?_(?<pod>[^_]+)_[^/]+/(?<container>[^/]+)
[PARSER]
    Name    other_pod
    Format  regex
    Regex   ^/var/log/pods/[^_]+_(?<pod>[^_]+)_[^/]+/(?<container>[^/]+)
"""

FILTERS = """\
[FILTER]
    Name          parser
    Match         *
    Key_Name      file
    Parser        pod_of_group
    Parser        pod_of_model
    Parser        other_pod
    Reserve_Data  On
[FILTER]
    Name       modify
    Match      *
    Condition  Key_exists group
    Condition  Key_does_not_exist rank
    Add        rank 0
[FILTER]
    Name           record_modifier
    Match          *
    Record         node ${NODE_NAME}
    Allowlist_key  log
    Allowlist_key  model
    Allowlist_key  group
    Allowlist_key  rank
    Allowlist_key  pod
    Allowlist_key  container
"""


@dataclass(frozen=True, kw_only=True)
class FluentBitConfig:
    """What Fluent Bit reads, and where it writes."""

    release: str
    models: Sequence[str]
    log_group: pulumi.Input[str]
    region: str
    with_controller: bool
    """Whether the logs of the LeaderWorkerSet controller are read too."""

    @property
    def state_folder(self) -> str:
        """The node's folder with the position in each log file."""
        return f"/var/lib/{self.release}"

    @property
    def inputs(self) -> str:
        """The log files of the models' pods and Jobs, and of the controller."""
        namespaces = [(model_namespace(name), f"{model_namespace(name)}-weights") for name in self.models]
        controller = [(LEADER_WORKER_SET_NAMESPACE,)] if self.with_controller else []
        return "".join(self._input(*together) for together in (*namespaces, *controller))

    def _input(self, *namespaces: str) -> str:
        # One for each model, because a line of the configuration is at most 4,096 characters long. They read from the
        # beginning of each file, because a pod may start before Fluent Bit on a new node.
        paths = ",".join(f"/var/log/pods/{namespace}_*/*/*.log" for namespace in namespaces)
        return rf"""[INPUT]
    Name              tail
    Path              {paths}
    Tag_Regex         ^/var/log/pods/(?<namespace>[^_/]+)_(?<pod>[^_/]+)_[^/]+/(?<container>[^/]+)/
    Tag               <namespace>/<pod>/<container>
    Path_Key          file
    multiline.parser  cri
    DB                {self.state_folder}/{namespaces[0]}.db
    DB.locking        true
    Read_from_Head    On
    Refresh_Interval  5
    Rotate_Wait       30
    Buffer_Max_Size   128k
    Skip_Long_Lines   On
    Mem_Buf_Limit     {BUFFER}
"""


def release_name(stack: str) -> str:
    """Return the release's name, which differs between stacks in one cluster.

    >>> release_name("vllm-eks-dev")
    'fluent-bit-vllm-eks-dev'
    """
    return object_name(f"fluent-bit-{stack}", MAX_RELEASE_NAME)


def outputs(region: str, log_group: str) -> str:
    """Return the output: a log group with a stream for each container."""
    return f"""[OUTPUT]
    Name               cloudwatch_logs
    Match              *
    region             {region}
    log_group_name     {log_group}
    log_stream_prefix  {STREAM_PREFIX}
    auto_create_group  Off
    Retry_Limit        {RETRIES}
"""


def fluent_bit_values(config: FluentBitConfig, image: str | None) -> dict[str, Any]:
    """Return the chart's values: a pod on every node, without access to the Kubernetes API.

    Args:
        config: What it reads, and where it writes.
        image: The image, or None for the chart's own.
    """
    # The process answers as long as it runs. The chart's readiness path reports failed requests to CloudWatch, which a
    # restart does not repair.
    probe = {"httpGet": {"path": "/", "port": "http"}}
    values: dict[str, Any] = {
        "testFramework": {"enabled": False},
        "rbac": {"create": False},
        "serviceAccount": {"name": config.release, "automountServiceAccountToken": False},
        "priorityClassName": "system-node-critical",
        "tolerations": [GPU_TOLERATION],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": MEMORY}},
        # The kubelet's log files belong to root, and only root may read them.
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "env": [{"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "daemonSetVolumes": [
            {"name": "logs", "hostPath": {"path": "/var/log/pods", "type": "Directory"}},
            {"name": "state", "hostPath": {"path": config.state_folder, "type": "DirectoryOrCreate"}},
        ],
        "daemonSetVolumeMounts": [
            {"name": "logs", "mountPath": "/var/log/pods", "readOnly": True},
            {"name": "state", "mountPath": config.state_folder},
        ],
        "config": {
            "service": SERVICE,
            "inputs": config.inputs,
            "filters": FILTERS,
            "outputs": pulumi.Output.from_input(config.log_group).apply(partial(outputs, config.region)),
            "customParsers": PARSERS.lstrip(),
        },
    }
    return {**values, "image": split_image(image)} if image else values
