"""`docs/reference/chart-values.md`: all values of the chart, from its schema, its defaults and their comments."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.reference.markdown import page, table

CHART = Path(__file__).parents[2] / "charts" / "vllm"


def chart_values_page() -> str:
    """Return the page.

    Raises:
        ValueError: A key in the schema has no comment in values.yaml.
    """
    schema = json.loads((CHART / "values.schema.json").read_text())
    text = (CHART / "values.yaml").read_text()
    words = comments(text, set(paths(schema)))
    rows = list(_rows(schema, schema["definitions"], yaml.safe_load(text), words))
    if silent := [row[0] for row in rows if not row[3]]:
        raise ValueError(f"charts/vllm/values.yaml has no comment on {', '.join(silent)}")
    return page("chart-values.md", {"values": table(("value", "form", "default", "meaning"), rows)})


def comments(text: str, known: Collection[str]) -> Mapping[str, str]:
    """Return the comment above each key of values.yaml, by the key's dotted path.

    A key without a default is commented out, with an example. `known` has all paths, to distinguish such keys from
    text.
    """
    found: dict[str, str] = {}
    above: list[str] = []
    words: list[str] = []
    for line in text.splitlines():
        content = re.sub(r"^( *)# ?", r"\1", line)
        depth = (len(content) - len(content.lstrip())) // 2
        key = re.match(r"(\w+):( |$)", content.strip())
        path = [*above[:depth], key[1]] if key else []
        if not content.strip():
            words = []
        elif ".".join(path) in known:
            found[".".join(path)] = " ".join(words)
            above, words = path, []
        elif line.strip().startswith("#"):
            words.append(content.strip())
    return found


def paths(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """Yield the dotted path of every key."""
    for name, one in schema.get("properties", {}).items():
        yield f"{above}{name}"
        yield from paths(one, f"{above}{name}.")


def _rows(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    defaults: Any,  # noqa: ANN401  (whatever the chart's defaults hold)
    words: Mapping[str, str],
    above: str = "",
) -> Iterator[tuple[str, str, str, str]]:
    for name, one in schema["properties"].items():
        path = f"{above}{name}"
        form = {**definitions.get(one.get("$ref", "").rpartition("/")[2], {}), **one}
        has_default = isinstance(defaults, dict) and name in defaults
        if form.get("properties"):
            yield f"`{path}`", "section", "" if has_default else "required", words.get(path, "")
            yield from _rows(form, definitions, defaults[name] if has_default else {}, words, f"{path}.")
            continue
        is_required = name in schema.get("required", ())
        default = f"`{json.dumps(defaults[name])}`" if has_default else "required" if is_required else "none"
        yield f"`{path}`", _form(form, definitions), default, words.get(path, "")


def _form(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return the kind of a value."""
    kinds = schema.get("type", "")
    if "oneOf" in schema:
        return "text or null"
    if isinstance(kinds, list):
        return " or ".join("text" if kind == "string" else kind for kind in kinds)
    if kinds == "array":
        return "list of text"
    if kinds == "object":
        return "map to text"
    if kinds in ("integer", "number"):
        low, high = schema.get("minimum"), schema.get("maximum")
        bounds = f", {low} to {high}" if high is not None else f", {low} or more" if low is not None else ""
        return f"{'whole number' if kinds == 'integer' else 'number'}{bounds}"
    return "text"
