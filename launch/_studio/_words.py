"""What the page says: progress, the table of proof, what was refused."""

import html
from collections.abc import Sequence

from launch._studio._work import Ended, Protected, Waits, Works

_PROOF = (
    "Picture",
    "Size",
    "PSNR (dB)",
    "SSIM",
    "The model sees the same under attack",
    "Note",
)
_REFUSED = ("File", "Why it was left out")
BEGUN = "<p>The pictures are being looked at.</p>"

MEANING = (
    "<p>Under attack: one who may change each pixel by 8 of 255 tries to make the "
    "model see something else, in the whole picture and in a box at each corner. Other "
    "models and other attacks may fare otherwise. PSNR and SSIM say how near the file "
    "is to the original; an SSIM of 1 is the same.</p>"
)


def proof_row(one: Protected) -> list[str]:
    """What was measured on a file, in words."""
    record = one.record
    return [
        one.name,
        f"{record.width} x {record.height}",
        "unchanged" if record.psnr is None else f"{record.psnr:.1f}",
        "too small" if record.ssim is None else f"{record.ssim:.3f}",
        f"in {record.robust_before} of {record.views} views before, "
        f"in {record.robust_after} now",
        record.changed or "",
    ]


def progress(news: Waits | Works) -> str:
    """Where a request stands, as HTML."""
    if isinstance(news, Waits):
        requests = _counted(news.ahead, "request comes", "requests come")
        return f"<p>You wait in line: {requests} first.</p>"
    words = f"{html.escape(news.name)}, picture {news.number} of {news.total}"
    ends = "now attacked, for proof, " if news.attacked else ""
    words += f": {ends}{to_go(news.share, news.seconds)}"
    percent = f"{100 * news.share:.0f}"
    return f'<progress max="100" value="{percent}"></progress><p>{words}</p>'


def to_go(share: float, seconds: float) -> str:
    """About how long it will still take."""
    if share < 0.02:
        return "just begun"
    left = round(seconds * (1 - share) / share)
    return f"about {left} s to go" if left < 90 else f"about {left / 60:.0f} min to go"


def summed_up(ended: Ended) -> str:
    """What came of a request, as HTML."""
    done = _counted(len(ended.pictures), "picture is", "pictures are")
    said = f"Canceled; {done} protected." if ended.canceled else f"{done} protected."
    if ended.refused:
        said += f" {_counted(len(ended.refused), 'file was', 'files were')} left out."
    return f"<p>{said[0].upper()}{said[1:]}</p>"


def failure(message: str) -> str:
    """A request that was refused as a whole, as HTML."""
    return f'<p class="refused">{html.escape(message)}</p>'


def proof_table(ended: Ended) -> str:
    """What was measured on each file, as HTML."""
    rows = [proof_row(one) for one in ended.pictures]
    return _table("What it is worth", _PROOF, rows)


def refused_table(ended: Ended) -> str:
    """The files that were left out, and why, as HTML."""
    rows = [[one.name, one.reason] for one in ended.refused]
    return _table("Left out", _REFUSED, rows)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(kind, words):
        each = (f"<{kind}>{html.escape(word)}</{kind}>" for word in words)
        return f"<tr>{''.join(each)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return (
        f"<h3>{title}</h3><table><thead>{line('th', columns)}</thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number or 'no'} {one if number == 1 else many}"
