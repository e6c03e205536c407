"""A hypothesis strategy: well-formed bytes that were damaged a little."""

from collections.abc import Sequence

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, seeds: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    """One of the seeds with up to four bytes or pieces removed, inserted or replaced."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        piece = draw(st.one_of(st.sampled_from(pieces), st.binary(max_size=4)))
        data[at : at + draw(st.integers(0, 6))] = piece
    return bytes(data)
