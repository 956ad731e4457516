"""The container images of a stack, for mirrors and clusters without internet access."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import Image, InSchema, Settings, absent
from config.values import monitoring_rules
from vllm_eks.pins.charts import ControllerImages, MonitoringImages
from vllm_eks.pins.eks import COPY_IMAGE
from vllm_eks.planner.engine.images import DEFAULT_IMAGE, DEFAULT_VLLM_VERSION, READINESS_IMAGE

CHARTS_OWN = absent("the chart's default image")


class ImagesSettings(Settings):
    """Every image that the stack sets. EKS add-ons use EKS's own registry in the region."""

    vllm: Image = Field(
        default=DEFAULT_IMAGE,
        description=(
            "The image of models without `image`: a mirror of the default image, with the same vLLM "
            f"{DEFAULT_VLLM_VERSION}."
        ),
        examples=["registry.example.com/vllm:server-cuda-v2.3"],
    )
    hook: Image = Field(
        default=READINESS_IMAGE,
        description="The image of the hook Job that waits until a model answers. It needs only Python 3.11 or later.",
        examples=["registry.example.com/python:3.12.8"],
    )
    weights_copy: Image = Field(
        default=COPY_IMAGE,
        description="The image of the Job that copies weights to S3. It needs Python 3.11 or later with boto3.",
        examples=["registry.example.com/lambda-python:3.13"],
    )
    leader_worker_set: Image | None = Field(
        default=None,
        description="The image of the LeaderWorkerSet controller.",
        examples=["registry.example.com/lws:v0.7.0"],
        json_schema_extra=CHARTS_OWN,
    )
    nvidia_device_plugin: Image | None = Field(
        default=None,
        description="The image of the NVIDIA device plugin.",
        examples=["registry.example.com/k8s-device-plugin:v0.18.0"],
        json_schema_extra=CHARTS_OWN,
    )
    efa_device_plugin: Image | None = Field(
        default=None,
        description="The image of the EFA device plugin.",
        examples=["registry.example.com/aws-efa-k8s-device-plugin:v0.5.7"],
        json_schema_extra=CHARTS_OWN,
    )
    aws_load_balancer_controller: Image | None = Field(
        default=None,
        description="The image of the AWS Load Balancer Controller.",
        examples=["registry.example.com/aws-load-balancer-controller:v3.5.0"],
        json_schema_extra=CHARTS_OWN,
    )

    fluent_bit: Image | None = Field(
        default=None,
        description="The image of Fluent Bit, for `observability.logs`.",
        examples=["registry.example.com/fluent-bit:5.1.1"],
        json_schema_extra=CHARTS_OWN,
    )
    dcgm_exporter: Image | None = Field(
        default=None,
        description="The image of the exporter of GPU metrics.",
        examples=["registry.example.com/dcgm-exporter:4.5.3-4.8.2-distroless"],
        json_schema_extra=CHARTS_OWN,
    )
    monitoring_registry: (
        Annotated[
            str, AfterValidator(monitoring_rules.image_registry), InSchema(pattern=monitoring_rules.IMAGE_REGISTRY)
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "A mirror with the images of the other charts for metrics, with the same repositories and tags as in "
            "docker.io, quay.io and registry.k8s.io."
        ),
        examples=["registry.example.com/mirror"],
        json_schema_extra=absent("the charts' own registries"),
    )

    @property
    def controller_images(self) -> ControllerImages:
        """The images of the third-party charts."""
        return ControllerImages(
            nvidia_device_plugin=self.nvidia_device_plugin,
            leader_worker_set=self.leader_worker_set,
            efa_device_plugin=self.efa_device_plugin,
            fluent_bit=self.fluent_bit,
            aws_load_balancer_controller=self.aws_load_balancer_controller,
        )

    @property
    def monitoring_images(self) -> MonitoringImages:
        """The images of the charts for metrics."""
        return MonitoringImages(registry=self.monitoring_registry, dcgm_exporter=self.dcgm_exporter)
