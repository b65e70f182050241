"""The output of a run, as its admin page shows it."""

from dataclasses import dataclass

from django.urls import reverse

from tasks_app.models import FINAL, RunLog, TaskRun

MOST = 200_000
"""Characters of output on a page."""


@dataclass(frozen=True, slots=True)
class Log:
    """The last output of a run."""

    text: str
    attempt: int
    """The attempt that wrote the last piece; 0 if there is none."""
    position: int
    """Of the last piece; the stream goes on behind it."""
    cut: bool
    live: bool
    status: str
    stream: str
    run: str
    everything: str


def log_of(run: TaskRun) -> Log:
    """The last `MOST` characters; a line marks where another attempt begins."""
    pieces, cut = _last_pieces(run)
    text, attempt = "", 0
    parts: list[str] = []
    for piece in pieces:
        if piece.attempt != attempt and (attempt or piece.attempt > 1):
            parts.append(f"\n── attempt {piece.attempt} ──\n" if parts else f"── attempt {piece.attempt} ──\n")
        attempt = piece.attempt
        parts.append(piece.text)
    text = "".join(parts)
    return Log(
        text=text[-MOST:],
        attempt=attempt,
        position=pieces[-1].position if pieces else -1,
        cut=cut or len(text) > MOST,
        live=run.status not in FINAL,
        status=run.status,
        stream=reverse("run-stream", args=[run.pk]),
        run=reverse("run-detail", args=[run.pk]),
        everything=reverse("run-logs", args=[run.pk]),
    )


def _last_pieces(run: TaskRun) -> tuple[list[RunLog], bool]:
    """The newest pieces that fill the page, oldest first; and whether there are older ones."""
    found: list[RunLog] = []
    size = 0
    for piece in RunLog.objects.filter(run=run).order_by("-position").iterator(chunk_size=100):
        if size >= MOST:
            return found[::-1], True
        found.append(piece)
        size += len(piece.text)
    return found[::-1], False
