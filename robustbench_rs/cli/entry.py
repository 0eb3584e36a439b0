"""The entry point: parse, run one command, turn whatever happens into an exit code."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from robustbench_rs.cli.app import app
from robustbench_rs.cli.failures import Terminated, fail
from robustbench_rs.cli.settings import Settings

PROGRAM = "robustbench-rs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 a run failed, 2 bad input, 130 and 143 interrupted."""
    settings = Settings()
    _print_anywhere()
    try:
        with _sigterm_raises():
            arguments = list(sys.argv[1:] if argv is None else argv)
            with app.make_context(PROGRAM, arguments, obj=settings) as context:
                app.invoke(context)
        sys.stdout.flush()
    except BaseException as error:
        return fail(error, settings)
    return 0


def _print_anywhere() -> None:
    """A terminal that cannot show a sigma gets a question mark, not a crash at the end of a long run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _terminate(_: int, __: FrameType | None) -> None:
    # Once: a second signal must not interrupt the tidying up after the first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
