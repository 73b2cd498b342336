"""Conventions: Mandel, Voigt, rotations and symmetry classes, each against index notation."""

from __future__ import annotations

import doctest
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scalebridge import _runtime, tensors
from scalebridge.errors import InputError

prop = settings(deadline=None, max_examples=20)
dimensions = pytest.mark.parametrize("d", [2, 3])
CLASSES = [(d, name) for d, names in tensors.SYMMETRIES.items() for name in names]
classes = pytest.mark.parametrize(("d", "symmetry"), CLASSES)
kinds = pytest.mark.parametrize("kind", ["stiffness", "conductivity"])


def reals(*shape):
    return arrays(float, shape, elements=st.floats(-10, 10, allow_subnormal=False))


def rotations(d):
    angles = reals(3) if d == 3 else st.floats(-10, 10)
    return angles.map(tensors.rotation_from_euler if d == 3 else tensors.rotation_in_plane)


def symmetric(d, *voxels):
    return reals(d, d, *voxels).map(lambda T: T + T.swapaxes(0, 1))


def matrices(d, kind="stiffness"):
    return symmetric(d if kind == "conductivity" else tensors.component_count(d))


def close(actual, expected, scale=1.0):
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12 * scale)


def rotate(tensor, R, kind="stiffness"):
    turn = tensors.rotate_tensor if kind == "conductivity" else tensors.rotate_mandel4
    return turn(tensor, R)


# --- Components ------------------------------------------------------------------------------


def test_order_of_components():
    assert tensors.component_names(2) == ("11", "22", "12")
    assert tensors.component_names(3) == ("11", "22", "33", "23", "13", "12")
    assert [tensors.component_count(d) for d in (2, 3)] == [3, 6]
    with pytest.raises(InputError, match="`dimension` must be 2 or 3"):
        tensors.component_names(4)


def test_mandel_and_voigt_by_hand():
    T = np.array([[1.0, 6.0, 5.0], [6.0, 2.0, 4.0], [5.0, 4.0, 3.0]])
    r = np.sqrt(2)
    m = tensors.to_mandel(T)
    close(m, [1, 2, 3, 4 * r, 5 * r, 6 * r])
    close(tensors.stress_to_voigt(m), [1, 2, 3, 4, 5, 6])
    close(tensors.strain_to_voigt(m), [1, 2, 3, 8, 10, 12])


def test_voigt_stiffness_of_an_isotropic_solid():
    lame, G = 3.0, 2.0
    mandel = np.diag([2 * G] * 6) + np.pad(np.full((3, 3), lame), (0, 3))
    voigt = tensors.stiffness_to_voigt(mandel)
    close(np.diag(voigt), [7, 7, 7, 2, 2, 2])
    assert voigt[0, 1] == lame


@dimensions
@prop
@given(data=st.data())
def test_round_trips(d, data):
    T = data.draw(symmetric(d, 2, 3))
    m = tensors.component_count(d)
    C = data.draw(reals(m, m, 2))
    v = data.draw(reals(m, 2))
    close(tensors.from_mandel(tensors.to_mandel(T)), T)
    close(tensors.to_mandel(tensors.from_mandel(v)), v)
    close(tensors.to_mandel4(tensors.from_mandel4(C)), C)
    for name in ("stress", "strain"):
        to, back = getattr(tensors, f"{name}_to_voigt"), getattr(tensors, f"{name}_from_voigt")
        close(back(to(v)), v)
    for name in ("stiffness", "compliance"):
        to, back = getattr(tensors, f"{name}_to_voigt"), getattr(tensors, f"{name}_from_voigt")
        close(back(to(C)), C)


