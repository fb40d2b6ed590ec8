"""Flags of XLA for programs that are compiled once and run for a moment."""

import importlib.metadata


def hasty_flags() -> list[str]:
    """Compiles without optimization, which is most of the time of small programs."""
    flags = ["--xla_backend_optimization_level=0"]
    # In one piece: there is a worker for each core.
    flags += ["--xla_cpu_parallel_codegen_split_count=1"]
    # The older emitters compile in two thirds of the time. XLA aborts on a flag that it
    # does not know, as later versions do not know this one.
    if importlib.metadata.version("jaxlib").startswith("0.10."):
        flags += ["--xla_cpu_use_fusion_emitters=false"]
    return flags
