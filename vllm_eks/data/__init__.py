"""The data that the package ships: models, instance types, prices, and the flags of vLLM by version."""

from pathlib import Path

DATA = Path(__file__).parent
