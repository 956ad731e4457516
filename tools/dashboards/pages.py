"""All dashboards, by the file that holds them."""

from collections.abc import Callable, Mapping

from tools.dashboards.group_page import GROUP_PAGE
from tools.dashboards.model_page import MODEL_PAGE
from tools.dashboards.node_page import NODE_PAGE

PAGES = (MODEL_PAGE, GROUP_PAGE, NODE_PAGE)
DASHBOARD_FILES: Mapping[str, Callable[[], str]] = {
    f"vllm_eks/data/dashboards/{page.uid}.json": page.as_json for page in PAGES
}
