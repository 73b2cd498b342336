"""What the material looks like: images of named phases, read from files or made by rule."""

from scalebridge.microstructure import generators as generate
from scalebridge.microstructure.fibres import Fibres
from scalebridge.microstructure.image import Microstructure
from scalebridge.microstructure.percolation import Clusters
from scalebridge.microstructure.readers import read
from scalebridge.microstructure.voronoi import Polycrystal

__all__ = ["Clusters", "Fibres", "Microstructure", "Polycrystal", "generate", "read"]
