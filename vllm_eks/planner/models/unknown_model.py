"""The error for a model that is not locked."""

import re

from vllm_eks.errors import WrongQuestion, did_you_mean

UNSERVED_FORMS = ("gguf", "exl2", "exl3", "mlx", "onnx")
"""Weight formats that are not supported, as they appear in repository names."""
MODEL_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
"""An id on the Hugging Face Hub."""


class UnknownModel(WrongQuestion):
    """No locked model has this id."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        self.name = name
        form = next((form for form in UNSERVED_FORMS if form in name.lower()), None)
        self.why = (
            form and f"{form.upper()} is not supported: use the model's safetensors repository, or an AWQ or FP8 one"
        )
        """Why a model with this name cannot be added, or None when it may be."""
        self.nearest = () if self.why else nearest
        self.to_add = f"vllm-eks lock {name if MODEL_ID.fullmatch(name) else '<organization>/<name>'}"
        unknown = (
            f" is not locked{did_you_mean(nearest)} (add it with {self.to_add}, or give a folder with its config.json)"
        )
        super().__init__(f"model {name!r}" + (f": {self.why}" if self.why else unknown))
