"""The command line: `scalebridge …` and `python -m scalebridge …`, a shell over study/.

Only Typer is imported here; everything else when it is needed, so that ``--help`` and
errors in the arguments answer at once.
"""

from __future__ import annotations

import _thread
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from scalebridge.study.cost import Estimate
    from scalebridge.study.job import Observer

_FAILED, _BAD_INPUT, _INTERRUPTED, _TERMINATED = 1, 2, 130, 143
_AND_ENDING = 1.4  # measured: a process ends in 0.4 of the time that its imports take

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class _ShapeInOneWord(TyperCommand):
    """Accept ``--shape 100 100 100`` as well as ``--shape 100,100,100``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        words = list(args)
        if "--shape" in words:
            first = last = words.index("--shape") + 1
            while last < len(words) and last < first + 3 and words[last].isdigit():
                last += 1
            words[first:last] = [",".join(words[first:last])] if last > first else []
        return super().parse_args(ctx, words)


def _version(wanted: bool) -> None:
    if wanted:
        from scalebridge import __version__

        typer.echo(f"scalebridge {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """How a material behaves from what it is made of, and how far to believe the answer."""


@app.command(cls=_ShapeInOneWord)
def homogenize(
    image: Annotated[
        Path, typer.Argument(help="TIFF (file or folder), .npy, .npz, .vti, .vtkhdf or raw.")
    ],
    ctx: typer.Context,
    spacing: Annotated[
        str,
        typer.Option(
            help="Required, but where a VTK image tells it. Voxel size: 1.3e-6, or one for each "
            "axis: 1e-6,1e-6,2e-6."
        ),
    ] = "",
    phase: Annotated[
        list[str] | None,
        typer.Option(
            help="Required, once for each phase. NAME=LABEL or NAME=LOW:HIGH (ends included), "
            "then its constants k; E, nu: void=0:89,k=0.026."
        ),
    ] = None,
    shape: Annotated[str | None, typer.Option(help="Of a raw image: 100 100 100.")] = None,
    dtype: Annotated[str | None, typer.Option(help="Of a raw image: uint8, >u2, …")] = None,
    order: Annotated[str | None, typer.Option(help="Of a raw image: F (x fastest) or C.")] = None,
    offset: Annotated[int, typer.Option(help="Of a raw image: bytes of its header.")] = 0,
    key: Annotated[
        str | None, typer.Option(help="Of an .npz, .vti or .vtkhdf file with several arrays.")
    ] = None,
    flip: Annotated[str, typer.Option(help="Turn axes round, e.g. yz.")] = "",
    crop: Annotated[
        str, typer.Option(help="The part to take, in voxels by axis: x=0:100,z=20:120.")
    ] = "",
    boundary: Annotated[
        str,
        typer.Option(
            help="periodic, kinematic, static, rollers (mechanics), through (conduction), all, or "
            "by axis: x=free,y=free,z=kinematic."
        ),
    ] = "periodic",
    element: Annotated[str | None, typer.Option(help="reduced, full, bbar or volume.")] = None,
    plane: Annotated[
        str | None, typer.Option(help="2D elasticity: strain, stress or generalized.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="What --measure names is solved to this.")
    ] = 1e-6,
    measure: Annotated[
        str, typer.Option(help="tensor (estimated error of the result) or residual (of the field).")
    ] = "tensor",
    fields: Annotated[bool, typer.Option(help="Compute, draw and store local fields.")] = True,
    field_tolerance: Annotated[
        float, typer.Option(help="Relative residual of the local fields.")
    ] = 1e-4,
    max_iterations: Annotated[int, typer.Option(help="Most for a load case.")] = 1000,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Predict memory and time, and do not run.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Compute effective conductivity (k) and stiffness (E, nu) of an image, with evidence."""
    from scalebridge.study.job import Job, parse_boundary, parse_crop, parse_shape, parse_spacing
    from scalebridge.study.phases import parse_phases

    job = Job(
        image=image,
        spacing=parse_spacing(spacing) if spacing or not _tells_spacing(image) else None,
        phases=parse_phases(phase or ()),
        shape=parse_shape(shape),
        dtype=dtype,
        order=order,
        offset=offset,
        key=key,
        flip=flip,
        crop=parse_crop(crop),
        boundary=parse_boundary(boundary),
        element=element,
        plane=plane,
        tolerance=tolerance,
        measure=measure,
        fields=fields,
        field_tolerance=field_tolerance,
        max_iterations=max_iterations,
        out=out,
        command=("scalebridge", *(ctx.obj or ())),
    )
    if estimate:
        from scalebridge.study.cost import estimate as predict
        from scalebridge.study.homogenize import plan_of

        raise typer.Exit(_estimate(lambda: predict(plan_of(job)), as_json=as_json, quiet=quiet))
    from scalebridge.study.homogenize import homogenize as solve

    work = partial(solve, job, None if quiet else _observer(job.goals))
    raise typer.Exit(_run(work, job.out, as_json=as_json))


