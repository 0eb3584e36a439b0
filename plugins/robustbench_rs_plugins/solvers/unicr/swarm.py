"""The direction phase: particle swarm optimisation by ``pyswarms`` (extra ``unicr``).

``pyswarms`` has three habits that a library must not pass on: it installs handlers on the root logger and opens
``report.log`` in the working directory, when it is imported and with every optimiser; and it draws from numpy's global
generator. Here logging stays as it is, and the global generator is seeded for the time of the search and then restored.
"""

from __future__ import annotations

import importlib.util
import logging.config
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from robustbench_rs.errors import RunError
from robustbench_rs_plugins.solvers.unicr.settings import UnicrParams

MISSING = (
    "solver unicr needs the package pyswarms, which is not installed: pip install 'robustbench-rs[unicr]' "
    "(or pip install 'pyswarms>=1.3')"
)

_global_state = threading.Lock()


def available() -> bool:
    """Whether ``pyswarms`` can be imported; does not import it."""
    return importlib.util.find_spec("pyswarms") is not None


def search(
    cost: Callable[[np.ndarray], float], starts: np.ndarray, params: UnicrParams, seed: int
) -> tuple[np.ndarray, float]:
    """The best direction (d,) found and its cost, by a swarm in [-1, 1]^d that begins at ``starts`` (particles, d).

    ``cost`` maps one position to the length of its largest certified shift. Raises :class:`RunError` without pyswarms.
    """
    with _contained(seed):
        swarm = _optimiser()(
            n_particles=len(starts),
            dimensions=starts.shape[1],
            options={"w": params.inertia, "c1": params.c1, "c2": params.c2},
            bounds=(np.full(starts.shape[1], -1.0), np.ones(starts.shape[1])),
            init_pos=starts.copy(),
        )
        found, position = swarm.optimize(
            lambda positions: np.array([cost(position) for position in positions]), params.iterations, verbose=False
        )
    return np.asarray(position, dtype=np.float64), float(found)


def _optimiser() -> Any:
    try:
        from pyswarms.single.global_best import GlobalBestPSO
    except ImportError as error:
        raise RunError(f"{MISSING}; importing it failed with: {error}") from error
    return GlobalBestPSO


@contextmanager
def _contained(seed: int) -> Iterator[None]:
    with _global_state:
        state, configure = np.random.get_state(), logging.config.dictConfig
        np.random.seed(seed % 2**32)
        logging.config.dictConfig = _no_configuration
        try:
            yield
        finally:
            logging.config.dictConfig = configure
            np.random.set_state(state)


def _no_configuration(config: Any) -> None:
    """Instead of ``logging.config.dictConfig``."""
