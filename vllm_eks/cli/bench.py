"""`vllm-eks bench`: measures the endpoint of a stack with `vllm bench serve`, beside what the planner predicts."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vllm_eks.bench.load import load_of, require_sendable
from vllm_eks.bench.stack_traffic import traffic_of
from vllm_eks.bench.stop_signal import stopped_by_sigterm
from vllm_eks.cli.options import PATH, as_json, exit_with, stack_folder
from vllm_eks.cli.views.screen import console
from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.stack_files.read import StackFile, read_stack_file

if TYPE_CHECKING:
    from vllm_eks.planner.search.gpu_nodes import GpuNodes

MEASURED, NOT_MEASURED = 0, 1


@dataclass(frozen=True, kw_only=True)
class Access:
    """The cluster, and where the result goes."""

    kubeconfig: Path | None = None
    context: str | None = None
    save: Path | None = None


@click.command(
    "bench",
    epilog="""\b
Examples:
  vllm-eks bench --stack prod
  vllm-eks bench --stack prod --concurrent-users 32 --input 1024 --output 256
  vllm-eks bench --stack prod --requests-per-second 4 --input 512 --output 256
  vllm-eks bench --stack prod --calibrate bench-prod-scout-20261126-2123.json
Without options for the load, it is the model's `traffic` in the stack file.
The benchmark sends real requests to the endpoint, which slow other clients.
Exit status:
  0  the endpoint was measured, or the stack file has the new factor
  1  there is no result
  2  the command or a file is invalid
""",
)
@click.option("--stack", metavar="STACK", required=True, help="The deployed stack.")
@stack_folder
@click.option("--model", metavar="NAME", help="The model's name in the stack file. Default: the only one.")
@click.option("--requests-per-second", metavar="RATE", help="Requests arrive at this mean rate.")
@click.option("--concurrent-users", metavar="NUMBER", help="Users who each send one request after the other.")
@click.option("--input", metavar="TOKENS", help="Tokens of each prompt, or mean:TOKENS if they vary.")
@click.option("--output", metavar="TOKENS", help="Tokens of each answer, or mean:TOKENS if they vary.")
@click.option("--shared-prefix", metavar="TOKENS", help="Tokens at the start of all prompts.")
@click.option("--requests", metavar="NUMBER", type=int, help="Requests to send. Default: about two minutes of them.")
@click.option(
    "--save", metavar="FILE", type=PATH, help="Where the result is saved. Default: bench-STACK-MODEL-DATE.json."
)
@click.option("--calibrate", metavar="FILE", type=PATH, help="Correct the stack's predictions with a saved result.")
@click.option(
    "--kubeconfig", metavar="FILE", type=PATH, help="The kubeconfig of the stack's cluster. Default: kubectl's own."
)
@click.option("--context", metavar="NAME", help="The context in the kubeconfig. Default: the current one.")
@as_json
def command(
    stack: str,
    folder: Path,
    model: str | None,
    requests_per_second: str | None,
    concurrent_users: str | None,
    input: str | None,
    output: str | None,
    shared_prefix: str | None,
    requests: int | None,
    save: Path | None,
    calibrate: Path | None,
    kubeconfig: Path | None,
    context: str | None,
    as_json: bool,
) -> None:
    """Measure the endpoint of a stack, beside what the planner predicts."""
    given = TrafficWords(
        requests_per_second=requests_per_second,
        concurrent_users=concurrent_users,
        input=input,
        output=output,
        shared_prefix=shared_prefix,
    )
    if calibrate is not None:
        if given != TrafficWords() or requests is not None or save is not None:
            raise WrongQuestion(
                "--calibrate reads a saved result and sends nothing: use it without options of the load"
            )
        exit_with(run_calibration(folder, stack, model, calibrate, json_wanted=as_json))
    access = Access(kubeconfig=kubeconfig, context=context, save=save)
    exit_with(run_bench(folder, stack, model, given, access, requests=requests, json_wanted=as_json))


def run_bench(
    folder: Path,
    stack: str,
    model: str | None,
    given: TrafficWords,
    access: Access,
    *,
    requests: int | None = None,
    json_wanted: bool = False,
) -> int:
    """Measure the endpoint of one model. Return 0, or 1 if there is no result.

    Raises:
        WrongQuestion: The stack or the load is invalid, or the endpoint is not the one of the stack file.
    """
    _require_writable(access.save or Path("bench.json"))
    file = _checked_file(folder, stack)
    name = chosen(file.section("models"), model, file.stack)
    traffic = traffic_of(given, file, name, folder)
    # A new seed each time, or the prompts of the last run would be in the prefix cache.
    load = load_of(traffic, requests=requests, seed=int(time.time()))
    plan = _plans(folder, file)[name].plan
    require_sendable(load, max_model_len=plan.options.max_model_len, model=name)
    from vllm_eks.bench.measure import measure
    from vllm_eks.bench.prediction import predict, predict_percentiles
    from vllm_eks.bench.run import BenchmarkError
    from vllm_eks.bench.saved import write_benchmark
    from vllm_eks.bench.writing_api import WritingApi
    from vllm_eks.cli.views.bench import benchmark_json, show_benchmark
    from vllm_eks.doctor.api import UnreadableAnswerError

    try:
        with stopped_by_sigterm():
            cluster = WritingApi(access.kubeconfig, access.context)
            benchmark = measure(cluster, plan, load, stack=file.stack, name=name, say=_say)
    except (BenchmarkError, UnreadableAnswerError) as error:
        print(f"vllm-eks: {error}", file=sys.stderr)
        return NOT_MEASURED
    date = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    saved = access.save or Path(f"bench-{file.stack}-{name}-{date}.json")
    write_benchmark(saved, benchmark)
    predicted = predict(plan, load, replicas=benchmark.replicas)
    percentiles = predict_percentiles(plan, load, replicas=benchmark.replicas)
    if json_wanted:
        print(json.dumps(benchmark_json(benchmark, predicted, percentiles, saved), indent=2))
    else:
        show_benchmark(benchmark, predicted, percentiles, saved, console())
    return MEASURED


def _require_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before the benchmark takes its minutes.

    Raises:
        WrongQuestion: Its folder does not exist or is read-only, or it is a folder.
    """
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise WrongQuestion(f"the result cannot be saved in {path}: use --save with a file in a writable folder")


