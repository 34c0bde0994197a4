"""The report: Markdown, printed as it comes and written to a file at the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.measure import Measurement, Spread


class Report:
    """Lines of Markdown."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, *lines: str) -> None:
        """A paragraph, or a heading."""
        self._lines += [*lines, ""]
        print(*lines, "", sep="\n", flush=True)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; all columns but the first are figures."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines = []
        for cells in (header, rule, *rows):
            first, *figures = cells
            aligned = [first.ljust(widths[0]), *map(str.rjust, figures, widths[1:])]
            lines.append(f"| {' | '.join(aligned)} |")
        self.say(*lines)

    def rates(self, results: Mapping[str, Sequence[Measurement]], relative_to: Mapping[str, str]) -> None:
        """A line per subject; ``relative_to`` are the columns of ratios, each with the subject that it is a ratio to.

        A ratio to a subject that was not measured is left open.
        """
        rates = {name: Spread.of([each.rate for each in rounds]) for name, rounds in results.items()}
        rows = []
        for name, rounds in results.items():
            others = [rates.get(other) for other in relative_to.values()]
            ratios = [_ratio(rates[name].median / other.median) if other else "" for other in others]
            rows.append(
                [
                    name,
                    f"{rounds[0].events:,}",
                    f"{rates[name].median:,.0f}",
                    f"{rates[name].least:,.0f}–{rates[name].most:,.0f}",
                    f"{Spread.of([each.cpu_us for each in rounds]).median:,.1f}",
                    f"{max(each.peak_mb for each in rounds):,.0f}",
                    *ratios,
                ]
            )
        self.table(["", "events", "events/s", "min–max", "CPU µs/event", "peak MB", *relative_to], rows)

    def save(self, file: Path) -> None:
        """Write all that was said."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(self._lines), encoding="utf-8")


def _ratio(ratio: float) -> str:
    """With three figures that count; a thousand and more in full."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
