"""Trade-off functions of product noise and a fixed shift, by likelihood-ratio accounting.

For a shift, P is the law of the noise, Q that of the shifted noise, L = ln dQ/dP. The trade-off function T_shift is all
that matters for a certificate, and for independent coordinates L is a sum, so T follows from the law of one coordinate:

    cells of one coordinate -> lattice of losses -> powers by FFT -> curve (P, Q of {L <= t})

Every step errs on a stated side: pessimistic (T never above the truth, radii too small) or optimistic (never below).
How T moves with the length of a shift is bounded in :mod:`bend`, :mod:`stretch`, :mod:`cusp` and :mod:`blend`.
"""

from robustbench_rs.statistics.tradeoff.account import Account, Group, trade_off
from robustbench_rs.statistics.tradeoff.bend import bend
from robustbench_rs.statistics.tradeoff.blend import Blend
from robustbench_rs.statistics.tradeoff.curve import TradeOff
from robustbench_rs.statistics.tradeoff.stretch import Stretch

__all__ = ["Account", "Blend", "Group", "Stretch", "TradeOff", "bend", "trade_off"]
