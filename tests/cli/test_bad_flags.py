"""Flags that are wrong: exit 2, one message, nothing on stdout."""

from __future__ import annotations

import pytest

RADIUS = ["radius", "--noise", "laplace", "--param", "scale=0.7", "--norm", "1", "--dim", "3072", "--p-lower", "0.9"]


def replaced(flag: str, value: str) -> list[str]:
    """RADIUS with another value of one flag."""
    place = RADIUS.index(flag)
    return [*RADIUS[: place + 1], value, *RADIUS[place + 2 :]]


FLAGS: dict[str, tuple[list[str], list[str]]] = {
    "no command": ([], ["Usage"]),
    "unknown command": (["rnu"], ["'rnu'"]),
    "unknown option": (["run", "quickstart", "--frsh"], ["--frsh", "--fresh"]),
    "a missing argument": (["run"], ["SPEC"]),
    "an option without its value": (["run", "quickstart", "--out"], ["--out"]),
    "-q and -v": (["run", "quickstart", "-q", "-v"], ["-q and -v"]),
    "a device that there is none of": (["run", "quickstart", "--device", "gpu"], ["--device gpu", "cuda:0,1"]),
    "a device number": (["run", "quickstart", "--device", "cuda:a"], ["--device cuda:a"]),
    "a shard that is none": (["run", "quickstart", "--shard", "3/2"], ["--shard", "i/n"]),
    "a shard of nothing": (["run", "quickstart", "--shard", "0/2"], ["--shard", "i/n"]),
    "a shard in words": (["run", "quickstart", "--shard", "half"], ["--shard", "'half'"]),
    "an unknown executor": (["run", "quickstart", "--executor", "locl"], ["did you mean 'local'?"]),
    "an unknown noise": (replaced("--noise", "laplce"), ["did you mean 'laplace'?", "-p FILE"]),
    "an unknown parameter": (replaced("--param", "scal=1"), ["did you mean 'scale'?"]),
    "a parameter of another type": (replaced("--param", "scale=wide"), ["scale", "must be a number", "'wide'"]),
    "a parameter out of range": (replaced("--param", "scale=-1"), ["scale", "greater than 0"]),
    "a parameter without value": (replaced("--param", "scale"), ["--param", "key=value"]),
    "a parameter twice": ([*RADIUS, "--param", "scale=2"], ["'scale'", "twice"]),
    "a parameter called name": ([*RADIUS, "--param", "name=gaussian"], ["'name'"]),
    "no parameter at all": (
        ["radius", "--noise", "gaussian", "--norm", "2", "--dim", "3", "--p-lower", "0.9"],
        ["exactly one of 'scale' and 'sigma'"],
    ),
    "a norm below one": (replaced("--norm", "0.5"), ["--norm", "at least 1"]),
    "a norm in words": (replaced("--norm", "euclidean"), ["--norm", "'euclidean'"]),
    "a norm that is no number": (replaced("--norm", "nan"), ["--norm"]),
    "no dimension": (replaced("--dim", "0"), ["--dim"]),
    "a probability above one": (replaced("--p-lower", "1.2"), ["--p-lower", "between 0 and 1"]),
    "a probability that is no number": (replaced("--p-lower", "nan"), ["--p-lower", "between 0 and 1"]),
    "a negative probability": ([*RADIUS, "--p-upper", "-0.1"], ["--p-upper", "between 0 and 1"]),
    "no probability": (RADIUS[:-2], ["--p-lower"]),
    "a solver's parameter that it has not": ([*RADIUS, "--solver", "closed-form,tol=1"], ["unknown key 'tol'"]),
    "an unknown solver": ([*RADIUS, "--solver", "closed-from"], ["did you mean 'closed-form'?"]),
    "no theorem": (
        [*replaced("--norm", "2"), "--solver", "closed-form"],
        ["no radius for laplace noise", "closed-form"],
    ),
    "a curve of another kind": ([*RADIUS, "--curve", "curve.docx"], ["--curve curve.docx", ".csv", ".png", ".html"]),
    "an unknown plugin to show": (["plugins", "show", "gausian"], ["did you mean 'gaussian'?"]),
    "an unknown plugin to check": (["plugins", "check", "solver:gaussian"], ["unknown plugin 'gaussian'"]),
    "an unknown kind": (["plugins", "new", "nose", "mine"], ["'nose'", "noise"]),
    "an unknown plugins command": (["plugins", "lst"], ["'lst'"]),
    "an unknown export format": (["export", "run", "--format", "xls"], ["'xls'", "csv"]),
    "merge without out": (["merge", "a", "b"], ["--out"]),
}


@pytest.mark.parametrize("kind", FLAGS)
def test_a_flag_with_a_mistake(kind: str, refused, cli) -> None:
    arguments, words = FLAGS[kind]
    if kind == "no command":
        outcome = cli()
        assert (outcome.code, outcome.out) == (2, "")
        assert "Usage" in outcome.err
        return
    refused(arguments, words)


def test_cuda_where_there_is_none(world, refused) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    refused(["run", world.spec(), "--device", "cuda"], ["--device cuda", "no CUDA device"])
