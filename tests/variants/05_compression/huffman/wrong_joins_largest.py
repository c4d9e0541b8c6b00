# Misconception: Groups are joined in the order of the symbols' counts, sorted once.


def huffman(message, n_symbols, lengths=None):
    if not set(message) <= set(range(n_symbols)):
        raise ValueError("symbols")
    if lengths is None:
        lengths = [0] * n_symbols
        groups = sorted((message.count(s), [s]) for s in set(message))
        if len(groups) == 1:
            lengths[message[0]] = 1
        while len(groups) > 1:
            a, b = groups.pop(0), groups.pop(0)
            for symbol in a[1] + b[1]:
                lengths[symbol] += 1
            groups.insert(0, (a[0] + b[0], a[1] + b[1]))
    if len(lengths) != n_symbols or min(lengths, default=0) < 0:
        raise ValueError("lengths")
    if sum(2.0**-n for n in lengths if n) > 1:
        raise ValueError("Kraft")
    if any(lengths[s] == 0 for s in message):
        raise ValueError("no word")
    words, number, last = {}, 1, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(lengths) if n):
        number = (number << (length - last)) - 1
        words[symbol] = format(number, f"0{length}b")
        last = length
    return list(lengths), "".join(words[symbol] for symbol in message)
