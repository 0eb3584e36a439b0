"""A family that does not exist in the data's dimension: bad input, said before anything is trained or drawn."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("noise", "says"),
    [
        ({"name": "power-linf", "a": 10, "scale": 1}, "needs a above 64"),
        ({"name": "power-linf", "a": 65, "sigma": 1}, "no finite standard deviation in 64 dimensions"),
    ],
    ids=["no density", "no deviation"],
)
def test_it_is_refused_at_once(world, cli, noise, says) -> None:
    done = cli("run", world.spec(defenses__0__noise=noise))
    assert done.code == 2
    assert says in done.err
    assert done.out == ""
    assert not (world.folder / "runs").exists()
