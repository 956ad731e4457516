"""What one step of the engine works on."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class StepBatch:
    """The tokens of one step, over all ranks."""

    decoding_requests: float
    """Requests that get one token each. An average may be a fraction."""
    decoding_context_tokens: float
    """Tokens in their KV caches, summed over these requests."""
    prompt_tokens: float = 0.0
    """Prompt tokens of the step, without those that prefix caching finds."""
    prompt_context_tokens: float = 0.0
    """For each prompt token the tokens before it, summed: about n * n / 2 for a whole prompt of n tokens."""
    prompts: float = 0.0
    """Requests with prompt tokens in the step."""

    def split(self, parts: int) -> "StepBatch":
        """Return one of this many equal parts, with at least one request or prompt token if there are any."""
        if parts == 1:
            return self
        share = decoding_share(self.decoding_requests, parts)
        return StepBatch(
            decoding_requests=self.decoding_requests * share,
            decoding_context_tokens=self.decoding_context_tokens * share,
            prompt_tokens=self.prompt_tokens / parts,
            prompt_context_tokens=self.prompt_context_tokens / parts,
            prompts=self.prompts / parts,
        )


def decoding_share(requests: float, parts: int) -> float:
    """Return the share of the decoding requests that is in one of this many parts."""
    return max(1 / parts, min(1.0, 1 / requests)) if requests else 1 / parts
