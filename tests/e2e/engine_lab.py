"""The lab of the real Pulumi engine for the end-to-end tests, next to the checkout."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "first-model.md"
LAB = ROOT.parent / "shared" / "engine-lab"
COMPONENTS = ("vllm-eks:", "eks:index:", "pulumi:pulumi:")
REPLACING = ("replace", "create-replacement", "delete-replaced")


def why_not() -> str | None:
    """Return why these tests cannot run here, in one sentence, or None."""
    home = Path(os.environ.get("ENGINE_LAB", Path.home() / ".cache" / "engine-lab"))
    if not (LAB / "lab.py").is_file():
        return f"not run on the real engine: no lab in {LAB.parent.name}/{LAB.name} beside the checkout"
    if not (home / "providers").is_dir():
        return "not run on the real engine: its lab is not built (build.sh of engine-lab)"
    return None


def open_lab() -> Any:
    """Return a new lab for this checkout, as a context manager."""
    sys.path.insert(0, str(LAB))
    try:
        from lab import Lab  # type: ignore[import-not-found]  (not part of the project)
    finally:
        sys.path.remove(str(LAB))
    return Lab(ROOT)


def client(lab: Any, service: str) -> Any:
    """Return a boto3 client of the emulated account."""
    import boto3  # loaded only if there is a lab

    place = {"endpoint_url": lab.env["AWS_ENDPOINT_URL"], "region_name": lab.env["AWS_REGION"]}
    return boto3.client(service, **place, aws_access_key_id="test", aws_secret_access_key="test")


def make_boundary(lab: Any) -> str:
    """Create a policy in the emulated account, and return its ARN."""
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = client(lab, "iam").create_policy(PolicyName="boundary", PolicyDocument=document)
    return made["Policy"]["Arn"]


def make_reservation(lab: Any) -> str:
    """Reserve nodes of the prod stack in the emulated account, and return the reservation's ID."""
    made = client(lab, "ec2").create_capacity_reservation(
        InstanceType="g5.48xlarge",
        InstancePlatform="Linux/UNIX",
        AvailabilityZone="us-west-2a",
        InstanceCount=4,
        InstanceMatchCriteria="targeted",
    )
    return made["CapacityReservation"]["CapacityReservationId"]


def make_network(lab: Any, zones: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Create a VPC with a private subnet in each zone and a NAT gateway; return its ID and the subnet of each zone."""
    ec2 = client(lab, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    public = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.255.0/24", AvailabilityZone=zones[0])["Subnet"]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    subnets: dict[str, str] = {}
    for number, zone in enumerate(zones):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        subnets[zone] = made["Subnet"]["SubnetId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[zone])
    return vpc, subnets


def nothing_is_left(lab: Any, before: set[str] | None = None) -> bool:
    """Return whether the account and the API server hold what they held before. The limit only bounds a failure.

    The lab removes the nodes of a deleted group a moment after it.
    """
    end = time.monotonic() + 600
    while left := lab.left() if before is None else lab.holdings() ^ before:
        if time.monotonic() > end:
            print("left:", *left)
            return False
        time.sleep(0.5)
    return True


def steps(result: Any, stack: str) -> set[str]:
    """Return the changes of a run as `operation name`, without components and without the stack's name."""
    changed = (step for step in result.changed if not step.type.startswith(COMPONENTS))
    return {
        f"{'replace' if step.op in REPLACING else step.op} {step.name.removeprefix(f'vllm-eks-{stack}-')}"
        for step in changed
    }


def interrupted(stack: Any, command: str, op: str, name: str) -> int:
    """Press Ctrl-C in a run as soon as its event log shows `op` of a resource as done. Return the exit status.

    Raises AssertionError if the run ends before that.
    """
    stack.events.unlink(missing_ok=True)
    words = ["pulumi", command, "--yes", "--skip-preview", "--non-interactive", f"--stack={stack.name}"]
    with subprocess.Popen(
        [*words, f"--event-log={stack.events}"],
        cwd=stack.lab.program,
        env=stack.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while (op, name) not in done(stack.events):
            assert process.poll() is None, f"{command} ended before {op} {name}"
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    return process.returncode


def as_printed(stack: Any, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the tutorial in the stack's folder, with its questions answered by yes."""
    assert command in TUTORIAL.read_text().splitlines()
    path = f"{ROOT / '.venv' / 'bin'}:{stack.env['PATH']}"
    env = {**stack.env, "PATH": path, "PULUMI_SKIP_CONFIRMATIONS": "true"}
    words = ["bash", "-c", command]
    return subprocess.run(words, cwd=stack.lab.program, env=env, capture_output=True, text=True, check=False)


def leftovers(stack: Any) -> subprocess.CompletedProcess[str]:
    """Run `vllm-eks leftovers` against the emulated account."""
    words = [ROOT / ".venv" / "bin" / "vllm-eks", "leftovers", "--stack", stack.name]
    return subprocess.run(words, cwd=stack.lab.program, env=stack.env, capture_output=True, text=True, check=False)


def done(events: Path) -> Iterator[tuple[str, str]]:
    """Yield operation and name of each completed step."""
    return _steps(events, "resOutputsEvent")


def begun(events: Path) -> Iterator[tuple[str, str]]:
    """Yield operation and name of each step that has begun."""
    return _steps(events, "resourcePreEvent")


def _steps(events: Path, kind: str) -> Iterator[tuple[str, str]]:
    """Read the events of one kind. The last line of a log may be incomplete."""
    for line in events.read_text().splitlines(keepends=True) if events.exists() else []:
        if line.endswith("\n") and (step := json.loads(line).get(kind)):
            yield step["metadata"]["op"], step["metadata"]["urn"].split("::")[-1]


def keep_at_destroy(stack: Any, *ends: str) -> None:
    """Mark the resources whose names end so, as `retain_on_delete` does: the engine forgets them, and they stay."""
    state = stack.export()
    for one in state["deployment"]["resources"]:
        if one["urn"].endswith(ends):
            one["retainOnDelete"] = True
    file = stack.lab.folder / "kept.json"
    file.write_text(json.dumps(state))
    stack._pulumi(["stack", "import", "--stack", stack.name, "--file", str(file)]).check()


def with_failed_group(state: Mapping[str, Any], name: str) -> str:
    """Turn a node group of an exported state into one whose creation failed, and return its URN.

    The provider keeps its ID and inputs, without a status, and reports the failure as an initialization error. The
    empty update with which the next run clears that error returns the unchanged outputs (pulumi-terraform-bridge,
    `Provider.Create` and `Update`). The lab's fake would query the account instead, so the error is left out here.
    """
    (group,) = [one for one in state["deployment"]["resources"] if one["urn"].endswith(f"NodeGroup::{name}")]
    group["outputs"].pop("status", None)
    return group["urn"]
