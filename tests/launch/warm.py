"""Mains in processes of their own that need not import everything anew.

    python -m tests.launch.warm

imports what mains need, then reads one request a line and forks for each main in it: a
child with its module, arguments and output files, in the folder and environment of the
request. It answers with their numbers, and when all have ended with their exit codes.
JAX starts its devices in the child, where the environment is already the child's.
"""

import importlib
import json
import os
import runpy
import sys
import traceback

import jax

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
    """Answers each request: the numbers of its processes, then their exit codes."""
    for module in _MODULES:
        importlib.import_module(module)
    for line in sys.stdin:
        request = json.loads(line)
        pids = []
        for main in request.pop("each"):
            place = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            files = [os.open(main.pop(name), place) for name in ("out", "err")]
            pids.append(os.fork())
            if pids[-1] == 0:
                _become(*files, **main, **request)
            for file in files:
                os.close(file)
        print(json.dumps(pids), flush=True)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
        print(json.dumps(codes), flush=True)


def _become(out, err, *, module, flags, folder, env):
    """Is the main, to its end."""
    for file, descriptor in ((out, 1), (err, 2)):
        os.dup2(file, descriptor)
        os.close(file)
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
        jax.distributed.shutdown()  # waits for the others of a cluster, if any
        os._exit(code)


if __name__ == "__main__":
    serve()
