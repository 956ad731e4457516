"""The bill of a stack, by part, from what the program registered."""

from rich.console import Console

from cli.recording import Recording
from cli.screen import table
from planner.cost import (
    HOURS_PER_MONTH,
    CostPart,
    Infrastructure,
    copy_nat_usd,
    cost_parts,
    list_prices,
    s3_usd_per_month,
    saved_usd_per_hour,
    start_gb,
    start_nat_usd,
    total_usd,
)
from planner.gpu_nodes import GpuNodes
from planner.plan import Plan
from planner.startup import HUGGING_FACE, S3

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
COUNTED = {
    "control_planes": "eks:index:Cluster",
    "nat_gateways": "aws:ec2/natGateway:NatGateway",
    "public_addresses": "aws:ec2/eip:Eip",
    "kms_keys": "aws:kms/key:Key",
}


def infrastructure(recording: Recording) -> Infrastructure:
    """Count what is billed beside the GPU nodes."""
    volumes = {one.name: _root_gib(one.inputs) for one in recording.of_type("aws:ec2/launchTemplate:LaunchTemplate")}
    system, gib, system_type = 0, 0, Infrastructure.system_instance_type
    for group in recording.of_type(NODE_GROUP):
        nodes = group.inputs["scalingConfig"]["desiredSize"]
        template = str(group.inputs["launchTemplate"]["id"]).removesuffix("-id")
        gib += nodes * volumes[template]
        if "vllm-eks/model" not in (group.inputs.get("labels") or {}):
            system += nodes
            system_type = group.inputs["instanceTypes"][0]
    counted = {name: len(recording.of_type(type_)) for name, type_ in COUNTED.items()}
    return Infrastructure(**counted, system_nodes=system, system_instance_type=system_type, root_volumes_gib=gib)


def _root_gib(template: object) -> int:
    (root,) = template["blockDeviceMappings"]  # type: ignore[index]  (an input of the provider, a plain dict)
    return root["ebs"]["volumeSize"]


STEPS_OF = {HUGGING_FACE: "from the Hub", S3: "streamed from S3"}


def sum_of_steps(plan: Plan) -> float:
    """Return the seconds of the plan's own way, margin aside."""
    return sum(plan.startup.steps_seconds.values())


def show_costs(recording: Recording, out: Console) -> None:
    """Print the bill by part, its sum, what is billed by use, and what parking saves."""
    parts = cost_parts(recording.fleet, infrastructure(recording))
    made = table(out, "USD/h", "USD/month", "part", "what", "price of", right=frozenset({"USD/h", "USD/month"}))
    for part in parts:
        made.add_row(*_figures(part), part.part, part.what, part.price_of)
    whole = CostPart(part="together", what="", usd_per_hour=total_usd(parts), price_of=f"{HOURS_PER_MONTH} h a month")
    made.add_row(*_figures(whole), whole.part, whole.what, whole.price_of)
    out.print(made)
    for name, nodes in recording.fleet.items():
        for line in _weights_lines(name, nodes):
            out.print(line, markup=False)
        if nodes.parked:
            out.print(_saving(name, saved_usd_per_hour(nodes)), markup=False)
    out.print("by use, so not in the sum: logs, traffic between zones and out. The S3 endpoint is free.", markup=False)


def _weights_lines(name: str, nodes: GpuNodes) -> list[str]:
    """Return what both ways of getting the weights cost, the stack's own way first."""
    plan = nodes.plan
    nat, s3 = list_prices()["nat_gateway_gb"], list_prices()["s3_gb_month"]
    hub = (
        f"from the Hub, each start on fresh nodes: {start_gb(plan):,.0f} GB of weights, ${start_nat_usd(plan):,.2f} "
        f"through NAT (${nat.usd} a GB, us-east-1, {nat.date}); nothing on nodes that have them"
    )
    bucket = (
        f"from S3: ${copy_nat_usd(plan):,.2f} through NAT once, ${s3_usd_per_month(plan):,.2f} a month "
        f"(${s3.usd} a GB, us-east-1, {s3.date}, {s3.source}), then nothing a start"
    )
    seconds = {**plan.startup.other_ways_seconds, STEPS_OF[plan.options.weights_source]: sum_of_steps(plan)}
    ways = [
        (HUGGING_FACE, f"{hub}; {seconds['from the Hub']:,.0f} s to the first token"),
        (S3, f"{bucket}; {seconds['streamed from S3']:,.0f} s"),
    ]
    ways.sort(key=lambda way: way[0] != plan.options.weights_source)
    return [f"weights of {name} {text}" for _, text in ways]


def _figures(part: CostPart) -> tuple[str, str]:
    if part.usd_per_hour is None or part.usd_per_month is None:
        return "unknown", "unknown"
    return f"{part.usd_per_hour:,.2f}", f"{part.usd_per_month:,.0f}"


def _saving(name: str, usd_per_hour: float | None) -> str:
    if usd_per_hour is None:
        return f"{name} is parked, which saves an unknown price"
    return (
        f"{name} is parked, which saves ${usd_per_hour:,.2f} an hour (${usd_per_hour * HOURS_PER_MONTH:,.0f} a month)"
    )
