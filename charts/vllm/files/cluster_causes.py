"""Causes that keep a pod from running, from messages of Kubernetes, the kubelet, EKS and EC2. Standard library only."""

from __future__ import annotations

from vllm_eks.pods.cause import FIRST, NEVER, OUTER, SYMPTOM, Cause

NODE_REPLACEMENT_SECONDS = 900
"""Time in which EKS repairs or replaces a node. Waiting longer is useless."""
OBJECT_CREATION_SECONDS = 120
"""Time in which the objects of a release and their volumes are created."""

AWS_CAUSES = (
    Cause(
        code="no_capacity",
        title="AWS has no capacity for the instance type in the zone",
        remedy="wait, choose another zone or instanceType, or reserve capacity (capacityReservationId)",
        signs=r"Insufficient(Reserved)?InstanceCapacity|do not have sufficient .{0,60}capacity"
        r"|insufficient capacity|Spot capacity .{0,40}not available|no Spot capacity",
    ),
    Cause(
        code="quota",
        title="the account's vCPU quota is used up",
        remedy="request an increase (Service Quotas, Running On-Demand instances of the family), or stop other "
        "instances",
        signs=r"VcpuLimitExceeded|more vCPU capacity than your current vCPU limit|MaxSpotInstanceCountExceeded",
    ),
    Cause(
        code="no_launch",
        title="the node group cannot launch its instances",
        remedy="check its health: aws eks describe-nodegroup --query nodegroup.health",
        signs=r"AsgInstanceLaunchFailures|NodeCreationFailure|Ec2LaunchTemplateInvalidConfiguration",
        explains=OUTER,
    ),
)

