"""Training with noise augmentation (Lecuyer et al. 2019; Cohen et al. 2019, section 3.3)."""

from __future__ import annotations

from robustbench_rs.api import Training, TrainingRun, hookimpl
from robustbench_rs_plugins.training.settings import NoiseAugmentationParams


class NoiseAugmentation(Training):
    """Cross-entropy on images with a fresh draw of the noise added to each, in [0, 1] pixel units."""

    name = "noise-augmentation"

    Params = NoiseAugmentationParams
    params: NoiseAugmentationParams

    def train(self, run: TrainingRun) -> None:
        """Train ``run.module`` in place, resuming from ``run.state_file``. Raises ``RunError`` when it diverges."""
        from robustbench_rs_plugins.training.loop import Loop

        Loop(run, self.params).run()


@hookimpl
def robustbench_rs_trainings() -> list[type[Training]]:
    """The training ``noise-augmentation``."""
    return [NoiseAugmentation]
