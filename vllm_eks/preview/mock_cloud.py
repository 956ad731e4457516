"""A mock of the cloud: Pulumi's mock engine, with the few outputs that only AWS would know.

The offline preview and the component tests run the real program against it. It records every registration, so that they
can show and check what `pulumi up` would request. It cannot know how AWS or the chart would respond.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, cast

from google.protobuf.empty_pb2 import Empty
from pulumi.runtime import rpc
from pulumi.runtime.mocks import MockCallArgs, MockMonitor, MockResourceArgs, Mocks
from pulumi.runtime.proto import provider_pb2, resource_pb2

from vllm_eks.json_values import is_list, is_object

CLUSTER_COMPONENT = "eks:index:Cluster"
CLUSTER_RESOURCE = "aws:eks/cluster:Cluster"

STASH = "pulumi:index:Stash"
WORKSPACE = "aws:amp/workspace:Workspace"

COMPUTED_OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:eks/nodeGroup:NodeGroup": {"status": "ACTIVE"},
    "aws:ec2/eip:Eip": {"publicIp": "192.0.2.1"},
    "aws:lb/loadBalancer:LoadBalancer": {"dnsName": "load-balancer.offline.invalid", "zoneId": "Z00OFFLINE"},
}
"""Outputs that the program needs besides a resource's inputs, name and ARN, by type."""

Answer = Callable[[MockCallArgs], dict[str, Any]]


class CallFailedError(Exception):
    """A provider's error for a call. The program sees the same error as from the real engine."""


class UnansweredCallError(NotImplementedError):
    """The program made a call that has no answer."""


def refuse_every_call(call: MockCallArgs) -> dict[str, Any]:
    """Answer no call.

    Raises:
        UnansweredCallError: Always.
    """
    asked = f"{call.args}"  # pyright: ignore[reportUnknownMemberType]  (a bare dict)
    raise UnansweredCallError(f"no answer for the call {call.token} with {asked}")


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource, as registered by the program."""

    urn: str
    type: str
    name: str
    parent: str
    """The parent's URN."""
    is_custom: bool
    """False for components."""
    inputs: Mapping[str, Any]
    """With the provider's own (camelCase) names. Secrets are unwrapped, and whole numbers are ints."""
    secret_paths: frozenset[str]
    """Paths of the secrets in the inputs, such as `stringData.apiKey`."""
    request: resource_pb2.RegisterResourceRequest
    """The engine's own record, with options and dependencies."""

    @property
    def depends_on(self) -> frozenset[str]:
        """The names of the resources that this one waits for, because of an option or an input."""
        return frozenset(urn.rpartition("::")[2] for urn in self.request.dependencies)


