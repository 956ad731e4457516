"""`vllm-eks doctor`: shows why a model does not serve, and a fix. Read-only."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from vllm_eks.cli.options import PATH, as_json, exit_with, stack_folder
from vllm_eks.cli.views.doctor import show_findings
from vllm_eks.cli.views.screen import console
from vllm_eks.doctor.diagnosis import diagnose
from vllm_eks.doctor.facts import ExistingPrometheusFacts, Facts, KeptLog, ServedModel
from vllm_eks.doctor.lost_pods import leaders_of, lost_pods
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object
from vllm_eks.specs.logs import STREAM_PREFIX, log_group_of
from vllm_eks.stack_files.read import StackFile, StackFileError, read_stack_file

ALL_WELL, NOT_ALL_WELL = 0, 1
PORT = 8000
SECONDS_BETWEEN_LOOKS = 5.0


@click.command(
    "doctor",
    epilog="Exit status: 0 all models serve, 1 a model does not serve or could not be read, 2 the command or a file "
    "is invalid.",
)
@click.option("--stack", metavar="STACK", required=True, help="The stack to diagnose.")
@stack_folder
@click.option(
    "--kubeconfig", metavar="FILE", type=PATH, help="The kubeconfig of the stack's cluster. Default: kubectl's own."
)
@click.option("--context", metavar="NAME", help="The context in the kubeconfig. Default: the current one.")
@as_json
def command(stack: str, folder: Path, kubeconfig: Path | None, context: str | None, as_json: bool) -> None:
    """Show why a model does not serve, and a fix. Read-only."""
    exit_with(run_doctor(folder, stack, kubeconfig=kubeconfig, context=context, json_wanted=as_json))


def run_doctor(
    folder: Path,
    stack: str,
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    json_wanted: bool = False,
    seconds: float = SECONDS_BETWEEN_LOOKS,
) -> int:
    """Print the problems of a stack's models. Return 0 if there are none, or 1 if there are some or some facts are
    unknown.

    Raises:
        WrongQuestion: The stack does not exist, or its file has no model.
    """
    try:
        file = read_stack_file(folder, stack)
    except StackFileError as error:
        raise WrongQuestion(str(error)) from None
    names = list(file.section("models"))
    if not names:
        raise WrongQuestion(f"Pulumi.{stack}.yaml has no models")
    findings = diagnose(gather(file, names, kubeconfig=kubeconfig, context=context, seconds=seconds))
    if json_wanted:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        show_findings(findings, console())
    return NOT_ALL_WELL if any(finding.severity != "ok" for finding in findings) else ALL_WELL


def gather(file: StackFile, names: list[str], *, kubeconfig: Path | None, context: str | None, seconds: float) -> Facts:
    """Query Kubernetes and AWS. A failed query is unknown, and does not stop the others."""
    unknown: list[tuple[str, str]] = []
    models, nodes, prometheus = _in_cluster(file, names, kubeconfig, context, seconds, unknown)
    groups = _node_groups(file, names, unknown)
    now = time.time()
    logs = _kept_logs(file, names, models, now, unknown)
    return Facts(
        models=models,
        nodes=nodes,
        node_groups=groups,
        kept_logs=logs,
        existing_prometheus=prometheus,
        unknown=unknown,
        now=now,
    )


def _in_cluster(
    file: StackFile,
    names: list[str],
    kubeconfig: Path | None,
    context: str | None,
    seconds: float,
    unknown: list[tuple[str, str]],
) -> tuple[list[ServedModel], list[Any], ExistingPrometheusFacts | None]:
    """Return the models, their nodes, and what the cluster has of an existing Prometheus.

    The first failed query of the models ends it, because the next would wait as long.
    """
    from vllm_eks.doctor.api import KubernetesApi, UnreadableAnswerError
    from vllm_eks.doctor.cluster import read_model, read_nodes
    from vllm_eks.doctor.existing_prometheus import read_existing_prometheus

    models: list[ServedModel] = []
    nodes: list[Any] = []
    subject = "the Kubernetes API"
    try:
        cluster = KubernetesApi(kubeconfig, context)
        models += [read_model(cluster, name, port=PORT, seconds=seconds) for name in names]
        subject = "the nodes in Kubernetes"
        nodes += read_nodes(cluster, names)
        subject = "the existing Prometheus"
        observability = file.section("observability")
        if observability.get("prometheus") == "existing":
            return models, nodes, read_existing_prometheus(cluster, observability)
    except UnreadableAnswerError as error:
        unknown.append((subject, str(error)))
    return models, nodes, None


def _kept_logs(
    file: StackFile, names: list[str], models: list[ServedModel], now: float, unknown: list[tuple[str, str]]
) -> list[KeptLog]:
    """Return the last lines of lost pods, if the stack keeps its logs. Without an answer from Kubernetes, all models'
    leaders count as lost."""
    if not file.section("observability").get("logs"):
        return []
    from vllm_eks.aws.account import Account, deployer_of
    from vllm_eks.doctor.kept_logs import read_kept_logs

    lost = [pod for model in models for pod in lost_pods(model)] if models else leaders_of(names)
    if not lost:
        return []
    stack, region = f"{file.project}-{file.stack}", file.config.get("aws:region")
    try:
        account = Account(deployer_of(file.config, f"Pulumi.{file.stack}.yaml"))
        return read_kept_logs(account, stack, lost, now)
    except WrongQuestion as error:
        by_hand = f"aws logs tail {log_group_of(stack)} --log-stream-name-prefix {STREAM_PREFIX}{lost[0].namespace}/"
        unknown.append(("the logs in CloudWatch", f"{error} By hand: {by_hand} --since 1h --region {region}"))
        return []


def _node_groups(file: StackFile, names: list[str], unknown: list[tuple[str, str]]) -> list[Any]:
    from vllm_eks.aws.account import Account, deployer_of
    from vllm_eks.doctor.nodes import read_node_groups

    try:
        account = Account(deployer_of(file.config, f"Pulumi.{file.stack}.yaml"))
        existing = file.section("cluster").get("existing")
        name = existing.get("name") if is_object(existing) else existing
        return read_node_groups(account, str(name or f"{file.project}-{file.stack}"), names)
    except WrongQuestion as error:
        unknown.append(("the node groups", str(error)))
        return []
