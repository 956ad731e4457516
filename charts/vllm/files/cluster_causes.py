"""What keeps a pod from running, as Kubernetes, the kubelet, EKS and EC2 say it. Standard library only."""

from __future__ import annotations

from vllm_eks.pods.cause import FIRST, NEVER, OUTER, SYMPTOM, Cause

NODES_COME_SECONDS = 900
"""A node that is repaired or replaced is back within this time; what waits longer for one waits for nothing."""
OBJECTS_COME_SECONDS = 120
"""Objects of one release, and the volumes they claim, are there within this time."""

OF_AWS = (
    Cause(
        code="no_capacity",
        title="AWS has no such instances in the zone now",
        remedy="wait, take another zone or instanceType, or reserve capacity (capacityReservationId)",
        signs=r"Insufficient(Reserved)?InstanceCapacity|do not have sufficient .{0,60}capacity"
        r"|insufficient capacity|Spot capacity .{0,40}not available|no Spot capacity",
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
        explains=OUTER,
    ),
)

OF_THE_IMAGE = (
    Cause(
        code="image_name",
        title="the image's name is not one",
        remedy="correct image (registry/repository:tag or @sha256:digest)",
        signs=r"InvalidImageName|couldn't parse image (?:name|reference)|invalid reference format",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="image_missing",
        title="the registry has no such image",
        remedy="correct image: repository and tag",
        signs=r"(?:image|pull|manifest).{0,400}(?:manifest unknown|: not found|no match for platform|does not exist)"
        r"|NAME_UNKNOWN|RepositoryNotFoundException",
        explains=FIRST,
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
    Cause(
        code="image_denied",
        title="the registry gives the image to nobody who asks as this node",
        remedy="may the nodes' role pull it (ECR: ecr:BatchGetImage and the repository's policy), or is it private?",
        signs=r"(?:image|pull).{0,400}(?:access denied|authorization failed|no basic auth|401 Unauthorized"
        r"|403 Forbidden"
        r"|not authorized|denied: )",
        explains=FIRST,
        patience_seconds=NODES_COME_SECONDS,
    ),
    Cause(
        code="image",
        title="the image cannot be pulled",
        remedy="look at the way to its registry, or correct image",
        signs=r"ErrImagePull|ImagePullBackOff|ErrImageNeverPull|Failed to pull image",
        explains=OUTER,
    ),
    Cause(
        code="no_program",
        title="the image has no such program",
        remedy="is it an image of vLLM for this CPU? The chart starts python3 and vllm in it",
        signs=r"is not on the image's PATH|executable file not found|exec format error|StartError|RunContainerError"
        r"|failed to create containerd task",
        explains=OUTER,
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
)

OF_THE_CLUSTER = (
    Cause(
        code="no_key",
        title="the Secret of the API keys is empty, or cannot be read",
        remedy="set apiKey (pulumi config set --secret apiKey), then pulumi up",
        signs=r"holds no API key|look at (?:the mode of )?the Secret of the",
        explains=FIRST,
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
    Cause(
        code="missing_object",
        title="a Secret or ConfigMap of the pod is not there",
        remedy="run pulumi refresh, then pulumi up: the stack makes it",
        signs=r"(?i:secret|configmap)s? \"[^\"]+\" not found|couldn't find key \S+ in (?:Secret|ConfigMap)"
        r"|references non-existent (?:secret|config) key",
        explains=FIRST,
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
    Cause(
        code="volume",
        title="the pod's volume claim is not bound",
        remedy="kubectl get pvc,pv says why: a claim that waits for a volume of another size, class or node is made "
        "anew by "
        "deleting it",
        signs=r"unbound immediate PersistentVolumeClaims|persistentvolumeclaim \"[^\"]+\" not found|FailedBinding"
        r"|ProvisioningFailed|bound to non-existent persistentvolume|no persistent volumes available",
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
    Cause(
        code="refused",
        title="the cluster refuses to make the pod",
        remedy="a policy of the cluster forbids it (Pod Security, an admission webhook): ask whoever runs it",
        signs=r"violates PodSecurity|admission webhook .{0,120}denied the request|is forbidden: (?!exceeded quota)"
        r"|ValidatingAdmissionPolicy .{0,120}denied",
        explains=FIRST,
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
    Cause(
        code="namespace_quota",
        title="a quota of the namespace is used up",
        remedy="raise it (kubectl describe resourcequota), or give pods back",
        signs=r"exceeded quota|must specify (?:limits|requests)\.\w+ for",
        explains=FIRST,
        # Pods of the revision before may still hold it.
        patience_seconds=NODES_COME_SECONDS,
    ),
    Cause(
        code="webhook",
        title="an admission webhook does not answer, so nothing is made",
        remedy="look at its pods (kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations)",
        signs=r"failed calling webhook",
        explains=FIRST,
    ),
    Cause(
        code="weights_folder",
        title="the node has no folder for weights",
        remedy="its user data makes it: was the node made by this stack? Then terminate it, and another comes",
        signs=r"MountVolume\.\w+ .{0,200}(does not exist|no such file)",
        patience_seconds=NODES_COME_SECONDS,
    ),
    Cause(
        code="never_fits",
        title="the pod asks for more than a node of its type has",
        remedy="take a larger instanceType: what a node can give is in kubectl describe node, Allocatable",
        signs=r"never fits",
        explains=FIRST,
        patience_seconds=OBJECTS_COME_SECONDS,
    ),
    Cause(
        code="no_room",
        title="no node with room has the memory, the CPU or the disk",
        remedy="other pods have it (kubectl describe nodes): remove them, or take larger or more nodes",
        signs=r"Insufficient (?:memory|cpu|ephemeral-storage)|Too many pods",
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
    # Nodes of another type say "affinity"; one that is right but for a taint tells more.
    Cause(
        code="node_trouble",
        title="the nodes are there, and not well",
        remedy="kubectl describe nodes says what: a node that stays NotReady is terminated, and another one comes",
        signs=r"untolerated taint\(?s?\)? \{node\.(?:kubernetes\.io|cloudprovider\.kubernetes\.io)/"
        r"|node\(s\) were unschedulable"
        r"|NodeNotReady|Node is not ready",
    ),
    Cause(
        code="taint",
        title="the nodes with room have a taint that the pod does not tolerate",
        remedy="GPU nodes may have nvidia.com/gpu alone: remove other taints (kubectl describe nodes)",
        signs=r"untolerated taint(?!\(?s?\)? \{node\.)",
        explains=OUTER,
        patience_seconds=NODES_COME_SECONDS,
    ),
    Cause(
        code="placement",
        title="no node is in the right place",
        remedy="pods need nodes of their instanceType in their zone: kubectl get nodes "
        "-L node.kubernetes.io/instance-type -L topology.kubernetes.io/zone",
        signs=r"didn't match Pod's node affinity/selector|node\(s\) had volume node affinity conflict"
        r"|didn't match pod topology spread|didn't match pod (?:anti-)?affinity|no nodes available to schedule",
        explains=OUTER,
        patience_seconds=NODES_COME_SECONDS,
    ),
    Cause(
        code="evicted",
        title="the node took the pod away",
        remedy="the line says why; a node that goes (spot, repair, drain) is replaced, and the group with it",
        signs=r"\bEvicted\b|TaintManagerEviction|TerminationByKubelet|PreemptionByScheduler|NodeLost|NodeShutdown",
        explains=OUTER,
    ),
    Cause(
        code="probe_too_short",
        title="the start took longer than its budget",
        remedy="the weights come slowly: write weights.source: s3, or look at the line (the log says how far it came)",
        signs=r"[Ff]ailed startup probe|did not answer within the start budget",
    ),
    Cause(
        code="job_late",
        title="a Job took longer than it may",
        remedy="read its log; what it waited for is its last line",
        signs=r"DeadlineExceeded",
        explains=SYMPTOM,
    ),
    Cause(
        code="job_failed",
        title="a Job failed as often as it may",
        remedy="read its log; pulumi up runs it again",
        signs=r"BackoffLimitExceeded|PodFailurePolicy",
        explains=SYMPTOM,
    ),
)

CLUSTER_CAUSES = (*OF_AWS, *OF_THE_IMAGE, *OF_THE_CLUSTER)
