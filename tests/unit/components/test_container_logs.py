"""The log group, and the role and values of Fluent Bit. tests/e2e runs the configuration in a real Fluent Bit."""

import json
import re

import pytest

from components.logs.container_logs import ContainerLogs, ContainerLogsArgs
from components.logs.fluent_bit import FILTERS, MAX_RELEASE_NAME, PARSERS, SERVICE, release_name
from components.observability.names import object_name
from vllm_eks.pins.charts import ControllerCharts, ControllerImages
from vllm_eks.specs.controllers import ControllersSpec
from vllm_eks.specs.logs import LogsSpec, log_group_of, stream_of
from vllm_eks.specs.stack import StackSpec

RELEASE, GROUP = "kubernetes:helm.sh/v3:Release", "aws:cloudwatch/logGroup:LogGroup"
BY_OTHERS = ControllerCharts(fluent_bit=None)


def build(
    *, charts: ControllerCharts | None = None, image: str | None = None, keep_logs: bool = False
) -> ContainerLogs:
    return ContainerLogs(
        "dev-logs",
        ContainerLogsArgs(
            stack=StackSpec(name="vllm-eks-dev", region="us-west-2", tags={"team": "serving"}),
            logs=LogsSpec(retention_days=90, models=["scout", "qwen3-8b"], keep=keep_logs),
            cluster_name="vllm-dev",
            controllers=ControllersSpec(charts=charts or ControllerCharts(), images=ControllerImages(fluent_bit=image)),
        ),
    )


def test_the_group_has_retention_and_tags_and_goes_with_the_stack(engine) -> None:
    engine.run(build)

    group = engine.only(GROUP)
    assert group.inputs == {"name": "/aws/eks/vllm-eks-dev/models", "retentionInDays": 90, "tags": {"team": "serving"}}
    assert not group.request.retainOnDelete


def test_kept_logs_outlive_the_stack(engine) -> None:
    engine.run(lambda: build(keep_logs=True))

    assert engine.only(GROUP).request.retainOnDelete


def test_the_role_writes_to_this_group_only(engine) -> None:
    engine.run(build)

    policy = json.loads(engine.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    group_arn = "arn:aws:offline:::dev-logs-group"
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": f"{group_arn}:*"}
    ]
    association = engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs == {
        "clusterName": "vllm-dev",
        "namespace": "kube-system",
        "serviceAccount": "fluent-bit-vllm-eks-dev",
        "roleArn": "arn:aws:offline:::dev-logs-role",
        "tags": {"team": "serving"},
    }


def test_the_release_starts_after_its_role_and_is_deleted_before_it(engine) -> None:
    engine.run(build)

    release = engine.only(RELEASE)
    assert "dev-logs-association" in release.depends_on
    assert "dev-logs-policy" in engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation").depends_on
    assert release.request.deleteBeforeReplace
    assert (release.inputs["name"], release.inputs["namespace"], release.inputs["version"]) == (
        *("fluent-bit-vllm-eks-dev", "kube-system", "0.58.1"),
    )


def test_the_pods_run_on_gpu_nodes_without_access_to_the_kubernetes_api(engine) -> None:
    engine.run(build)

    values = engine.only(RELEASE).inputs["values"]
    assert values["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert values["rbac"] == {"create": False}
    assert values["serviceAccount"] == {"name": "fluent-bit-vllm-eks-dev", "automountServiceAccountToken": False}
    # Only the folder with the positions is writable, so a full disk cannot come from buffers.
    assert values["securityContext"]["readOnlyRootFilesystem"] is True
    assert [one.get("readOnly", False) for one in values["daemonSetVolumeMounts"]] == [True, False]
    assert "storage.type" not in json.dumps(values["config"])


def test_only_the_stack_s_pods_are_read_and_only_its_group_is_written(engine) -> None:
    engine.run(build)

    config = engine.only(RELEASE).inputs["values"]["config"]
    assert re.findall(r"Path +(\S+)\n", config["inputs"]) == [
        "/var/log/pods/vllm-scout_*/*/*.log,/var/log/pods/vllm-scout-weights_*/*/*.log",
        "/var/log/pods/vllm-qwen3-8b_*/*/*.log,/var/log/pods/vllm-qwen3-8b-weights_*/*/*.log",
        "/var/log/pods/lws-system_*/*/*.log",
    ]
    assert config["inputs"].count("Mem_Buf_Limit     16MB") == 3
    assert len(set(re.findall(r"DB +(\S+)\n", config["inputs"]))) == 3
    assert "region             us-west-2\n" in config["outputs"]
    assert "log_group_name     /aws/eks/vllm-eks-dev/models\n" in config["outputs"]
    assert "auto_create_group  Off\n" in config["outputs"]
    # The chart renders these texts as templates.
    assert not [text for text in config.values() if "{{" in text]
    assert (config["service"], config["filters"], config["customParsers"]) == (SERVICE, FILTERS, PARSERS.lstrip())


def test_a_controller_of_others_is_not_read(engine) -> None:
    engine.run(lambda: build(charts=ControllerCharts(leader_worker_set=None)))

    assert "lws-system" not in engine.only(RELEASE).inputs["values"]["config"]["inputs"]


def test_where_another_agent_writes_there_is_only_the_group(engine) -> None:
    engine.run(lambda: build(charts=BY_OTHERS))

    assert engine.children()["dev-logs"] == {"LogGroup dev-logs-group"}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (None, None),
        ("registry.example.com/fluent-bit:5.1.1", {"repository": "registry.example.com/fluent-bit", "tag": "5.1.1"}),
    ],
)
def test_a_mirrored_image_replaces_the_chart_s(engine, image: str | None, expected: object) -> None:
    engine.run(lambda: build(image=image))

    assert engine.only(RELEASE).inputs["values"].get("image") == expected


def test_names_are_valid_for_cloudwatch() -> None:
    # The pattern and length of a stream, from the service's model.
    stream = stream_of("vllm-" + "m" * 40, "m" * 40 + "-123-45", "vllm")
    assert re.fullmatch(r"[^:*]{1,512}", stream)
    assert re.fullmatch(r"[A-Za-z0-9._/#-]{1,512}", log_group_of("A_b-" + "c" * 90))


def test_two_stacks_of_one_cluster_never_have_the_same_release_or_object() -> None:
    long = "vllm-eks-" + "serving-" * 6
    stacks = ["vllm-eks-dev", "vllm-eks-Dev", "vllm-eks-de_v", "vllm-eks-de-v", f"{long}a", f"{long}b"]
    for name in (release_name, object_name):
        names = [name(stack) for stack in stacks]
        assert len(set(names)) == len(stacks)
        assert all(re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", one) for one in names)
    assert all(len(release_name(stack)) <= MAX_RELEASE_NAME for stack in stacks)
    assert release_name(f"{long}a") == "fluent-bit-vllm-eks-serving-serving-serving-d81bb602"
