"""Failure causes in the node and its hardware, and the ways in which an engine ends.

tests/data/vllm_failures records which patterns are from real runs and which from source code. Standard library only.
"""

from __future__ import annotations

from vllm_eks.pods.cause import FIRST, NEVER, OUTER, SYMPTOM, Cause

NODE_CAUSES = (
    Cause(
        code="not_writable",
        title="a library in the image writes to a read-only folder",
        remedy="set another folder for the library (env): the chart only puts the caches of the default image on "
        "volumes",
        signs=r" cannot be written to \(|(?:PermissionError|Permission denied|Read-only file system|Errno 30"
        r"|Errno 13)\b.{0,300}"
        r"(?:flashinfer|site-packages|dist-packages|/opt/|/usr/|/home/|/root)|Read-only file system|Errno 30\b"
        r"|PermissionError: \[Errno 13\]",
        patience_seconds=NEVER,
    ),
    Cause(
        code="cuda_driver",
        title="the CUDA version of the image and the node's driver are incompatible",
        remedy="use an image with another CUDA version, or (Error 803) set LD_LIBRARY_PATH in env so that the node's "
        "driver library comes before the image's compat folder",
        signs=r"Error 803|unsupported display driver / cuda driver combination|forward compatibility was attempted"
        r"|CUDA driver version is insufficient|CUDA_ERROR_COMPAT_NOT_SUPPORTED|NVIDIA driver on your system is too old",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="fabric_manager",
        title="the node's NVSwitch is not started (CUDA error 802)",
        remedy="wait two minutes, then terminate the node: its nvidia-fabricmanager does not run",
        signs=r"Error 802|CUDA error: system not yet initialized|cudaErrorSystemNotReady",
        explains=FIRST,
    ),
    Cause(
        code="gpu_fault",
        title="a GPU failed",
        remedy="terminate the node (kubectl get events -A shows an Xid), and it is replaced; if the error returns, the "
        "GPU is not the cause: use another image",
        signs=r"uncorrectable ECC error|\bXid\b.{0,20}\d"
        r"|CUDA error: (?:unspecified launch failure|an illegal memory access)"
        r"|CUDA error: (?:the launch timed out|device-side assert)|GPU has fallen off the bus|GPU is lost",
    ),
    Cause(
        code="no_gpu_seen",
        title="vLLM sees no GPU",
        remedy="check that the image has vLLM for CUDA, and that nvidia-smi works on the node",
        signs=r"Failed to infer device type|No CUDA GPUs are available|no CUDA-capable device is detected"
        r"|libcuda\.so\.1: cannot open shared object",
        explains=FIRST,
    ),
    Cause(
        code="gpu_taken",
        title="another process uses GPU memory that vLLM needs",
        remedy="lower gpuMemoryUtilization; if the error returns, terminate the node",
        signs=r"Free memory on device .{0,120}is less than desired GPU|Error in memory profiling\. Initial free memory",
        patience_seconds=NEVER,
    ),
    Cause(
        code="gpu_memory",
        title="out of GPU memory",
        remedy="lower gpuMemoryUtilization, maxNumBatchedTokens or maxNumSeqs, or choose a larger instanceType",
        signs=r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory|CUDNN_STATUS_ALLOC_FAILED"
        r"|CUBLAS_STATUS_ALLOC_FAILED|Cuda failure .{0,10}out of memory",
        patience_seconds=NEVER,
    ),
    Cause(
        code="kv_cache",
        title="the KV cache is too small for one request of maxModelLen",
        remedy="lower maxModelLen, raise gpuMemoryUtilization, or choose a larger instanceType",
        signs=r"No available memory for the cache blocks|KV cache is needed, which is larger than the available"
        r"|larger than the maximum number of tokens that can be stored in KV cache",
        patience_seconds=NEVER,
    ),
    Cause(
        code="shared_memory",
        title="the pod's shared memory (/dev/shm) is full",
        remedy="remove the extraArgs that use it; the chart sizes it at half of the pod's memory",
        signs=r"Error while creating shared memory|unable to (?:write to|allocate) shared memory"
        r"|/dev/shm.{0,80}(?:No space|Bus)"
        r"|No space left on device.{0,80}(?:/dev/shm|nccl-)|insufficient shared memory|Bus error",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="host_memory",
        title="the container ran out of host memory",
        remedy="choose an instanceType with more memory, or remove extraArgs that offload to the CPU",
        signs=r"\bOOMKilled\b|the kernel killed .{0,40} for host memory|\b[Cc]an(?:not|'t) allocate memory"
        r"|\b(?!OutOf)\w*MemoryError\b|low on resource: memory|std::bad_alloc",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="disk_full",
        title="the disk is full",
        remedy="old revisions may fill the node's disk: terminate the node, and its replacement is empty; or set "
        "weights.source: s3",
        signs=r"No space left on device|Errno 28|ephemeral local storage usage exceeds|Disk quota exceeded"
        r"|low on resource: ephemeral-storage|Usage of EmptyDir volume .{0,60} exceeds|Not enough (?:free )?disk space",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="s3_denied",
        title="S3 denies access to the weights",
        remedy="the pod's role may read only its own prefix: check weights.s3Uri and the bucket's policy",
        signs=r"(?i:s3).{0,300}(?:AccessDenied|Access Denied|403 Forbidden|Forbidden)|AccessDenied.{0,300}(?i:s3)"
        r"|\((?:AccessDenied|403)\) when calling the \w+ operation|S3 refuses access",
        explains=FIRST,
        patience_seconds=NEVER,
    ),
    Cause(
        code="aws_credentials",
        title="the pod has no AWS credentials",
        remedy="check that the add-on eks-pod-identity-agent runs on the node, then run pulumi up to restore the "
        "service account's association",
        signs=r"Unable to locate credentials|NoCredentialsError|CredentialRetrievalError|InvalidClientTokenId"
        r"|ExpiredToken"
        r"|the pod has no AWS credentials",
        explains=FIRST,
        patience_seconds=180,
    ),
    Cause(
        code="s3_missing",
        title="there is no such bucket or prefix in S3",
        remedy="correct weights.s3Uri and its region",
        signs=r"NoSuchBucket|NoSuchKey|PermanentRedirect|there is no bucket|\(404\) when calling the HeadObject",
        patience_seconds=NEVER,
    ),
)

