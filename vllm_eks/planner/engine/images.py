"""The default container images of a stack."""

DEFAULT_IMAGE = "public.ecr.aws/deep-learning-containers/vllm:server-cuda-v2.3"


DEFAULT_VLLM_VERSION = "0.27.0"
"""The vLLM version in the default image. Change both together, because the tag does not name the vLLM version.

The image is the AWS Deep Learning Container on Amazon Linux 2023, which AWS keeps patched, with the EFA libraries.
Sources in github.com/aws/deep-learning-containers:
- the pair: docs/src/data/vllm-server/0.27.0+amzn2023.4bdc8a78-gpu-ec2.yml, and .github/config/image/vllm/
  ec2-amzn2023.yml at commit 27b0077cb (vllm_ref v0.27.0, CUDA 13.0.2, FlashInfer 0.6.16.post3, dlc_minor_version 3);
- docker/vllm/Dockerfile.amzn2023, last changed before that release in commit 312a8ef536: no USER (root), WORKDIR /,
  Python 3.12 in /opt/venv, first on PATH (`vllm` and python3). ENTRYPOINT
  scripts/docker/vllm/dockerd_entrypoint.sh reports usage to AWS and then starts `vllm serve`. The chart's `command`
  replaces it, so pods report nothing;
- LD_LIBRARY_PATH has /opt/amazon/{ofi-nccl,openmpi,efa}/lib64, /usr/local/cuda/lib64 and /usr/local/nvidia/lib64, but
  not /usr/local/cuda/compat. The cuda-compat libraries in the image stay unused, because driver 580 of the pinned AMI
  supports CUDA 13.0. (Images that put the compat folder first cause CUDA error 803.)
A custom image needs its own `vllmVersion` in the stack file, whatever its tag."""

READINESS_IMAGE = "public.ecr.aws/docker/library/python:3.12.8-alpine3.21"
"""The image of the hook Job, whose script needs only the standard library."""
