"""How a pipeline splits the layers of a model."""


def stage_layers(num_layers: int, pipeline_parallel_size: int, together: int = 1) -> tuple[int, ...]:
    """Return the number of layers of each stage, as get_pp_indices in vLLM's distributed/utils.py.

    The remainder goes to the stages before the last one, one layer each, backwards. This many layers stay `together`.

    >>> stage_layers(126, 4), stage_layers(61, 2), stage_layers(94, 4)
    ((31, 32, 32, 31), (31, 30), (23, 24, 24, 23))
    """
    base, remainder = divmod(num_layers // together, pipeline_parallel_size)
    layers = [base] * pipeline_parallel_size
    for offset in range(remainder):
        layers[pipeline_parallel_size - 2 - offset] += 1
    return tuple(together * count for count in layers)
