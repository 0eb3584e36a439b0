"""Makes ``sampling_fakes`` importable here and in worker processes, which get the same path."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
