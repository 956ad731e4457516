"""The Job that copies a model's weights from the Hugging Face Hub to a bucket, on a system node."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

PERMANENT_FAILURE = 3
"""Exit status of the script when a retry would fail too (vllm_eks/pods/copy_weights.py)."""
PULUMI_MARGIN_SECONDS = 120
"""How much longer Pulumi waits than the Job may take, because the Job's error message is better."""


@dataclass(frozen=True, kw_only=True)
class CopyJobArgs:
    """The arguments of a CopyJob."""

    namespace: str
    service_account: str
    model: str
    revision: str
    bucket: pulumi.Input[str]
    prefix: str
    region: str
    seconds: int
    """The limit for the copy, including all retries. Each retry resumes the copy."""
    hugging_face_token: pulumi.Output[str] | None
    image: str
    """An image with Python and boto3. The Job needs nothing else, and does not use the image's entry point."""
    scripts: Mapping[str, str]
    """File name -> Python source."""


class CopyJob(pulumi.ComponentResource):
    """One Job for each revision, in its own namespace, so that it does not wait for GPU nodes."""

    job: kubernetes.batch.v1.Job

    def __init__(self, name: str, args: CopyJobArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:CopyJob", name, {}, opts)
        self._name, self._args = name, args
        self._child = pulumi.ResourceOptions(parent=self)
        namespace = self._namespace()
        account = kubernetes.core.v1.ServiceAccount(
            f"{name}-account",
            metadata={"name": args.service_account, "namespace": namespace},
            automount_service_account_token=False,
            opts=self._child,
        )
        scripts = kubernetes.core.v1.ConfigMap(
            f"{name}-scripts",
            metadata={"namespace": namespace},
            data=args.scripts,
            immutable=True,
            opts=self._child,
        )
        policy = self._network_policy(namespace)
        seconds = f"{args.seconds + PULUMI_MARGIN_SECONDS}s"
        self.job = kubernetes.batch.v1.Job(
            f"{name}-job",
            metadata={"namespace": namespace, "name": f"weights-{args.revision[:12]}"},
            spec={
                # A retry copies only the files that are still missing.
                "backoff_limit": 4,
                # A permanent error, such as a refused token, ends the Job at once.
                "pod_failure_policy": {
                    "rules": [
                        {
                            "action": "FailJob",
                            "on_exit_codes": {
                                "container_name": "copy",
                                "operator": "In",
                                "values": [PERMANENT_FAILURE],
                            },
                        }
                    ]
                },
                "active_deadline_seconds": args.seconds,
                "template": {
                    "metadata": {"labels": {"app.kubernetes.io/name": "copy-weights"}},
                    "spec": self._pod(scripts.metadata["name"], self._token_secret(namespace)),
                },
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, policy],
                # Jobs are immutable, and the name contains the revision.
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create=seconds, update=seconds),
            ),
        )
        self.register_outputs({})

    def _namespace(self) -> pulumi.Output[str]:
        namespace = kubernetes.core.v1.Namespace(
            f"{self._name}-namespace",
            metadata={
                "name": self._args.namespace,
                "labels": {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")},
            },
            opts=self._child,
        )
        return namespace.metadata["name"]

    def _token_secret(self, namespace: pulumi.Output[str]) -> pulumi.Output[str] | None:
        if self._args.hugging_face_token is None:
            return None
        secret = kubernetes.core.v1.Secret(
            f"{self._name}-hugging-face-token",
            metadata={"namespace": namespace},
            immutable=True,
            string_data={"token": self._args.hugging_face_token},
            opts=self._child,
        )
        return secret.metadata["name"]

    def _network_policy(self, namespace: pulumi.Output[str]) -> kubernetes.networking.v1.NetworkPolicy:
        """Create a NetworkPolicy: nothing comes in, and only DNS, the Hub, S3 and the node's Pod Identity agent are
        reachable."""
        out: list[kubernetes.networking.v1.NetworkPolicyEgressRuleArgsDict] = [
            {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
            {"to": [{"ip_block": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]},
            {"to": [{"ip_block": {"cidr": "169.254.170.23/32"}}], "ports": [{"protocol": "TCP", "port": 80}]},
        ]
        return kubernetes.networking.v1.NetworkPolicy(
            f"{self._name}-policy",
            metadata={"namespace": namespace},
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"], "egress": out},
            opts=self._child,
        )

    def _pod(
        self, scripts: pulumi.Output[str], token_secret: pulumi.Output[str] | None
    ) -> kubernetes.core.v1.PodSpecArgsDict:
        args = self._args
        command: list[pulumi.Input[str]] = [
            *(
                "python3",
                "-u",
                "/scripts/vllm_eks/pods/copy_weights.py",
                "--model",
                args.model,
                "--revision",
                args.revision,
            ),
            *("--bucket", args.bucket, "--prefix", args.prefix),
        ]
        mounts: list[kubernetes.core.v1.VolumeMountArgsDict] = [
            {"name": "scripts", "mount_path": "/scripts/vllm_eks/pods", "read_only": True}
        ]
        volumes: list[kubernetes.core.v1.VolumeArgsDict] = [{"name": "scripts", "config_map": {"name": scripts}}]
        if token_secret is not None:
            command += ["--token-file", "/secrets/hugging-face/token"]
            mounts.append({"name": "token", "mount_path": "/secrets/hugging-face", "read_only": True})
            volumes.append({"name": "token", "secret": {"secret_name": token_secret, "default_mode": 0o440}})
        return {
            "restart_policy": "Never",
            "service_account_name": args.service_account,
            "automount_service_account_token": False,
            "enable_service_links": False,
            # Without tolerations it runs on the system nodes, because GPU nodes are tainted. It does not need to wait
            # for them.
            "security_context": {
                "run_as_non_root": True,
                "run_as_user": 65534,
                "run_as_group": 65534,
                "fs_group": 65534,
                "seccomp_profile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "copy",
                    "image": args.image,
                    "command": command,
                    "env": [{"name": "AWS_REGION", "value": args.region}, {"name": "HOME", "value": "/nowhere"}],
                    "termination_message_policy": "FallbackToLogsOnError",
                    "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
                    "security_context": {
                        "allow_privilege_escalation": False,
                        "read_only_root_filesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volume_mounts": mounts,
                }
            ],
            "volumes": volumes,
        }
