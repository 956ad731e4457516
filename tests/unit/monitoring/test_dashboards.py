"""Dashboards: Grafana's own schema, texts, units and stable names."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from grafana_foundation_sdk.models import units

from tools.dashboards.pages import PAGES
from vllm_eks.data import DATA

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "data" / "monitoring" / "grafana_dashboard_11.6.schema.json").read_text()
)
FILES = sorted((DATA / "dashboards").glob("*.json"))
KNOWN_UNITS = {value for name, value in vars(units).items() if name[0].isupper() and isinstance(value, str)}


def dashboard(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def test_each_page_has_a_file_with_its_stable_name() -> None:
    assert [file.name for file in FILES] == ["vllm-eks-groups.json", "vllm-eks-model.json", "vllm-eks-nodes.json"]
    assert {page.uid for page in PAGES} == {file.stem for file in FILES} == {dashboard(file)["uid"] for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dashboard_has_the_form_that_grafana_reads(file: Path) -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(dashboard(file))


def test_the_schema_refuses_a_misspelt_field() -> None:
    wrong = dashboard(FILES[0]) | {"nosuchkey": "x"}
    assert "nosuchkey" in str(next(jsonschema.Draft7Validator(SCHEMA).iter_errors(wrong)).message)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_panel_has_a_description_a_known_unit_and_queries_with_the_chosen_source(file: Path) -> None:
    panels = [panel for panel in dashboard(file)["panels"] if panel["type"] != "row"]
    assert len(panels) >= 8
    for panel in panels:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in KNOWN_UNITS, panel["title"]
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["targets"], panel["title"]
    assert len({panel["title"] for panel in panels}) == len(panels)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_variable_that_a_query_uses_exists(file: Path) -> None:
    text = file.read_text()
    names = {variable["name"] for variable in dashboard(file)["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]\w*)\}?", text))
    assert used <= names
    assert "datasource" in names
