"""The costs of a stack by part, from the program's registrations."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from vllm_eks.cli.views.models import MAX_IN_FULL, named
from vllm_eks.cli.views.plan import usd
from vllm_eks.cli.views.screen import say, table
from vllm_eks.cli.views.usage_costs import LOAD_BALANCER, VOLUME, usage_notes, usage_rates
from vllm_eks.planner.engine.startup import HUGGING_FACE, S3
from vllm_eks.planner.hardware.prices import Price, list_prices
from vllm_eks.planner.search.cost import (
    HOURS_PER_MONTH,
    CostPart,
    Infrastructure,
    copy_nat_usd,
    cost_parts,
    known_usd,
    s3_usd_per_month,
    saved_usd_per_hour,
    start_gb,
    start_nat_usd,
    total_usd,
)
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.plan import Plan
from vllm_eks.preview.recording import Recording

NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"


def infrastructure(recording: Recording) -> Infrastructure:
    """Count the billed resources other than GPU nodes."""
    volumes = {one.name: _root_gib(one.inputs) for one in recording.of_type("aws:ec2/launchTemplate:LaunchTemplate")}
    system, gib, system_type = 0, 0, Infrastructure.system_instance_type
    for group in recording.of_type(NODE_GROUP):
        nodes = group.inputs["scalingConfig"]["desiredSize"]
        template = str(group.inputs["launchTemplate"]["id"]).removesuffix("-id")
        gib += nodes * volumes[template]
        if "vllm-eks/model" not in (group.inputs.get("labels") or {}):
            system += nodes
            system_type = group.inputs["instanceTypes"][0]
    return Infrastructure(
        control_planes=len(recording.of_type("eks:index:Cluster")),
        nat_gateways=len(recording.of_type("aws:ec2/natGateway:NatGateway")),
        public_addresses=len(recording.of_type("aws:ec2/eip:Eip")) + _addresses_of_load_balancers(recording),
        load_balancers=len(recording.of_type(LOAD_BALANCER)),
        kms_keys=len(recording.of_type("aws:kms/key:Key")),
        system_nodes=system,
        system_instance_type=system_type,
        root_volumes_gib=gib,
        prometheus_volume_gib=sum(one.inputs["size"] for one in recording.of_type(VOLUME)),
    )


def _addresses_of_load_balancers(recording: Recording) -> int:
    """Return the public addresses: one in each subnet of a load balancer that faces the internet."""
    public = [one for one in recording.of_type(LOAD_BALANCER) if not one.inputs["internal"]]
    return sum(len(one.inputs["subnets"]) for one in public)


def _root_gib(template: Mapping[str, Any]) -> int:
    (root,) = template["blockDeviceMappings"]
    return root["ebs"]["volumeSize"]


STEPS_OF = {HUGGING_FACE: "from the Hub", S3: "streamed from S3"}


def sum_of_steps(plan: Plan) -> float:
    """Return the total seconds of the plan's own way of loading, without margin."""
    return sum(plan.startup.steps_seconds.values())


def bill(recording: Recording) -> list[CostPart]:
    """Return the costs of a stack in its region, by part."""
    return cost_parts(recording.fleet, infrastructure(recording), recording.region)


def show_costs(recording: Recording, out: Console) -> None:
    """Print the costs by part and in total, what is billed by usage, and the savings from parking."""
    parts = bill(recording)
    made = table(out, "USD/h", "USD/month", "part", "what", "price of", right=frozenset({"USD/h", "USD/month"}))
    for part in parts if len(recording.fleet) <= MAX_IN_FULL else _by_type(recording.fleet, parts):
        made.add_row(*_figures(part), part.part, part.what, part.price_of)
    whole = CostPart(
        part="total", what=recording.region, usd_per_hour=total_usd(parts), price_of=f"{HOURS_PER_MONTH} h a month"
    )
    made.add_row(*_figures(whole), whole.part, whole.what, whole.price_of)
    out.print(made)
    for line in _beside_the_table(recording, parts):
        say(out, line)
    _show_rates(recording, out)


def _show_rates(recording: Recording, out: Console) -> None:
    """Print the rates of what is billed by usage, with an estimate of the usage."""
    made = table(out, "USD", "for each", "part", "price of", right=frozenset({"USD"}))
    for rate in usage_rates(recording):
        made.add_row("unknown" if rate.usd is None else f"{rate.usd:g}", rate.unit, rate.part, rate.price_of)
    out.print(made)
    for line in usage_notes(recording):
        say(out, line)


