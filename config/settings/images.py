"""The container images of a stack, for those who mirror them or may not reach the internet."""

from typing import Annotated

from pydantic import AfterValidator

from config.settings.base import Settings
from config.values import rules
from vllm_eks.pins.eks import COPY_IMAGE
from vllm_eks.planner.engine.images import DEFAULT_IMAGE, READINESS_IMAGE

Image = Annotated[str, AfterValidator(rules.image)]


class ImagesSettings(Settings):
    """Every image that the stack itself names; images of EKS add-ons come from EKS's own registry in the region."""

    vllm: Image = DEFAULT_IMAGE
    """Of models that name no image of their own."""
    hook: Image = READINESS_IMAGE
    """Runs the hook Job's script: Python 3.11 or later, nothing else."""
    weights_copy: Image = COPY_IMAGE
    """Copies weights to S3: Python 3.11 or later with boto3."""
    leader_worker_set: Image | None = None
    nvidia_device_plugin: Image | None = None
    efa_device_plugin: Image | None = None
    """None: the one that the chart names."""
