"""Write vllm_eks/data/transformers_defaults.json: what transformers fills in for fields that a config.json omits.

Run it in an environment with transformers (`python -m tools.transformers_defaults`). A field is kept when the planner
reads one of that name, and when its default does not follow from another field: head_dim of most models is computed.
"""

import ast
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
READERS = ROOT / "vllm_eks" / "planner" / "models"
OUT = ROOT / "vllm_eks" / "data" / "transformers_defaults.json"
TOWERS = ROOT / "vllm_eks" / "data" / "towers.json"
CHANGED = {"hidden_size": 2, "num_attention_heads": 2, "num_hidden_layers": 2, "num_key_value_heads": 2, "embed_dim": 2}
"""Fields that are changed by these factors, to find the ones that follow from them."""
SKIPPED = ("model_type", "dtype")
WITHOUT_TIE = ("step3p5",)
"""Models that vLLM reads with a class of its own, in which tie_word_embeddings has no default."""
OTHER_NAMES = {"n_embd": 2, "n_head": 2, "n_layer": 2, "d_model": 2, "num_heads": 2, "num_layers": 2}


def names_read() -> set[str]:
    """Return every text in the planner's readers and formulas, among them the names of all fields that it reads."""
    texts = set(re.findall(r"[a-z_]\w*", TOWERS.read_text()))
    for file in READERS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts |= set(node.value.split())
    return texts


def scalars(config: Any) -> dict[str, Any]:  # noqa: ANN401  (a class of transformers)
    """Return the fields with one value."""
    found = json.loads(config.to_json_string(use_diff=False))
    return {key: value for key, value in found.items() if isinstance(value, int | float | str | bool)}


def defaults(kind: Any, read: set[str]) -> dict[str, Any]:  # noqa: ANN401
    """Return the defaults of a config class that follow from no other field."""
    base = scalars(kind())
    kept = {key: value for key, value in base.items() if key in read and key not in SKIPPED}
    for name, factor in (CHANGED | OTHER_NAMES).items():
        if isinstance(base.get(name), int) and not isinstance(base[name], bool):
            try:
                changed = scalars(kind(**{name: base[name] * factor}))
            except Exception:
                continue
            kept = {key: value for key, value in kept.items() if key == name or changed.get(key) == value}
    return kept


def main() -> None:
    """Write the table of every model_type."""
    import transformers  # pyright: ignore[reportMissingImports]  (not a dependency of the project)
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING  # pyright: ignore[reportMissingImports]  (as above)

    read, table, sections = names_read(), {}, {}
    classes = {name: CONFIG_MAPPING[name] for name in CONFIG_MAPPING}
    for kind in list(classes.values()):
        for inner in getattr(kind, "sub_configs", {}).values():
            if getattr(inner, "model_type", ""):
                classes.setdefault(inner.model_type, inner)
    for name, kind in sorted(classes.items()):
        try:
            found = defaults(kind, read)
        except Exception as error:
            print(f"{name}: {error}"[:120])
            continue
        if name in WITHOUT_TIE:
            found.pop("tie_word_embeddings", None)
        if found:
            table[name] = found
        subs = {key: getattr(sub, "model_type", "") for key, sub in getattr(kind, "sub_configs", {}).items()}
        inner = {key: sub for key, sub in subs.items() if sub in classes}
        if inner:
            sections[name] = inner
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row, sort_keys=True)}" for name, row in table.items())
    source = f"config classes of transformers {transformers.__version__}, by tools/transformers_defaults.py"
    inner = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row, sort_keys=True)}" for name, row in sections.items())
    OUT.write_text(
        f'{{\n "source": {json.dumps(source)},\n "model_types": {{\n{rows}\n }},\n "sections": {{\n{inner}\n }}\n}}\n'
    )


if __name__ == "__main__":
    main()