def _by_type(fleet: Mapping[str, GpuNodes], parts: Sequence[CostPart]) -> Iterator[CostPart]:
    """Yield one line for all models on the same kind of nodes. The models' own table has the individual prices."""
    kinds: dict[tuple[str, str], list[tuple[GpuNodes, CostPart]]] = {}
    for nodes, part in zip(fleet.values(), parts, strict=False):
        kinds.setdefault((nodes.plan.instance.type, part.price_of), []).append((nodes, part))
    for (instance_type, price_of), members in kinds.items():
        yield CostPart(
            part=f"GPU nodes of {len(members)} model{'s' if len(members) > 1 else ''}",
            what=f"{sum(nodes.total for nodes, _ in members)} x {instance_type}",
            usd_per_hour=total_usd([part for _, part in members]),
            price_of=price_of,
        )
    yield from parts[len(fleet) :]


def _beside_the_table(recording: Recording, parts: Sequence[CostPart]) -> Iterator[str]:
    unknown = [part.part for part in parts if part.usd_per_hour is None]
    if unknown:
        total = f"total at least ${known_usd(parts):,.2f} an hour, without the unknown prices"
        # The command knows prices of instance types only.
        refresh = f". To look up instance types: vllm-eks catalog refresh --region {recording.region}"
        yield total + (refresh if any(part.startswith("GPU nodes") for part in unknown) else "")
    if len(recording.fleet) > MAX_IN_FULL:
        yield _all_weights(recording)
    for name, nodes in recording.fleet.items():
        if len(recording.fleet) <= MAX_IN_FULL:
            yield from _weights_lines(name, nodes, recording.region)
    yield from parked_lines(recording.fleet)


def _all_weights(recording: Recording) -> str:
    from_hub = [nodes.plan for nodes in recording.fleet.values() if nodes.plan.options.weights_source == HUGGING_FACE]
    gb, dollars = sum(map(start_gb, from_hub)), [start_nat_usd(plan, recording.region) for plan in from_hub]
    known = [one for one in dollars if one is not None]
    through = usd(sum(known) if len(known) == len(dollars) else None)
    return (
        f"weights from the Hub for one start of all {len(from_hub)} models on new nodes: {gb:,.0f} GB, {through} for "
        f"NAT; docs/how-to/weights.md compares this with S3"
    )


def _weights_lines(name: str, nodes: GpuNodes, region: str) -> list[str]:
    """Return the costs of both sources of the weights, the stack's own one first."""
    plan, prices = nodes.plan, list_prices(region)
    nat, s3 = prices.get("nat_gateway_gb"), prices.get("s3_gb_month")
    hub = (
        f"from the Hub, each start on new nodes: {start_gb(plan):,.0f} GB, "
        f"{usd(start_nat_usd(plan, region))} for NAT ({_rate(nat, region)}), nodes that have them download nothing"
    )
    bucket = (
        f"from S3: {usd(copy_nat_usd(plan, region))} for NAT once, {usd(s3_usd_per_month(plan, region))} a month "
        f"({_rate(s3, region)}), free at each start"
    )
    seconds = {**plan.startup.other_ways_seconds, STEPS_OF[plan.options.weights_source]: sum_of_steps(plan)}
    ways = [
        (HUGGING_FACE, f"{hub}; {seconds['from the Hub']:,.0f} s to the first token"),
        (S3, f"{bucket}; {seconds['streamed from S3']:,.0f} s"),
    ]
    ways.sort(key=lambda way: way[0] != plan.options.weights_source)
    return [f"weights of {name} {text}" for _, text in ways]


def _rate(price: Price | None, region: str) -> str:
    return f"${price.usd} a GB, {price.where_from}" if price else f"unknown in {region}"


def _figures(part: CostPart) -> tuple[str, str]:
    if part.usd_per_hour is None or part.usd_per_month is None:
        return "unknown", "unknown"
    return f"{part.usd_per_hour:,.2f}", f"{part.usd_per_month:,.0f}"


def parked_lines(fleet: Mapping[str, GpuNodes]) -> Iterator[str]:
    """Yield what parking saves, in one line for all parked models, and in another for those without a price."""
    saved = {name: saved_usd_per_hour(nodes) for name, nodes in fleet.items() if nodes.parked}
    known = {name: dollars for name, dollars in saved.items() if dollars is not None}
    unknown = [name for name in saved if name not in known]
    if known:
        total = sum(known.values())
        verb = "is" if len(known) == 1 else "are"
        amount = f"${total:,.2f} an hour (${total * HOURS_PER_MONTH:,.0f} a month)"
        yield f"{named([*known])} {verb} parked, which saves {amount}"
    if unknown:
        types = sorted({fleet[name].plan.instance.type for name in unknown})
        verb = "is" if len(unknown) == 1 else "are"
        yield (
            f"{named(unknown)} {verb} parked, which saves the price of {'its' if len(unknown) == 1 else 'their'} nodes "
            f"({', '.join(types)}), unknown here"
        )