END_CAUSES = (
    # This precedes "ranks", because a lost member's line may say that it was killed.
    Cause(
        code="killed",
        title="a process of the engine was killed from outside",
        remedy="the kernel killed it for memory, or someone killed it: check kubectl describe node and the container's "
        "reason",
        signs=r"Worker proc \S+ died unexpectedly(?! \(exit code: 0\))|engine core exited unexpectedly"
        r"|exit code 137\b|exit code: -9\b|a process of the engine was killed from outside",
        explains=OUTER,
        quiet=True,
    ),
    Cause(
        code="ranks",
        title="a pod of the group is lost or cannot be reached",
        remedy="check the first pod of the group that ended or never started (kubectl get pods -o wide), and the "
        "security groups between its nodes",
        signs=r"(?:worker \d+|leader\b.{0,80}) (?:is gone: |ended: |ended$)|DistNetworkError|DistStoreError"
        r"|client socket has timed out|NCCL error|ncclUnhandledCudaError"
        r"|ncclSystemError"
        r"|ncclRemoteError|ncclInternalError|Watchdog caught collective operation timeout|RPC call to \w+ timed out"
        r"|gloo/transport/\S+ .{0,80}(?:Connection|[Tt]imed? ?out|reset|refused)|Connection closed by peer"
        r"|Connection reset by peer|recvValue failed|Broken pipe.{0,80}TCPStore|connectFullMesh failed"
        r"|[Hh]eartbeat monitor timed out|did not connect within [\d.]+ s",
        explains=OUTER,
    ),
    Cause(
        code="stuck",
        title="the engine had requests but generated no tokens",
        remedy="it was restarted; if it happens again, lower maxNumSeqs or use another vLLM version (image and "
        "vllmVersion)",
        signs=r"stuck: \d+ requests .{0,60}no token",
    ),
    Cause(
        code="dead",
        title="the engine is dead",
        remedy="the first error in its log is the cause; if there is none, it was killed from outside",
        signs=r"EngineDeadError|/health says 503|Engine core initialization failed|Engine process failed to start",
        explains=SYMPTOM,
    ),
)

MACHINE_CAUSES = (*NODE_CAUSES, *END_CAUSES)
