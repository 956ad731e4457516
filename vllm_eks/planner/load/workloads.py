"""Named workloads: typical lengths of requests, each from a published source."""

from collections.abc import Mapping
from dataclasses import dataclass

from vllm_eks.planner.load.lengths import Lengths, TokenCount

MODEL_CARDS = "use cases of the performance tables on RedHatAI's model cards (Hugging Face)"
TRACES = "Mooncake, FAST 2025, table 2: tool and agent trace, 59 % of the tokens cached"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A kind of traffic."""

    input_tokens: int
    output_tokens: int
    shared_prefix_tokens: int
    source: str

    @property
    def lengths(self) -> Lengths:
        """Lengths around these means."""
        return Lengths(
            input=TokenCount(tokens=self.input_tokens, varies=True),
            output=TokenCount(tokens=self.output_tokens, varies=True),
        )


WORKLOADS: Mapping[str, Workload] = {
    "chat": Workload(
        input_tokens=512, output_tokens=256, shared_prefix_tokens=0, source=f"multi-turn chat: {MODEL_CARDS}"
    ),
    "rag": Workload(input_tokens=1024, output_tokens=128, shared_prefix_tokens=0, source=f"RAG: {MODEL_CARDS}"),
    "code": Workload(
        input_tokens=1024, output_tokens=1024, shared_prefix_tokens=0, source=f"code fixing: {MODEL_CARDS}"
    ),
    "summary": Workload(
        input_tokens=4096, output_tokens=512, shared_prefix_tokens=0, source=f"large summarization: {MODEL_CARDS}"
    ),
    "agent": Workload(input_tokens=8596, output_tokens=182, shared_prefix_tokens=5072, source=TRACES),
}
"""By name. Lengths vary around these means; the shared prefix is part of the input."""
