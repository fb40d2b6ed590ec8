"""Passes on what JAX's C++ code says of a cluster; who has ended, in one line.

Run as a script, by `_cluster.py`. Imports little, as it starts with every process.
"""

import re
import sys
from collections.abc import Iterable, Iterator

_FATAL = "the JAX distributed service detected fatal errors"
# What comes before the fatal line, and is held back until it is known to be that.
_BEFORE = re.compile(r"^[EW]\d{4} .*(coordination_service|preemption_sync)")
_UNHEALTHY = "stopped sending heartbeats"
_NAME = re.compile(r"^(?:/job:\S*task:)?(\d+)$")
_COORDINATOR = "Failed to send RPC to coordination service"


def passed_on(lines: Iterable[str]) -> Iterator[str]:
    """The lines as they come, but from a fatal one on a line of our own."""
    held: list[str] = []
    for line in lines:
        if held or _BEFORE.search(line) or _FATAL in line:
            held.append(line)
        else:
            yield line
    text = "".join(held)
    if _FATAL not in text:
        yield from held
        return
    # On a line of its own: a line of progress may be unfinished.
    yield f"\nerror: {ended(text)}: the same command on every host resumes the run\n"


def ended(text: str) -> str:
    """Who has ended, of what JAX says of it."""
    lines = text.splitlines()
    found = set()
    for place, line in enumerate(lines):
        if _UNHEALTHY in line:
            for name in lines[place + 1 :]:
                match = _NAME.match(name.strip())
                if not match:
                    break
                found.add(int(match[1]))
    if found:
        names = ", ".join(map(str, sorted(found)))
        verb = "have" if len(found) > 1 else "has"
        return f"process {names} of the cluster {verb} ended"
    if _COORDINATOR in text:
        return "process 0 of the cluster, its coordinator, has ended or is out of reach"
    return "a process of the cluster has ended"


if __name__ == "__main__":
    for _line in passed_on(sys.stdin):
        sys.stderr.write(_line)
        sys.stderr.flush()
