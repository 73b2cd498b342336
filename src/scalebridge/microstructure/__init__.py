"""What the material looks like: images of named phases, read from files or made by rule."""

from scalebridge.microstructure import generators as generate
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.percolation import Clusters
from scalebridge.microstructure.readers import read

__all__ = ["Clusters", "Microstructure", "generate", "read"]
