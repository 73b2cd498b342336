"""Results files and pictures: what PyVista reads, what comes back, what a full disk leaves."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.image import imread

from scalebridge.errors import InputError
from scalebridge.microstructure import Microstructure
from scalebridge.study import pictures
from scalebridge.study.files import atomic, plain, sha256, writable_folder
from scalebridge.study.local_fields import von_mises
from scalebridge.study.results import read_results, write_results

SHAPES = {2: (5, 4), 3: (5, 4, 3)}


def image(dim: int) -> Microstructure:
    shape = SHAPES[dim]
    labels = np.arange(np.prod(shape)).reshape(shape) % 7 > 2
    spacing = (1.0e-6, 2.0e-6, 0.5e-6)[:dim]
    return Microstructure(labels.astype(int), spacing, {"void": 0, "carbon é": 1})


def fields(dim: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    size = {2: 3, 3: 6}[dim]
    return {
        "temperature": rng.normal(size=SHAPES[dim]),
        "flux": rng.normal(size=(dim, *SHAPES[dim])),
        "stress": rng.normal(size=(size, *SHAPES[dim])),
        "stress_3d": rng.normal(size=(6, *SHAPES[dim])),
        "other": rng.integers(0, 9, size=(4, *SHAPES[dim])),
    }


@pytest.mark.parametrize("dim", [2, 3])
def test_pyvista_reads_every_voxel_where_it_is(dim: int, tmp_path: Path) -> None:
    pyvista = pytest.importorskip("pyvista")
    micro, given = image(dim), fields(dim)
    mesh = pyvista.read(write_results(tmp_path / "r.vtkhdf", micro, fields=given))
    shape = (*micro.shape, 1)[:3]
    assert mesh.dimensions == tuple(n + 1 for n in shape)
    np.testing.assert_array_equal(mesh.spacing, [*micro.spacing, min(micro.spacing)][:3])
    # Ask the mesh itself which cell holds the centre of voxel (i, j, k).
    voxels = np.argwhere(np.ones(shape, bool))
    cells = mesh.find_containing_cell((voxels + 0.5) * mesh.spacing)
    here = tuple(voxels.T[:dim])
    np.testing.assert_array_equal(mesh.cell_data["labels"][cells], micro.labels[here])
    np.testing.assert_array_equal(mesh.cell_data["temperature"][cells], given["temperature"][here])
    np.testing.assert_array_equal(mesh.cell_data["other"][cells].T, given["other"][:, *here])
    flux = mesh.cell_data["flux"][cells].T
    np.testing.assert_array_equal(flux[:dim], given["flux"][:, *here])
    assert flux.shape[0] == 3
    assert not flux[dim:].any()
    assert list(mesh.field_data["phase_names"]) == ["void", "carbon \\xe9"]


@pytest.mark.parametrize("dim", [2, 3])
def test_tensors_are_written_as_vtk_orders_them_and_without_mandel_factor(
    dim: int, tmp_path: Path
) -> None:
    pyvista = pytest.importorskip("pyvista")
    root2 = np.sqrt(2.0)
    mandel = np.array([11.0, 22.0, 33.0, 23 * root2, 13 * root2, 12 * root2])
    stress = np.broadcast_to(mandel.reshape(6, *[1] * dim), (6, *SHAPES[dim]))
    given = {"full": stress, "plane": stress[[0, 1, 5]]} if dim == 2 else {"full": stress}
    mesh = pyvista.read(write_results(tmp_path / "r.vtkhdf", image(dim), fields=given))
    xx_yy_zz_xy_yz_xz = [11.0, 22.0, 33.0, 12.0, 23.0, 13.0]
    np.testing.assert_allclose(mesh.cell_data["full"][7], xx_yy_zz_xy_yz_xz, rtol=1e-15)
    if dim == 2:
        np.testing.assert_allclose(mesh.cell_data["plane"][7], [11, 22, 0, 12, 0, 0], rtol=1e-15)


@pytest.mark.parametrize("dim", [2, 3])
def test_what_was_written_comes_back(dim: int, tmp_path: Path) -> None:
    micro, given = image(dim), fields(dim)
    tensors = {"conduction": np.arange(9.0).reshape(3, 3)}
    provenance = {"wall": 1.5, "nan": float("nan"), "n": np.int64(3), "deep": [{"a": (1, 2)}]}
    path = tmp_path / "r.vtkhdf"
    write_results(path, micro, fields=given, tensors=tensors, provenance=provenance)
    back = read_results(path)
    np.testing.assert_array_equal(back.microstructure.labels, micro.labels)
    assert back.microstructure.names == micro.names
    assert back.microstructure.summary() == micro.summary()
    assert back.microstructure.spacing == micro.spacing
    assert list(back.fields) == list(given)
    for name, field in given.items():
        np.testing.assert_allclose(back.fields[name], field, rtol=3e-16, err_msg=name)
    np.testing.assert_array_equal(back.tensors["conduction"], tensors["conduction"])
    assert back.provenance == {"wall": 1.5, "nan": None, "n": 3, "deep": [{"a": [1, 2]}]}


def test_a_phase_without_a_voxel_comes_back(tmp_path: Path) -> None:
    micro = Microstructure([[0, 0, 0, 1]] * 4, 1.0, {"a": 0, "b": 1}).crop(None, (0, 3))
    back = read_results(write_results(tmp_path / "r.vtkhdf", micro)).microstructure
    assert back.volume_fractions == {"a": 1.0, "b": 0.0}


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values=st.lists(st.floats(allow_nan=False, width=32), min_size=60, max_size=60))
def test_scalars_come_back_bit_for_bit(values: list[float], tmp_path: Path) -> None:
    field = np.array(values).reshape(SHAPES[3])
    write_results(tmp_path / "r.vtkhdf", image(3), fields={"f": field})
    np.testing.assert_array_equal(read_results(tmp_path / "r.vtkhdf").fields["f"], field)


def test_blocks_of_layers_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scalebridge.study.results._SLAB_BYTES", 400)
    given = fields(3)
    write_results(tmp_path / "r.vtkhdf", image(3), fields=given)
    np.testing.assert_array_equal(read_results(tmp_path / "r.vtkhdf").fields["flux"], given["flux"])


@pytest.mark.parametrize(
    ("name", "field", "told"),
    [
        ("labels", np.zeros(SHAPES[3]), "name other than 'labels'"),
        ("a/b", np.zeros(SHAPES[3]), "without '/'"),
        ("f", np.zeros((3, 4, 5)), "must have the shape"),
    ],
)
def test_fields_that_do_not_fit_are_refused(
    name: str, field: np.ndarray, told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        write_results(tmp_path / "r.vtkhdf", image(3), fields={name: field})
    assert not list(tmp_path.iterdir())


def test_other_suffixes_and_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in '\.vtkhdf'"):
        write_results(tmp_path / "r.h5", image(2))
    with pytest.raises(InputError, match="must be a results file"):
        read_results(tmp_path / "absent.vtkhdf")
    with h5py.File(tmp_path / "foreign.vtkhdf", "w") as file:
        file.create_group("VTKHDF")
    with pytest.raises(InputError, match="must be a results file"):
        read_results(tmp_path / "foreign.vtkhdf")
    whole = write_results(tmp_path / "whole.vtkhdf", image(3), fields=fields(3)).read_bytes()
    (tmp_path / "half.vtkhdf").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="must be a results file"):
        read_results(tmp_path / "half.vtkhdf")


# ---- a full disk


def test_a_full_disk_is_told_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_results(tmp_path / "r.vtkhdf", image(3), fields=fields(3))
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError("Can't write data (file write failed: errno = 28, error message = '…')")

    monkeypatch.setattr("scalebridge.study.results._write_cells", full)
    with pytest.raises(InputError, match="disk is full"):
        write_results(path, image(3))
    assert [item.name for item in tmp_path.iterdir()] == ["r.vtkhdf"]
    assert path.read_bytes() == before


def test_a_file_that_hits_the_limit_while_hdf5_writes_is_removed(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    code = """
        import resource, sys
        import numpy as np
        from scalebridge.errors import InputError
        from scalebridge.microstructure import Microstructure
        from scalebridge.study.pictures import save_microstructure
        from scalebridge.study.results import write_results

        micro = Microstructure(np.indices((40, 40, 40)).sum(0) % 2, 1.0, {"a": 0, "b": 1})
        noise = np.random.default_rng(0).normal(size=(6, 40, 40, 40))
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        for job in (
            lambda: write_results(sys.argv[1] + "/r.vtkhdf", micro, fields={"f": noise}),
            lambda: save_microstructure(sys.argv[1] + "/r.png", micro),
        ):
            try:
                job()
            except InputError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("disk is full") == 2
    assert done.stderr == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_full_device_is_told_as_a_full_disk(tmp_path: Path) -> None:
    def write() -> None:
        with atomic(tmp_path / "a.txt") as temporary:
            temporary.symlink_to("/dev/full")
            temporary.write_text("x")

    with pytest.raises(InputError, match="disk is full"):
        write()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("mine")])
