"""Mains in processes of their own that need not import everything anew.

    python -m tests.launch.warm

imports what mains need, then reads one request a line and forks for each: a child with
the module, arguments, folder, environment and output files that it names. JAX starts
its devices in the child, where the environment is already that of the request.
"""

import importlib
import json
import os
import runpy
import sys
import traceback

# Whatever takes long to import, and nothing that has started a thread or a device.
_MODULES = (
    "mspd_jax.data",
    "mspd_jax.drive",
    "mspd_jax.evaluate",
    "mspd_jax.patch",
    "mspd_jax.preempt",
    "mspd_jax.smoothing",
    "mspd_jax.train",
    "mspd_jax.defenses",
    "jax.experimental.multihost_utils",
    "orbax.checkpoint",
    "scipy.special",
    "scipy.stats",
    "tqdm",
    "absl.app",
)


def serve() -> None:
    """Answers each request with the exit code of its main."""
    for module in _MODULES:
        importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(**request)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _become(module, flags, folder, env, out, err):
    """Is the main, to its end."""
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = [module, *flags]
    code = 1
    try:
        if module.endswith(".py"):
            runpy.run_path(module, run_name="__main__")
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ending:
        code = ending.code if isinstance(ending.code, int) else int(bool(ending.code))
        if isinstance(ending.code, str):
            print(ending.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
