"""What a Cell tells the scale above."""

from scalebridge import _runtime as _runtime
from scalebridge.upscaling.effective_tensor import Effective, Progress, effective
from scalebridge.upscaling.local_fields import LocalFields

__all__ = ["Effective", "LocalFields", "Progress", "effective"]
