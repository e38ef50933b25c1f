"""What happens around training and evaluation, as Ignite handlers."""

from .as_list import AsList
from .case_report import CaseReport
from .checkpoint import Checkpoint
from .clip_gradient import ClipGradient
from .curves import Curves
from .detection import Detection
from .nothing_found import NothingFound
from .overlays import Overlays
from .pooled_iou import PooledIoU
from .progress import Progress
from .reseed import Reseed
from .save_defects import SaveDefects, check_defects
from .save_instances import SaveInstances, check_findings
from .save_tumours import SaveTumours, check_tumours
from .step_on_validation import StepOnValidation
from .submission import write_submission
from .tumour_overlay import TumourOverlays
from .tumour_scores import ReferenceDice, TumourScores
from .validation_handler import ValidationHandler

__all__ = [
    "AsList",
    "CaseReport",
    "Checkpoint",
    "ClipGradient",
    "Curves",
    "Detection",
    "NothingFound",
    "Overlays",
    "PooledIoU",
    "Progress",
    "ReferenceDice",
    "Reseed",
    "SaveDefects",
    "SaveInstances",
    "SaveTumours",
    "StepOnValidation",
    "TumourOverlays",
    "TumourScores",
    "ValidationHandler",
    "check_defects",
    "check_findings",
    "check_tumours",
    "write_submission",
]
