"""What a machine must answer for the matrices of a benchmark: computed again here, without a GPU.

The digest shows that the answer was made for this seed by something that multiplies right. It proves nothing about
speed: that is the business of the timed products, and of looking at them.
"""

import hashlib
from functools import lru_cache

#: Rows and columns. Entries are -1 to 2, so that every sum is exact in half precision too (agent/gpu_bench.py).
SIZE = 256
#: Bits of a place in a row that is packed into one number; a sum of SIZE products of 0 to 3 is at most 2304.
PLACE = 16


@lru_cache(256)
def expected(seed: str, index: int) -> str:
    """The digest, in hexadecimal, for the GPU ``index`` of a benchmark with this seed. Takes about a tenth of a second."""
    a, b = _drawn(seed, index, "a"), _drawn(seed, index, "b")
    packed = [sum(entry << PLACE * place for place, entry in enumerate(row)) for row in b]
    # The entries drawn are 0 to 3, those meant are one less: (a - 1)(b - 1) = ab - a - b + 1, summed.
    columns = [sum(row[place] for row in b) for place in range(SIZE)]
    whole = hashlib.sha256()
    for row in a:
        line = sum(entry * other for entry, other in zip(row, packed, strict=True) if entry)
        less = sum(row) - SIZE
        for place in range(SIZE):
            entry = (line >> PLACE * place & 0xFFFF) - less - columns[place]
            whole.update(entry.to_bytes(2, "little", signed=True))
    return whole.hexdigest()


def _drawn(seed: str, index: int, name: str) -> list[list[int]]:
    """Two bits an entry, low bits first, of SHA-256 over ``seed:index:name:counter``."""
    entries: list[int] = []
    for counter in range(SIZE * SIZE // 128):
        for byte in hashlib.sha256(f"{seed}:{index}:{name}:{counter}".encode()).digest():
            entries += (byte & 3, byte >> 2 & 3, byte >> 4 & 3, byte >> 6)
    return [entries[row * SIZE : (row + 1) * SIZE] for row in range(SIZE)]
