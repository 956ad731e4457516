"""Groups of one model in several zones: the same number in each, and none across two."""

import pytest

from tests.support.chart_rendering import Rendered, model_values, render_text, tool, with_value

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")

ZONE = "topology.kubernetes.io/zone"
LEADERS = {"leaderworkerset.sigs.k8s.io/name": "scout", "leaderworkerset.sigs.k8s.io/worker-index": "0"}
ZONES = ["us-west-2a", "us-west-2b"]
IN_TWO_ZONES = with_value(model_values(tensor=8, pipeline=2, replicas=2), "placement.zones", ZONES)


@pytest.fixture(scope="module")
def in_two_zones() -> Rendered:
    return Rendered(render_text(IN_TWO_ZONES))


@pytest.fixture(scope="module")
def in_one_zone() -> Rendered:
    return Rendered(render_text(model_values(tensor=8, pipeline=2, replicas=2)))


@pytest.mark.parametrize("role", ["leader", "worker"])
def test_every_pod_stays_in_the_zones(in_two_zones: Rendered, role: str) -> None:
    required = in_two_zones.template(role)["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert required["nodeSelectorTerms"] == [{"matchExpressions": [{"key": ZONE, "operator": "In", "values": ZONES}]}]


def test_leaders_are_spread_evenly_even_while_a_zone_has_no_node(in_two_zones: Rendered) -> None:
    assert in_two_zones.template("leader")["spec"]["topologySpreadConstraints"] == [
        {
            "topologyKey": ZONE,
            "maxSkew": 1,
            "minDomains": 2,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": LEADERS},
        }
    ]
    assert "topologySpreadConstraints" not in in_two_zones.template("worker")["spec"]


def test_a_worker_follows_the_leader_of_its_own_group(in_two_zones: Rendered) -> None:
    (term,) = in_two_zones.template("worker")["spec"]["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term == {
        "topologyKey": ZONE,
        "labelSelector": {"matchLabels": LEADERS},
        "matchLabelKeys": ["leaderworkerset.sigs.k8s.io/group-index"],
    }
    assert "podAffinity" not in in_two_zones.template("leader")["spec"]["affinity"], "it would wait for itself"


def test_in_one_zone_nothing_is_spread(in_one_zone: Rendered) -> None:
    for role in ("leader", "worker"):
        spec = in_one_zone.template(role)["spec"]
        assert "topologySpreadConstraints" not in spec
        assert "podAffinity" not in spec["affinity"]
