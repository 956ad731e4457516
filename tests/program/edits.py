"""The effect of an edit of a stack file on each resource: two runs of the real program, compared with the providers'
schemas.

A resource with other inputs is replaced if a changed property forces that in its provider's schema
(tests/data/replace_on_change.json), and otherwise changed in place. A node group rolls its nodes, although it is
changed in place, if its version, AMI release or launch template changes.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vllm_eks.preview.mock_cloud import Registration
from vllm_eks.preview.recording import Recording

SCHEMA = Path(__file__).parents[1] / "data" / "replace_on_change.json"
NODE_GROUP = "aws:eks/nodeGroup:NodeGroup"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
RELEASE = "kubernetes:helm.sh/v3:Release"
SECRET = "kubernetes:core/v1:Secret"
LOAD_BALANCER = ("aws:lb/", "kubernetes:elbv2.k8s.aws/")
POLICY = "kubernetes:networking.k8s.io/v1:NetworkPolicy"
ROLLING = {"version", "releaseVersion", "launchTemplate.version"}
NAMES = {
    "eks:index:Cluster": "control plane",
    "aws:eks/addon:Addon": "add-ons",
    "aws:ec2/placementGroup:PlacementGroup": "placement group",
    "aws:cloudwatch/logGroup:LogGroup": "logs",
    "aws:kms/key:Key": "key",
    "kubernetes:core/v1:Namespace": "namespace",
    "kubernetes:core/v1:Secret": "secret",
    "pulumi:index:Stash": "secret",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": "roles",
    "aws:kms/alias:Alias": "key",
    "pulumi:providers:kubernetes": "Kubernetes provider",
    "kubernetes:core/v1:ServiceAccount": "copy Job",
    "kubernetes:core/v1:ConfigMap": "copy Job",
    "kubernetes:networking.k8s.io/v1:NetworkPolicy": "copy Job",
    "aws:route53/record:Record": "DNS records",
    "aws:ebs/volume:Volume": "metrics volume",
    "kubernetes:storage.k8s.io/v1:StorageClass": "metrics volume",
    "kubernetes:core/v1:PersistentVolume": "metrics volume",
    "kubernetes:core/v1:PersistentVolumeClaim": "metrics volume",
    "kubernetes:batch/v1:Job": "copy Job",
}


@dataclass(frozen=True)
class Effect:
    """The effects by kind of resource, with the words of docs/how-to/edits.md."""

    replaced: frozenset[str]
    rolled: frozenset[str]
    in_place: frozenset[str]
    made: frozenset[str]
    gone: frozenset[str]

    def cells(self) -> list[str]:
        """Return the cells of a row, in the order of the table."""
        return [", ".join(sorted(one)) for one in (self.replaced, self.rolled, self.in_place, self.made, self.gone)]


@cache
def schema() -> Mapping[str, Mapping[str, Any]]:
    """Return the properties of each resource type that replace it, and those that do not."""
    return json.loads(SCHEMA.read_text())["resources"]


def effect(before: Recording, after: Recording) -> Effect:
    """Compare two runs."""
    old, new = ({one.urn: one for one in run.registrations if is_real(one)} for run in (before, after))
    changed = {urn: changes(old[urn], new[urn]) for urn in old.keys() & new.keys()}
    replaced = follow(changed, new)
    in_place = {urn for urn, names in changed.items() if names} - replaced
    rolled = {urn for urn in in_place if new[urn].type == NODE_GROUP and changed[urn] & ROLLING}
    # Under mocks a template's version never changes, so its group sees every other template as a new version.
    rolled |= {urn for urn in in_place if new[urn].type == TEMPLATE}
    return Effect(
        replaced=kinds(new, replaced),
        rolled=frozenset(one.replace("launch template", "node group") for one in kinds(new, rolled))
        - kinds(new, replaced),
        in_place=kinds(new, in_place),
        made=kinds(new, new.keys() - old.keys()),
        gone=kinds(old, old.keys() - new.keys()),
    )


def kinds(resources: Mapping[str, Registration], urns: Iterable[str]) -> frozenset[str]:
    """Return the common names of these resources."""
    return frozenset(kind(resources[urn]) for urn in urns)


def follow(changed: dict[str, set[str]], new: Mapping[str, Registration]) -> set[str]:
    """Return the replaced resources, and add to `changed` resources with another ID or name because of them.

    A replaced resource's outputs are unknown, so every property that uses them counts as changed, as in a preview.
    """
    replaced: set[str] = set()
    while found := {
        urn
        for urn in changed.keys() - replaced
        if forces_replacement(new[urn], changed[urn], provider_of(new[urn], new))
        or replaced & set(new[urn].request.replace_with)
    }:
        replaced |= found
        for urn in changed:
            for name, dependencies in new[urn].request.propertyDependencies.items():
                if {whole(one) for one in dependencies.urns} & replaced:
                    changed[urn].add("launchTemplate.id" if name == "launchTemplate" else name)
    return replaced


def whole(urn: str) -> str:
    """Return the URN, or the URN of pulumi-eks's component for the cluster inside it."""
    parent, dollar, _ = urn.partition("$aws:eks/cluster:Cluster")
    return f"{parent}::{urn.rpartition('::')[2].removesuffix('-eksCluster')}" if dollar else urn


