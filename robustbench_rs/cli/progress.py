"""The progress bar: speed, time left and a running result, on a terminal only."""

from __future__ import annotations

from typing import NoReturn, TextIO

from tqdm import tqdm

BAR = "{desc} {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]"


class TerminalProgress:
    """Implements :class:`robustbench_rs.api.Progress` with tqdm; silent when ``stream`` is no terminal.

    ``verbose``: news is told all the same, for a job's log file.
    """

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = stream
        self._visible = stream.isatty()
        self._verbose = verbose
        self._bar: tqdm[NoReturn] | None = None

    def start(self, label: str, total: int, done: int = 0) -> None:
        self.finish()
        self._bar = tqdm(
            desc=label, total=total, initial=done, file=self._stream, disable=not self._visible,
            bar_format=BAR, unit_scale=True, dynamic_ncols=True, leave=False, smoothing=0.1,
        )  # fmt: skip

    def advance(self, amount: int, note: str = "") -> None:
        if self._bar is None:
            return
        if note:
            self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(amount)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def say(self, message: str) -> None:
        if self._visible or self._verbose:
            tqdm.write(message, file=self._stream)