def _checked_file(folder: Path, stack: str) -> StackFile:
    """Return the stack file.

    Raises:
        WrongQuestion: It is invalid, or there is no program.
    """
    from vllm_eks.program import check_stack_file

    file = read_stack_file(folder, stack).for_offline_preview()
    check_stack_file(folder, file)
    return file


def _plans(folder: Path, file: StackFile) -> Mapping[str, "GpuNodes"]:
    """Return the plan of each model from a run of the program.

    Raises:
        WrongQuestion: A model does not fit.
    """
    from vllm_eks.cli.preview import recorded_program

    recording = recorded_program(folder, file)
    if recording.refusal:
        raise WrongQuestion(str(recording.refusal))
    return recording.fleet


def chosen(models: Mapping[str, object], model: str | None, stack: str) -> str:
    """Return the name of the model to measure.

    Raises:
        WrongQuestion: There is none with that name, or there are several and none is named.
    """
    if model is None and len(models) == 1:
        return next(iter(models))
    names = ", ".join(models)
    if model is None:
        raise WrongQuestion(
            f"Pulumi.{stack}.yaml has {len(models)} models: use --model with one of {names}"
            if models
            else f"Pulumi.{stack}.yaml has no models"
        )
    if model not in models:
        raise WrongQuestion(
            f"Pulumi.{stack}.yaml has no model {model}, only {names}{did_you_mean(nearest_names(model, models))}"
        )
    return model


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run_calibration(folder: Path, stack: str, model: str | None, path: Path, *, json_wanted: bool = False) -> int:
    """Write the factor of a saved benchmark to the stack file. Return 0.

    Raises:
        WrongQuestion: The benchmark is not one of this stack's model, or cannot correct its prediction.
    """
    from vllm_eks.bench.calibration import KEY, calibrate
    from vllm_eks.bench.saved import read_benchmark
    from vllm_eks.cli.views.bench import calibration_json, show_calibration
    from vllm_eks.stack_files.edited import write_values

    file = _checked_file(folder, stack)
    benchmark = read_benchmark(path)
    name = chosen(file.section("models"), model or benchmark.name, file.stack)
    found = calibrate(_plans(folder, file)[name].plan, benchmark, where=str(path))
    write_values(folder, stack, {f"models.{name}.{KEY}": found.factor}, read_stack_file(folder, stack))
    if json_wanted:
        print(json.dumps(calibration_json(found, name), indent=2))
    else:
        show_calibration(found, benchmark, name, console())
    return MEASURED
