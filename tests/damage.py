"""Damage to files, drawn by hypothesis."""

from hypothesis import strategies as st


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content cut off somewhere or not, with up to four of its bytes replaced."""
    result = bytearray(content)
    if draw(st.booleans()):
        del result[draw(st.integers(0, len(result) - 1)) :]
    for _ in range(draw(st.integers(0, 4)) if result else 0):
        result[draw(st.integers(0, len(result) - 1))] = draw(st.integers(0, 255))
    return bytes(result)