@dimensions
@prop
@given(data=st.data())
def test_contractions_are_the_index_sums(d, data):
    S, E = data.draw(symmetric(d, 2)), data.draw(symmetric(d, 2))
    m = tensors.component_count(d)
    C = data.draw(reals(m, m))
    s, e = tensors.to_mandel(S), tensors.to_mandel(E)
    work = np.einsum("ijv,ijv->v", S, E)
    close(np.sum(s * e, axis=0), work, 1e3)
    close(np.sum(tensors.stress_to_voigt(s) * tensors.strain_to_voigt(e), axis=0), work, 1e3)
    close(np.linalg.norm(s, axis=0), np.linalg.norm(S, axis=(0, 1)))
    full = tensors.from_mandel4(C)
    close(np.linalg.norm(full), np.linalg.norm(C))
    flux = np.einsum("ijkl,klv->ijv", full, E)
    close(tensors.from_mandel(C @ e), flux, 1e3)
    C_voigt, S_voigt = tensors.stiffness_to_voigt(C), tensors.compliance_to_voigt(C)
    close(C_voigt @ tensors.strain_to_voigt(e), tensors.stress_to_voigt(C @ e), 1e3)
    close(S_voigt @ tensors.stress_to_voigt(s), tensors.strain_to_voigt(C @ s), 1e3)


@dimensions
@prop
@given(data=st.data())
def test_only_symmetric_parts_are_kept(d, data):
    T, C = data.draw(reals(d, d)), data.draw(reals(d, d, d, d))
    close(tensors.from_mandel(tensors.to_mandel(T)), (T + T.T) / 2)
    minor = (C + C.swapaxes(0, 1)) / 2
    minor = (minor + minor.swapaxes(2, 3)) / 2
    close(tensors.from_mandel4(tensors.to_mandel4(C)), minor)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (tensors.to_mandel, (3, 2)),
        (tensors.from_mandel, (4, 3)),
        (tensors.to_mandel4, (3, 3, 3)),
        (tensors.from_mandel4, (6, 3)),
        (tensors.stress_to_voigt, ()),
        (tensors.stiffness_to_voigt, (3, 6)),
        (tensors.rotation_from_euler, (2,)),
        (tensors.project, (2, 2)),
    ],
)
def test_wrong_shapes_are_refused(function, shape):
    extra = ("isotropic",) if function is tensors.project else ()
    with pytest.raises(InputError, match="must have first axes"):
        function(np.ones(shape), *extra)


# --- Rotations -------------------------------------------------------------------------------


