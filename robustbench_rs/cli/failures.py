"""How a command ends when it does not end well: one clear message on stderr, and the exit code that says which kind."""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from robustbench_rs.cli.settings import Settings
from robustbench_rs.errors import RobustbenchError

RUN_FAILED, BAD_INPUT, INTERRUPTED, TERMINATED = 1, 2, 130, 143

RESOURCE_ERRORS = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EROFS}
)
"""Of these the machine is to blame, not what the user gave."""


class Terminated(BaseException):
    """SIGTERM arrived. Not an ``Exception``: nothing that handles errors of a plugin may swallow it."""


def fail(error: BaseException, settings: Settings) -> int:
    """Say what went wrong and return the exit code. Anything unexpected is a bug of this program and says so."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            error.show(file=sys.stderr)
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return _stopped("interrupted", INTERRUPTED, settings)
        case Terminated():
            return _stopped("terminated", TERMINATED, settings)
        case BrokenPipeError():
            return _reader_gone()
        case _:
            return _failed(error, settings)


def _failed(error: BaseException, settings: Settings) -> int:
    # A message that stands for itself has no story behind it; one that was raised from another error has.
    if settings.verbose and not (isinstance(error, RobustbenchError) and error.__cause__ is None):
        traceback.print_exception(error, file=sys.stderr)
    message, code = _explain(error)
    click.echo(message, err=True)
    return code


def _explain(error: BaseException) -> tuple[str, int]:
    if isinstance(error, RobustbenchError):
        return f"Error: {error}", error.exit_code
    if isinstance(error, OSError) and error.errno is not None:
        where = f"{error.filename}: " if error.filename is not None else ""
        code = RUN_FAILED if error.errno in RESOURCE_ERRORS else BAD_INPUT
        return f"Error: {where}{error.strerror or os.strerror(error.errno)}", code
    if isinstance(error, MemoryError):
        return "Error: out of memory; use fewer workers or a smaller model, then run the same command again", RUN_FAILED
    text = str(error).strip().splitlines()
    reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    return f"internal error: {reason}; please report this; run with -v for the traceback", RUN_FAILED


def _stopped(word: str, code: int, settings: Settings) -> int:
    rest = ": finished chunks are saved; the same command resumes" if settings.resumable else ""
    click.echo(f"\n{word}{rest}" if sys.stderr.isatty() else f"{word}{rest}", err=True)
    return code


def _reader_gone() -> int:
    """``| head`` had enough: no failure. Python would complain once more when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
