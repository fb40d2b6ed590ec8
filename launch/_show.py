"""What mains print of a result."""

import re
import sys
from collections.abc import Iterable, Sequence

import jax

from launch import _pipe
from mspd_jax import models, runs
from mspd_jax.jobs import (
    Cell,
    Compiled,
    Converted,
    Preview,
    Result,
    Swept,
    Verified,
)

# An option of JAX that its own types do not list.
_CACHE = "jax_compilation_cache_dir"


def beginning(main: str, out: str) -> None:
    """Says what begins to a person who waits; a log shows the progress alone."""
    if out and sys.stderr.isatty():
        name = main.rpartition(".")[2]  # of the module, as the person called it
        print(f"{name} begins; its results go to {out}", file=sys.stderr)


def result(found: Result) -> int:
    """Prints the totals, names unreadable images; gives the exit code."""
    if found.finished_before:
        print(f"finished before: see {found.folder / 'summary.json'}")
    elif found.summary is not None:  # None on all but the first process of a cluster
        summary = runs.read_json(found.folder / "summary.json")
        for field, value in summary.items():
            if field == "published":
                print(f"published: {_figures(value)}")
            elif field not in ("warnings", "reliability"):
                print(f"{field}: {_text(value)}")
        for warning in summary["warnings"]:
            print(f"warning: {in_flags(warning)}", file=sys.stderr)
    if found.unreadable:
        count = len(found.unreadable)
        print(f"error: {count} images could not be read", file=sys.stderr)
    return 1 if found.unreadable else 0


def cells(found: Iterable[Cell]) -> int:
    """Prints each cell of a grid when it has run, and last what they say together."""
    code, folder = 0, None
    for cell in found:
        folder = cell.grid
        if folder is not None:
            eps = f"eps {cell.job.eps}"
            print(", ".join(filter(None, [cell.name, cell.job.purify, eps])))
        code = max(code, result(cell.result))
    if folder is not None and cell.result.summary is not None:
        for warning in runs.read_json(folder / "summary.json")["warnings"]:
            print(f"warning: {in_flags(warning)}")
    return code


def pictures(found: Result) -> int:
    """Prints the totals, and what the attacker could do before and after."""
    if found.finished_before:
        print("nothing to do: all pictures were protected before")
    code = result(found._replace(finished_before=False))
    for record in sorted(found.records, key=lambda record: record.name):
        if record.views is not None:
            print(
                _held(
                    record.name, record.robust_before, record.robust_after, record.views
                )
            )
    return code


def preview(found: Preview) -> int:
    """Prints what a preview shows, and where it is."""
    psnr = "" if found.psnr is None else f", PSNR {found.psnr:.1f} dB"
    print(
        f"wrote {found.file}: the original, the protected and ten times the "
        f"difference of {found.width}x{found.height} pixels in the middle of "
        f"{found.name} (largest change {found.largest_change * 255:.3g}/255{psnr})"
    )
    return 0


def verified(found: Sequence[Verified]) -> int:
    """Prints what the attacker could do, a line for each picture and fate."""
    for row in found:
        name = row.name if row.fate == "as it is" else f"{row.name} after {row.fate}"
        before = None if row.before is None else row.before.robust
        lost = row.views - row.after.clean
        print(
            _held(name, before, row.after.robust, row.views)
            + (f" (it sees another in {lost} without an attack)" if lost else "")
        )
    if found:
        print(
            "Other models and other attacks may fare otherwise: this is what was "
            "tried, no promise."
        )
    return 0


def swept(found: Swept | str) -> int:
    """Prints the table of a sweep and its failures; or the text that it wrote."""
    if isinstance(found, str):
        with _pipe.unread_is_fine():
            print(found, end="")
        return 0
    if found.table:
        print(found.table)
    for cell in found.failed:
        error = in_flags(cell.error or "")
        print(f"error: {cell.folder.name}: {error}", file=sys.stderr)
    finished = sum(cell.summary is not None for cell in found.cells)
    count = len(found.cells)
    print(f"{count} cells, {finished} finished, {len(found.failed)} failed")
    return 1 if found.failed else 0


def checkpoint(made: Converted) -> int:
    """Prints one line on a converted checkpoint."""
    spec = made.spec
    kind = f"{spec.num_classes} classes"
    if models.gives_images(spec):
        kind = models.model_kind(spec).removeprefix("a ")
        if kind == "denoiser":
            own = f"sigma {spec.origin.get('sigma', 'unknown')}"
            kind += f" for {'any sigma' if models.takes_any_noise(spec) else own}"
    mean, std = (",".join(f"{x:.5g}" for x in xs) for xs in (spec.mean, spec.std))
    print(
        f"wrote {made.folder}: {spec.architecture}, {kind}, images "
        f"{'x'.join(map(str, spec.image_shape))}, {made.parameters:,} parameters, "
        f"mean {mean}, std {std}, sha256 {made.digest[:16]}"
    )
    return 0


def compiled(programs: Sequence[Compiled]) -> int:
    """Prints a line on each program, and where they are kept."""
    for name, seconds, kept in programs:
        note = "" if kept else ", not kept: it asks oneDNN, and is compiled in each run"
        print(f"{name}: {seconds:.1f} s{note}")
    print(f"compiled programs are in {getattr(jax.config, _CACHE)}")
    return 0


def published(rows: Sequence[models.Published]) -> int:
    """Prints a line on each published model, the best first."""
    head = ("model", "clean", "robust", "eps", "architecture here")
    table = [head] + [
        (
            row.name,
            "" if row.clean is None else f"{row.clean:.2f}",
            "" if row.robust is None else f"{row.robust:.2f}",
            row.eps,
            row.architecture or f"none: {row.published_architecture}",
        )
        for row in sorted(rows, key=lambda row: -(row.robust or 0))
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    with _pipe.unread_is_fine():
        for line in table:
            cells = (c.ljust(width) for c, width in zip(line, widths, strict=True))
            print("  ".join(cells).rstrip())
        known = sum(bool(row.architecture) for row in rows)
        print(f"{len(rows)} models, of which {known} can be converted")
    return 0


def in_flags(text: str) -> str:
    """A message of the library with its arguments as flags: `eps` as --eps."""
    return re.sub(r"`(\w+)`", r"--\1", text)


def _held(name: str, before: int | None, after: int, views: int) -> str:
    """What the model sees under attack, in words."""
    original = f"{before} of {views} views of the original, "
    return (
        f"{name}: under attack the model still sees the same in "
        f"{original if before is not None else ''}{after} of {views} of the protected"
    )


def _figures(row: dict) -> str:
    """What was published of a model, in one line."""
    clean, robust = (row[name] for name in ("clean", "robust"))
    shown = [] if clean is None else [f"clean {clean:.2f} %"]
    shown += [] if robust is None else [f"robust {robust:.2f} %"]
    threat = " ".join(filter(None, (row["threat"], row["eps"])))
    return f"{row['name']}: {', '.join(shown) or 'no accuracies'} ({threat or 'none'})"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
