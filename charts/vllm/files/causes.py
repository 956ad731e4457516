"""Known causes of a model that does not serve, found in what logs, events and conditions say; each with its remedy.

The hook Job's last words and `vllm-eks doctor` speak from this one table. Standard library only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One known cause."""

    code: str
    title: str
    remedy: str
    signs: str
    """A regular expression of what is said where this is the cause."""

    @property
    def sentence(self) -> str:
        """What it is and what to do, as people read it."""
        return f"{self.title}: {self.remedy}"


# The most telling first: an out-of-memory error ends in an engine that is dead, and a missing token in a crash.
CAUSES = (
    Cause(
        code="hub_forbidden",
        title="the Hugging Face account may not have the model",
        remedy="accept its terms on its page with the account of huggingFaceToken",
        signs=r"GatedRepoError|403 Client Error|Cannot access gated repo|awaiting a review|HTTP 403 of the Hub",
    ),
    Cause(
        code="hub_unauthorized",
        title="Hugging Face takes no token, or a wrong one",
        remedy="run pulumi config set --secret huggingFaceToken, then pulumi up",
        signs=r"401 Client Error|Invalid user token|Invalid username or password|HTTP 401 of the Hub",
    ),
    Cause(
        code="gpu_memory",
        title="out of GPU memory",
        remedy="lower gpuMemoryUtilization, maxNumBatchedTokens or maxNumSeqs, or take a larger instanceType",
        signs=r"CUDA out of memory|OutOfMemoryError|Free memory on device .{0,80} is less than desired GPU memory",
    ),
    Cause(
        code="kv_cache",
        title="the KV cache is too small for one request of maxModelLen",
        remedy="lower maxModelLen, raise gpuMemoryUtilization, or take a larger instanceType",
        signs=r"No available memory for the cache blocks|KV cache is needed, which is larger than the available"
        r"|larger than the maximum number of tokens that can be stored in KV cache",
    ),
    Cause(
        code="host_memory",
        title="the container ran out of host memory",
        remedy="take an instanceType with more memory, or remove what extraArgs offload to the CPU",
        signs=r"\bOOMKilled\b",
    ),
    Cause(
        code="disk_full",
        title="the node's disk is full",
        remedy="old revisions may fill it: terminate the node, and the next comes empty; or write weights.source: s3",
        signs=r"No space left on device|Errno 28|ephemeral local storage usage exceeds"
        r"|low on resource: ephemeral-storage|Usage of EmptyDir volume .{0,60} exceeds",
    ),
    Cause(
        code="s3_denied",
        title="S3 refuses the weights",
        remedy="the pod's role may read only its own prefix: look at weights.s3Uri and at the bucket's policy",
        signs=r"(?i:s3).{0,300}(AccessDenied|Access Denied|403 Forbidden)|AccessDenied.{0,300}(?i:s3)",
    ),
    Cause(
        code="unknown_flag",
        title="this vLLM does not know a flag",
        remedy="mend extraArgs, or give the vllmVersion that is in the image",
        signs=r"unrecognized arguments|error: argument --",
    ),
    Cause(
        code="no_capacity",
        title="AWS has no such instances in the zone now",
        remedy="wait, take another zone or instanceType, or reserve capacity (capacityReservationId)",
        signs=r"Insufficient(Reserved)?InstanceCapacity|do not have sufficient .{0,60}capacity",
    ),
    Cause(
        code="quota",
        title="the account's vCPU quota is used up",
        remedy="ask for more (Service Quotas, Running On-Demand instances of the family), or give other instances back",
        signs=r"VcpuLimitExceeded|more vCPU capacity than your current vCPU limit|MaxSpotInstanceCountExceeded",
    ),
    Cause(
        code="no_launch",
        title="the node group cannot launch its instances",
        remedy="read its health: aws eks describe-nodegroup --query nodegroup.health",
        signs=r"AsgInstanceLaunchFailures|NodeCreationFailure|Ec2LaunchTemplateInvalidConfiguration",
    ),
    Cause(
        code="image",
        title="the image cannot be pulled",
        remedy="mend image (is the tag there, may the nodes' role pull it?), or look at the way to its registry",
        signs=r"ErrImagePull|ImagePullBackOff|InvalidImageName|Failed to pull image",
    ),
    Cause(
        code="no_efa",
        title="EFA was asked for, and no node with room has it",
        remedy="is the EFA device plugin running, and the nodes made with efa: true? Else remove efa",
        signs=r"Insufficient vpc\.amazonaws\.com/efa",
    ),
    Cause(
        code="no_gpu",
        title="no node with room has the GPUs",
        remedy="nodes may still be coming (kubectl get nodes); else look at the NVIDIA device plugin",
        signs=r"Insufficient nvidia\.com/gpu",
    ),
    Cause(
        code="weights_folder",
        title="the node has no folder for weights",
        remedy="its user data makes it: was the node made by this stack? Then terminate it, and another comes",
        signs=r"MountVolume\.\w+ .{0,200}(does not exist|no such file)",
    ),
    Cause(
        code="placement",
        title="no node is in the right place",
        remedy="pods need nodes of their instanceType in their zone: kubectl get nodes "
        "-L node.kubernetes.io/instance-type -L topology.kubernetes.io/zone",
        signs=r"didn't match Pod's node affinity/selector|node\(s\) had volume node affinity conflict",
    ),
    Cause(
        code="taint",
        title="the nodes with room have a taint that the pod does not tolerate",
        remedy="GPU nodes may have nvidia.com/gpu alone: remove other taints (kubectl describe nodes)",
        signs=r"untolerated taint",
    ),
    Cause(
        code="probe_too_short",
        title="the start took longer than its budget",
        remedy="the weights come slowly: write weights.source: s3, or look at the line (the log says how far it came)",
        signs=r"[Ff]ailed startup probe",
    ),
    Cause(
        code="stuck",
        title="the engine had requests and made no token",
        remedy="it was restarted; if it comes again, lower maxNumSeqs, or take another vLLM (image and vllmVersion)",
        signs=r"stuck: \d+ requests running and no token",
    ),
    Cause(
        code="ranks",
        title="the ranks of the group do not reach each other",
        remedy="look at the first pod of the group that ended, and at security groups between its nodes",
        signs=r"DistNetworkError|client socket has timed out|NCCL error|ncclUnhandledCudaError|ncclSystemError"
        r"|Watchdog caught collective operation timeout",
    ),
    Cause(
        code="dead",
        title="the engine is dead",
        remedy="the cause stands further up in its log, before EngineDeadError",
        signs=r"EngineDeadError|/health says 503|Engine core initialization failed",
    ),
    Cause(
        code="job_late",
        title="a Job took longer than it may",
        remedy="read its log; what it waited for is its last line",
        signs=r"DeadlineExceeded",
    ),
    Cause(
        code="job_failed",
        title="a Job failed as often as it may",
        remedy="read its log; pulumi up runs it again",
        signs=r"BackoffLimitExceeded|PodFailurePolicy",
    ),
)


def cause_of(text: str) -> Cause | None:
    """Return the most telling cause that a text shows, wherever in it; None where it shows none."""
    return next((cause for cause in CAUSES if re.search(cause.signs, text, re.DOTALL)), None)


def telling_line(text: str, cause: Cause) -> str:
    """Return the line of a text that shows the cause, without secrets and not too long."""
    lines = [line.strip() for line in text.splitlines()]
    found = next((line for line in lines if re.search(cause.signs, line)), lines[-1] if lines else "")
    return masked(found)[:300]


def masked(text: str) -> str:
    """Return the text with whatever looks like a token blotted out."""
    return re.sub(r"\bhf_\w+|(?<=[Bb]earer )\S+|\bsk-[\w-]{8,}", "***", text)
