"""One served model: its namespace, secrets and Helm release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from components.generated_secret import generated_secret
from components.helm_releases import RELEASE_HISTORY
from components.serving.access_outputs import access_outputs
from components.serving.chart_folder import LocalChart
from components.serving.helm_values import ModelRelease, SecretNames, complete_values
from components.serving.namespaces import model_namespace
from components.weights.model_weights import ModelWeights
from vllm_eks.pods.client_keys import ALLOWED, DENIED, stored_digest
from vllm_eks.specs.secrets import Secrets

PULUMI_MARGIN_SECONDS = 120
"""How much longer Pulumi waits than Helm, whose error message is better."""


@dataclass(frozen=True, kw_only=True)
class ModelServerArgs:
    """The arguments of a ModelServer."""

    release: ModelRelease
    chart: LocalChart
    nodes: Sequence[pulumi.Input[str]]
    """A text per node group that changes whenever its nodes change."""
    secrets: Secrets
    weights: ModelWeights | None = None
    """Weights in S3, or None to download them from the Hugging Face Hub."""
    url: str | None = None
    """The model's address at the load balancer, or None if it answers inside the cluster only."""
    protect: bool = False
    """Whether Pulumi refuses to delete the release, and so to destroy the stack."""


class ModelServer(pulumi.ComponentResource):
    """An OpenAI-compatible endpoint inside the cluster. It is created when the model has answered a request."""

    namespace: pulumi.Output[str]
    """Known after it exists, and before the model answers."""
    endpoint: pulumi.Output[str]
    api_key: pulumi.Output[str]
    """A secret: the key that clients must send."""
    outputs: dict[str, pulumi.Output[str]]
    """The endpoint and how to use it, with the names of stack outputs."""

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ModelServer", name, {}, opts)
        namespace_name = model_namespace(name)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata={
                "name": namespace_name,
                "labels": {
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                    "pod-security.kubernetes.io/audit": "restricted",
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.namespace = namespace.metadata["name"]
        api_key_secret = self._api_keys(name, args, namespace)
        token_secret = None
        # Pods that read from S3 do not need the token.
        if args.secrets.hugging_face_token is not None and args.weights is None:
            token_secret = self._secret(
                f"{name}-hugging-face-token",
                {"token": args.secrets.hugging_face_token},
                namespace,
                pulumi.ResourceOptions(parent=self),
                immutable=True,
            )
        secret_names = SecretNames(api_key=api_key_secret, hugging_face_token=token_secret)
        self._release(name, args, namespace, secret_names)

        self.outputs = access_outputs(
            name,
            namespace=namespace_name,
            port=args.release.port,
            api_key_secret=api_key_secret,
            further_names=args.release.further_names,
            url=args.url,
        )
        self.endpoint = self.outputs["endpoint"]
        self.register_outputs(self.outputs)

    def _api_keys(
        self, name: str, args: ModelServerArgs, namespace: kubernetes.core.v1.Namespace
    ) -> pulumi.Output[str]:
        """Create the Secret with the API keys. It changes in place, and pods read it again.

        Named clients have a digest of their key there, so that a pod holds no key that it could use on other models.
        """
        self.api_key = (
            generated_secret(f"{name}-made-api-key", self) if args.secrets.api_key is None else args.secrets.api_key
        )
        keys = {"apiKey": self.api_key}
        if args.secrets.second_api_key is not None:
            keys["secondApiKey"] = args.secrets.second_api_key
        for named in args.secrets.named_keys:
            entry = (ALLOWED if named.may_use(name) else DENIED) + named.client
            keys[entry] = named.key.apply(lambda key: stored_digest(model_namespace(name), key))
        return self._secret(f"{name}-api-key", keys, namespace, pulumi.ResourceOptions(parent=self), immutable=False)

    def _secret(
        self,
        resource_name: str,
        content: Mapping[str, pulumi.Output[str]],
        namespace: kubernetes.core.v1.Namespace,
        opts: pulumi.ResourceOptions,
        *,
        immutable: bool,
    ) -> pulumi.Output[str]:
        """Create a Secret, and return its name, known after it exists. The SDK also marks its content as secret for
        Pulumi."""
        secret = kubernetes.core.v1.Secret(
            resource_name,
            metadata={"namespace": namespace.metadata["name"]},
            immutable=immutable,
            string_data=content,
            opts=opts,
        )
        return secret.metadata["name"]

    def _release(
        self,
        name: str,
        args: ModelServerArgs,
        namespace: kubernetes.core.v1.Namespace,
        secret_names: SecretNames,
    ) -> None:
        engine_timeout = f"{args.release.timeout_seconds + PULUMI_MARGIN_SECONDS}s"
        kubernetes.helm.v3.Release(
            f"{name}-release",
            name=name,
            namespace=namespace.metadata["name"],
            chart=args.chart.path,
            values=complete_values(
                args.release.values,
                secrets=secret_names,
                weights=args.weights,
                chart_digest=args.chart.digest,
                nodes=args.nodes,
            ),
            timeout=args.release.timeout_seconds,
            max_history=RELEASE_HISTORY,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                # Two releases with the same name cannot exist together.
                delete_before_replace=True,
                # An update uses its own timeout, not the creation's.
                custom_timeouts=pulumi.CustomTimeouts(create=engine_timeout, update=engine_timeout),
            ),
        )
