"""The `vllm-eks` command. Exit status: 0 it fits, 3 it does not, 2 the question itself is wrong."""

import os
import sys
from pathlib import Path

import click

from vllm_eks.aws.regions import known_region
from vllm_eks.cli.plan import Question, run_plan
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner import bounds
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import REFERENCE_REGION

WRONG_QUESTION = 2
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True}
AT_LEAST_1 = click.IntRange(1)
TOKENS = click.IntRange(1, bounds.MOST_TOKENS)
FOLDER = click.Path(path_type=Path)

stack_folder = click.option(
    "--folder",
    type=FOLDER,
    default=Path(),
    show_default=False,
    help="The folder that holds Pulumi.yaml. Default: here.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


@click.group(
    context_settings=HELP,
    epilog="""\b
Exit status: 0 it fits, 3 it does not, 2 the question is wrong.
Completion of commands and options, for bash (zsh_source, fish_source):
  eval "$(_VLLM_EKS_COMPLETE=bash_source vllm-eks)"
""",
)
@click.version_option(package_name="vllm-eks", message="%(prog)s %(version)s")
def app() -> None:
    """Plan how a model is split over GPUs, and show what `pulumi up` would build."""


@app.command(
    short_help="Does a model fit, on what, at what price?",
    epilog="""\b
Examples:
  vllm-eks plan Qwen/Qwen3-32B
  vllm-eks plan Qwen/Qwen3-32B --instance-type g6e.12xlarge --json
  vllm-eks plan ./folder-with-config-json --max-model-len 32768
Exit status: 0 it fits, 3 it does not, 2 the question is wrong.
""",
)
@click.argument("model", help="The id of a locked model, or a folder with a config.json.")
@click.option("--instance-type", metavar="TYPE", help="One EC2 type. Without it all types are compared.")
@click.option("--instance-file", type=FOLDER, metavar="FILE", help="JSON file of a type the catalogue lacks.")
@click.option(
    "--tensor-parallel-size",
    type=click.IntRange(1, bounds.MOST_GPUS_PER_NODE),
    metavar="N",
    help="GPUs of one node that share each layer (TP).",
)
@click.option(
    "--pipeline-parallel-size",
    type=click.IntRange(1, bounds.MOST_STAGES),
    metavar="N",
    help="Stages of layers, one a node (PP).",
)
@click.option(
    "--max-model-len", type=TOKENS, metavar="N", help="Tokens of context. Default: the model's limit, at most 8192."
)
@click.option("--gpu-memory-utilization", type=float, metavar="PART", help="Part of a GPU's memory that vLLM may use.")
@click.option(
    "--max-num-seqs",
    type=click.IntRange(1, bounds.MOST_SEQUENCES),
    metavar="N",
    help="Requests that one step may hold.",
)
@click.option("--max-num-batched-tokens", type=TOKENS, metavar="N", help="Tokens that one step may hold.")
@click.option("--kv-cache-dtype", metavar="TYPE", default="auto", help="Type of the KV cache's values, such as fp8.")
@click.option("--enforce-eager", is_flag=True, help="Plan without CUDA graphs.")
@click.option("--enable-expert-parallel", is_flag=True, help="Keep each expert whole on one GPU.")
@click.option(
    "--decode-context-parallel-size", type=AT_LEAST_1, metavar="N", default=1, help="GPUs that share the KV cache."
)
@click.option(
    "--vllm-version", metavar="VERSION", default=DEFAULT_VLLM_VERSION, help="The version whose memory use is planned."
)
@click.option(
    "--replicas",
    type=click.IntRange(1, bounds.MOST_REPLICAS),
    metavar="N",
    default=1,
    help="Whole copies of the model.",
)
@click.option("--assume-dense", is_flag=True, help="Estimate an unknown architecture as a plain dense decoder.")
@click.option(
    "--region", metavar="REGION", default=REFERENCE_REGION, help="The region whose zones and prices are shown."
)
@as_json
def plan(
    model: str,
    instance_type: str | None,
    instance_file: Path | None,
    tensor_parallel_size: int | None,
    pipeline_parallel_size: int | None,
    max_model_len: int | None,
    gpu_memory_utilization: float | None,
    max_num_seqs: int | None,
    max_num_batched_tokens: int | None,
    kv_cache_dtype: str,
    enforce_eager: bool,
    enable_expert_parallel: bool,
    decode_context_parallel_size: int,
    vllm_version: str,
    replicas: int,
    assume_dense: bool,
    region: str,
    as_json: bool,
) -> None:
    """Say whether a MODEL fits an instance type, how it is split, and what it costs."""
    options = ServingOptions(
        tensor_parallel_size=tensor_parallel_size,
        pipeline_parallel_size=pipeline_parallel_size,
        max_model_len=max_model_len,
        gpu_memory_utilization=gpu_memory_utilization,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        kv_cache_dtype=kv_cache_dtype,
        enforce_eager=enforce_eager,
        enable_expert_parallel=enable_expert_parallel,
        decode_context_parallel_size=decode_context_parallel_size,
        vllm_version=vllm_version,
        replicas=replicas,
    )
    question = Question(
        model=model,
        instance_type=instance_type,
        instance_file=instance_file,
        assume_dense=assume_dense,
        region=_region(region),
        options=options,
    )
    _exit(run_plan(question, as_json=as_json))


@app.command(
    short_help="What would pulumi up build? May I run it?",
    epilog="""\b
Examples:
  vllm-eks preview
  vllm-eks preview --stack prod --resources
The first line answers: may I run pulumi up? Exit status:
  0  the stack fits, and no check refuses it; warnings, and questions that
     only your account can answer, do not change that
  3  a check refuses it, such as a model that does not fit
  2  the stack file is wrong
""",
)
@click.option("--stack", metavar="STACK", default="dev", help="The stack whose Pulumi.<stack>.yaml is shown.")
@stack_folder
@click.option("--resources", is_flag=True, help="List every resource as well.")
@click.option("--values", is_flag=True, help="Print the Helm values as well.")
@as_json
def preview(stack: str, folder: Path, resources: bool, values: bool, as_json: bool) -> None:
    """Show what `pulumi up` would build, without an AWS account, a cluster or the Pulumi CLI."""
    from vllm_eks.cli.preview import Wanted, run_preview

    _exit(run_preview(folder, stack, Wanted(resources=resources, values=values, as_json=as_json)))


@app.command(
    short_help="What does AWS still hold of a stack?",
    epilog="Exit status: 0 nothing is left, 1 something may be left, 2 the question is wrong.",
)
@click.option(
    "--stack", metavar="STACK", required=True, help="The stack that was destroyed; its Pulumi.<stack>.yaml is read."
)
@stack_folder
@as_json
def leftovers(stack: str, folder: Path, as_json: bool) -> None:
    """List what AWS still holds of a destroyed stack. It only reads."""
    # Imported here: boto3 takes half a second to load, and `plan` must answer at once.
    from vllm_eks.cli.leftovers import run_leftovers

    _exit(run_leftovers(folder, stack, json_wanted=as_json))


@app.command(
    short_help="Which versions are pinned, and which does AWS offer?",
    epilog="Exit status: 0 all pins are the newest, 1 one is not or could not be asked, 2 the question is wrong.",
)
@click.option("--stack", metavar="STACK", default="dev", help="The stack whose Pulumi.<stack>.yaml is read.")
@stack_folder
@click.option(
    "--kubernetes-version",
    metavar="VERSION",
    help="The minor version the set is for, such as 1.36. Default: the stack's.",
)
@click.option("--write", is_flag=True, help="Write what is offered into the stack file.")
@as_json
def pins(stack: str, folder: Path, kubernetes_version: str | None, write: bool, as_json: bool) -> None:
    """Show what is pinned and what AWS offers; --write moves the pins."""
    # Imported here: boto3 takes half a second to load, and `plan` must answer at once.
    from vllm_eks.cli.pins import run_pins

    _exit(run_pins(folder, stack, kubernetes_version=kubernetes_version, write=write, json_wanted=as_json))


@app.command(
    short_help="Why does a model not serve?",
    epilog="Exit status: 0 all models serve, 1 one does not or could not be asked, 2 the question is wrong.",
)
@click.option("--stack", metavar="STACK", required=True, help="The stack whose models are looked at.")
@stack_folder
@click.option("--kubeconfig", metavar="FILE", type=FOLDER, help="Of the stack's cluster. Default: kubectl's own.")
@click.option("--context", metavar="NAME", help="In the kubeconfig. Default: the current one.")
@as_json
def doctor(stack: str, folder: Path, kubeconfig: Path | None, context: str | None, as_json: bool) -> None:
    """Say why a model does not serve, and what to do. It only reads."""
    # Imported here: the kubernetes client takes a second to load, and `plan` must answer at once.
    from vllm_eks.cli.doctor import run_doctor

    _exit(run_doctor(folder, stack, kubeconfig=kubeconfig, context=context, json_wanted=as_json))


@app.command(
    short_help="Add a model from the Hugging Face Hub.", epilog="\b\nExample:\n  vllm-eks lock Qwen/Qwen3-32B\n"
)
@click.argument("model", help="A model id of the Hugging Face Hub: ORGANIZATION/NAME.")
@click.option("--revision", metavar="REVISION", help="Branch, tag or commit. Default: main.")
def lock(model: str, revision: str | None) -> None:
    """Write a MODEL's facts into vllm_eks/data/models: config, bytes by part, commit. Reads headers, never weights."""
    # Imported here: huggingface_hub takes a second to load, and `plan` must answer at once.
    from vllm_eks.cli.lock import run_lock

    run_lock(model, revision)


@app.group(short_help="Bring instance types and prices up to date.")
def catalog() -> None:
    """Keep the catalogue of GPU instance types up to date."""


@catalog.command(
    short_help="Ask AWS for types, zones and prices.",
    epilog="\b\nExample:\n  vllm-eks catalog refresh --region eu-central-1\n",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    default=("us-west-2",),
    help="Whose types and zones are asked; may be repeated.",
)
@click.option("--price-region", metavar="REGION", help="Whose on-demand prices are asked. Default: the first --region.")
def refresh(regions: tuple[str, ...], price_region: str | None) -> None:
    """Rebuild the catalogue from AWS's answers. Usable GPU memory that was measured stays."""
    # Imported here: boto3 takes half a second to load, and `plan` must answer at once.
    from vllm_eks.cli.catalog import run_refresh

    run_refresh(list(regions), price_region or regions[0])


def _exit(status: int) -> None:
    click.get_current_context().exit(status)


def _region(name: str) -> str:
    try:
        return known_region(name)
    except ValueError as error:
        raise WrongQuestion(f"--region: {error}") from None


def main() -> None:
    """Run the command; a wrong question becomes one line on standard error."""
    try:
        try:
            app(prog_name="vllm-eks")
        finally:
            sys.stdout.flush()
    except WrongQuestion as error:
        print(f"vllm-eks: {error}", file=sys.stderr)
        sys.exit(WRONG_QUESTION)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # A full disk behind standard output; what is left in its buffer would fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"vllm-eks: {error.filename or 'standard output'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
