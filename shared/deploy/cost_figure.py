"""The picture of a cost curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .operating_point import RESOLUTION, CostCurve, OperatingPoint

__all__ = ["draw_cost"]

TICKS = (1e-5, 1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1 - 1e-4, 1 - 1e-5)


def draw_cost(path: str | Path, curve: CostCurve, point: OperatingPoint) -> None:
    """Draw cost per picture, misses and false alarms over the threshold, in logits, with the chosen one marked.

    Args:
        path: PNG to be written.
        curve: what mistakes cost.
        point: the threshold that was chosen.
    """
    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    edges = np.clip(np.append(curve.threshold, 1.0), RESOLUTION, 1 - RESOLUTION)
    cost, missed, alarms = curve.at(point.threshold)
    above.stairs(curve.cost, edges, baseline=None)
    least, most = curve.cost[curve.cost > 0].min(), curve.cost.max()
    above.set_yscale("symlog", linthresh=least, linscale=0.5)  # logarithmic, but a cost of 0 has its place
    decades = 10.0 ** np.arange(np.ceil(np.log10(1.5 * least)), np.log10(most) + 1)
    above.set_yticks([0, *decades], [f"{value:g}" for value in (0, *decades)])
    above.set_yticks((), minor=True)
    above.set(ylabel="cost per picture", ylim=(-least / 4, 1.3 * most))
    above.set_title(f"least cost {cost:.3g} per picture, threshold {point.threshold:g}")
    below.stairs(curve.missed, edges, baseline=None, label=f"missed, of {curve.defective} defective")
    below.stairs(curve.false_alarms, edges, baseline=None, label=f"false alarms, of {curve.defect_free} defect-free")
    below.set(xlabel="threshold", ylabel="pictures")
    below.yaxis.set_major_locator(MaxNLocator(integer=True))
    below.plot([point.threshold] * 2, [missed, alarms], "k.", markersize=5)
    for axes in (above, below):
        axes.axvspan(point.low, point.high, color="tab:green", alpha=0.15, label="same decisions")
        axes.axvline(point.threshold, color="black", linestyle="--", linewidth=1, label="chosen")
    below.legend(fontsize="small")
    below.set_xscale("logit")
    below.set_xlim(RESOLUTION, 1 - RESOLUTION)
    below.set_xticks(TICKS, minor=False)
    below.set_xticks((), minor=True)
    below.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.5f}".rstrip("0")))
    figure.savefig(path)
