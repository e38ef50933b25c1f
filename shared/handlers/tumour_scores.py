"""Reports how well an evaluator's network finds brain tumours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.data.utils import affine_to_spacing
from monai.engines import Workflow
from monai.utils import convert_to_tensor

from ..metrics.tumour_scores import REFERENCE_NAMES, REFERENCE_RULES, REGIONS, reference_dice, tumour_scores
from .by_index import gather_by_index

__all__ = ["ReferenceDice", "TumourScores"]


class _CaseFigures:
    """Leaves figures of each case among the evaluator's details, and the means of the defined among its metrics.

    It stands among an evaluator's metrics, under the name of one of its own figures, or among its handlers. Cases are
    known by their ``index``; one that several processes saw counts once.

    Args:
        prediction: key in the evaluator's output, or in its batch.
        truth: likewise.
        figures: names of the figures that are averaged.
        details: names of those that are not.
        events: names of those that happen in a case or do not; a report counts them.
    """

    def __init__(
        self,
        prediction: str,
        truth: str,
        figures: tuple[str, ...],
        details: tuple[str, ...] = (),
        events: tuple[str, ...] = (),
    ) -> None:
        self.prediction, self.truth = prediction, truth
        self.figures, self.details, self.events = figures, details, events
        self.rows: list[list[float]] = []

    def attach(self, engine: Workflow, name: str | None = None) -> None:
        if name is not None and name not in self.figures:
            raise ValueError(f"name must be one of {', '.join(self.figures)}, got {name!r}")
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.score)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Workflow) -> None:
        """Forget an earlier evaluation."""
        self.rows = []

    def score(self, engine: Workflow) -> None:
        """Score the cases just seen."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            case = {**item, **output}
            prediction = convert_to_tensor(case[self.prediction])
            truth = convert_to_tensor(case[self.truth], device=prediction.device)
            figures = self.of_case(prediction, truth, case)
            index = int(item.get("index", len(self.rows)))
            self.rows.append([index, *(figures[name] for name in self.names())])

    def names(self) -> tuple[str, ...]:
        """All that a case has, in the order of the report."""
        return (*self.figures, *self.events, *self.details)

    def of_case(self, prediction: torch.Tensor, truth: torch.Tensor, case: Mapping[str, Any]) -> dict[str, float]:
        """All figures of one case."""
        raise NotImplementedError

    def finish(self, engine: Workflow) -> None:
        """Leave the figures with the engine."""
        names = self.names()
        gathered, once = gather_by_index(self.rows, 1 + len(names))
        rows = torch.from_numpy(gathered)
        for column, name in enumerate(names, start=1):
            values = rows[:, column, None]
            engine.state.metric_details[name] = values > 0 if name in self.events else values
        for column, name in enumerate(self.figures, start=1):
            engine.state.metrics[name] = torch.nanmean(rows[once, column]).item()


class TumourScores(_CaseFigures):
    """Leaves ``tumour_scores`` of each case with the evaluator, and their means among its metrics.

    These are ``dice_wt``, ``dice_tc``, ``dice_et``, ``dice_mean`` and, in millimetres, ``hd95_wt``, ``hd95_tc`` and
    ``hd95_et``, beside these ``hd95_challenge_wt`` and so on. What is undefined for a case is left out of the mean.
    Whether a region was missed or invented, which a report counts, and the volumes found and true are details only.

    It stands among an evaluator's metrics, under the name of one of its figures, or among its handlers. Cases are known
    by their ``index``; one that several processes saw counts once.

    Args:
        prediction: key of the labels found, in the evaluator's output or its batch, on the grid of the truth.
        truth: key of the true labels, with an affine, which tells the size of a voxel.
        hd95: whether to compute the distances; a network that has learnt little has a large surface, and they take
            long.

    Raises:
        ValueError: in ``attach``, ``name`` is none of the figures; in a run, the truth has no affine.
    """

    def __init__(self, prediction: str = "pred", truth: str = "label", hd95: bool = True) -> None:
        kinds = ("dice", "hd95", "hd95_challenge") if hd95 else ("dice",)
        figures = [f"{kind}_{region}" for kind in kinds for region in REGIONS]
        figures.insert(len(REGIONS), "dice_mean")
        volumes = tuple(f"{kind}_{region}_ml" for kind in ("volume", "true_volume") for region in REGIONS)
        events = tuple(f"{kind}_{region}" for kind in ("missed", "invented") for region in REGIONS)
        super().__init__(prediction, truth, tuple(figures), volumes, events)
        self.hd95 = hd95

    def of_case(self, prediction: torch.Tensor, truth: torch.Tensor, case: Mapping[str, Any]) -> dict[str, float]:
        """All figures of one case."""
        if not isinstance(case[self.truth], MetaTensor):
            raise ValueError(f"{self.truth} must be a MetaTensor, whose affine tells the size of a voxel")
        if len(prediction) != 1 or len(truth) != 1:
            shapes = f"{tuple(prediction.shape)} and {tuple(truth.shape)}"
            raise ValueError(f"{self.prediction} and {self.truth} must be label maps (1, W, H, D), got {shapes}")
        spacing = affine_to_spacing(case[self.truth].affine, 3).tolist()
        return tumour_scores(prediction[0], truth[0], spacing, self.hd95)


class ReferenceDice(_CaseFigures):
    """Leaves ``reference_dice`` of each case with the evaluator, and the means among its metrics.

    ``TumorCore``, ``PeritumoralEdema``, ``EnhancingTumor``, ``MeanDice`` and ``WholeTumor``, as the reference program
    reports them but for its order of means: it takes that of each batch first, and stops before the last cases.

    It stands among an evaluator's metrics, under the name of one of its figures, or among its handlers. Cases are known
    by their ``index``; one that several processes saw counts once.

    Args:
        rule: ``"2020"``, ``"head"`` or ``"labels"``, see ``reference_dice``.
        prediction: key of the probabilities or labels, in the evaluator's output or its batch.
        truth: key of the true labels.

    Raises:
        ValueError: ``rule`` is unknown; in ``attach``, ``name`` is none of the figures.
    """

    def __init__(self, rule: str = "2020", prediction: str = "probability", truth: str = "label") -> None:
        if rule not in REFERENCE_RULES:
            raise ValueError(f"rule must be one of {', '.join(REFERENCE_RULES)}, got {rule!r}")
        super().__init__(prediction, truth, REFERENCE_NAMES)
        self.rule = rule

    def of_case(self, prediction: torch.Tensor, truth: torch.Tensor, case: Mapping[str, Any]) -> dict[str, float]:
        """All figures of one case."""
        return reference_dice(prediction, truth, self.rule)
