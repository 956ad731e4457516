"""The package's data: models, instance types, prices, and vLLM's flags by version."""

from pathlib import Path

DATA = Path(__file__).parent
