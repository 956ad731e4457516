"""Write vllm_eks/data/architectures.json: what vLLM's classes do that a config.json does not state.

It reads answers of ../shared/vllm-lab's oracle with the names of all tensors (`names`), for TP 1, a larger TP, and PP:
`python -m tools.architecture_traits ANSWERS.jsonl...`. Rows written by hand in tools/architecture_rows.json win.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUT = ROOT / "vllm_eks" / "data" / "architectures.json"
BY_HAND = Path(__file__).parent / "architecture_rows.json"
TOWER = re.compile(
    r"visual|vision|vit\b|vit_|image|mm_projector|multi_modal|audio|speech|sound|encoder|projector|merger"
)
EMBEDDING = re.compile(
    r"embed_tokens\.|word_embeddings\.|\.wte\.|tok_embeddings|embed_in\.|embeddings\.weight|\.embedding\."
)
HEAD = re.compile(r"lm_head|embed_out|output_layer|^output\.weight")
POSITIONS = re.compile(r"\.wpe\.|embed_positions|position_embeddings?\.")
GATED = re.compile(r"gate_up|gate_proj|gating|\.w1\.|\.w3\.|input_linear|linear_fc1|up_gate")
SPLIT_BELOW = 0.7
"""Share of its size at TP 1 below which a tower is split."""


def is_tower(name: str) -> bool:
    """Return whether a tensor belongs to a vision or audio tower."""
    return bool(TOWER.search(name)) and not re.search(r"language_model|text_model|\.llm\.", name)


def tower_bytes(stage: Mapping[str, Any]) -> int:
    """Return the bytes of all towers on a rank."""
    return sum(size for name, (_, _, size) in stage["names"].items() if is_tower(name) and "rotary" not in name)


def has_gate(tensors: Mapping[str, Any]) -> bool | None:
    """Return whether the MLPs among these tensors have a gate, None without an MLP."""
    shapes = {name: shape for name, (_, shape, _) in tensors.items() if "weight" in name}
    for name, shape in shapes.items():
        if name.endswith("w13_weight") and len(shape) == 3:
            second = shapes.get(name.replace("w13", "w2"))
            return second is None or shape[1] >= 1.5 * second[2]
    mlps = [name for name in shapes if re.search(r"mlp|feed_forward|ffn|fc[12]|dense_h_to_4h", name)]
    return any(GATED.search(name) for name in mlps) if mlps else None


def ends(stages: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Return whether stages have an embedding or a head that they do not use. A tied embedding is used as the head."""
    names = [[name for name in stage["names"] if not is_tower(name)] for stage in stages]
    has_embedding = [any(EMBEDDING.search(name) for name in some) for some in names]
    has_head = [any(HEAD.search(name) for name in some) for some in names]
    tied = not any(has_head)
    row: dict[str, Any] = {}
    if all(has_embedding[1:-1] if tied else has_embedding[1:]) and len(stages) > (2 if tied else 1):
        row["embedding_everywhere"] = True
    if not tied and all(has_head):
        row["head_everywhere"] = True
    return row


def traits(answers: Mapping[tuple[int, int], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the traits that differ from the usual ones."""
    row: dict[str, Any] = {}
    whole = answers[1, 1]["stages"][0]
    decoder = {name: tensor for name, tensor in whole["names"].items() if not is_tower(name)}
    gated = has_gate(decoder)
    if gated is not None:
        row["has_gated_mlp"] = gated
    if not any("cos_sin_cache" in name for name in decoder):
        row["has_rotary"] = False
    if any(POSITIONS.search(name) for name in decoder):
        row["has_learned_positions"] = True
    towers = {name: tensor for name, tensor in whole["names"].items() if is_tower(name)}
    if towers:
        row["has_gated_towers"] = bool(has_gate(towers))
    for (tp, pp), answer in answers.items():
        if towers and tp > 1 and pp == 1:
            split = tower_bytes(answer["stages"][0]) < SPLIT_BELOW * tower_bytes(whole)
            if not split:
                row["has_sharded_towers"] = False
        if pp > 1:
            row |= ends(answer["stages"])
    return row


def main(files: list[str]) -> None:
    """Write the table from all answers that are not refusals."""
    answers: dict[str, dict[tuple[int, int], Any]] = defaultdict(dict)
    for file in files:
        for line in Path(file).read_text().splitlines():
            if not line.startswith("{"):
                continue
            answer = json.loads(line)
            if "stages" in answer:
                answers[answer["architecture"]][answer["tp"], answer["pp"]] = answer
    rows = {name: traits(found) for name, found in answers.items() if (1, 1) in found}
    for name, row in json.loads(BY_HAND.read_text()).items():
        rows[name] = {**rows.get(name, {}), **row}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(rows.items()))
    source = (
        "vLLM 0.32.0's classes on the meta device, by tools/architecture_traits.py and tools/architecture_rows.json"
    )
    OUT.write_text(f'{{\n "source": {json.dumps(source)},\n "architectures": {{\n{lines}\n }}\n}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