def is_real(one: Registration) -> bool:
    """Return whether a provider manages it. Of the components only pulumi-eks's counts, which represents its
    children."""
    return one.is_custom or one.type == "eks:index:Cluster"


def changes(old: Registration, new: Registration) -> set[str]:
    """Return the changed properties. Those of a node group's launch template are listed individually."""
    # The engine keeps the state's values of these, because a generated API key differs on each run.
    ignored = set(new.request.ignoreChanges)
    names = {name for name in old.inputs.keys() | new.inputs.keys() if old.inputs.get(name) != new.inputs.get(name)}
    found = names - ignored - {path.partition(".")[0] for path in ignored}
    if "launchTemplate" in found:
        parts = [one.inputs.get("launchTemplate") or {} for one in (old, new)]
        keys = parts[0].keys() | parts[1].keys()
        found = (found - {"launchTemplate"}) | {
            f"launchTemplate.{key}" for key in keys if parts[0].get(key) != parts[1].get(key)
        }
    return found


def forces_replacement(one: Registration, changed: set[str], provider: Registration | None) -> bool:
    """Look it up in the provider's schema. A property that is missing there is an error in the table."""
    type_ = one.type
    mutable = provider is not None and provider.inputs.get("enableSecretMutable") == "true"
    if type_ == SECRET and mutable and not one.inputs.get("immutable"):
        # In pulumi-kubernetes' own code, not in its schema (provider/diff.go): new content replaces a Secret, unless
        # its provider treats Secrets as mutable and the Secret does not override that.
        changed = changed - {"stringData", "data"}
    facts = schema()[type_]
    unknown = changed - set(facts["replaces"]) - set(facts["in_place"])
    assert not unknown, f"{type_}: the table of schemas says nothing of {sorted(unknown)}"
    return bool(changed & set(facts["replaces"]))


def provider_of(one: Registration, new: Mapping[str, Registration]) -> Registration | None:
    """Return the provider of a resource. Default providers are not registered."""
    return new.get(one.request.provider.rpartition("::")[0])


def kind(one: Registration) -> str:
    """Return its common name."""
    return kind_of(one.type, one.name, has_own_chart="vllm" in str(one.inputs.get("chart")))


def kind_of(type_: str, name: str, *, has_own_chart: bool) -> str:
    """Return the common name of a resource of this type. `has_own_chart`: whether a release installs the model."""
    if type_ in (NODE_GROUP, TEMPLATE):
        whose = "system" if "system" in name else "GPU"
        return f"{whose} {'node group' if type_ == NODE_GROUP else 'launch template'}"
    if type_ == RELEASE:
        return "model release" if has_own_chart else "controller release"
    if type_.startswith(LOAD_BALANCER) or name.endswith("-network-policy") or "-door-" in name:
        return "roles" if "binder" in name else "load balancer"
    if type_ == POLICY and "copy" not in name:
        return "policies"
    if type_.startswith("kubernetes:monitoring.coreos.com/") or "dashboard" in name or name.endswith("lws-metrics"):
        return "monitors"
    if type_ in NAMES:
        return NAMES[type_]
    if type_.startswith("aws:s3/"):
        return "bucket"
    return "roles" if type_.startswith("aws:iam/") else "network" if type_.startswith("aws:ec2/") else "others"
