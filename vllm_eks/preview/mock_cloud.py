"""A cloud that is not there: Pulumi's mock engine, with the few outputs only AWS would know.

The offline preview and the component tests run the real program against it. It keeps every registration, so that
what `pulumi up` would ask for can be shown and checked. It knows neither AWS's nor the chart's opinion of it.
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

COMPUTED_OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:eks/nodeGroup:NodeGroup": {"status": "ACTIVE"},
}
"""What the program needs of a resource beyond its inputs, its name and its ARN, by type."""

Answer = Callable[[MockCallArgs], dict[str, Any]]


class CallFailedError(Exception):
    """What a provider says in place of an answer; the program sees what it would see of the engine."""


class UnansweredCallError(NotImplementedError):
    """The program asked the cloud a question that nobody gave an answer for."""


def refuse_every_call(call: MockCallArgs) -> dict[str, Any]:
    """Answer no question.

    Raises:
        UnansweredCallError: Always.
    """
    asked = f"{call.args}"  # pyright: ignore[reportUnknownMemberType]  (a bare dict)
    raise UnansweredCallError(f"no answer for the call {call.token} with {asked}")


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource, as the program registered it."""

    urn: str
    type: str
    name: str
    parent: str
    """The parent's URN."""
    is_custom: bool
    """False for components."""
    inputs: Mapping[str, Any]
    """Under the provider's own (camelCase) names. Secrets are opened, whole numbers are ints."""
    secret_paths: frozenset[str]
    """Where in the inputs a secret stands, such as `stringData.apiKey`."""
    request: resource_pb2.RegisterResourceRequest
    """The engine's own record, with options and dependencies."""

    @property
    def depends_on(self) -> frozenset[str]:
        """The names of the resources this one waits for, whether by an option or by an input."""
        return frozenset(urn.rpartition("::")[2] for urn in self.request.dependencies)


class OfflineMocks(Mocks):
    """Outputs are the inputs, plus a name, an ARN and `COMPUTED_OUTPUTS`."""

    def __init__(self, answer: Answer = refuse_every_call) -> None:
        self._answer = answer

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Return the id and the outputs of a resource being made."""
        inputs = cast("dict[str, Any]", args.inputs)  # pyright: ignore[reportUnknownMemberType]  (a bare dict)
        arn = f"arn:aws:offline:::{args.name}"
        computed = dict(COMPUTED_OUTPUTS.get(args.typ, {}))
        if args.typ == STASH:
            computed["output"] = inputs["input"]
        if args.typ.startswith("kubernetes:core/"):
            computed["metadata"] = {"name": args.name, **inputs.get("metadata", {})}
        return f"{args.name}-id", {"name": args.name, "arn": arn, **inputs, **computed}

    def call(self, args: MockCallArgs) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]  (the monitor takes a bare dict)
        """Return the answer to a question the program asks of the cloud."""
        return self._answer(args)


@dataclass
class _Record:
    registrations: list[Registration] = field(default_factory=list[Registration])
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


class RecordingMonitor(MockMonitor):
    """Keeps each registration in order, with what was only in the request: parent, options, dependencies."""

    def __init__(self, mocks: Mocks | None = None) -> None:
        super().__init__(mocks or OfflineMocks())
        self._lock = Lock()
        self._record = _Record()

    @property
    def registrations(self) -> list[Registration]:
        """Every resource and component, in the order of registration; the stack itself is not among them."""
        return list(self._record.registrations)

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """What each component, and the stack, gave out, by URN. Secrets are opened."""
        return dict(self._record.outputs)

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        """Return the URN the engine would make, with the types of all parents; the mock's own has only one."""
        parent_type = parent.split("::")[2] if parent else ""
        inside_stack = parent_type in ("", "pulumi:pulumi:Stack")
        return super().make_urn("", type_ if inside_stack else f"{parent_type}${type_}", name)

    def RegisterResource(self, request: resource_pb2.RegisterResourceRequest) -> resource_pb2.RegisterResourceResponse:  # noqa: N802  (a gRPC method's name)
        """Keep the registration, then answer it; refuse a URN that is taken, as the engine does."""
        if request.type != "pulumi:pulumi:Stack":
            self._keep(request)
        if request.type == CLUSTER_COMPONENT:
            return self._register_cluster(request)
        return super().RegisterResource(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)

    def Invoke(self, request: resource_pb2.ResourceInvokeRequest) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        """Answer a question of the program; a call that fails is no fault of the engine's."""
        try:
            return super().Invoke(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)
        except CallFailedError as error:
            return resource_pb2.ResourceInvokeResponse(failures=[provider_pb2.CheckFailure(reason=str(error))])

    def RegisterResourceOutputs(self, request: resource_pb2.RegisterResourceOutputsRequest) -> Empty:  # noqa: N802
        """Keep what a component gives out."""
        outputs, _ = open_secrets(rpc.deserialize_properties(request.outputs))
        with self._lock:
            self._record.outputs[request.urn] = outputs
        return super().RegisterResourceOutputs(request)  # pyright: ignore[reportUnknownMemberType]  (untyped)

    def _keep(self, request: resource_pb2.RegisterResourceRequest) -> None:
        urn = self.make_urn(request.parent, request.type, request.name)
        inputs, secret_paths = open_secrets(rpc.deserialize_properties(request.object))
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
        """Answer for pulumi-eks's remote component: one AWS cluster, given out as a reference to a resource."""
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


def open_secrets(value: object, path: str = "") -> tuple[Any, list[str]]:
    """Return a deserialized value with its secrets opened and whole floats as ints, and the paths of the secrets.

    The engine's records know one kind of number, the float: a node count of 2 comes back as 2.0.
    """
    if rpc.is_rpc_secret(value):
        plain, _ = open_secrets(rpc.unwrap_rpc_secret(value), path)
        return plain, [path]
    if is_object(value):
        opened = {key: open_secrets(item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
        return {key: plain for key, (plain, _) in opened.items()}, _all_paths(opened.values())
    if is_list(value):
        items = [open_secrets(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return [plain for plain, _ in items], _all_paths(items)
    if isinstance(value, float) and value.is_integer():
        return int(value), []
    return value, []


def _all_paths(opened: Iterable[tuple[Any, list[str]]]) -> list[str]:
    return [path for _, paths in opened for path in paths]
