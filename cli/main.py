"""The `vllm-eks` command. Exit status: 0 it fits, 3 it does not, 2 the question itself is wrong."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.plan_command import Question, run_plan
from planner.faults import WrongQuestion
from planner.options import ServingOptions
from planner.versions import DEFAULT_VLLM_VERSION

app = typer.Typer(
    help="Plan how a model is split over GPUs, and show what `pulumi up` would build.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

WRONG_QUESTION = 2


@app.command()
def plan(
    model: Annotated[str, typer.Argument(help="A locked model id, or a folder with a config.json.")],
    instance_type: Annotated[str | None, typer.Option(help="One EC2 type; without it all are compared.")] = None,
    instance_file: Annotated[Path | None, typer.Option(help="JSON file of a type the catalogue lacks.")] = None,
    tensor_parallel_size: Annotated[int | None, typer.Option(min=1)] = None,
    pipeline_parallel_size: Annotated[int | None, typer.Option(min=1)] = None,
    max_model_len: Annotated[int | None, typer.Option(min=1, help="Default: the model's limit, at most 8192.")] = None,
    gpu_memory_utilization: Annotated[float | None, typer.Option()] = None,
    max_num_seqs: Annotated[int | None, typer.Option(min=1)] = None,
    max_num_batched_tokens: Annotated[int | None, typer.Option(min=1)] = None,
    kv_cache_dtype: Annotated[str, typer.Option()] = "auto",
    enforce_eager: Annotated[bool, typer.Option("--enforce-eager")] = False,
    enable_expert_parallel: Annotated[bool, typer.Option("--enable-expert-parallel")] = False,
    decode_context_parallel_size: Annotated[int, typer.Option(min=1)] = 1,
    vllm_version: Annotated[str, typer.Option()] = DEFAULT_VLLM_VERSION,
    replicas: Annotated[int, typer.Option(min=1)] = 1,
    assume_dense: Annotated[
        bool, typer.Option("--assume-dense", help="Estimate an unknown architecture as a plain dense decoder.")
    ] = False,
    region: Annotated[str, typer.Option(help="Whose zones are shown.")] = "us-west-2",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say whether a model fits an instance type, how it is split, and what it costs."""
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
        region=region,
        options=options,
    )
    raise typer.Exit(run_plan(question, as_json=as_json))


@app.command()
def preview(
    stack: Annotated[str, typer.Option(help="The stack whose Pulumi.<stack>.yaml is shown.")] = "dev",
    folder: Annotated[Path, typer.Option(help="The folder that holds Pulumi.yaml.")] = Path(),
) -> None:
    """Show what `pulumi up` would build, without an AWS account, a cluster or the Pulumi CLI."""
    # Imported here: Pulumi's SDK takes seconds to load, and `plan` must answer at once.
    from cli.preview_command import run_preview

    raise typer.Exit(run_preview(folder, stack))


@app.command()
def leftovers(
    stack: Annotated[str, typer.Option(help="The stack that was destroyed; its Pulumi.<stack>.yaml is read.")],
    folder: Annotated[Path, typer.Option(help="The folder that holds Pulumi.yaml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List what AWS still holds of a destroyed stack; it only reads. Status 0: nothing, 1: something may be left."""
    # Imported here: boto3 takes half a second to load, and `plan` must answer at once.
    from cli.leftovers.command import run_leftovers

    raise typer.Exit(run_leftovers(folder, stack, json_wanted=as_json))


@app.command()
def pins(
    stack: Annotated[str, typer.Option(help="The stack whose Pulumi.<stack>.yaml is read.")] = "dev",
    folder: Annotated[Path, typer.Option(help="The folder that holds Pulumi.yaml.")] = Path(),
    kubernetes_version: Annotated[
        str | None, typer.Option(help="The minor version that the set is for, such as 1.36. Default: the stack's.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write what is offered into the stack file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is pinned and what AWS offers; `--write` moves the pins. Status 0: all newest, 1: not, or unknown."""
    # Imported here: boto3 takes half a second to load, and `plan` must answer at once.
    from cli.pins.command import run_pins

    status = run_pins(folder, stack, kubernetes_version=kubernetes_version, write=write, json_wanted=as_json)
    raise typer.Exit(status)


@app.command()
def doctor(
    stack: Annotated[str, typer.Option(help="The stack whose models are looked at.")],
    folder: Annotated[Path, typer.Option(help="The folder that holds Pulumi.yaml.")] = Path(),
    kubeconfig: Annotated[Path | None, typer.Option(help="Of the stack's cluster. Default: kubectl's own.")] = None,
    context: Annotated[str | None, typer.Option(help="In the kubeconfig. Default: the current one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Say why a model does not serve, and what to do; it only reads. Status 0: all well, 1: not."""
    # Imported here: the kubernetes client takes a second to load, and `plan` must answer at once.
    from cli.doctor.command import run_doctor

    raise typer.Exit(run_doctor(folder, stack, kubeconfig=kubeconfig, context=context, json_wanted=as_json))


@app.command()
def lock(
    model: Annotated[str, typer.Argument(help="A model id of the Hugging Face Hub: <organization>/<name>.")],
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit. Default: main.")] = None,
) -> None:
    """Write a model's facts into planner/data/models: config, bytes by part, commit. Reads headers, never weights."""
    # Imported here: huggingface_hub takes a second to load, and `plan` must answer at once.
    from cli.lock_command import run_lock

    run_lock(model, revision)


catalog = typer.Typer(help="Keep the catalogue of GPU instance types up to date.", no_args_is_help=True)
app.add_typer(catalog, name="catalog")


@catalog.command()
def refresh(
    region: Annotated[
        list[str] | None, typer.Option(help="Whose types and zones are asked; may be given again. Default: us-west-2.")
    ] = None,
    price_region: Annotated[str, typer.Option(help="Whose on-demand prices are asked.")] = "us-east-1",
) -> None:
    """Rebuild the catalogue from AWS's answers; usable GPU memory that was measured stays."""
    # Imported here: boto3 takes half a second to load, and `plan` must answer at once.
    from cli.catalog_command import run_refresh

    run_refresh(region or ["us-west-2"], price_region)


def main() -> None:
    """Run the command; a wrong question becomes one line on standard error."""
    try:
        app()
    except WrongQuestion as error:
        print(f"vllm-eks: {error}", file=sys.stderr)
        sys.exit(WRONG_QUESTION)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
