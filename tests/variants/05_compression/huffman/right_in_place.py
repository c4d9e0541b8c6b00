# Lengths in place by three passes, words from the room that is left.

from fractions import Fraction


def huffman(message, n_symbols, lengths=None):
    if any(not 0 <= symbol < n_symbols for symbol in message):
        raise ValueError("a symbol is out of range")
    if lengths is None:
        counts = [0] * n_symbols
        for symbol in message:
            counts[symbol] += 1
        present = sorted((s for s in range(n_symbols) if counts[s]), key=counts.__getitem__)
        lengths = [0] * n_symbols
        for symbol, length in zip(present, in_place([counts[s] for s in present]), strict=True):
            lengths[symbol] = length
    else:
        lengths = list(lengths)
        if len(lengths) != n_symbols or any(length < 0 for length in lengths):
            raise ValueError("n_symbols lengths, none negative")
        if any(lengths[symbol] == 0 for symbol in message):
            raise ValueError("a symbol of the message has no word")
        if sum(Fraction(1, 2**length) for length in lengths if length) > 1:
            raise ValueError("Kraft's inequality fails")
    words, room = {}, Fraction(1)
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):
        words[symbol] = format(int(room * 2**length) - 1, f"0{length}b")
        room -= Fraction(1, 2**length)
    return lengths, "".join(words[symbol] for symbol in message)


def in_place(a):
    """Lengths for counts in ascending order: Moffat and Katajainen's three passes."""
    n = len(a)
    if n < 2:
        return [1] * n
    a, leaf, root = list(a), 2, 0
    a[0] += a[1]
    for new in range(1, n - 1):
        if leaf >= n or a[root] < a[leaf]:
            a[new], a[root], root = a[root], new, root + 1
        else:
            a[new], leaf = a[leaf], leaf + 1
        if leaf >= n or (root < new and a[root] < a[leaf]):
            a[new], a[root], root = a[new] + a[root], new, root + 1
        else:
            a[new], leaf = a[new] + a[leaf], leaf + 1
    a[n - 2] = 0
    for i in range(n - 3, -1, -1):
        a[i] = a[a[i]] + 1
    available, used, depth, i, place = 1, 0, 0, n - 2, n - 1
    while available > 0:
        while i >= 0 and a[i] == depth:
            used, i = used + 1, i - 1
        while available > used:
            a[place], place, available = depth, place - 1, available - 1
        available, used, depth = 2 * used, 0, depth + 1
    return a
