"""Upper limits of numeric inputs, so that a typo is an error and not an hour of computation."""

MOST_REPLICAS = 1000
"""Of one model. EKS allows 450 nodes in a managed node group by default, and a preview draws each one."""

MOST_STAGES = 450
"""Pipeline stages. Each uses one node of the same node group."""

MOST_GPUS_PER_NODE = 16
"""The p2.16xlarge has 16, and no type has more."""

MOST_TOKENS = 100_000_000
"""In a context or a batch. Ten times the longest context of any model (Llama 4 Scout: 10,485,760)."""

MOST_SEQUENCES = 65_536
"""In one batch. vLLM's largest default is 1024."""

MOST_ADAPTERS = 1_000
"""LoRA adapters in one batch. Each uses GPU memory."""

MOST_ITEMS = 10_000
"""Images or other items in one request."""
MOST_WEIGHTS_GIB = 16384
"""Eight times the largest published checkpoint."""
