"""Checks of metrics: room on the system nodes, and an existing workspace."""

from checks.asking import Question, ask, error_code
from checks.site import Site
from vllm_eks.check import Check
from vllm_eks.specs.observability import ManagedPrometheus

LEAST_VCPUS, LEAST_MIB = 2, 8192
"""Of a system node, so that one alone holds all pods when the other is away: requests of 1.3 CPU and 4.1 GiB, and 0.2
CPU and 0.2 GiB of DaemonSets (tests/unit/components/test_monitoring_charts.py). The kubelet and the kernel take 1.3 GiB
of 8."""


def room_check(instance_type: str, site: Site) -> Check:
    """Return the check that system nodes have room for Prometheus.

    Args:
        instance_type: The type of the system nodes.
        site: The account and region.
    """
    question = Question(
        subject=f"{instance_type} has room for Prometheus",
        actions="ec2:DescribeInstanceTypes",
        command=f"aws ec2 describe-instance-types --instance-types {instance_type} --region {site.region}",
    )
    answer = ask(
        question,
        lambda: site.api.pages("ec2", "describe_instance_types", "InstanceTypes", InstanceTypes=[instance_type]),
    )
    if isinstance(answer, Check):
        return answer
    if not answer:
        return Check(subject=question.subject, status="unknown", text=f"EC2 does not know it: {question.command}")
    vcpus, mib = answer[0]["VCpuInfo"]["DefaultVCpus"], answer[0]["MemoryInfo"]["SizeInMiB"]
    has = f"{vcpus} vCPUs and {mib / 1024:.0f} GiB"
    if vcpus >= LEAST_VCPUS and mib >= LEAST_MIB:
        return Check(subject=question.subject, status="passed", text=f"it has {has}")
    return Check(
        subject="cluster.systemInstanceType",
        status="failed",
        text=f"{instance_type} has {has}, too little for the pods of observability.prometheus: set a type with at "
        f"least {LEAST_VCPUS} vCPUs and {LEAST_MIB // 1024} GiB, such as m7i.large",
    )


def workspace_check(spec: ManagedPrometheus, site: Site) -> Check | None:
    """Return the check that an existing workspace is there and active, or None if the stack creates its own."""
    if spec.workspace_arn is None:
        return None
    key, workspace = "observability.workspaceArn", spec.workspace_arn.rpartition("/")[2]
    question = Question(
        subject=f"workspace {workspace} is active",
        actions="aps:DescribeWorkspace",
        command=f"aws amp describe-workspace --workspace-id {workspace} --region {site.region}",
    )
    answer = ask(question, lambda: _state(workspace, site))
    if isinstance(answer, Check):
        return answer
    arn, state = answer
    if arn is None:
        return Check(subject=key, status="failed", text=f"{workspace} does not exist in {site.region}: correct the ARN")
    if arn != spec.workspace_arn:
        text = f"{workspace} of this account is {arn}: use this ARN, or an account that has the other"
        return Check(subject=key, status="failed", text=text)
    if state != "ACTIVE":
        return Check(subject=key, status="failed", text=f"{workspace} is {state}, not ACTIVE: wait, or use another one")
    return Check(subject=question.subject, status="passed", text="confirmed by Amazon Managed Service for Prometheus")


def _state(workspace: str, site: Site) -> tuple[str | None, str]:
    """Return the workspace's ARN and status. The ARN is None if there is no such workspace."""
    try:
        found = site.api.answer("amp", "describe_workspace", workspaceId=workspace)["workspace"]
    except Exception as error:  # boto3's error types are not imported here
        if error_code(error) == "ResourceNotFoundException":
            return None, ""
        raise
    return found["arn"], found["status"]["statusCode"]
