"""The digest of a model's nodes: it changes with them, and is not available for a failed group."""

import pulumi
import pytest

from components.nodes.gpu_node_group import GpuNodeGroup
from tests.support.gpu_node_groups import ARGS, NODE_GROUP, TEMPLATE
from tests.support.nested import replaced
from vllm_eks.preview import mock_cloud


def nodes_of(engine, **changes: object) -> object:
    return engine.value(lambda: GpuNodeGroup("scout", replaced(ARGS, **changes)).nodes)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch):
    """Sets the outputs of a type."""
    return lambda type_, **reported: monkeypatch.setitem(mock_cloud.COMPUTED_OUTPUTS, type_, reported)


def test_the_digest_changes_with_the_nodes(start_engine) -> None:
    before = nodes_of(start_engine())
    edits = [
        {"kubernetes_version": "1.37"},
        {"node_release_version": "1.36.3-20261101"},
        {"labels": {"other": "label"}},
    ]

    assert len({before, *(nodes_of(start_engine(), **edit) for edit in edits)}) == len(edits) + 1
    assert nodes_of(start_engine(), tags={"team": "other"}) == before
    assert nodes_of(start_engine(), node_count=4) == before, "the number is in the release's own values"


def test_a_new_template_version_changes_the_digest(start_engine, answers) -> None:
    before = nodes_of(start_engine())
    answers(TEMPLATE, latestVersion=2)

    assert nodes_of(start_engine()) != before


@pytest.mark.parametrize("status", [None, "", "CREATE_FAILED"])
def test_a_group_whose_creation_failed_stops_dependent_resources(engine, answers, status: str | None) -> None:
    # As in the provider's state: without a status, or with this one after a refresh.
    answers(NODE_GROUP, status=status)

    with pytest.raises(pulumi.RunError) as stopped:
        nodes_of(engine)
    urn = engine.only(NODE_GROUP).urn
    assert str(stopped.value) == (
        "node group scout-nodes-id: an earlier pulumi up could not create it (usually because EC2 had no capacity), "
        f"and it is still not ACTIVE. aws eks describe-nodegroup shows why; pulumi up --replace '{urn}' deletes it "
        "and tries again."
    )


@pytest.mark.parametrize("status", ["ACTIVE", "UPDATING", "DEGRADED"])
def test_a_group_that_was_active_may_be_edited(engine, answers, status: str) -> None:
    answers(NODE_GROUP, status=status)

    assert nodes_of(engine)
