"""Latency against load as an SVG file: a curve for each candidate, and the service level as a line."""

from collections.abc import Iterator
from html import escape

from vllm_eks.cli.views.size_text import machines_text, traffic_text
from vllm_eks.planner.load.service_level import duration
from vllm_eks.planner.load.traffic import load_label
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.curves import Curve, LoadPlot, load_plot

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 50, 110
COLOURS = ("#1b6ca8", "#c25b12", "#3f7d3a")
DASHES = ("", "8 4", "2 4")
TICKS = 4


def load_svg(answer: SizeAnswer) -> str:
    """Return the file."""
    plot = load_plot(answer.rows, answer.level, fine=True)
    title = escape(f"{answer.question.model.id}: {traffic_text(answer.question.traffic)}")
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="sans-serif" font-size="12">',
            f"<title>{title}</title>",
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
            f'<text x="{LEFT}" y="20" font-size="13">{title}</text>',
            f'<text x="{LEFT}" y="38">{escape(plot.title)} against load</text>',
            *_axes(plot, is_open=answer.question.traffic.is_open),
            *_marks(plot),
            *(line for number, curve in enumerate(plot.curves) for line in _curve(plot, curve, number)),
            "</svg>",
            "",
        )
    )


def _x(plot: LoadPlot, load: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * load / plot.most_load, 1)


def _y(plot: LoadPlot, seconds: float) -> float:
    return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(1.0, seconds / plot.most_seconds), 1)


def _axes(plot: LoadPlot, *, is_open: bool) -> Iterator[str]:
    bottom, left = HEIGHT - BOTTOM, LEFT
    yield f'<path d="M{left} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="black"/>'
    for tick in range(TICKS + 1):
        load, seconds = plot.most_load * tick / TICKS, plot.most_seconds * tick / TICKS
        name = load_label(load, is_open=is_open)
        yield f'<text x="{_x(plot, load)}" y="{bottom + 18}" text-anchor="middle">{escape(name)}</text>'
        yield f'<text x="{left - 8}" y="{_y(plot, seconds) + 4}" text-anchor="end">{duration(seconds)}</text>'


def _marks(plot: LoadPlot) -> Iterator[str]:
    if plot.limit:
        height = _y(plot, plot.limit.seconds)
        yield f'<path d="M{LEFT} {height}H{WIDTH - RIGHT}" stroke="#b00020" stroke-width="1.5"/>'
        text = f"service level {duration(plot.limit.seconds)}"
        yield f'<text x="{WIDTH - RIGHT}" y="{height - 5}" text-anchor="end" fill="#b00020">{escape(text)}</text>'
    place = _x(plot, plot.load)
    yield f'<path d="M{place} {TOP}V{HEIGHT - BOTTOM}" stroke="#777" stroke-dasharray="3 3"/>'


def _curve(plot: LoadPlot, curve: Curve, number: int) -> Iterator[str]:
    colour, dash = COLOURS[number], DASHES[number]
    points = [(load, seconds) for load, seconds in curve.points if load <= plot.most_load]
    path = " ".join(f"{_x(plot, load)},{_y(plot, seconds)}" for load, seconds in points)
    height = HEIGHT - 58 + 18 * number
    style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
    yield f'<polyline points="{path}" {style}/>'
    yield f'<path d="M{LEFT} {height - 4}h30" {style}/>'
    yield f'<text x="{LEFT + 40}" y="{height}">{escape(machines_text(curve.row))}</text>'
