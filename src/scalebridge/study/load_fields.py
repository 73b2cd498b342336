"""The fields of a load history to store and to draw, at one time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from scalebridge import tensors
from scalebridge.study.local_fields import LocalFields, von_mises
from scalebridge.upscaling.across import all_stresses

if TYPE_CHECKING:
    from scalebridge.cell import Cell

Fields = Mapping[str, NDArray[Any]]
_FLAT = [0, 1, 3, 4]  # F11, F12, F21, F22 among the nine


def load_fields(fields: Fields, cell: Cell, unit: str) -> LocalFields:
    """Return the arrays to store and the scalar to draw.

    All fields of the history, in which stress has all its components, and ``flux_magnitude`` in
    conduction, else ``von_mises`` (in finite strain of Cauchy's stress, from the voxel's average
    F and P). In plane strain a law may not tell the stress across the plane: it is NaN then, and
    ``largest_shear``, the largest shear stress in the plane, stands in for von Mises'.

    Parameters
    ----------
    fields : mapping of name to (component, x, y[, z]) or (x, y[, z])
        As `History.fields` has them, of one row.
    cell : Cell
    unit : str
        Of the flux; empty where it is that of the input.
    """
    arrays = {part: values for name, field in fields.items() for part, values in _rows(name, field)}
    told = f"   [{unit}]" if unit else ""
    if cell.physics == "conduction":
        arrays["flux_magnitude"] = np.sqrt((arrays["flux"] ** 2).sum(axis=0))
        title = "Magnitude of the flux"
        return LocalFields(arrays, "flux_magnitude", title, rf"$|\mathbf{{q}}|${told}")
    if cell.physics == "finite strain":
        arrays["F"], arrays["P"] = _nine(arrays["F"], arrays["P"], cell)
        stress = _cauchy(arrays["F"], arrays["P"])
    else:
        stress = arrays["stress"] = all_stresses(arrays, cell)
    of = " of Cauchy" if cell.physics == "finite strain" else ""
    arrays["von_mises"] = von_mises(stress)
    if np.isfinite(arrays["von_mises"]).all():
        title = f"Von Mises stress{of}"
        return LocalFields(arrays, "von_mises", title, rf"$\sigma_\mathrm{{vM}}${told}")
    del arrays["von_mises"]
    arrays["largest_shear"] = np.sqrt(0.25 * (stress[0] - stress[1]) ** 2 + 0.5 * stress[5] ** 2)
    title = f"Largest shear stress in the plane{of}"
    return LocalFields(arrays, "largest_shear", title, rf"$\tau_\mathrm{{max}}${told}")


def _rows(name: str, field: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    """Return a field, or the branches of one that has several, each by its name."""
    if not name.endswith("_branches"):
        return [(name, field)]
    return [(f"{name}_{i}", part) for i, part in enumerate(field, start=1)]


def _nine(F: NDArray[Any], P: NDArray[Any], cell: Cell) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return F and P with all nine components; of a plane P₃₃ follows from the laws."""
    if len(F) == 9:
        return F, P
    whole = np.zeros((2, 9, *F.shape[1:]))
    whole[:, _FLAT] = F, P
    whole[0, 8] = 1.0
    for name in cell.microstructure.names:
        law, mask = cell.laws[name], cell.microstructure.mask(name)
        if cell.rotations.get(name) is not None or law.initial_state() != ():
            whole[1, 8, mask] = np.nan
        elif law.is_linear:
            whole[1, 8, mask] = 0.0 if np.all(np.asarray(law.modulus) == 0) else np.nan  # type: ignore[attr-defined]
        else:
            respond = jax.vmap(lambda f, law=law: law.respond(f, (), 1.0).flux[8])
            whole[1, 8, mask] = np.asarray(respond(jnp.asarray(whole[0][:, mask].T)))
    return whole[0], whole[1]


def _cauchy(F: NDArray[Any], P: NDArray[Any]) -> NDArray[Any]:
    """Return P Fᵀ / det F in Mandel components."""
    f, p = (a.reshape(3, 3, *a.shape[1:]) for a in (F, P))
    volume = np.linalg.det(np.moveaxis(f, (0, 1), (-2, -1)))
    stress = np.einsum("iJ...,jJ...->ij...", p, f) / volume
    return np.asarray(tensors.to_mandel(0.5 * (stress + stress.swapaxes(0, 1))))
