"""An existing network, with the same interface as a new one."""

import pulumi

from components.network.network import Network, NetworkArgs
from vllm_eks.specs.network import FoundVpc


class ExistingNetwork(pulumi.ComponentResource):
    """An existing VPC. The stack neither creates nor deletes anything in it."""

    vpc_id: pulumi.Output[str]
    private_subnet_ids: list[pulumi.Output[str]]
    public_subnet_ids: list[pulumi.Output[str]]
    """Empty, because the stack puts nothing into public subnets."""

    def __init__(self, name: str, vpc: FoundVpc, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ExistingNetwork", name, {}, opts)
        self._private_subnets = vpc.private_subnets
        self.vpc_id = pulumi.Output.from_input(vpc.vpc_id)
        self.private_subnet_ids = [pulumi.Output.from_input(subnet) for subnet in vpc.private_subnets.values()]
        self.public_subnet_ids = []
        self.register_outputs({"vpc_id": self.vpc_id, "private_subnets": dict(vpc.private_subnets)})

    def private_subnet_id(self, zone: str) -> pulumi.Output[str]:
        """Return the ID of the private subnet in a zone.

        Raises:
            ValueError: The network has no such zone.
        """
        if zone not in self._private_subnets:
            raise ValueError(f"zone {zone!r} is not one of the network's zones {list(self._private_subnets)}")
        return pulumi.Output.from_input(self._private_subnets[zone])


def stack_network(name: str, args: NetworkArgs, *, existing: FoundVpc | None) -> Network | ExistingNetwork:
    """Return the existing network if there is one, or else a new network."""
    return ExistingNetwork(name, existing) if existing else Network(name, args)
