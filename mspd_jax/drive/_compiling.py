"""How long this process has compiled."""

import functools

import jax.monitoring

_EVENT = "/jax/core/compile/backend_compile_duration"


def compile_seconds() -> float:
    """Seconds that XLA has compiled in this process, since this was first asked.

    With what it took to read compiled programs from the cache on the disk; without what
    JAX takes to trace functions.
    """
    return sum(_heard())


@functools.cache
def _heard() -> list[float]:
    """Seconds of each compilation from now on."""
    durations: list[float] = []

    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if event == _EVENT:
            durations.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return durations
