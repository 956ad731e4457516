"""Where the weights of a model come from."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WeightsSpec:
    """The weights of one model."""

    model: str
    """The Hugging Face id."""
    revision: str | None
    """The commit that is copied."""
    from_s3: bool = True
    """Whether vLLM streams them from S3; False: its pods fetch them from the Hub."""
    s3_uri: str | None
    """Weights that are there already; None: they are copied into the stack's bucket."""
    copy_seconds: int
    """How long the copy may take."""
