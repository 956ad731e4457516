"""One model being served: its namespace, its secrets, and its Helm release."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

ENGINE_MARGIN_SECONDS = 120
"""How much longer Pulumi waits than Helm, whose message says more."""


@dataclass(frozen=True, kw_only=True)
class ModelServerArgs:
    """What a ModelServer needs."""

    namespace: str
    chart: str
    """The path of charts/vllm, as `chart_path` gives it."""
    chart_digest: str
    values: Mapping[str, Any]
    """The chart's values, worked out from the plan; names of Secrets and `recheck` are added here."""
    node_group_ids: Sequence[pulumi.Input[str]]
    launch_template_versions: Sequence[pulumi.Input[str]]
    """Of its GPU nodes, a group a zone."""
    hugging_face_token: pulumi.Output[str] | None = None
    api_key: pulumi.Output[str] | None = None
    """What clients must show; None has one made."""
    timeout_seconds: int
    """How long Helm waits for the model to answer."""


class ModelServer(pulumi.ComponentResource):
    """An OpenAI-compatible endpoint inside the cluster. It is up once the model has answered."""

    endpoint: pulumi.Output[str]
    port_forward_command: pulumi.Output[str]
    read_api_key_command: pulumi.Output[str]
    outputs: dict[str, pulumi.Output[str]]
    """All three, in a stack output's spelling."""

    def __init__(self, name: str, args: ModelServerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ModelServer", name, {}, opts)
        namespace = kubernetes.core.v1.Namespace(
            f"{name}-namespace",
            metadata={
                "name": args.namespace,
                "labels": {
                    "pod-security.kubernetes.io/enforce": "restricted",
                    "pod-security.kubernetes.io/warn": "restricted",
                    "pod-security.kubernetes.io/audit": "restricted",
                },
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        api_key_secret = self._api_key(name, args.api_key, namespace)
        given_secrets = {"apiKey": api_key_secret, "huggingFaceToken": None}
        if args.hugging_face_token is not None:
            given_secrets["huggingFaceToken"] = self._secret(
                f"{name}-hugging-face-token",
                {"token": args.hugging_face_token},
                namespace,
                pulumi.ResourceOptions(parent=self),
            )
        self._release(name, args, namespace, given_secrets)

        service, port = f"{name}-api", args.values["port"]
        self.endpoint = pulumi.Output.from_input(f"http://{service}.{args.namespace}.svc.cluster.local:{port}/v1")
        self.port_forward_command = pulumi.Output.from_input(
            f"kubectl --namespace {args.namespace} port-forward service/{service} {port}:{port}"
        )
        self.read_api_key_command = pulumi.Output.concat(
            f"kubectl --namespace {args.namespace} get secret ",
            api_key_secret,
            " --output go-template='{{.data.apiKey | base64decode}}'",
        )
        self.outputs = {
            "endpoint": self.endpoint,
            "portForward": self.port_forward_command,
            "readApiKey": self.read_api_key_command,
        }
        self.register_outputs(self.outputs)

    def _api_key(
        self, name: str, api_key: pulumi.Output[str] | None, namespace: kubernetes.core.v1.Namespace
    ) -> pulumi.Output[str]:
        if api_key is not None:
            opts = pulumi.ResourceOptions(parent=self)
        else:
            # Each run of the program makes another key. Only the first one counts: a later one would lock out every
            # client, so the engine is told to keep what the state has.
            api_key = pulumi.Output.secret(secrets.token_urlsafe(32))
            opts = pulumi.ResourceOptions(parent=self, ignore_changes=["stringData"])
        return self._secret(f"{name}-api-key", {"apiKey": api_key}, namespace, opts)

    def _secret(
        self,
        resource_name: str,
        content: Mapping[str, pulumi.Output[str]],
        namespace: kubernetes.core.v1.Namespace,
        opts: pulumi.ResourceOptions,
    ) -> pulumi.Output[str]:
        """Make a Secret (the SDK marks its content as one for Pulumi too); return its name, known once it exists."""
        secret = kubernetes.core.v1.Secret(
            resource_name,
            metadata={"namespace": namespace.metadata["name"]},
            immutable=True,
            string_data=content,
            opts=opts,
        )
        return secret.metadata["name"]

    def _release(
        self,
        name: str,
        args: ModelServerArgs,
        namespace: kubernetes.core.v1.Namespace,
        given_secrets: Mapping[str, pulumi.Output[str] | None],
    ) -> None:
        # A change of any of these has the model asked again, without restarting it.
        recheck = {
            "chartDigest": args.chart_digest,
            "nodeGroupId": pulumi.Output.all(*args.node_group_ids).apply(",".join),
            "launchTemplateVersion": pulumi.Output.all(*args.launch_template_versions).apply(",".join),
        }
        engine_timeout = f"{args.timeout_seconds + ENGINE_MARGIN_SECONDS}s"
        kubernetes.helm.v3.Release(
            f"{name}-release",
            name=name,
            namespace=namespace.metadata["name"],
            chart=args.chart,
            values={**args.values, "secrets": given_secrets, "recheck": recheck},
            timeout=args.timeout_seconds,
            opts=pulumi.ResourceOptions(
                parent=self,
                # Two releases of one name cannot stand side by side.
                delete_before_replace=True,
                # An update waits by its own limit, not by the creation's.
                custom_timeouts=pulumi.CustomTimeouts(create=engine_timeout, update=engine_timeout),
            ),
        )