def test_bunge_angles_by_hand():
    # R_z(90°) R_x(90°) takes e1 → e2, e2 → e3, e3 → e1; the other order does not.
    R = tensors.rotation_from_euler([90, 90, 0], degrees=True)
    close(R, [[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    R = tensors.rotation_from_euler([0, 90, 90], degrees=True)
    close(R, [[0, -1, 0], [0, 0, -1], [1, 0, 0]])
    # φ1 = 30° alone: the crystal's axis 1 points 30° from the specimen's 1 towards its 2.
    R = tensors.rotation_from_euler([30, 0, 0], degrees=True)
    close(tensors.rotate_vector([1.0, 0.0, 0.0], R), [np.sqrt(3) / 2, 0.5, 0])


@prop
@given(angles=reals(3))
def test_bunge_angles_are_three_turns_and_the_transpose_of_g(angles):
    R = tensors.rotation_from_euler(angles)
    x, z = (1, 0, 0), (0, 0, 1)
    about = tensors.rotation_about
    close(R, about(z, angles[0]) @ about(x, angles[1]) @ about(z, angles[2]))
    (c1, c, c2), (s1, s, s2) = np.cos(angles), np.sin(angles)
    close(R.T[0], [c1 * c2 - s1 * s2 * c, s1 * c2 + c1 * s2 * c, s2 * s])  # g11 g12 g13
    close(R.T[2], [s1 * s, -c1 * s, c])  # g31 g32 g33


@prop
@given(axis=reals(3).filter(lambda v: np.linalg.norm(v) > 1e-3), angle=st.floats(-3, 3))
def test_rotation_about_an_axis(axis, angle):
    R = tensors.rotation_about(axis, angle)
    close(R @ axis, axis, 10)
    close(np.trace(R), 1 + 2 * np.cos(angle))
    v = np.cross(axis, [0.3, -0.5, 0.7])
    close(np.cross(v, R @ v) @ axis, (v @ v) * np.sin(angle) * np.linalg.norm(axis), 1e4)


def test_rotation_fields():
    angles = np.linspace(0, 1, 3 * 4 * 5).reshape(3, 4, 5)
    R = tensors.rotation_from_euler(angles)
    assert R.shape == (3, 3, 4, 5)
    close(R[..., 2, 3], tensors.rotation_from_euler(angles[:, 2, 3]))
    assert tensors.rotation_in_plane(angles[0]).shape == (2, 2, 4, 5)
    C = np.arange(36.0).reshape(6, 6)
    close(tensors.rotate_mandel4(C, R)[..., 1, 4], tensors.rotate_mandel4(C, R[..., 1, 4]), 1e2)
    v = np.ones((3, 4, 5))
    close(tensors.rotate_vector(v, R)[:, 3, 3], R[..., 3, 3] @ np.ones(3))


@dimensions
@prop
@given(data=st.data())
def test_rotation_there_and_back_keeps_everything(d, data):
    R, T = data.draw(rotations(d)), data.draw(symmetric(d))
    v, C = data.draw(reals(d)), data.draw(matrices(d))
    e = tensors.to_mandel(T)
    for turn, x in (
        (tensors.rotate_vector, v),
        (tensors.rotate_tensor, T),
        (tensors.rotate_mandel, e),
        (tensors.rotate_mandel4, C),
    ):
        there = turn(x, R)
        close(turn(there, R.T), x, 100)
        close(np.linalg.norm(there), np.linalg.norm(x), 100)
    T_turned = tensors.rotate_tensor(T, R)
    close(T_turned, R @ T @ R.T, 100)
    close(np.trace(T_turned), np.trace(T), 100)
    close(np.linalg.det(T_turned), np.linalg.det(T), 1e4)
    close(tensors.rotate_mandel(e, R), tensors.to_mandel(T_turned), 100)
    C_turned = tensors.rotate_mandel4(C, R)
    close(np.trace(C_turned), np.trace(C), 1e3)
    close(np.linalg.eigvalsh(C_turned), np.linalg.eigvalsh(C), 1e3)


@dimensions
@prop
@given(data=st.data())
def test_mandel_rotation_is_an_orthogonal_representation(d, data):
    R1, R2 = data.draw(rotations(d)), data.draw(rotations(d))
    Q1, Q2 = tensors.mandel_rotation(R1), tensors.mandel_rotation(R2)
    close(Q1 @ Q1.T, np.eye(len(Q1)))
    close(tensors.mandel_rotation(R1 @ R2), Q1 @ Q2)
    close(tensors.mandel_rotation(R1.T), Q1.T)


@dimensions
@prop
@given(data=st.data())
def test_fourth_order_rotation_is_the_index_formula(d, data):
    R = data.draw(rotations(d))
    m = tensors.component_count(d)
    C = data.draw(reals(m, m))
    by_indices = np.einsum("ip,jq,kr,ls,pqrs->ijkl", R, R, R, R, tensors.from_mandel4(C))
    close(tensors.from_mandel4(tensors.rotate_mandel4(C, R)), by_indices, 1e3)


@pytest.mark.parametrize(
    "R",
    [np.diag([1.0, 1.0, -1.0]), 1.001 * np.eye(3), np.full((3, 3), np.nan), np.zeros((3, 3))],
    ids=["reflection", "scaled", "nan", "zero"],
)
def test_what_is_no_rotation_is_refused(R):
    with pytest.raises(InputError, match="`R` must be a rotation"):
        tensors.rotate_tensor(np.eye(3), R)
    field = np.stack([np.eye(3), R], axis=-1)
    with pytest.raises(InputError, match="`R` must be a rotation"):
        tensors.mandel_rotation(field)


def test_rotation_must_fit_the_dimension():
    with pytest.raises(InputError, match=r"`R` must have first axes \(3, 3\)"):
        tensors.rotate_mandel(np.ones(6), np.eye(2))
    with pytest.raises(InputError, match="`axis` must be a non-zero vector"):
        tensors.rotation_about((0, 0, 0), 1.0)


# --- Symmetry classes ------------------------------------------------------------------------


def invariants(d, symmetry, kind):
    """Return the number of constants: the rank of the projection of symmetric matrices."""
    m = d if kind == "conductivity" else tensors.component_count(d)
    basis = np.eye(m * m).reshape(m, m, m * m)
    basis = (basis + basis.swapaxes(0, 1)) / 2
    projected = tensors.project(basis, symmetry, kind=kind).reshape(m * m, m * m)
    return np.linalg.matrix_rank(projected, tol=1e-9)


def test_number_of_constants():
    def count(d, kind):
        return [invariants(d, name, kind) for name in tensors.SYMMETRIES[d]]

    assert count(3, "stiffness") == [2, 3, 5, 6, 6, 9, 13, 21]
    assert count(3, "conductivity") == [1, 1, 2, 2, 2, 3, 4, 6]
    assert count(2, "stiffness") == [2, 3, 4, 6]
    assert count(2, "conductivity") == [1, 1, 2, 3]


@kinds
@classes
@prop
@given(data=st.data())
def test_projection_is_orthogonal(d, symmetry, kind, data):
    A, B = data.draw(matrices(d, kind)), data.draw(matrices(d, kind))
    PA, PB = (tensors.project(X, symmetry, kind=kind) for X in (A, B))
    close(tensors.project(PA, symmetry, kind=kind), PA, 100)
    close(np.sum(PA * B), np.sum(A * PB), 1e5)
    inside = PA + 100 * np.eye(len(PA))
    assert tensors.distance(inside, symmetry, kind=kind) < 1e-12
    assert tensors.distance(A, symmetry, kind=kind) <= 1 + 1e-12


def _turns(d, symmetry):
    """Return rotations of the class, written out again: (axis, fold)."""
    x, y, z, diagonal = np.eye(3)[0], np.eye(3)[1], np.eye(3)[2], np.ones(3)
    turns = {
        "cubic": [(x, 4), (y, 4), (z, 4), (diagonal, 3)],
        "transversely isotropic": [(z, 2 * np.pi), (z, 11), (y, 2)],
        "tetragonal": [(z, 4), (x, 2), (y, 2), ([1, 1, 0], 2)],
        "trigonal": [(z, 3), (x, 2)],
        "orthotropic": [(x, 2), (y, 2), (z, 2)],
        "monoclinic": [(z, 2)],
        "triclinic": [],
        "anisotropic": [(z, 2)],
        "square": [(z, 4), (z, 2)],
    }
    turns["isotropic"] = [*turns["cubic"], *turns["transversely isotropic"], ([1, 2, 3], 7)]
    if d == 2:  # the half turns about in-plane axes are reflections there
        turns |= {"isotropic": [(z, 2 * np.pi), (z, 11)], "orthotropic": [(z, 2)]}
    return [tensors.rotation_about(axis, 2 * np.pi / n)[:d, :d] for axis, n in turns[symmetry]]


@kinds
@classes
@prop
@given(data=st.data())
def test_projection_is_fixed_by_its_class(d, symmetry, kind, data):
    P = tensors.project(data.draw(matrices(d, kind)), symmetry, kind=kind)
    for R in _turns(d, symmetry):
        close(rotate(P, R, kind), P, 1e3)


@prop
@given(C=matrices(3), R=rotations(3))
def test_isotropic_is_fixed_by_every_rotation(C, R):
    P = tensors.project(C, "isotropic")
    close(tensors.rotate_mandel4(P, R), P, 1e3)
    close(tensors.project(tensors.rotate_mandel4(C, R), "isotropic"), P, 1e3)


LARGER = {  # class → classes whose tensors it contains
    "cubic": ["isotropic"],
    "transversely isotropic": ["isotropic"],
    "tetragonal": ["isotropic", "cubic", "transversely isotropic"],
    "trigonal": ["isotropic", "transversely isotropic"],
    "orthotropic": ["isotropic", "cubic", "tetragonal", "transversely isotropic"],
    "monoclinic": ["isotropic", "cubic", "tetragonal", "orthotropic"],
}


@pytest.mark.parametrize("symmetry", LARGER)
@prop
@given(C=matrices(3))
def test_projections_are_nested(symmetry, C):
    P = tensors.project(C, symmetry)
    for higher in LARGER[symmetry]:
        direct = tensors.project(C, higher)
        close(tensors.project(P, higher), direct, 1e3)
        close(tensors.project(direct, symmetry), direct, 1e3)
        assert tensors.distance(C, higher) >= tensors.distance(C, symmetry) - 1e-12


@classes
@prop
@given(data=st.data())
def test_frame_turns_the_class(d, symmetry, data):
    C, R = data.draw(matrices(d)), data.draw(rotations(d))
    turned = tensors.project(tensors.rotate_mandel4(C, R), symmetry, frame=R)
    close(turned, tensors.rotate_mandel4(tensors.project(C, symmetry), R), 1e3)


@pytest.mark.parametrize("symmetry", tensors.SYMMETRIES[3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_axis_is_a_cyclic_renumbering(symmetry, axis):
    C = np.random.default_rng(0).normal(size=(6, 6))
    frame = np.roll(np.eye(3), axis + 1, axis=0)  # sends e3 to the main axis
    assert frame[axis, 2] == 1
    close(
        tensors.project(C + C.T, symmetry, axis=axis),
        tensors.project(C + C.T, symmetry, frame=frame),
    )


def test_patterns_of_the_textbook():
    C = np.random.default_rng(1).normal(size=(6, 6))
    C = tensors.stiffness_to_voigt(tensors.project(C + C.T, "trigonal"))
    close(C[0, 3], -C[1, 3])  # C14 = −C24 = C56, two-fold axis 1
    close(C[0, 3], C[4, 5])
    close(C[5, 5], (C[0, 0] - C[0, 1]) / 2)
    close(C[0, 4], 0)
    M = tensors.project(np.ones((6, 6)), "monoclinic")
    assert np.all((np.abs(M) > 1e-9)[3] == [0, 0, 0, 1, 1, 0])  # C44, C45


def test_isotropic_projection_by_hand():
    # Copper: 9 K = C_iijj and 3 K + 10 G = C_ijij, so that G = (C11 − C12 + 3 C44) / 5 = 54.64.
    C = np.diag([168.4 - 121.4] * 3 + [2 * 75.4] * 3) + np.pad(np.full((3, 3), 121.4), (0, 3))
    P = tensors.project(C, "isotropic")
    close(P[3, 3] / 2, 54.64)
    close(P[0, 0] - P[0, 1], 2 * 54.64)
    close(P[:3, :3].sum() / 9, 137.0666666666667)


def test_fields_and_zero_tensors():
    C = np.zeros((6, 6, 4))
    C[..., 1] = np.eye(6)
    C[0, 0, 2] = 1
    far = tensors.distance(C, "cubic")
    assert far.shape == (4,)
    close(far[[0, 1, 3]], 0)
    close(far[2], np.sqrt(2 / 3))  # P(C) holds a third in each of C11, C22, C33
    assert tensors.project(C, "cubic", frame=np.eye(3)).shape == C.shape


def test_bad_classes_are_refused():
    with pytest.raises(InputError, match=r"did you mean 'orthotropic'"):
        tensors.project(np.eye(6), "orthotropc")
    with pytest.raises(InputError, match="in 2D"):
        tensors.project(np.eye(3), "cubic")
    with pytest.raises(InputError, match="`axis` must be"):
        tensors.project(np.eye(6), "isotropic", axis=3)
    with pytest.raises(InputError, match="`kind` must be"):
        tensors.project(np.eye(3), "isotropic", kind="heat")
    with pytest.raises(InputError, match="`frame` must be a rotation"):
        tensors.project(np.eye(6), "cubic", frame=2 * np.eye(3))


# --- NumPy and JAX ---------------------------------------------------------------------------


def test_import_leaves_jax_alone():
    code = "import sys, scalebridge.tensors; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("xp", [np, jnp])
def test_type_and_precision_are_kept(xp, dtype):
    _runtime.require_double_precision()
    C, R = xp.eye(6, dtype=dtype), xp.eye(3, dtype=np.float32)
    kind = np.ndarray if xp is np else jax.Array
    for result in (
        tensors.from_mandel4(C),
        tensors.stiffness_to_voigt(C),
        tensors.project(C, "cubic"),
        tensors.rotate_mandel4(C, R),
    ):
        assert isinstance(result, kind)
        assert result.dtype == dtype


def test_jit_grad_and_vmap():
    rng = np.random.default_rng(2)
    C, W, angles = rng.normal(size=(6, 6)), rng.normal(size=(6, 6)), rng.normal(size=3)
    R = tensors.rotation_from_euler(angles)

    def weighted(C, angles):
        return jnp.sum(W * tensors.rotate_mandel4(C, tensors.rotation_from_euler(angles)))

    with jax.numpy_rank_promotion("raise"):
        close(jax.jit(tensors.rotate_mandel4)(C, R), tensors.rotate_mandel4(C, R))
        dC, dangles = jax.jit(jax.grad(weighted, argnums=(0, 1)))(C, angles)
        batch = jax.vmap(tensors.rotate_mandel4, (0, None))(jnp.stack([C, W]), R)
        frame = jax.jit(lambda R: tensors.project(C, "cubic", frame=R))(R)
        field = jax.jit(tensors.rotate_mandel4)(C, np.repeat(R[:, :, None], 4, axis=2))
        about = jax.jit(lambda a: tensors.rotation_about((1, 2, 3), a))(angles)
    close(dC, tensors.rotate_mandel4(W, R.T))
    for i, step in enumerate(1e-6 * np.eye(3)):
        difference = (weighted(C, angles + step) - weighted(C, angles - step)) / 2e-6
        np.testing.assert_allclose(dangles[i], difference, rtol=1e-7, atol=1e-7)
    close(batch[1], tensors.rotate_mandel4(W, R))
    close(frame, tensors.project(C, "cubic", frame=R))
    close(field[..., 2], tensors.rotate_mandel4(C, R))
    close(about, tensors.rotation_about((1, 2, 3), angles))


def test_gradient_of_distance():
    C = np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    gradient = jax.grad(lambda C: tensors.distance(C, "isotropic"))(jnp.asarray(C))
    step = 1e-6 * np.eye(6)
    ahead, behind = (tensors.distance(C + s * step, "isotropic") for s in (1, -1))
    np.testing.assert_allclose(np.trace(gradient), (ahead - behind) / 2e-6, rtol=1e-7)


def test_examples_in_the_docstrings():
    assert doctest.testmod(tensors).failed == 0


def test_as_rotation_checks_and_keeps():
    R = tensors.rotation_about((1, 2, 3), 0.7)
    assert tensors.as_rotation(R, 3) is R
    with pytest.raises(InputError, match="`turn` must be a rotation"):
        tensors.as_rotation(2 * R, name="turn")
    with pytest.raises(InputError, match="`R` must have first axes"):
        tensors.as_rotation(R, 2)
