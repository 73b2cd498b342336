"""The one home of tensor conventions: components, rotations, symmetry classes.

Inside scalebridge a symmetric second order tensor is the vector of its Mandel (Kelvin)
components, with the shear components times √2, in the order 11, 22, 33, 23, 13, 12 (3D) or
11, 22, 12 (2D). These are the components on an orthonormal basis, so that norms, contractions
and rotations of tensors are those of the vectors and matrices. Voigt notation, which weighs
stress and strain differently, is for import and export only.

Components come first: a tensor field of symmetric tensors has shape ``(component, …)``, one of
stiffnesses ``(component, component, …)``, one of rotations ``(d, d, …)``, where … stands for
voxel axes or nothing, and d for the dimension, 2 or 3. A rotation R is active, v' = R v; as an
orientation it maps crystal components to specimen components.

NumPy arrays in, NumPy arrays out; where an argument is a JAX array, JAX throughout.

References
----------
Mehrabadi & Cowin (1990), Eigentensors of linear anisotropic elastic materials, Q. J. Mech.
Appl. Math. 43, 15-41: Mandel components and their rotation.
"""

from scalebridge.tensors.conventions import (
    as_rotation,
    compliance_from_voigt,
    compliance_to_voigt,
    component_count,
    component_names,
    from_mandel,
    from_mandel4,
    mandel_rotation,
    rotate_mandel,
    rotate_mandel4,
    rotate_tensor,
    rotate_vector,
    rotation_about,
    rotation_from_euler,
    rotation_in_plane,
    stiffness_from_voigt,
    stiffness_to_voigt,
    strain_from_voigt,
    strain_to_voigt,
    stress_from_voigt,
    stress_to_voigt,
    to_mandel,
    to_mandel4,
)
from scalebridge.tensors.symmetry import SYMMETRIES, Kind, distance, project

__all__ = [
    "SYMMETRIES",
    "Kind",
    "as_rotation",
    "compliance_from_voigt",
    "compliance_to_voigt",
    "component_count",
    "component_names",
    "distance",
    "from_mandel",
    "from_mandel4",
    "mandel_rotation",
    "project",
    "rotate_mandel",
    "rotate_mandel4",
    "rotate_tensor",
    "rotate_vector",
    "rotation_about",
    "rotation_from_euler",
    "rotation_in_plane",
    "stiffness_from_voigt",
    "stiffness_to_voigt",
    "strain_from_voigt",
    "strain_to_voigt",
    "stress_from_voigt",
    "stress_to_voigt",
    "to_mandel",
    "to_mandel4",
]
