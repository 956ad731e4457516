"""Parameters of a decoder layer, by how tensor parallelism splits them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LayerShape:
    """Parameters of one layer. Only linear layers and experts can be quantized."""

    split: int = 0
    """Linear layers of the mixer that TP splits."""
    key_value: int = 0
    """Projections to keys and values, split at most as many ways as there are KV heads."""
    kv_heads: int = 1
    grouped: int = 0
    """Projections to Mamba's B and C, split at most as many ways as there are groups."""
    groups: int = 1
    whole: int = 0
    """Linear layers that TP does not split, such as latent attention's down-projections."""
    mlp: int = 0
    """Dense MLP and shared experts."""
    experts: int = 0
    unquantized: int = 0
    """16-bit parameters that TP splits, such as convolutions."""
    unquantized_whole: int = 0
    """16-bit parameters that TP does not split: norms, routers."""

    @property
    def parameters(self) -> int:
        """All parameters of the layer."""
        linear = self.split + self.key_value + self.grouped + self.whole + self.mlp + self.experts
        return linear + self.unquantized + self.unquantized_whole
