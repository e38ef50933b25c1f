"""Saves what a run needs to go on exactly where it was, and the best network."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
import torch.distributed
from ignite.engine import Events
from monai.engines import Workflow

from ..atomic_save import atomic_save
from ..errors import UserError, message_behind
from ..runs.processes import from_first, is_first, is_group
from ..runs.weights import describe
from ..stop_signals import StopSignals

__all__ = ["Checkpoint"]

KEPT = 2  # the newest and its predecessor


class Checkpoint:
    """Saves the state of the run at the end of an epoch and the best network as ``model.pt``.

    It belongs after the handlers that validate and step the schedule, so that a checkpoint holds a finished epoch.
    Files appear under a temporary name and are renamed, so there is never half a checkpoint. When the run is stopped,
    by Ctrl-C, by SIGTERM or by an error, the state of the last finished epoch is saved if it was not yet, and the run
    ends.

    Of several processes the first writes and all load. Before an epoch ends the others take over its buffers, the
    running statistics of batch norm, so that the network that they validate is the one that is saved.

    Args:
        output_dir: ``model.pt`` (the network's state dict) goes here, resumable states into ``checkpoints/``.
        network: the network in training.
        optimizer: its optimiser.
        lr_scheduler: its learning-rate schedule, if there is one.
        validator: evaluator whose key metric chooses the best network: larger is better, NaN never is. Without it the
            last network is the best.
        interval: epochs between two resumable states; the last epoch is always saved.
        resume: whether to go on from the newest state in ``checkpoints/``, if there is one.
        early_stop: stop when a validation finds the best network this many epochs old; None never stops early.
        description: what must be known where the weights are used, see ``shared.runs.describe``; the files keep it.

    Raises:
        ValueError: ``interval`` or ``early_stop`` is less than 1.
        UserError: the state to resume from belongs to another network or cannot be read.
    """

    def __init__(
        self,
        output_dir: str | Path,
        network: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        lr_scheduler: Any = None,
        validator: Workflow | None = None,
        interval: int = 1,
        resume: bool = False,
        early_stop: int | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        for name, value in (("interval", interval), ("early_stop", early_stop)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 epoch at least, got {value}")
        self.model_file = Path(output_dir) / "model.pt"
        self.folder = Path(output_dir) / "checkpoints"
        self.parts = {"network": network, "optimizer": optimizer, "lr_scheduler": lr_scheduler}
        self.validator = validator
        self.interval = interval
        self.resume = resume
        self.early_stop = early_stop
        self.description = description or {}
        self.best: dict[str, float] = {"metric": math.nan, "epoch": 0}
        self.unsaved: dict[str, Any] | None = None
        self.signals = StopSignals()
        self.logger = logging.getLogger(__name__)

    def attach(self, engine: Workflow) -> None:
        def is_last(engine: Workflow, iteration: int) -> bool:
            return iteration % engine.state.epoch_length == 0

        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.end_if_told)
        if is_group():
            engine.add_event_handler(Events.ITERATION_COMPLETED(event_filter=is_last), self.share_buffers)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish_epoch)
        engine.add_event_handler(Events.COMPLETED, self.finish)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self.stop)

    def start(self, engine: Workflow) -> None:
        """Load the newest state when asked to; the trainer then goes on with the epoch after it.

        Raises:
            UserError: another training has ended here, or this one goes on where its schedule has ended.
        """
        if not self.resume and engine.state.epoch == 0 and self.model_file.exists():
            raise UserError(f"output_dir: {self.folder.parent} holds a training that has ended; name another folder")
        schedule, last = self.parts["lr_scheduler"], engine.state.max_epochs
        total = getattr(schedule, "T_max", getattr(schedule, "t_total", math.inf))
        if last > total:  # in a federated training, where each round adds some
            remedy = "give as epochs those of all rounds together"
            raise UserError(f"epochs: the learning rate falls over {total}, the training goes on to {last}; {remedy}")
        self.signals.take()
        states = from_first(self._states()) if self.resume else []
        if states:
            state = self._load(states)
            self.best = state["best"]
            engine.state.epoch = epoch = state["epoch"]
            engine.state.iteration = state["iteration"]
            self.logger.info("resumed from %s after epoch %d", states[-1], epoch)
            if (state["stopped_early"] and self._is_overdue(epoch)) or epoch >= engine.state.max_epochs:
                engine.terminate()
        elif self.resume:
            self.logger.info("no epoch was finished before: starting with the first")

    def _load(self, states: list[Path]) -> dict[str, Any]:
        try:
            state = torch.load(states[-1], map_location="cpu", weights_only=True)
            for name, part in self.parts.items():
                if part is not None:
                    part.load_state_dict(state[name])
        except Exception as error:
            remedy = f"delete it to go on from {states[-2].name}" if len(states) > 1 else "start a new run"
            reason = " ".join(str(error).split())[:300]
            raise UserError(f"resume: {states[-1]} cannot be loaded ({reason}); {remedy}") from error
        return state

    def end_if_told(self, engine: Workflow) -> None:
        """End the run if a signal asked for it and was not heard."""
        self.signals.raise_lost()

    def share_buffers(self, engine: Workflow) -> None:
        """Give all processes the first one's buffers; its parameters they have."""
        for buffer in self.parts["network"].buffers():
            torch.distributed.broadcast(buffer, src=0)

    def finish_epoch(self, engine: Workflow) -> None:
        """Save the network when it is the best so far, then the state when its turn has come."""
        epoch = engine.state.epoch
        if self._is_best(epoch):
            self.best = {"metric": self._metric(epoch), "epoch": epoch}
            self._save_network()
        stops = self._stops_early(epoch)
        last = stops or epoch == engine.state.max_epochs
        if last and self.best["epoch"] == 0:  # nothing was defined to choose by
            self._save_network()
        if is_first():
            self._take_state(engine, stops, last or epoch % self.interval == 0)
        if stops:
            self.logger.info("no better network since epoch %d: stopped early", self.best["epoch"])
            engine.terminate()

    def _take_state(self, engine: Workflow, stops: bool, is_due: bool) -> None:
        epoch = engine.state.epoch
        # Assigned in one go: a signal may come at any moment, and whoever it calls saves what stands here.
        progress = {"epoch": epoch, "iteration": engine.state.iteration, "best": self.best, "stopped_early": stops}
        state = progress | {name: part.state_dict() for name, part in self.parts.items() if part is not None}
        state["network"] = self._described_network()
        if is_due:
            self.unsaved = state
            self._save()
        else:  # the next step changes the tensors in place
            self.unsaved = copy.deepcopy(state)

    def stop(self, engine: Workflow, error: BaseException) -> None:
        """Save what the interval has left unsaved, say how to go on, and let the error go on its way."""
        try:
            self._save()
        except (OSError, RuntimeError) as second:  # of the disk and of PyTorch; the first error is the one to tell
            self.logger.error("the last epoch could not be saved: %s", message_behind(second) or second)
        finally:
            self.signals.give_back()
        if engine.state.epoch and (states := self._states()):  # else what there is could not be loaded
            self.logger.info(
                "stopped; to go on repeat the command with --output_dir %s --resume True (it has %s)",
                self.folder.parent,
                states[-1].name,
            )
        raise error

    def finish(self, engine: Workflow) -> None:
        """Wait until the first process has written, for all read ``model.pt`` next."""
        self.signals.give_back()
        idist.barrier()

    def _save_network(self) -> None:
        if not is_first():
            return
        atomic_save(self.model_file, self._described_network())

    def _described_network(self) -> Mapping[str, torch.Tensor]:
        network = self.parts["network"]
        return describe(network, network.state_dict(), self.description)

    def _save(self) -> None:
        if self.unsaved is None:
            return
        atomic_save(self.folder / f"epoch_{self.unsaved['epoch']:05d}.pt", self.unsaved)
        self.unsaved = None
        for old in self._states()[:-KEPT]:
            old.unlink()

    def _metric(self, epoch: int) -> float:
        """The validator's key metric of this epoch, NaN when it did not run."""
        if self.validator is None or self.validator.state.epoch != epoch:
            return math.nan
        return float(self.validator.state.metrics[self.validator.state.key_metric_name])

    def _is_best(self, epoch: int) -> bool:
        if self.validator is None:
            return True
        metric = self._metric(epoch)
        return not math.isnan(metric) and not metric <= self.best["metric"]

    def _stops_early(self, epoch: int) -> bool:
        """Only a validation can tell that there is no better network."""
        if self.early_stop is None or math.isnan(self._metric(epoch)) or self.best["epoch"] == 0:
            return False
        return self._is_overdue(epoch)

    def _is_overdue(self, epoch: int) -> bool:
        return self.early_stop is not None and epoch - self.best["epoch"] >= self.early_stop

    def _states(self) -> list[Path]:
        return sorted(self.folder.glob("epoch_*.pt"))