class OfflineMocks(Mocks):
    """Outputs are the inputs, plus a name, an ARN and `COMPUTED_OUTPUTS`."""

    def __init__(self, answer: Answer = refuse_every_call) -> None:
        self._answer = answer

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Return the ID and the outputs of a new resource."""
        inputs = cast("dict[str, Any]", args.inputs)  # pyright: ignore[reportUnknownMemberType]  (a bare dict)
        arn = f"arn:aws:offline:::{args.name}"
        computed = dict(COMPUTED_OUTPUTS.get(args.typ, {}))
        if args.typ == WORKSPACE:
            computed["prometheusEndpoint"] = f"https://aps-workspaces.offline/workspaces/{args.name}/"
        if args.typ == STASH:
            computed["output"] = inputs["input"]
        if args.typ.startswith("kubernetes:core/"):
            computed["metadata"] = {"name": args.name, **inputs.get("metadata", {})}
        return f"{args.name}-id", {"name": args.name, "arn": arn, **inputs, **computed}

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]  (the monitor takes a bare dict)
        """Return the answer to a call of the program."""
        return self._answer(args)


@dataclass
class _Record:
    registrations: list[Registration] = field(default_factory=list[Registration])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


class RecordingMonitor(MockMonitor):
    """Records each registration in order, with data that only the request has: parent, options, dependencies."""

    def __init__(self, mocks: Mocks | None = None) -> None:
        super().__init__(mocks or OfflineMocks())
        self._lock = Lock()
        self._record = _Record()

    @property
    def registrations(self) -> list[Registration]:
        """All resources and components in the order of registration, without the stack itself."""
        return list(self._record.registrations)

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """The outputs of each component and of the stack, by URN. Secrets are unwrapped."""
        return dict(self._record.outputs)

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN that the engine would create, with the types of all parents. The mock's own has only one."""
        parent_type = parent.split("::")[2] if parent else ""
        inside_stack = parent_type in ("", "pulumi:pulumi:Stack")
        return super().make_urn("", type_ if inside_stack else f"{parent_type}${type_}", name)

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:  # noqa: N802  (a gRPC method's name)
        """Record the registration and answer it. Refuse a duplicate URN, as the engine does."""
        if request.type != "pulumi:pulumi:Stack":
            self._keep(request)
        if request.type == CLUSTER_COMPONENT:
            return self._register_cluster(request)
        return super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        """Answer a call of the program. A failed call is not an error of the engine."""
        try:
            return super().Invoke(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)
        except CallFailedError as error:
            return resource_pb2.ResourceInvokeResponse(failures=[provider_pb2.CheckFailure(reason=str(error))])

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> Empty:  # noqa: N802
        """Record a component's outputs."""
        outputs, _ = unwrap_secrets(rpc.deserialize_properties(request.outputs))
        with self._lock:
            self._record.outputs[request.urn] = outputs
        return super().RegisterResourceOutputs(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)

    def _keep(self, request: resource_pb2.RegisterResourceRequest) -> None:
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs, secret_paths = unwrap_secrets(rpc.deserialize_properties(request.object))
        registration = Registration(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            is_custom=request.custom,
            inputs=inputs,
            secret_paths=frozenset(secret_paths),
            request=request,
        )
        with self._lock:
            if any(known.urn == urn for known in self._record.registrations):
                raise ValueError(f"Duplicate resource URN {urn}")
            self._record.registrations.append(registration)

    def _register_cluster(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:
        """Answer for pulumi-eks's remote component with one AWS cluster, as a reference to a resource."""
        name = rpc.deserialize_properties(request.object)["name"]
        component_urn = self.make_urn(request.parent, request.type, request.name)
        urn = self.make_urn(component_urn, CLUSTER_RESOURCE, f"{request.name}-eksCluster")
        state = {
            "name": name,
            "arn": f"arn:aws:eks:offline::cluster/{name}",
            "endpoint": "https://cluster.offline.invalid",
            "certificateAuthority": {"data": "b2ZmbGluZQ=="},
            "vpcConfig": {"clusterSecurityGroupId": f"{name}-security-group-id"},
        }
        self.resources[urn] = MockMonitor.ResourceRegistration(urn, name, state)
        response = super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)
        response.object.update({"eksCluster": _resource_reference(urn, name)})
        return response


def _resource_reference(urn: str, resource_id: str) -> dict[str, str]:
    signature = {rpc._special_sig_key: rpc._special_resource_sig}  # pyright: ignore[reportPrivateUsage]  (no public names)
    return {**signature, "urn": urn, "id": resource_id, "packageVersion": ""}


def unwrap_secrets(value: object, path: str = "") -> tuple[Any, list[str]]:
    """Return a deserialized value with its secrets unwrapped and whole floats as ints, and the paths of the secrets.

    The engine's only number type is the float, so a node count of 2 comes back as 2.0.
    """
    if rpc.is_rpc_secret(value):
        plain, _ = unwrap_secrets(rpc.unwrap_rpc_secret(value), path)
        return plain, [path]
    if is_object(value):
        opened = {key: unwrap_secrets(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
        return {key: plain for key, (plain, _) in opened.items()}, _all_paths(opened.values())
    if is_list(value):
        items = [unwrap_secrets(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return [plain for plain, _ in items], _all_paths(items)
    if isinstance(value, float) and value.is_integer():
        return int(value), []
    return value, []


def _all_paths(opened: Iterable[tuple[Any, list[str]]]) -> list[str]:
    return [path for _, paths in opened for path in paths]
