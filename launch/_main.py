"""What every main shares: platform, cluster, compilation cache, one-line errors."""

import dataclasses
import functools
import itertools
import os
import pathlib
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from launch import _platform

_platform.prepare()

import jax  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from launch import _cluster, _job_flags, _pipe, _show  # noqa: E402
from mspd_jax import data, jobs  # noqa: E402
from mspd_jax.errors import InputError, StoreError, StoreRefusedError  # noqa: E402

# What compiles programs: of evaluations what their main runs, a grid of them.
_COMPILED = [
    kind
    for kind in (getattr(jobs, name) for name in jobs.__all__)
    if hasattr(kind, "programs") and kind is not jobs.Evaluate
]


def run_job(
    job: type,
    *,
    show: Callable[[Any], int] = _show.result,
    method: str | Callable[[Any, str, Any], Any] = "run",
    inner: Any = None,
    keep_all: bool = False,
    **out: Any,
) -> None:
    """The main of a job: its flags, its run, what is printed of the result.

    show: prints what `method` of the job (or a function of the job, its folder and its
    machine) returns, and gives the exit code, which is 2 for bad input. inner: the job
    whose flags are the fields of others, for a sweep. keep_all: also small programs go
    into the compilation cache. out: see `_job_flags.define`.
    """
    module = sys.modules["__main__"].__spec__
    name = pathlib.Path(sys.argv[0]).stem if module is None else module.name
    if module is not None:
        sys.argv[0] = f"python -m {module.name}"  # what --help calls it
    _job_flags.define(job, **out)
    if inner is not None:
        _job_flags.define_inner(inner)

    def main(argv: Sequence[str]) -> int:
        return ending(functools.partial(begun, argv))

    def begun(argv: Sequence[str]) -> int:
        if len(argv) > 1:
            raise InputError(
                f"unexpected argument {argv[1]!r}: flags are written --name=value"
            )
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)  # absl's own default is chatty
        _show.beginning(name, flags.FLAGS.out)
        _use_compilation_cache(keep_all=keep_all)
        _join_cluster()
        made, machine = _job_flags.parsed(job)
        if inner is not None:
            made = dataclasses.replace(made, fixed=_job_flags.given(inner))
        act = getattr(job, method) if isinstance(method, str) else method
        return show(act(made, flags.FLAGS.out, machine))

    app.run(main, flags_parser=_parse)


def ending(act: Callable[[], int]) -> int:
    """The exit code that `act` gives; of what it raises, after a line on that."""
    try:
        return act()
    except (InputError, StoreRefusedError) as error:
        return _ended(_refuse(error))
    except StoreError as error:  # not for what the user gave: may go on later
        _refuse(error)
        return _ended(1)
    except KeyboardInterrupt:
        print("interrupted: the same command resumes the run", file=sys.stderr)
        return _ended(130)
    except Exception as error:
        if not _cluster.joined():
            raise
        if _cluster.is_broken(error):
            _cluster.wait_for_news()
        traceback.print_exc()
        return _ended(1)


def named_job(argv: Sequence[str]) -> Any:
    """The class of the job that --job names, where it names one."""
    name = _given(argv, "job")
    try:
        return None if name is None else jobs.kind_of(name)
    except InputError as error:
        sys.exit(_refuse(error))


def names_files(argv: Sequence[str]) -> bool:
    """Whether --source is a file, a folder or a pattern, of no scheme such as tfds:."""
    source = _given(argv, "source")
    return source is not None and not data.has_scheme(source)


def _given(argv: Sequence[str], flag: str) -> str | None:
    """What a flag holds before flags are defined, as --flag=value or --flag value."""
    found = None
    for word, following in itertools.pairwise([*argv, ""]):
        name, equals, value = word.partition("=")
        if name == f"--{flag}":
            found = value if equals else following
    return found


def job_named(name: str) -> type | None:
    """The job of a main that compiles programs; None for --help."""
    kinds = {jobs.job_name(kind).removesuffix("_sweep"): kind for kind in _COMPILED}
    if name in ("-h", "--help", "help"):
        return None
    if name not in kinds:
        line = f"no programs of a job {name!r}: {jobs.jobs_meant(name, kinds)}"
        sys.exit(_refuse(InputError(line)))
    return kinds[name]


def _parse(argv: Sequence[str]) -> list[str]:
    with _pipe.unread_is_fine():
        try:
            return flags.FLAGS(argv)
        except flags.Error as error:
            sys.exit(_refuse(error))
        except SystemExit:  # of --help, which absl ends with 1
            pass
    sys.exit(0)


def _ended(code: int) -> int:
    """Ends this process of a cluster at once; else it is its exit code."""
    if _cluster.joined():
        _cluster.leave(code)
    return code


def _refuse(error: Exception) -> int:
    print("error: " + _show.in_flags(" ".join(str(error).split())), file=sys.stderr)
    return 2


def _use_compilation_cache(*, keep_all: bool) -> None:
    """Keeps compiled programs between runs (JAX_COMPILATION_CACHE_DIR moves them)."""
    # A program that calls oneDNN cannot be kept, nor can any on a full disk.
    warnings.filterwarnings("ignore", "Error writing persistent compilation cache")
    if keep_all:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    if os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(base, "mspd_jax")))
    if not keep_all:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _join_cluster() -> None:
    values = flags.FLAGS
    if values.coordinator:
        _cluster.join(values.coordinator, values.num_processes, values.process_id)
    elif values.cluster:
        _cluster.join(None, None, None)
