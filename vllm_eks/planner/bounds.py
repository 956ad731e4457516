"""The largest numbers that make sense, so that a slip of the pen is an answer and not an hour of counting."""

MOST_REPLICAS = 1000
"""Of one model. EKS holds 450 nodes in a managed node group unless AWS was asked for more, and a preview draws each."""

MOST_STAGES = 450
"""Pipeline stages, one a node of one node group."""

MOST_GPUS_PER_NODE = 16
"""p2.16xlarge has as many, and no type has more."""

MOST_TOKENS = 100_000_000
"""Of a context or a batch. Ten times the longest context any model states (Llama 4 Scout: 10,485,760)."""

MOST_SEQUENCES = 65_536
"""Of one batch. vLLM's largest default is 1024."""

MOST_ADAPTERS = 1_000
"""LoRA adapters that one batch can hold: each holds GPU memory."""

MOST_ITEMS = 10_000
"""Images or other items in one request."""
