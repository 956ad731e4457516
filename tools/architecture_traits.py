"""Write vllm_eks/data/architectures.json: what vLLM's classes do that a config.json does not state.

It reads answers of ../shared/vllm-lab's oracle with the names of all tensors (`names`), for TP 1, a larger TP, and PP:
`python -m tools.architecture_traits ANSWERS.jsonl...`. Rows written by hand in tools/architecture_rows.json win.
"""

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vllm_eks.planner.models.counts import count
from vllm_eks.planner.models.defaults import fill_defaults
from vllm_eks.planner.models.from_fields.names import decoder_fields
from vllm_eks.planner.models.from_fields.tower_formulas import tower_row
from vllm_eks.planner.models.from_fields.towers import read_towers
from vllm_eks.planner.models.from_fields.traits import PROJECTORS, Projector, Traits

ROOT = Path(__file__).parents[1]
OUT = ROOT / "vllm_eks" / "data" / "architectures.json"
BY_HAND = Path(__file__).parent / "architecture_rows.json"
EMBEDDING = re.compile(
    r"embed_tokens\.|word_embeddings\.|\.wte\.|tok_embeddings|embed_in\.|embeddings\.weight|\.embedding\."
)
HEAD = re.compile(r"lm_head|embed_out|output_layer|^output\.weight")
POSITIONS = re.compile(r"\.wpe\.|embed_positions|position_embeddings?\.")
GATED = re.compile(r"gate_up|gate_proj|gating|\.w1\.|\.w3\.|input_linear|linear_fc1|up_gate")
EXPERTS = re.compile(r"layers\.\d+\.((?:\w+\.)?experts)\.(?:routed_experts\.)?w13_weight$")
ATTENTION_GATE = re.compile(r"self_attn\.(output_gate|gate_proj|linear_gate|g_proj|gate)")
RARE_PROJECTORS: tuple[Projector, ...] = ("gated",)
"""Forms that only rows by hand name, so that no sum of other tensors is taken for them."""
SAME_CLASS = {
    "ChatGLMForConditionalGeneration": "ChatGLMModel",
    "InternS1ForConditionalGeneration": "InternVLForConditionalGeneration",
    "DeepseekV4ForConditionalGeneration": "DeepseekV4ForCausalLM",
    "NemotronHPuzzleForCausalLM": "NemotronHForCausalLM",
    "NemotronH_Omni_Reasoning_V3": "NemotronH_Nano_Omni_Reasoning_V3",
    "Qwen2_5OmniModel": "Qwen2_5OmniForConditionalGeneration",
    "Qwen4ExpForCausalLM": "Qwen4ExpForConditionalGeneration",
}
"""Names for which vLLM's registry has the class of another name, or its decoder."""
NO_PIPELINE = "Pipeline parallelism is not supported"


def tower_names(stage: Mapping[str, Any], prefix: str) -> set[str]:
    """Return the names of the tensors outside the decoder."""
    return {name for name in stage["names"] if not name.startswith(prefix) and not HEAD.search(name)}


def decoder_prefix(names: Iterable[str]) -> str:
    """Return what the names of the decoder's tensors begin with: the prefix of an embedding that most tensors have."""
    every = list(names)
    found = {_prefix(name) for name in every if EMBEDDING.search(name)} or {"model."}
    return max(sorted(found), key=lambda prefix: sum(name.startswith(prefix) for name in every))


def _prefix(embedding: str) -> str:
    outer = re.split(
        r"(?:model\.|transformer\.|backbone\.)?(?:embed_tokens|word_embeddings|wte|embed_in|embed)", embedding
    )[0]
    return outer or embedding.split(".")[0] + "."


def tower_bytes(stage: Mapping[str, Any], prefix: str) -> int:
    """Return the bytes of all towers on a rank."""
    return sum(stage["names"][name][2] for name in tower_names(stage, prefix) if "rotary" not in name)


def has_gate(tensors: Mapping[str, Any]) -> bool | None:
    """Return whether the MLPs among these tensors have a gate, None without an MLP."""
    shapes = {name: shape for name, (_, shape, _) in tensors.items() if "weight" in name}
    for name, shape in shapes.items():
        if name.endswith("w13_weight") and len(shape) == 3:
            second = shapes.get(name.replace("w13", "w2"))
            return second is None or shape[1] >= 1.5 * second[2]
    mlps = [name for name in shapes if re.search(r"mlp|feed_forward|ffn|fc[12]|dense_h_to_4h", name)]
    return any(GATED.search(name) for name in mlps) if mlps else None


def has_towers(config: Mapping[str, Any]) -> bool:
    """Return whether a config describes a vision or audio tower, or its class has one in any case."""
    described = read_towers(fill_defaults(config), Traits(), text_hidden=1)
    return described is not None or tower_row(config["architectures"][0]) is not None


