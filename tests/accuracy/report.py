"""Prints the score: `make accuracy`, or `make accuracy RUNS=folder` for another table in the same format."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.accuracy.runs import RUNS
from tests.accuracy.score import Score, middle, ninth_decile, scored, worst


def percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def table(title: str, scores: list[Score]) -> Table:
    made = Table(title=title, title_justify="left", box=None)
    for heading in (
        "run",
        "model",
        "GPU",
        "TP",
        "vLLM",
        "weights",
        "logged",
        "KV GiB",
        "logged",
        "KV tokens",
        "range",
        "logged",
        "error",
        "in",
        "GiB wide",
        "from GiB",
        "verdict",
    ):
        made.add_column(heading, no_wrap=True, justify="left" if heading in {"run", "model", "verdict"} else "right")
    for one in scores:
        row, truth = one.run.row, one.run.truth
        low, best, high = one.tokens
        made.add_row(
            one.run.id,
            row["model"].rpartition("/")[2][:24],
            row["gpu_class"],
            str(row["tp"]),
            row["vllm_version"] or "?",
            number(one.weights_gib),
            number(truth["weights_gib_per_gpu"]),
            number(one.kv_gib[1]),
            number(truth["kv_cache_gib_per_gpu"]),
            f"{best:,}",
            f"{low:,}-{high:,}",
            f"{truth['kv_cache_tokens']:,}" if truth["kv_cache_tokens"] else "",
            percent(one.kv_error),
            {True: "yes", False: "no", None: ""}[one.in_range],
            number(one.width_gib),
            percent(one.tokens_of_logged_gib_error),
            one.verdict,
        )
    return made


def main(folder: Path) -> None:
    """Print every row, those listed separately, those not mapped, and the sums."""
    scores = scored(folder)
    new, old = scores.new, scores.old
    out = Console(width=230, highlight=False)
    out.print(table("vLLM 0.8 and later, or of unknown version", new))
    out.print(table("\nthe V0 engine, before 0.8: shown apart, not counted", old))
    out.print("\nnot mapped")
    for run in scores.unmapped:
        out.print(f"  {run.id} {run.row['model']}: {run.unmapped}", markup=False)
    newer = [one for one in new if one.run.id.startswith("N")]
    errors = [one.kv_error for one in newer or new]
    held = scores.held
    widths = [one.width_gib for one in new if one.width_gib is not None]
    out.print(
        f"\n{len(new) + len(old) + len(scores.unmapped)} runs: {len(new)} counted, {len(old)} of the V0 engine, "
        f"{len(scores.unmapped)} not mapped\n"
        f"tokens from the logged KV GiB: at most {percent(worst([s.tokens_of_logged_gib_error for s in new + old]))} "
        "off (1.5 % allowed)\n"
        f"weights, sizes not from the row: at most {percent(worst([s.weights_error for s in new]))} off (5 %)\n"
        f"KV cache of {'the newer runs (N...)' if newer else 'all'}: {percent(middle(errors))} off at the median, "
        f"{percent(ninth_decile(errors))} at the ninth decile (2 %, 12 %)\n"
        f"range: holds {sum(held)} of {len(held)} (nine in ten), {middle([*widths]):.2f} GiB wide at the median (1.5)\n"
        f"verdict: right in {scores.right} of {len(new)}; called a fit and failed: {scores.dangerous} (none); "
        f"refused and ran: {sum(s.verdict == 'too cautious' for s in new)}",
        markup=False,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else RUNS)
