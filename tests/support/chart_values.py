"""Values of charts that are rendered."""

from tests.support.chart_rendering import model_values, with_value

ONE_NODE = model_values(tensor=8, pipeline=1)
TWO_NODES = with_value(
    with_value(model_values(tensor=8, pipeline=2), "secrets.huggingFaceToken", "hf-token-1"), "model.revision", "c0ffee"
)
TWO_COPIES = with_value(model_values(tensor=4, pipeline=2, replicas=2, port=9000), "resources.efa", 1)
ROLES = ("leader", "worker")