def test_interrupts_and_errors_leave_nothing_behind(error: BaseException, tmp_path: Path) -> None:
    def write() -> None:
        with atomic(tmp_path / "a.txt") as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert not list(tmp_path.iterdir())


def test_an_absent_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write .* choose another folder"):
        write_results(tmp_path / "no" / "r.vtkhdf", image(2))


def test_folders_are_made_and_tried(tmp_path: Path) -> None:
    assert writable_folder(tmp_path / "a" / "b").is_dir()
    with pytest.raises(InputError, match="MB free"):
        writable_folder(tmp_path, room=1 << 62)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="must be writable"):
        writable_folder(tmp_path / "file" / "out")


def test_hashes_tell_files_and_folders_apart(tmp_path: Path) -> None:
    (tmp_path / "1.tif").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "1.tif") == digest
    before = sha256(tmp_path)
    (tmp_path / "1.tif").rename(tmp_path / "2.tif")
    assert sha256(tmp_path) != before


def test_plain_values_are_strict_json() -> None:
    value = {"a": np.array([[1.0, np.inf]]), "b": Path("x"), "c": np.float64(2), "d": (True, None)}
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "a": [[1.0, None]],
        "b": "x",
        "c": 2.0,
        "d": [True, None],
    }


# ---- stresses


