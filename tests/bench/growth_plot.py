"""The growth curve as a picture: the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

INK, QUIET, LINE, LIMIT = "#24292f", "#6e7781", "#0969da", "#bc4c00"


@dataclass(frozen=True)
class Panel:
    """One figure over the number of tenants, beside what cannot be beaten or what is promised."""

    title: str
    values: Sequence[float]
    limit: str
    limits: Sequence[float]
    #: Tenants up to which the limit holds.
    limit_tenants: Sequence[int]


def draw(tenants: Sequence[int], panels: Sequence[Panel], file: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(
        {
            "svg.hashsalt": "tierctl",
            "svg.fonttype": "path",
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "text.color": INK,
            "axes.edgecolor": QUIET,
            "xtick.color": INK,
            "ytick.color": INK,
        }
    )
    figure, grid = plt.subplots(2, 2, figsize=(9.5, 6.4), sharex=True)
    for axes, panel in zip(grid.flat, panels, strict=True):
        axes.plot(tenants, panel.values, color=LINE, marker="o", markersize=4, linewidth=1.8, label="tierctl")
        axes.plot(panel.limit_tenants, panel.limits, color=LIMIT, linestyle="--", linewidth=1.4, label=panel.limit)
        axes.set_title(panel.title, loc="left", fontsize=11, fontweight="bold")
        axes.set_ylim(bottom=0, top=1.12 * max([*panel.values, *panel.limits]))
        axes.set_xlim(0, 1.05 * max(tenants))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.grid(color="#d0d7de", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        axes.legend(frameon=False, loc="upper left", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("tenants, 100 in an account")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None, "Creator": None}, facecolor="white")
    plt.close(figure)