IMAGE_CAUSES = (
    Cause(
        code="image_name",
        title="the image name is invalid",
        remedy="correct image (registry/repository:tag or @sha256:digest)",
        signs=r"InvalidImageName|couldn't parse image (?:name|reference)|invalid reference format",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="image_missing",
        title="the registry has no such image",
        remedy="correct the repository and tag of image",
        signs=r"(?:image|pull|manifest).{0,400}(?:manifest unknown|: not found|no match for platform|does not exist)"
        r"|NAME_UNKNOWN|RepositoryNotFoundException",
        explains=FIRST,
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
    Cause(
        code="image_denied",
        title="the registry denies this node access to the image",
        remedy="allow the nodes' role to pull it (ECR: ecr:BatchGetImage and the repository's policy), or use a public "
        "image",
        signs=r"(?:image|pull).{0,400}(?:access denied|authorization failed|no basic auth|401 Unauthorized"
        r"|403 Forbidden"
        r"|not authorized|denied: )",
        explains=FIRST,
        patience_seconds=NODE_REPLACEMENT_SECONDS,
    ),
    Cause(
        code="image",
        title="the image cannot be pulled",
        remedy="check the network access to its registry, or correct image",
        signs=r"ErrImagePull|ImagePullBackOff|ErrImageNeverPull|Failed to pull image",
        explains=OUTER,
    ),
    Cause(
        code="no_program",
        title="the image lacks a program",
        remedy="use a vLLM image for this CPU: the chart runs python3 and vllm in it",
        signs=r"is not on the image's PATH|executable file not found|exec format error|StartError|RunContainerError"
        r"|failed to create containerd task",
        explains=OUTER,
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
)

POD_CAUSES = (
    Cause(
        code="no_key",
        title="the Secret with the API keys is empty or cannot be read",
        remedy="set apiKey (pulumi config set --secret apiKey), then pulumi up",
        signs=r"contains no API key|check (?:the mode of )?the Secret with the",
        explains=FIRST,
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
    Cause(
        code="missing_object",
        title="a Secret or ConfigMap of the pod is missing",
        remedy="run pulumi refresh, then pulumi up: the stack creates it",
        signs=r"(?i:secret|configmap)s? \"[^\"]+\" not found|couldn't find key \S+ in (?:Secret|ConfigMap)"
        r"|references non-existent (?:secret|config) key",
        explains=FIRST,
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
    Cause(
        code="volume",
        title="the pod's volume claim is not bound",
        remedy="check kubectl get pvc,pv: delete a claim that waits for a volume of another size, class or node, and "
        "it is created again",
        signs=r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"]+\" not found|FailedBinding"
        r"|ProvisioningFailed|bound to non-existent persistentvolume|no persistent volumes available",
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
    Cause(
        code="refused",
        title="the cluster refuses to create the pod",
        remedy="a policy of the cluster forbids it (Pod Security, an admission webhook): ask the cluster's "
        "administrators",
        signs=r"violates PodSecurity|admission webhook .{0,120}denied the request|is forbidden: (?!exceeded quota)"
        r"|ValidatingAdmissionPolicy .{0,120}denied",
        explains=FIRST,
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
    Cause(
        code="namespace_quota",
        title="a quota of the namespace is used up",
        remedy="raise it (kubectl describe resourcequota), or remove pods",
        signs=r"exceeded quota|must specify (?:limits|requests)\.\w+ for",
        explains=FIRST,
        # Pods of the previous revision may still use it.
        patience_seconds=NODE_REPLACEMENT_SECONDS,
    ),
    Cause(
        code="webhook",
        title="an admission webhook does not answer, so no pod is created",
        remedy="check its pods (kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations)",
        signs=r"failed calling webhook",
        explains=FIRST,
    ),
    Cause(
        code="weights_folder",
        title="the node has no folder for weights",
        remedy="terminate the node: its replacement creates the folder in its user data",
        signs=r"MountVolume\.\w+ .{0,200}(does not exist|no such file)",
        patience_seconds=NODE_REPLACEMENT_SECONDS,
    ),
    Cause(
        code="never_fits",
        title="the pod requests more than a node of its type has",
        remedy="choose a larger instanceType: kubectl describe node shows Allocatable",
        signs=r"never fits",
        explains=FIRST,
        patience_seconds=OBJECT_CREATION_SECONDS,
    ),
    Cause(
        code="no_room",
        title="no node has enough free memory, CPU or disk",
        remedy="other pods use it (kubectl describe nodes): remove them, or use larger or more nodes",
        signs=r"Insufficient (?:memory|cpu|ephemeral-storage)|Too many pods",
    ),
    Cause(
        code="no_efa",
        title="no node has a free EFA interface",
        remedy="check that the EFA device plugin runs and that the nodes have efa: true, or remove efa",
        signs=r"Insufficient vpc\.amazonaws\.com/efa",
    ),
    Cause(
        code="no_gpu",
        title="no node has enough free GPUs",
        remedy="nodes may still be starting (kubectl get nodes); otherwise check the NVIDIA device plugin",
        signs=r"Insufficient nvidia\.com/gpu",
    ),
    # Nodes of another type report "affinity". A taint on a matching node is the better explanation.
    Cause(
        code="node_trouble",
        title="the nodes exist but are not ready",
        remedy="check kubectl describe nodes: EKS replaces a node that stays NotReady",
        signs=r"untolerated taint\(?s?\)? \{node\.(?:kubernetes\.io|cloudprovider\.kubernetes\.io)/"
        r"|node\(s\) were unschedulable"
        r"|NodeNotReady|Node is not ready",
    ),
    Cause(
        code="taint",
        title="the free nodes have a taint that the pod does not tolerate",
        remedy="GPU nodes may have only the taint nvidia.com/gpu: remove other taints (kubectl describe nodes)",
        signs=r"untolerated taint(?!\(?s?\)? \{node\.)",
        explains=OUTER,
        patience_seconds=NODE_REPLACEMENT_SECONDS,
    ),
    Cause(
        code="placement",
        title="no node has the right type and zone",
        remedy="pods need nodes of their instanceType in their zone: kubectl get nodes "
        "-L node.kubernetes.io/instance-type -L topology.kubernetes.io/zone",
        signs=r"didn't match Pod's node affinity/selector|node\(s\) had volume node affinity conflict"
        r"|didn't match pod topology spread|didn't match pod (?:anti-)?affinity|no nodes available to schedule",
        explains=OUTER,
        patience_seconds=NODE_REPLACEMENT_SECONDS,
    ),
    Cause(
        code="evicted",
        title="the node evicted the pod",
        remedy="the message has the reason; EKS replaces a removed node (spot, repair, drain), and its group restarts",
        signs=r"\bEvicted\b|TaintManagerEviction|TerminationByKubelet|PreemptionByScheduler|NodeLost|NodeShutdown",
        explains=OUTER,
    ),
    Cause(
        code="probe_too_short",
        title="the start took longer than its budget",
        remedy="if the weights load slowly, set weights.source: s3; the log shows how far the start got",
        signs=r"[Ff]ailed startup probe|did not answer within the start budget",
    ),
    Cause(
        code="job_late",
        title="a Job exceeded its deadline",
        remedy="read its log; the last line says what it waited for",
        signs=r"DeadlineExceeded",
        explains=SYMPTOM,
    ),
    Cause(
        code="job_failed",
        title="a Job used up its retries",
        remedy="read its log; pulumi up runs it again",
        signs=r"BackoffLimitExceeded|PodFailurePolicy",
        explains=SYMPTOM,
    ),
)

CLUSTER_CAUSES = (*AWS_CAUSES, *IMAGE_CAUSES, *POD_CAUSES)
