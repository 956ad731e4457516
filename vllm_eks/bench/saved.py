"""The file of one benchmark: what was measured, on what, with which load."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from vllm_eks.bench.load import Load
from vllm_eks.bench.measured import Measured, measured_of
from vllm_eks.bench.target import Target
from vllm_eks.errors import WrongQuestion
from vllm_eks.json_fields import Fields, WrongField
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.search.plan import Plan

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A model on machines. A measurement says nothing about another one."""

    model: str
    """The model's Hub id."""
    instance_type: str
    tensor_parallel_size: int
    pipeline_parallel_size: int
    vllm_version: str

    @property
    def text(self) -> str:
        """The setup as text."""
        sizes = f"TP={self.tensor_parallel_size} PP={self.pipeline_parallel_size}"
        return f"{self.model} on {self.instance_type}, {sizes}, vLLM {self.vllm_version}"


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One benchmark with its result."""

    stack: str
    name: str
    """Of the model in the stack file."""
    setup: Setup
    replicas: int
    """That served during the benchmark."""
    beside_the_model: bool
    """Whether the client ran on the model's own nodes."""
    load: Load
    measured: Measured
    result: dict[str, object]
    """The JSON of `vllm bench serve`."""


def setup_of(plan: Plan) -> Setup:
    """Return the setup of a plan.

    Raises:
        WrongQuestion: The plan has no parallel sizes, because the model does not fit.
    """
    if plan.sizes is None:
        raise WrongQuestion(f"{plan.model.id} does not fit on {plan.instance.type}: see vllm-eks preview")
    return Setup(
        model=plan.model.id,
        instance_type=plan.instance.type,
        tensor_parallel_size=plan.sizes.tensor_parallel_size,
        pipeline_parallel_size=plan.sizes.pipeline_parallel_size,
        vllm_version=".".join(map(str, plan.options.version)),
    )


def require_deployed(plan: Plan, target: Target, stack: str) -> None:
    """Refuse to compare a plan with an endpoint that runs something else.

    Raises:
        WrongQuestion: The endpoint has another instance type or other sizes than the stack file.
    """
    setup = setup_of(plan)
    planned = {
        "--tensor-parallel-size": setup.tensor_parallel_size,
        "--pipeline-parallel-size": setup.pipeline_parallel_size,
        "--max-model-len": plan.options.max_model_len,
        "--max-num-seqs": plan.options.max_num_seqs,
    }
    pairs: list[tuple[str, str | int, str | int]] = [("instanceType", target.instance_type, plan.instance.type)]
    pairs += [(flag, running, planned[flag]) for flag, running in target.sizes.items()]
    for what, running, wanted in pairs:
        if running != wanted:
            raise WrongQuestion(
                f"{target.name} runs with {what} {running}, and Pulumi.{stack}.yaml gives {wanted}: run pulumi up, "
                f"then measure"
            )


def write_benchmark(path: Path, benchmark: Benchmark) -> None:
    """Write a benchmark to a file.

    Raises:
        OSError: The file cannot be written.
    """
    saved = {
        "format": FORMAT,
        "stack": benchmark.stack,
        "name": benchmark.name,
        "setup": asdict(benchmark.setup),
        "replicas": benchmark.replicas,
        "beside_the_model": benchmark.beside_the_model,
        "load": asdict(benchmark.load),
        "result": benchmark.result,
    }
    path.write_text(json.dumps(saved, indent=2) + "\n")


def read_benchmark(path: Path) -> Benchmark:
    """Read the file of a benchmark.

    Raises:
        WrongQuestion: It cannot be read, or `vllm-eks bench` has not written it.
    """
    try:
        return _benchmark(path)
    except WrongField as error:
        raise WrongQuestion(f"{error}: use a file that vllm-eks bench wrote") from None


def _benchmark(path: Path) -> Benchmark:
    fields = Fields(read_json_object(path), where=str(path))
    if fields.required("format", int) != FORMAT:
        raise WrongQuestion(f"{path}: another version of vllm-eks wrote it: measure again")
    result = fields.json_object("result")
    benchmark = Benchmark(
        stack=fields.required("stack", str),
        name=fields.required("name", str),
        setup=_setup(fields.json_object("setup"), f"{path}: setup"),
        replicas=fields.required("replicas", int),
        beside_the_model=fields.required("beside_the_model", bool),
        load=_load(fields.json_object("load"), f"{path}: load"),
        measured=measured_of(result, where=f"{path}: result"),
        result=result,
    )
    fields.end()
    return benchmark


def _setup(row: dict[str, object], where: str) -> Setup:
    fields = Fields(row, where=where)
    setup = Setup(
        model=fields.required("model", str),
        instance_type=fields.required("instance_type", str),
        tensor_parallel_size=fields.required("tensor_parallel_size", int),
        pipeline_parallel_size=fields.required("pipeline_parallel_size", int),
        vllm_version=fields.required("vllm_version", str),
    )
    fields.end()
    return setup


def _load(row: dict[str, object], where: str) -> Load:
    fields = Fields(row, where=where)
    load = Load(
        requests_per_second=fields.nullable("requests_per_second", float),
        concurrent_users=fields.nullable("concurrent_users", int),
        input_tokens=fields.required("input_tokens", int),
        output_tokens=fields.required("output_tokens", int),
        input_varies=fields.required("input_varies", bool),
        output_varies=fields.required("output_varies", bool),
        shared_prefix_tokens=fields.required("shared_prefix_tokens", int),
        requests=fields.required("requests", int),
        seed=fields.required("seed", int),
    )
    fields.end()
    if (load.requests_per_second is None) == (load.concurrent_users is None):
        raise WrongField(f"{where}: requests_per_second or concurrent_users must be null, and not both")
    return load
