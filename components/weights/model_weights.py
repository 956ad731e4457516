"""The weights of one model in S3: read access, and the copy from the Hugging Face Hub."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.cluster.cni_role import pod_identity_trust
from components.iam.iam_roles import make_role
from components.serving.namespaces import model_namespace
from components.weights.copy_job import CopyJob, CopyJobArgs
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.pods import PODS
from vllm_eks.specs.stack import StackSpec
from vllm_eks.specs.weights import WeightsSpec

READ_ACTIONS = ("s3:GetObject",)
WRITE_ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
SCRIPTS = ("checked_file.py", "copy_weights.py", "hub_files.py", "s3_files.py")
"""The files of `vllm_eks.pods` that the copy Job runs."""


@dataclass(frozen=True, kw_only=True)
class ServiceAccount:
    """A service account whose pods get AWS credentials."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ModelWeightsArgs:
    """The arguments of ModelWeights."""

    stack: StackSpec
    weights: WeightsSpec
    bucket: pulumi.Output[str] | None
    """The stack's own bucket, which weights are copied to."""
    cluster_name: pulumi.Input[str]
    hugging_face_token: pulumi.Output[str] | None = None
    copy_image: str


class ModelWeights(pulumi.ComponentResource):
    """Weights that vLLM streams from S3."""

    uri: pulumi.Output[str]
    """s3://bucket/prefix, known after all files exist and can be read."""
    region: str

    def __init__(self, name: str, args: ModelWeightsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ModelWeights", name, {}, opts)
        self._name, self._args = name, args
        spec = args.weights
        if spec.s3_uri:
            bucket, _, prefix = spec.s3_uri.removeprefix("s3://").partition("/")
            where = pulumi.Output.from_input(bucket)
            whole: Sequence[pulumi.Resource] = ()
        else:
            if args.bucket is None or spec.revision is None:
                raise ValueError(f"{name}: copying weights needs a revision and a bucket")
            where, prefix = args.bucket, f"{spec.model}/{spec.revision}"
            whole = (self._copy(where, prefix, spec.revision),)
        # The chart names the service account of a model's pods after the release, which has the model's name.
        reader = ServiceAccount(namespace=model_namespace(name), name=name)
        reads = self._association(f"{name}-read", reader, where, prefix, READ_ACTIONS)
        self.uri = pulumi.Output.all(where, reads.id, *[one.urn for one in whole]).apply(
            lambda values: f"s3://{values[0]}/{prefix}"
        )
        self.region = args.stack.region
        self.register_outputs({"uri": self.uri})

    def _copy(self, bucket: pulumi.Output[str], prefix: str, revision: str) -> pulumi.Resource:
        """Create the Job that copies one commit next to earlier ones. It ends when all files are copied."""
        name, args = self._name, self._args
        namespace = f"vllm-{name}-weights"
        # The manifest is outside of the prefix, because vLLM reads every file below the prefix.
        writer = ServiceAccount(namespace=namespace, name="copy-weights")
        writes = self._association(f"{name}-write", writer, bucket, prefix, WRITE_ACTIONS)
        return CopyJob(
            f"{name}-copy",
            CopyJobArgs(
                namespace=writer.namespace,
                service_account=writer.name,
                model=args.weights.model,
                revision=revision,
                bucket=bucket,
                prefix=prefix,
                region=args.stack.region,
                seconds=args.weights.copy_seconds,
                hugging_face_token=args.hugging_face_token,
                image=args.copy_image,
                scripts={name: (PODS / name).read_text() for name in SCRIPTS},
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[writes]),
        ).job

    def _association(
        self,
        name: str,
        who: ServiceAccount,
        bucket: pulumi.Output[str],
        prefix: str,
        actions: Sequence[str],
    ) -> aws.eks.PodIdentityAssociation:
        """Allow one service account these actions, and nothing else, below one prefix of one bucket."""
        args, child = self._args, pulumi.ResourceOptions(parent=self)
        role = make_role(
            f"{name}-role", trust=pod_identity_trust(), iam=args.stack.iam, tags=args.stack.tags, opts=child
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=pulumi.Output.json_dumps(
                bucket_policy(
                    aws_partition(args.stack.region), bucket, prefix, actions, lists_uploads="Put" in str(actions)
                )
            ),
            opts=child,
        )
        return aws.eks.PodIdentityAssociation(
            f"{name}-association",
            cluster_name=args.cluster_name,
            namespace=who.namespace,
            service_account=who.name,
            role_arn=role.arn,
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )


def bucket_policy(
    partition: str, bucket: pulumi.Output[str], prefix: str, actions: Sequence[str], *, lists_uploads: bool
) -> dict[str, object]:
    """Return the policy for objects below a prefix, and for listing them."""
    bucket_arn = pulumi.Output.concat(f"arn:{partition}:s3:::", bucket)
    places = [pulumi.Output.concat(bucket_arn, f"/{prefix}/*")]
    uploads: list[dict[str, object]] = []
    if lists_uploads:
        places.append(pulumi.Output.concat(bucket_arn, "/manifests/*"))
        # The service does not support a condition on the prefix for this action.
        uploads = [{"Effect": "Allow", "Action": ["s3:ListBucketMultipartUploads"], "Resource": bucket_arn}]
    objects = {"Effect": "Allow", "Action": list(actions), "Resource": places}
    lists = {
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": bucket_arn,
        "Condition": {"StringLike": {"s3:prefix": [prefix, f"{prefix}/*"]}},
    }
    return {"Version": "2012-10-17", "Statement": [objects, lists, *uploads]}


def s3_weights(name: str, args: ModelWeightsArgs, opts: pulumi.ResourceOptions) -> ModelWeights | None:
    """Return a model's weights in S3, or None if its pods download them from the Hub."""
    return ModelWeights(name, args, opts) if args.weights.from_s3 else None