def _tells_spacing(image: Path) -> bool:
    """Whether the kind of image file comes with the size of its voxels."""
    return image.suffix.lower() in {".vti", ".vtkhdf", ".hdf"}


@app.command()
def run(
    study: Annotated[Path, typer.Argument(help="A study file; `scalebridge init` writes one.")],
    ctx: typer.Context,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, in place of the study's own.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what is done: points of a sweep, steps.")
    ] = False,
    workers: Annotated[
        str | None,
        typer.Option(
            help="Processes for the cells of structures: how many, tcp://SCHEDULER, or mpi."
        ),
    ] = None,
    predict: Annotated[
        bool,
        typer.Option("--predict", help="Predict the cost of structures first, to compare."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Run a study file: cells, load histories and structures of it, and sweeps of them."""
    from scalebridge.study.studyfile import read_study

    file = read_study(study)  # errors in the file are told before JAX is loaded

    from scalebridge.study.run import run_study

    folder = file.output if out is None else out
    observer = None if quiet else _observer({})
    command = ("scalebridge", *(ctx.obj or ()))
    work = partial(
        run_study,
        file,
        out=folder,
        resume=resume,
        observer=observer,
        command=command,
        workers=workers,
        predict=predict,
    )
    raise typer.Exit(_run(work, folder, as_json=as_json))


@app.command()
def resume(
    results: Annotated[Path, typer.Argument(help="Folder of results of `scalebridge run`.")],
    ctx: typer.Context,
    workers: Annotated[
        str | None,
        typer.Option(
            help="Processes for the cells of structures: how many, tcp://SCHEDULER, or mpi."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Go on with a run or a sweep that was stopped, from its folder of results alone."""
    from scalebridge.study.order import read_order

    order = read_order(results)  # what cannot be gone on with is told before JAX is loaded
    for note in order.notes:
        print(f"note: {note}", file=sys.stderr)

    from scalebridge.study.run import resume as go_on

    def work() -> dict[str, Any]:
        observer = None if quiet else _observer({})
        command = ("scalebridge", *(ctx.obj or ()))
        summary = go_on(order, observer=observer, command=command, workers=workers)
        if summary and summary["kept"] == len(order.study.points):
            print("nothing was left to do", file=sys.stderr)
        return summary

    raise typer.Exit(_run(work, results, as_json=as_json))


@app.command("estimate")
def estimate_(
    study: Annotated[Path, typer.Argument(help="A study file.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results, in place of the study's own.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only the result.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Predict memory and time of a study, by counting and by a few seconds of trials."""
    from scalebridge.study.studyfile import read_study

    file = read_study(study)

    from scalebridge.study.cost import estimate_study

    predict = partial(estimate_study, file, out)
    raise typer.Exit(_estimate(predict, as_json=as_json, quiet=quiet))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it; nothing is overwritten.")] = Path(
        "study.yaml"
    ),
    loads: Annotated[
        bool, typer.Option("--loads", help="A load history: materials with memory along a path.")
    ] = False,
    structures: Annotated[
        bool, typer.Option("--structures", help="A part with a cell at every point: FE².")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Write a commented study file to start from; it runs as it is."""
    from scalebridge.errors import InputError
    from scalebridge.study.starter import write_starter

    if loads and structures:
        raise InputError("--loads and --structures each write a study of their own; name one")
    write_starter(file, "loads" if loads else "structures" if structures else "cells")
    typer.echo(f"wrote {file}; run it with: scalebridge run {file}")


@app.command()
def card(
    results: Annotated[Path, typer.Argument(help="Folder of results, or its results.vtkhdf.")],
    format: Annotated[str, typer.Option(help="abaqus, calculix, ansys, nastran or lsdyna.")],
    result: Annotated[str | None, typer.Option(help="Which tensor; all by default.")] = None,
    name: Annotated[str, typer.Option(help="Of the material.")] = "effective",
    number: Annotated[int, typer.Option(help="Of the material.")] = 1,
    density: Annotated[float | None, typer.Option(help="Written where there is a place.")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Print the effective tensors of a run as material cards of a finite element program."""
    from scalebridge.study.cards import cards_of_results

    options = {"name": name, "number": number, "density": density}
    typer.echo(cards_of_results(results, format, result=result, **options), nl=False)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Folder of results, of a run or of a sweep.")],
    out: Annotated[
        Path | None, typer.Option(help="The file; report.html in the folder by default.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Write the results as one HTML file to read, print and hand on; it needs no connection."""
    from scalebridge.study.report import write_report

    file = write_report(results, out)
    typer.echo(f"wrote {file} ({file.stat().st_size / 1e6:.1f} MB)")


@app.command()
def schema(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Print the JSON schema of study files, with which editors complete and check them."""
    import json

    from scalebridge.study.schema import Study

    typer.echo(json.dumps(Study.model_json_schema(), indent=2, ensure_ascii=False))


def _run(work: Callable[[], dict[str, Any]], folder: Path, *, as_json: bool) -> int:
    """Do the work, show its result and return the exit code."""
    try:
        summary = work()
    except KeyboardInterrupt:
        print(f"stopped; the files in {str(folder)!r} are complete", file=sys.stderr)
        return _INTERRUPTED
    if not summary:  # of a rank that helps another one
        return 0
    if as_json:
        import json

        print(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        from scalebridge.study.console import show, show_sweep

        (show_sweep if "sweep" in summary else show)(summary)
    troubles = [*summary["write_errors"], *summary["failures"]]
    for trouble in troubles:
        _complain(trouble)
    if summary["interrupted"]:
        files = ", ".join(summary["files"])
        print(f"stopped; complete files of what was done: {files}", file=sys.stderr)
        return _INTERRUPTED
    return (_BAD_INPUT if summary["write_errors"] else _FAILED) if troubles else 0


def _estimate(predict: Callable[[], Estimate], *, as_json: bool, quiet: bool) -> int:
    """Predict, show what was predicted and return the exit code."""
    from dataclasses import replace

    from scalebridge.study.cost import seconds_since_start

    starting = _AND_ENDING * seconds_since_start()  # imports are behind us; a run makes them too
    if not quiet:
        print("a few seconds of trials", file=sys.stderr)
    try:
        found = predict()
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return _INTERRUPTED
    if found.time:
        found = replace(found, time={"starting and ending": starting, **found.time})
    if as_json:
        import json

        print(json.dumps(found.as_dict(), indent=2, ensure_ascii=False))
    else:
        from scalebridge.study.cost_table import show_estimate

        show_estimate(found)
    if found.shortage:
        _complain(found.shortage)
    return 0 if found.fits else _BAD_INPUT


def _observer(goals: Mapping[str, float]) -> Observer:
    from scalebridge.study.console import BarProgress, PlainProgress

    return BarProgress(goals) if sys.stderr.isatty() else PlainProgress(goals)


def _complain(text: object) -> None:
    print("error:", " ".join(str(text).split()), file=sys.stderr)


def _explain(error: Exception) -> int:
    """Tell an error in one line and return the exit code."""
    from scalebridge.errors import InputError, ScalebridgeError

    if hasattr(error, "format_message"):  # Typer's own, of a misspelt option for example
        _complain(f"{error.format_message().rstrip('.')}; see {_command(error)} --help")
        return _BAD_INPUT
    if isinstance(error, ScalebridgeError):
        _complain(_ARGUMENT.sub(_as_option, str(error)))
        return _BAD_INPUT if isinstance(error, InputError) else _FAILED
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        _complain("not enough memory; crop or coarsen the image, or leave the fields out")
        return _FAILED
    _complain(
        f"unexpected {type(error).__name__}: {error}; this is a fault of scalebridge: "
        "run it again with --debug for the traceback and report it"
    )
    return _FAILED


def _command(error: Any) -> str:
    """Return the command to which an error of Typer's belongs."""
    context = getattr(error, "ctx", None)
    return context.command_path if context is not None else "scalebridge"


_ARGUMENT = re.compile(
    "`(spacing|phases|shape|dtype|order|offset|key|boundary|element|plane|tolerance|measure"
    "|format|result|density|ranges)`"
)


def _as_option(argument: re.Match[str]) -> str:
    """Name an argument of the Python interface as the command line does."""
    return "--" + {"phases": "phase", "ranges": "crop"}.get(argument[1], argument[1])


@contextmanager
def _stoppable() -> Iterator[list[signal.Signals]]:
    """Let SIGTERM stop the program as Ctrl-C does; the list tells which of them came."""
    came: list[signal.Signals] = []

    def stop(number: int, _frame: object) -> None:
        came.append(signal.Signals(number))
        raise KeyboardInterrupt

    heeded = [signal.SIGTERM]
    # A job in the background is started with SIGINT ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        heeded.append(signal.SIGINT)
    before = {number: signal.signal(number, stop) for number in heeded}
    tell = sys.unraisablehook

    def again(lost: Any) -> None:
        """Repeat an interrupt that came inside a callback of the interpreter, which drops it."""
        if isinstance(lost.exc_value, KeyboardInterrupt) and came:
            threading.Timer(0.01, repeat, [came[-1]]).start()
        else:
            tell(lost)

    def repeat(number: signal.Signals) -> None:
        if signal.getsignal(number) is stop:
            _thread.interrupt_main(number)

    sys.unraisablehook = again
    try:
        yield came
    finally:
        sys.unraisablehook = tell
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done; 1 not converged, or a fault of ours; 2 bad input or a full disk; 130 and 143
    stopped by Ctrl-C and SIGTERM, after writing what was done.
    """
    words = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    command = typer.main.get_command(app)
    with _stoppable() as came:
        try:
            code = command.main(words, prog_name="scalebridge", standalone_mode=False, obj=words)
        except BrokenPipeError:  # the reader of our output has left, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except Exception as error:
            if "--debug" in words:
                raise
            # Some libraries turn an interrupt, of their import for example, into an error.
            code = _INTERRUPTED if came else _explain(error)
    return _TERMINATED if code == _INTERRUPTED and signal.SIGTERM in came else int(code or 0)
