"""Fields that may decide a size and that the planner does not read, in a config.json whose class was never compared."""

import re
from collections.abc import Mapping
from typing import Any

from vllm_eks.planner.models.counts import is_count
from vllm_eks.planner.models.field_kinds import DECODER

SIZES = re.compile(
    r"(^|_)(dims?|sizes?|rank|width|heads?|layers?|experts?|blocks?|groups?|kernel|hidden|lora|latent|num|n|memory|slots|"
    r"streams|depth|vocab|intermediate|mult)(_|$)"
)
"""Words in names of such fields."""
HARMLESS = frozenset(
    """
    attn_res_block_size block_dim block_ff_dim block_multiple_of chunk_size conv_dim conv_dim_out dim_model_base
    embedding_size encoder_no_repeat_ngram_size expert_hidden_dim image_size index_block_size index_topk_blocks
    mamba_chunk_size moe_layer_end_index n_group no_repeat_ngram_size num_beam_groups num_beams num_hash_layers
    num_image_tokens num_key_value_groups num_labels num_logits_to_keep num_mtp_modules num_return_sequences qk_head_dim
    topk_group
    """.split()
)
"""Fields of compared architectures that decide no size."""


def unread_sizes(fields: Mapping[str, Any]) -> list[str]:
    """Return the decoder's numbers whose names speak of a size and that nothing reads, in alphabetical order."""
    return sorted(
        name
        for name, value in fields.items()
        if is_count(value) and value > 1 and name not in DECODER and name not in HARMLESS and SIZES.search(name)
    )
