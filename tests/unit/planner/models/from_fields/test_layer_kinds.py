"""The kind of each decoder layer."""

from tests.unit.planner.models.from_fields.test_reader import read


def test_the_last_layer_of_gemma_4_has_full_attention_whatever_its_config_says() -> None:
    slides = {"layer_types": ["sliding_attention"] * 4, "sliding_window": 1024}
    windows = [
        [one.window_tokens for one in read(model_type=kind, **slides).attention] for kind in ("gemma4_text", "novel")
    ]
    assert windows == [[1024, 1024, 1024, None], [1024] * 4]
