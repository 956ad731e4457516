"""Print the score: `make accuracy`."""

from rich.console import Console
from rich.table import Table

from tests.accuracy.score import Score, middle, score, scored, worst  # noqa: F401


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
            percent(one.tokens_of_logged_gib_error),
            one.verdict,
        )
    return made


def main() -> None:
    """Print every row, those set apart, those not mapped, and the sums."""
    new, old, unmapped = scored()
    out = Console(width=220, highlight=False)
    out.print(table("vLLM 0.8 and later, or of unknown version", new))
    out.print(table("\nthe V0 engine, before 0.8: shown apart, not counted", old))
    out.print("\nnot mapped")
    for run in unmapped:
        out.print(f"  {run.id} {run.row['model']}: {run.unmapped}", markup=False)
    held = [one.in_range for one in new if one.in_range is not None]
    out.print(
        f"\ntokens from the logged KV GiB: at most {percent(worst([s.tokens_of_logged_gib_error for s in new + old]))} "
        "off (1.5 % allowed)\n"
        f"weights, sizes not from the row: at most {percent(worst([s.weights_error for s in new]))} off (5 %)\n"
        f"KV cache: {percent(middle([s.kv_error for s in new]))} off at the median (8 %)\n"
        f"range: holds {sum(held)} of {len(held)} (nine in ten), half width "
        f"{percent(middle([s.half_width for s in new]))} at the median (20 %)\n"
        f"called a fit and ran out of memory: {sum(s.verdict.startswith('WRONG') for s in new)} (none); "
        f"refused and ran: {sum(s.verdict == 'too cautious' for s in new)}",
        markup=False,
    )


if __name__ == "__main__":
    main()
