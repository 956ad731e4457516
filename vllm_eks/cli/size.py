"""`vllm-eks size`: which machines serve a load within a service level."""

from pathlib import Path

import click

from vllm_eks.cli.options import PATH, as_json, exit_with, stack_folder
from vllm_eks.cli.size_answer import run_size
from vllm_eks.cli.size_question import SizeOptions
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.planner.load.workloads import WORKLOADS


@click.command(
    "size",
    epilog="""\b
Examples:
  vllm-eks size Qwen/Qwen3-8B --requests-per-second 4 --workload chat
  vllm-eks size Qwen/Qwen3-8B --concurrent-users 200 --think-time 20s \\
      --workload chat --ttft 1s@p90 --itl 40ms@p50
  vllm-eks size Qwen/Qwen3-8B --requests-per-second 2 \\
      --input mean:3000 --output mean:300 --shared-prefix 1500
Exit status: 0 machines meet the service level, 3 none do, 2 invalid input.
""",
)
@click.argument("model", help="The ID of a locked model, or a folder with a config.json.")
@click.option("--requests-per-second", metavar="RATE", help="Requests arrive at this mean rate.")
@click.option("--concurrent-users", metavar="NUMBER", help="Users who each send one request after the other.")
@click.option("--think-time", metavar="TIME", help="Mean time between an answer and a user's next request: 20s.")
@click.option("--input", metavar="TOKENS", help="Tokens of each prompt, or mean:TOKENS if they vary.")
@click.option("--output", metavar="TOKENS", help="Tokens of each answer, or mean:TOKENS if they vary.")
@click.option(
    "--workload",
    metavar="NAME",
    help=f"Typical lengths instead of --input and --output: {', '.join(WORKLOADS)}.",
)
@click.option(
    "--dataset", type=PATH, metavar="FILE", help='Lengths from a file with one {"input": 900, "output": 200} a line.'
)
@click.option("--shared-prefix", metavar="TOKENS", help="Tokens at the start of all prompts.")
@click.option("--ttft", metavar="LIMIT", help="Limit of the time to first token: 1s@p90.")
@click.option("--itl", metavar="LIMIT", help="Limit of the time between two tokens of a request: 40ms@p50.")
@click.option("--e2e", metavar="LIMIT", help="Limit of the time of a whole request: 20s@p99.")
@click.option("--headroom", metavar="PERCENT", default="0%", help="Load that must fit in addition: 20%.")
@click.option("--family", metavar="FAMILY", help="Only instance types of a family: g6e.")
@click.option("--spot", is_flag=True, help="Use spot capacity. Prices are on demand: spot is lower and varies.")
@click.option("--region", metavar="REGION", default=REFERENCE_REGION, help="The region of the prices.")
@click.option("--max-nodes", metavar="N", help="Maximum number of nodes of all replicas.")
@click.option("--vllm-version", metavar="VERSION", default=DEFAULT_VLLM_VERSION, help="The vLLM version to plan for.")
@click.option("--plot", type=PATH, metavar="FILE", help="Also write latency against load as an SVG file.")
@click.option("--write", metavar="STACK", help="Also write the machines and the load to Pulumi.<stack>.yaml.")
@stack_folder
@as_json
def command(
    model: str,
    requests_per_second: str | None,
    concurrent_users: str | None,
    think_time: str | None,
    input: str | None,
    output: str | None,
    workload: str | None,
    dataset: Path | None,
    shared_prefix: str | None,
    ttft: str | None,
    itl: str | None,
    e2e: str | None,
    headroom: str,
    family: str | None,
    spot: bool,
    region: str,
    max_nodes: str | None,
    vllm_version: str,
    plot: Path | None,
    write: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Print which machines serve a load on a MODEL within a service level."""
    words = TrafficWords(
        requests_per_second=requests_per_second,
        concurrent_users=concurrent_users,
        think_time=think_time,
        input=input,
        output=output,
        workload=workload,
        dataset=dataset,
        shared_prefix=shared_prefix,
        ttft=ttft,
        itl=itl,
        e2e=e2e,
    )
    given = SizeOptions(
        model=model,
        words=words,
        headroom=headroom,
        family=family,
        region=region,
        max_nodes=max_nodes,
        vllm_version=vllm_version,
        spot=spot,
        as_json=as_json,
        plot=plot,
        write=write,
        folder=folder,
    )
    exit_with(run_size(given))
