"""The source of a model's weights."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WeightsSpec:
    """The weights of one model."""

    model: str
    """The Hugging Face ID."""
    revision: str | None
    """The commit to copy."""
    from_s3: bool = True
    """Whether vLLM streams them from S3. Otherwise its pods download them from the Hub."""
    s3_uri: str | None
    """Weights that are already in S3. If None, they are copied to the stack's bucket."""
    copy_seconds: int
    """The limit for the copy."""
