"""A way to train. Change the loss and the loop to yours."""

from __future__ import annotations

from pydantic import Field

from robustbench_rs.api import Training, TrainingParams, TrainingRun, hookimpl


class Example(Training):
    """Adam on noisy inputs. Deterministic, and short enough to begin again rather than resume from a checkpoint."""

    name = "example"

    class Params(TrainingParams):
        """``noise`` and ``dataset`` are handled by the base."""

        epochs: int = Field(default=5, ge=1, description="Passes over the training data.")
        batch_size: int = Field(default=64, ge=1, description="Inputs per step.")
        learning_rate: float = Field(default=1e-3, gt=0, description="Of Adam.")

    params: Params

    def train(self, run: TrainingRun) -> None:
        """Train ``run.module`` in place, on ``run.device``."""
        # Imported here, so that listing plugins stays instant.
        import torch
        from torch.nn.functional import cross_entropy

        # All randomness from generators of its own: equal seeds must give equal weights.
        order = torch.Generator().manual_seed(run.seed)
        draws = torch.Generator(run.device).manual_seed(run.seed)
        module = run.module.to(run.device).train()
        optimizer = torch.optim.Adam(module.parameters(), lr=self.params.learning_rate)
        run.progress.start("training", self.params.epochs)
        for _ in range(self.params.epochs):
            shuffled = run.indices[torch.randperm(len(run.indices), generator=order).numpy()]
            for start in range(0, len(shuffled), self.params.batch_size):
                batch = shuffled[start : start + self.params.batch_size]
                inputs = torch.from_numpy(run.images.pixels(batch)).to(run.device)
                if run.noise is not None:
                    drawn = run.noise.sample(tuple(inputs.shape), draws, run.device, inputs.dtype)
                    inputs = run.noise.apply(inputs, drawn)  # their sum, unless the noise says otherwise
                loss = cross_entropy(module(inputs), torch.from_numpy(run.images.labels[batch]).to(run.device))
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            run.progress.advance(1, f"loss {loss.item():.3f}")
        run.progress.finish()


@hookimpl
def robustbench_rs_trainings() -> list[type[Example]]:
    """The trainings of this file."""
    return [Example]
