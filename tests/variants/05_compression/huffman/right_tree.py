# A tree of nested pairs walked from the root; words as strings, ones for zeros of the usual code.


def huffman(message, n_symbols, lengths=None):
    if message and not (0 <= min(message) and max(message) < n_symbols):
        raise ValueError("symbols")
    if lengths is None:
        lengths = [0] * n_symbols
        trees = [(message.count(s), -s, s) for s in set(message)]
        number = 0
        while len(trees) > 1:
            trees.sort(key=lambda t: t[:2])
            left, right = trees.pop(0), trees.pop(0)
            number += 1
            trees.append((left[0] + right[0], number, (left[2], right[2])))

        def walk(tree, depth):
            if isinstance(tree, tuple):
                for branch in tree:
                    walk(branch, depth + 1)
            else:
                lengths[tree] = max(depth, 1)

        for tree in trees:
            walk(tree[2], 0)
    elif len(lengths) != n_symbols or any(n < 0 for n in lengths):
        raise ValueError("lengths")
    if sum(0.5**n for n in lengths if n) > 1.0:
        raise ValueError("Kraft")
    words, usual, last = [""] * n_symbols, 0, 0
    for n in sorted(set(lengths) - {0}):
        usual <<= n - last
        for symbol in range(n_symbols):
            if lengths[symbol] == n:
                zeros = format(usual, "b").zfill(n)
                words[symbol] = zeros.translate(str.maketrans("01", "10"))
                usual += 1
        last = n
    if not all(words[s] for s in message):
        raise ValueError("no word")
    return list(lengths), "".join(words[s] for s in message)
