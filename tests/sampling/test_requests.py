"""How draws are cut into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from robustbench_rs.sampling.requests import StageRequest, fill, first

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=8)


@given(spans=SPANS, size=st.integers(1, 20), rows=st.integers(1, 12))
def test_every_draw_exactly_once_in_full_batches(spans, size, rows):
    requests = [StageRequest(i, "estimation", start, start + draws) for i, (start, draws) in enumerate(spans)]
    cursor, drawn, batches = first(requests), [], []
    while cursor.request < len(requests):
        segments, cursor = fill(requests, cursor, size, rows)
        batches.append(sum(segment.draws for segment in segments))
        for segment in segments:
            assert segment.start // rows == (segment.stop - 1) // rows
            drawn += [(segment.request, draw) for draw in range(segment.start, segment.stop)]
    assert drawn == [(i, draw) for i, request in enumerate(requests) for draw in range(request.start, request.stop)]
    assert all(batch == size for batch in batches[:-1])
