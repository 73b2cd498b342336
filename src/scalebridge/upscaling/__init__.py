"""What a Cell tells the scale above."""

from scalebridge import _runtime as _runtime
from scalebridge.upscaling.bounding import Bounds, Comparison, bounds
from scalebridge.upscaling.coarse_graining import CoarseGrained, coarse_grained
from scalebridge.upscaling.driving import Average
from scalebridge.upscaling.effective_tensor import Effective, Progress, effective
from scalebridge.upscaling.history import History, Ledger
from scalebridge.upscaling.loading import LoadProgress, Stepping, load
from scalebridge.upscaling.local_fields import LocalFields
from scalebridge.upscaling.sensitivity import (
    LossGradient,
    Sensitivities,
    loss_gradient,
    sensitivities,
)

__all__ = [
    "Average",
    "Bounds",
    "CoarseGrained",
    "Comparison",
    "Effective",
    "History",
    "Ledger",
    "LoadProgress",
    "LocalFields",
    "LossGradient",
    "Progress",
    "Sensitivities",
    "Stepping",
    "bounds",
    "coarse_grained",
    "effective",
    "load",
    "loss_gradient",
    "sensitivities",
]
