"""The line in which requests wait: one computes, the others know their place."""

import threading
import time
from typing import NamedTuple

_SILENT = 60.0  # seconds after which a page that asks no more is taken for closed


class Ticket(NamedTuple):
    """A place in the line. canceled: set by who waits. heard: when last, in seconds."""

    canceled: threading.Event
    heard: list[float]


class Line(NamedTuple):
    """The tickets in their order; the first of them computes."""

    lock: threading.Lock
    tickets: list[Ticket]


def empty_line() -> Line:
    """A line in which nobody waits."""
    return Line(threading.Lock(), [])


def join(line: Line) -> Ticket:
    """The last place of the line."""
    ticket = Ticket(threading.Event(), [time.monotonic()])
    with line.lock:
        line.tickets.append(ticket)
    return ticket


def ahead(line: Line, ticket: Ticket) -> int:
    """How many are before this ticket, whose page is there; 0 at its turn.

    Those behind the first whose page is closed lose their places; the first itself
    leaves when its work has ended.
    """
    ticket.heard[0] = time.monotonic()
    with line.lock:
        line.tickets[1:] = [one for one in line.tickets[1:] if not is_over(one)]
        places = [place for place, one in enumerate(line.tickets) if one is ticket]
        return places[0] if places else len(line.tickets)


def leave(line: Line, ticket: Ticket) -> None:
    """Lets the next one go on; nothing for a ticket that has left before."""
    with line.lock:
        line.tickets[:] = [one for one in line.tickets if one is not ticket]


def is_over(ticket: Ticket) -> bool:
    """Whether nobody wants the work any more."""
    silent = time.monotonic() - ticket.heard[0] > _SILENT
    return silent or ticket.canceled.is_set()
