"""What opened load histories and structures have in common: columns over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas


class OverTime:
    """Columns of equal length, of which "time" is one."""

    columns: Mapping[str, NDArray[np.float64]]

    @property
    def times(self) -> NDArray[np.float64]:
        """Times of the rows, (step,)."""
        return self.columns["time"]

    def table(self) -> pandas.DataFrame:
        """Return the columns as a pandas table over the time."""
        from scalebridge.study.extras import need

        pandas = need("pandas", "tables", "`table`")
        return pandas.DataFrame(dict(self.columns)).set_index("time")
