"""Checks that each group of capacity reservations has room for the nodes of its models."""

from collections.abc import Iterator, Mapping, Sequence

from checks.asking import Question, ask, error_code
from checks.site import Instance, Site, own_instances
from vllm_eks.aws.session import Record
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

NO_SUCH_GROUP = "NotFoundException"
RESERVATION = "AWS::EC2::CapacityReservation"


def reservation_group_checks(groups: Mapping[str, str], fleet: Mapping[str, GpuNodes], site: Site) -> Iterator[Check]:
    """Yield the checks of each reservation group in the stack. Models may share a group.

    Args:
        groups: The ARN of each model's group, by the model's name.
        fleet: The GPU nodes of each model.
        site: The account and region.
    """
    by_arn: dict[str, dict[str, GpuNodes]] = {}
    for name, arn in groups.items():
        by_arn.setdefault(arn, {})[name] = fleet[name]
    for arn, models in by_arn.items():
        yield from _group(arn, models, site)


def _group(arn: str, models: Mapping[str, GpuNodes], site: Site) -> Iterator[Check]:
    question = Question(
        subject=f"reservation group {arn.rpartition('/')[2]} holds the nodes of {' and '.join(models)}",
        actions="resource-groups:ListGroupResources and ec2:DescribeCapacityReservations",
        command=f"aws resource-groups list-group-resources --group {arn} --region {site.region}",
    )
    found = ask(question, lambda: _reservations(arn, site))
    if isinstance(found, Check):
        yield found
        return
    if found is None:
        text = f"{arn} does not exist in this account: correct the ARN"
        yield from (_check(name, text, nodes) for name, nodes in models.items())
        return
    seen = Question(
        subject=question.subject,
        actions="ec2:DescribeInstances",
        command=f"aws ec2 describe-instances --region {site.region}",
    )
    running = ask(seen, lambda: own_instances(site))
    for name, nodes in models.items():
        yield _model(name, nodes, found, running, question)


def _reservations(arn: str, site: Site) -> Sequence[Record] | None:
    try:
        listed = site.api.pages("resource-groups", "list_group_resources", "Resources", Group=arn)
    except Exception as error:
        if error_code(error) == NO_SUCH_GROUP:
            return None
        raise
    members = [one.get("Identifier", {}) for one in listed]
    ids = sorted(one["ResourceArn"].rpartition("/")[2] for one in members if one.get("ResourceType") == RESERVATION)
    if not ids:
        return []
    return site.api.pages("ec2", "describe_capacity_reservations", "CapacityReservations", CapacityReservationIds=ids)


def _model(
    name: str, nodes: GpuNodes, found: Sequence[Record], running: Sequence[Instance] | Check, question: Question
) -> Check:
    needed_type, zones = nodes.plan.instance.type, " and ".join(nodes.zones)
    fitting = [
        one
        for one in found
        if one["State"] == "active" and one["InstanceType"] == needed_type and one["AvailabilityZone"] in nodes.zones
    ]
    ids = {one["CapacityReservationId"] for one in fitting}
    free = sum(one["AvailableInstanceCount"] for one in fitting)
    own = [] if isinstance(running, Check) else [one for one in running if one.reservation_id in ids]
    missing = nodes.total - len(own)
    if missing <= free:
        text = f"{free} x {needed_type} free in {zones}, {len(own)} used by this stack"
        return Check(subject=question.subject, status="passed", text=text)
    text = f"its active reservations have {free} x {needed_type} free in {zones}, and {name} needs {missing} more"
    if isinstance(running, Check):
        return Check(
            subject=question.subject, status="unknown", text=f"{text}, minus its running nodes: {running.text}"
        )
    return _check(name, text, nodes)


def _check(name: str, text: str, nodes: GpuNodes) -> Check:
    status = "warning" if nodes.parked else "failed"
    return Check(subject=f"models.{name}.capacityReservationGroupArn", status=status, text=text)