def projector(config: Mapping[str, Any], row: Mapping[str, Any], parameters: float) -> dict[str, Any]:
    """Return the form of projector that comes nearest to the towers' parameters, unless it is the usual one."""
    filled = fill_defaults(config)
    hidden = count(decoder_fields(filled), "hidden_size")

    def miss(kind: Projector | None) -> float:
        traits = Traits(has_gated_towers=row["has_gated_towers"], projector=kind)
        towers = read_towers(filled, traits, text_hidden=hidden)
        return abs((towers.parameters if towers else 0) - parameters)

    usual: list[Projector | None] = [None, *(form for form in PROJECTORS if form not in RARE_PROJECTORS)]
    best = min(usual, key=miss)
    return {"projector": best} if best and miss(best) < 0.98 * miss(None) else {}


def ends(stages: list[Mapping[str, Any]], prefix: str) -> dict[str, Any]:
    """Return whether stages have an embedding or a head that they do not use. A tied embedding is used as the head."""
    names = [[name for name in stage["names"] if name.startswith(prefix) or HEAD.search(name)] for stage in stages]
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
    prefix = decoder_prefix(whole["names"])
    outside = tower_names(whole, prefix) if has_towers(answers[1, 1]["config"]) else set[str]()
    decoder = {name: tensor for name, tensor in whole["names"].items() if name not in outside}
    gated = has_gate(decoder)
    if gated is not None:
        row["has_gated_mlp"] = gated
    if not any("cos_sin_cache" in name for name in decoder):
        row["has_rotary"] = False
    if any(POSITIONS.search(name) for name in decoder):
        row["has_learned_positions"] = True
    if has_towers(answers[1, 1]["config"]) and not tower_bytes(whole, prefix):
        row["has_towers"] = False
    towers = {name: tensor for name, tensor in whole["names"].items() if name in outside}
    module = next((found[1] for name in decoder if (found := EXPERTS.search(name))), "mlp.experts")
    if module != "mlp.experts":
        row["expert_module"] = module
    gates = [shape[0] for name, (_, shape, _) in decoder.items() if ATTENTION_GATE.search(name) and len(shape) == 2]
    outputs = [shape[1] for name, (_, shape, _) in decoder.items() if name.endswith("self_attn.o_proj.weight")]
    if gates and outputs and max(gates) >= max(outputs):
        row["has_attention_gate"] = True
    by_rule = towers and tower_row(answers[1, 1]["config"]["architectures"][0]) is None
    if by_rule:
        row["has_gated_towers"] = bool(has_gate(towers))
        row |= projector(answers[1, 1]["config"], row, tower_bytes(whole, prefix) / 2)
    for (tp, pp), answer in answers.items():
        if by_rule and tp > 1 and pp == 1:
            # whole + split / tp = held
            total, held = tower_bytes(whole, prefix), tower_bytes(answer["stages"][0], prefix)
            share = (tp * held - total) / ((tp - 1) * total)
            if share > 0.002:
                row["whole_tower_share"] = round(min(1.0, share), 3)
        if pp > 1:
            row |= ends(answer["stages"], prefix)
    return row


def main(files: list[str]) -> None:
    """Write the table from all answers that are not refusals."""
    answers: dict[tuple[str, str], dict[tuple[int, int], Any]] = defaultdict(dict)
    without_pipeline: set[str] = set()
    for file in files:
        for line in Path(file).read_text().splitlines():
            if not line.startswith("{"):
                continue
            answer = json.loads(line)
            if NO_PIPELINE in answer.get("refused", ""):
                without_pipeline.add(answer["architecture"])
            if "stages" in answer:
                answers[answer["architecture"], answer["name"]][answer["tp"], answer["pp"]] = answer
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    for (name, _), found in answers.items():
        if (1, 1) in found:
            # What the first config shows goes before what another one shows.
            rows[name] = {**traits(found), **rows[name]}
    for name in without_pipeline:
        rows[name] = {**rows.get(name, {}), "has_pipeline": False}
    for name, row in json.loads(BY_HAND.read_text()).items():
        rows[name] = {**rows.get(name, {}), **row}
    for name, other in SAME_CLASS.items():
        rows[name] = {**rows[other], **rows.get(name, {})}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(rows.items()))
    source = (
        "vLLM 0.32.0's classes on the meta device, by tools/architecture_traits.py and tools/architecture_rows.json"
    )
    OUT.write_text(f'{{\n "source": {json.dumps(source)},\n "architectures": {{\n{lines}\n }}\n}}\n')


if __name__ == "__main__":
    main(sys.argv[1:])
