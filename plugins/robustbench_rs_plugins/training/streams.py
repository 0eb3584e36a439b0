"""The random streams of one training: one torch generator per purpose."""

from __future__ import annotations

import hashlib

import torch


def seed_of(purpose: str, seed: int) -> int:
    """A 32-bit seed from all bits of (purpose, seed): torch's CPU generators ignore the others."""
    return int.from_bytes(hashlib.sha256(f"{purpose}/{seed}".encode()).digest()[:4], "little")


class Streams:
    """``order`` of the images, ``augment``\\ ation (both drawn on the CPU), ``noise`` (drawn on the device).

    torch's global generators (dropout) are the fourth: seeded by :meth:`seed_global`, saved and restored with the rest.
    """

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._seed = seed
        self.order = torch.Generator().manual_seed(seed_of("order", seed))
        self.augment = torch.Generator().manual_seed(seed_of("augment", seed))
        self.noise = torch.Generator(device).manual_seed(seed_of("noise", seed))

    def seed_global(self) -> None:
        """Seed torch's global generators."""
        torch.manual_seed(seed_of("global", self._seed))

    def state(self) -> dict[str, torch.Tensor]:
        """States of all generators, on the CPU."""
        states = {name: self._own(name).get_state() for name in ("order", "augment", "noise")}
        states["global"] = torch.get_rng_state()
        if self._device.type == "cuda":
            states["global_cuda"] = torch.cuda.get_rng_state(self._device)
        return states

    def restore(self, states: dict[str, torch.Tensor]) -> None:
        """Set all generators back. Raises when a state is missing or damaged."""
        for name in ("order", "augment", "noise"):
            self._own(name).set_state(states[name])
        torch.set_rng_state(states["global"])
        if self._device.type == "cuda":
            torch.cuda.set_rng_state(states["global_cuda"], self._device)

    def _own(self, name: str) -> torch.Generator:
        generator: torch.Generator = getattr(self, name)
        return generator
