"""The container images that the stack runs when the stack file names no other."""

DEFAULT_IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v2.3"


DEFAULT_VLLM_VERSION = "0.27.0"
"""The default image and the vLLM inside it: a pair, because the tag names no vLLM version.

The AWS Deep Learning Container on Amazon Linux 2023, the family that AWS keeps patched, with the EFA libraries. Read in
github.com/aws/deep-learning-containers:
- the pair: docs/src/data/vllm-server/0.27.0+amzn2023.4bdc8a78-gpu-ec2.yml, and .github/config/image/vllm/
  ec2-amzn2023.yml at commit 27b0077cb (vllm_ref v0.27.0, CUDA 13.0.2, FlashInfer 0.6.16.post3, dlc_minor_version 3);
- docker/vllm/Dockerfile.amzn2023, last changed before that release in commit 312a8ef536: no USER (root), WORKDIR /,
  Python 3.12 in /opt/venv, first on PATH (`vllm`, and python3 without further setting). ENTRYPOINT
  scripts/docker/vllm/dockerd_entrypoint.sh reports usage to AWS and then starts `vllm serve`; the chart's `command`
  replaces it, so pods report nothing;
- LD_LIBRARY_PATH has /opt/amazon/{ofi-nccl,openmpi,efa}/lib64, /usr/local/cuda/lib64 and /usr/local/nvidia/lib64, and
  not /usr/local/cuda/compat: the cuda-compat libraries in the image stay unused on the driver 580 of the pinned AMI,
  which runs CUDA 13.0 itself. (CUDA error 803 comes from images that put the compat folder first.)
An own image comes with its own `vllmVersion` in the stack file, whatever its tag says."""

READINESS_IMAGE = "public.ecr.aws/docker/library/python:3.12.8-alpine3.21"
"""Runs the hook Job's script, which needs only the standard library."""
