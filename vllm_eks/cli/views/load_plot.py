"""Latency against load in a terminal: a letter for each candidate, and the service level as a line."""

from collections.abc import Iterator

from vllm_eks.cli.views.size_text import LETTERS
from vllm_eks.planner.load.service_level import duration
from vllm_eks.planner.load.traffic import load_label
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.curves import LoadPlot, load_plot

COLUMNS, LINES = 64, 12
AXIS = 9
"""Columns of the labels on the left."""


def plot_lines(answer: SizeAnswer) -> Iterator[str]:
    """Yield the lines of the plot and its legend."""
    plot = load_plot(answer.rows, answer.level, fine=False)
    grid = _grid(plot)
    limit = _line(plot, plot.limit.seconds) if plot.limit else None
    yield f"{plot.title} against load"
    for number, cells in enumerate(grid):
        label = ""
        if number == 0:
            label = duration(plot.most_seconds)
        elif number == limit and plot.limit:
            label = duration(plot.limit.seconds)
        yield f"{label:>{AXIS}} |{''.join(cells)}".rstrip()
    is_open = answer.question.traffic.is_open
    right = load_label(plot.most_load, is_open=is_open)
    yield f"{'0':>{AXIS}} +{'-' * COLUMNS}"
    yield f"{'':>{AXIS}}  0{right:>{COLUMNS - 1}}"
    legend = [f"^: {load_label(plot.load, is_open=is_open)}"]
    if plot.limit:
        legend.append(f"-: limit of {duration(plot.limit.seconds)}")
    letters = ", ".join(LETTERS[: len(plot.curves)])
    yield f"{letters}: the machines above; {'; '.join(legend)}"


def _grid(plot: LoadPlot) -> list[list[str]]:
    grid = [[" "] * COLUMNS for _ in range(LINES)]
    if plot.limit:
        grid[_line(plot, plot.limit.seconds)] = ["-"] * COLUMNS
    for letter, curve in reversed(list(zip(LETTERS, plot.curves, strict=False))):
        for column in range(COLUMNS):
            seconds = curve.seconds_at((column + 0.5) / COLUMNS * plot.most_load)
            if seconds is not None and seconds <= plot.most_seconds:
                grid[_line(plot, seconds)][column] = letter
    grid[-1][min(COLUMNS - 1, int(plot.load / plot.most_load * COLUMNS))] = "^"
    return grid


def _line(plot: LoadPlot, seconds: float) -> int:
    return min(LINES - 1, max(0, LINES - 1 - int(seconds / plot.most_seconds * LINES)))