def test_von_mises_stress() -> None:
    root2 = np.sqrt(2.0)
    uniaxial, shear, pressure = (
        [5.0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 2 * root2],
        [7.0] * 3 + [0] * 3,
    )
    states = np.array([uniaxial, shear, pressure]).T
    np.testing.assert_allclose(von_mises(states), [5.0, 2 * np.sqrt(3.0), 0.0], atol=1e-15)


# ---- pictures


@pytest.mark.parametrize("dim", [2, 3])
def test_pictures_are_drawn(dim: int, tmp_path: Path) -> None:
    micro, field = image(dim), fields(dim)["temperature"]
    field.flat[0] = np.nan
    pictures.save_microstructure(tmp_path / "m.png", micro)
    pictures.save_field(tmp_path / "f.png", micro, 1e9 * field, "T", "K")
    pictures.save_overview(tmp_path / "o.png", micro, field, "T", "K")
    widths = {path.name: imread(path).shape[1] for path in tmp_path.iterdir()}
    assert sorted(widths) == ["f.png", "m.png", "o.png"]
    assert widths["o.png"] > 1.5 * widths["m.png"]


def test_colours_stand_where_the_voxels_are(tmp_path: Path) -> None:
    """One bright voxel at (x, y, z) = (last, 0, last) sits at the corner nearest to the eye."""
    labels = np.zeros((4, 4, 4), int)
    labels[-1, 0, -1] = 1
    micro = Microstructure(labels, 1.0, {"grey": 0, "blue": 1})
    pictures.save_microstructure(tmp_path / "m.png", micro)
    picture = imread(tmp_path / "m.png")[..., :3]
    height = int(0.85 * len(picture))  # above the legend
    blue = np.argwhere(picture[:height, :, 2] > picture[:height, :, 0] + 0.1)
    block = np.argwhere(np.ptp(picture[:height], axis=2) > 0.02)
    low, high = block.min(axis=0), block.max(axis=0)
    row, column = (blue.mean(axis=0) - low) / (high - low)
    assert abs(column - 0.5) < 0.02
    assert abs(row - 0.5) < 0.03
    assert len(blue) == pytest.approx(3 / 48 * len(block), rel=0.15)


def test_ranges_ignore_outliers_and_survive_uniform_fields() -> None:
    values = np.append(np.linspace(0.0, 1.0, 1001), [1e6, np.nan])
    low, high, extend = pictures._range(values)
    assert (round(low, 2), round(high, 2), extend) == (0.01, 0.99, "both")
    low, high, extend = pictures._range(np.full(10, 3.0) + 1e-15)
    assert low < 3.0 < high
    assert extend == "neither"
    assert pictures._range(np.zeros(4))[:2] == (-0.5, 0.5)
    with pytest.raises(InputError, match="finite values"):
        pictures._range(np.full(3, np.nan))


def test_a_field_that_is_no_scalar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a scalar for each voxel"):
        pictures.save_field(tmp_path / "f.png", image(3), np.zeros((3, *SHAPES[3])), "q")


def test_many_phases_have_a_short_legend(tmp_path: Path) -> None:
    labels = np.arange(144).reshape(12, 12) % 30
    micro = Microstructure(labels, 1.0, {f"grain {i}": i for i in range(30)})
    assert pictures.save_microstructure(tmp_path / "m.png", micro).exists()
