"""What vLLM's class of an architecture does that its config.json does not state.

data/architectures.json was derived from vLLM's classes, which tools/architecture_traits.py builds on the meta device.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import is_object
from vllm_eks.planner.models.from_fields.words import REPEATS, Repeats

Projector = Literal["none", "linear", "mlp", "merged mlp", "merged wide", "merged twice", "glm", "gated"]
"""Forms of a projector (towers.py, projector_parameters)."""
PROJECTORS: tuple[Projector, ...] = get_args(Projector)
TRAITS = DATA / "architectures.json"


@dataclass(frozen=True, kw_only=True)
class Traits:
    """The traits of one architecture name. The defaults are the most usual ones."""

    is_listed: bool = True
    """Whether vLLM has a class of this name."""
    embedding_everywhere: bool = False
    embedding_is_whole: bool = False
    head_everywhere: bool = False
    has_gated_mlp: bool | None = None
    """Whether an MLP has three matrices. None means that it follows from the activation."""
    has_gated_experts: bool | None = None
    """The same of experts where they differ (Moondream 3)."""
    has_attention_gate: bool = False
    """Whether each attention layer has a gate as large as its query."""
    expert_module: str = "mlp.experts"
    """Name of the experts within a layer, by which a quantization leaves them out."""
    least_expert_shard: int = 0
    """The smallest size of a rank's shard of an expert, to which the class pads smaller ones, or 0."""
    has_pipeline: bool = True
    """Whether the class supports pipeline parallelism."""
    has_tied_pipeline: bool = True
    """Whether it does with a tied embedding. Ernie 4.5 MoE ties its head to an embedding that the last stage lacks."""
    reads_tie: bool = False
    """Whether stages after the first read `tie_word_embeddings`, and fail where the config does not state it."""
    has_encoder: bool = False
    """Whether each decoder layer also attends to an encoder's output (Whisper)."""
    has_towers: bool = True
    """Whether the class creates the towers that its config describes."""
    whole_tower_share: float = 0.0
    """The share of the towers that TP does not split: 1 if it splits nothing."""
    projector: Projector | None = None
    """The form of the projector. None means the usual one."""
    mlp_ratio: int = 0
    """Size of the MLP over the hidden size where the config may leave it out (GPT-2, Bloom), or 0."""
    has_halved_mlp: bool = False
    """Whether the config's MLP size counts the gate and its value together (Molmo)."""
    has_gated_towers: bool | None = None
    """Whether a tower's MLP has three matrices. None means that it follows from the activation."""
    ties_by_default: bool | None = None
    ties_always: bool | None = None
    """Whether the class ties embedding and head whatever the config says: always, never, or as it says (None)."""
    whole_attention: bool = False
    """Whether the latent attention keeps keys and values of each head in the cache (MiniCPM3)."""
    rotary_share: float = 1.0
    """The rotated share of a head where the config does not state one (GLM)."""
    has_rotary: bool = True
    """Whether positions rotate queries and keys, which needs a table."""
    has_positions_once: bool = False
    """Whether a multimodal rotary table holds each position once."""
    has_image_positions: bool = False
    """Whether the table is a multimodal one although the config does not say so (Isaac)."""
    has_tables_by_layer: bool = False
    """Whether each layer has a rotary table of its own (Ernie 4.5 VL)."""
    has_learned_positions: bool = False
    """Whether positions have a learned embedding (GPT-2, OPT), on the stages that have the embedding."""
    unused_positions: int = 0
    """Rows of that embedding before the first position (OPT)."""
    shares_experts: bool = False
    """Whether layers share `num_blocks` sets of experts (Intern-S2 Mobius)."""
    has_short_states: bool = False
    """Whether vLLM keeps states in 16 bits whatever the config says (config.py sets the type by the class's name)."""
    repeats: Repeats | None = None
    """How the model runs more layers than its config counts, None if it does not (repeats.py)."""
    usual_fields: Mapping[str, int] = field(default_factory=dict[str, int])
    """What the class assumes for fields of the decoder that the config may leave out (Moondream 3)."""
    why_unknown: str = ""
    """Why the planner cannot determine the model's memory from its config, or empty."""


UNLISTED = Traits(is_listed=False)


@cache
def _rows() -> Mapping[str, Any]:
    return read_json_object(TRAITS)["architectures"]


def traits_of(name: str) -> Traits:
    """Return the traits of an architecture name, the most usual ones if vLLM has no class of that name."""
    row: object = _rows().get(name)
    if not is_object(row):
        return UNLISTED
    fields = Fields(row, where=f"{TRAITS.name}: {name}")
    gated = fields.optional("has_gated_mlp", bool, None)
    ties = fields.optional("ties_by_default", bool, None)
    read = Traits(
        embedding_everywhere=fields.optional("embedding_everywhere", bool, False),
        embedding_is_whole=fields.optional("embedding_is_whole", bool, False),
        head_everywhere=fields.optional("head_everywhere", bool, False),
        has_gated_mlp=gated,
        has_gated_experts=fields.optional("has_gated_experts", bool, None),
        has_attention_gate=fields.optional("has_attention_gate", bool, False),
        expert_module=fields.optional("expert_module", str, "mlp.experts"),
        least_expert_shard=fields.optional("least_expert_shard", int, 0),
        has_pipeline=fields.optional("has_pipeline", bool, True),
        has_tied_pipeline=fields.optional("has_tied_pipeline", bool, True),
        reads_tie=fields.optional("reads_tie", bool, False),
        has_encoder=fields.optional("has_encoder", bool, False),
        has_towers=fields.optional("has_towers", bool, True),
        whole_tower_share=fields.optional("whole_tower_share", float, 0.0),
        projector=fields.choice("projector", PROJECTORS) if "projector" in row else None,
        mlp_ratio=fields.optional("mlp_ratio", int, 0),
        has_halved_mlp=fields.optional("has_halved_mlp", bool, False),
        has_gated_towers=fields.optional("has_gated_towers", bool, None),
        ties_by_default=ties,
        ties_always=fields.optional("ties_always", bool, None),
        whole_attention=fields.optional("whole_attention", bool, False),
        rotary_share=fields.optional("rotary_share", float, 1.0),
        has_rotary=fields.optional("has_rotary", bool, True),
        has_positions_once=fields.optional("has_positions_once", bool, False),
        has_image_positions=fields.optional("has_image_positions", bool, False),
        has_tables_by_layer=fields.optional("has_tables_by_layer", bool, False),
        has_learned_positions=fields.optional("has_learned_positions", bool, False),
        unused_positions=fields.optional("unused_positions", int, 0),
        shares_experts=fields.optional("shares_experts", bool, False),
        has_short_states=fields.optional("has_short_states", bool, False),
        repeats=fields.choice("repeats", REPEATS) if "repeats" in row else None,
        usual_fields=fields.by_name("usual_fields", int),
        why_unknown=fields.optional("why_unknown", str, ""),
    )
    fields.end()
    return read
