# Misconception: The code comes from the top: halve the symbols into two parts of equal counts.


def huffman(message, n_symbols, lengths=None):
    if not set(message) <= set(range(n_symbols)):
        raise ValueError("symbols")
    if lengths is None:
        lengths = [0] * n_symbols
        if len(set(message)) == 1:
            lengths[message[0]] = 1
        todo = [sorted(set(message), key=lambda s: (-message.count(s), s))]
        while todo:
            some = todo.pop()
            if len(some) < 2:
                continue
            counts = [message.count(s) for s in some]
            cut = min(range(1, len(some)), key=lambda c: abs(2 * sum(counts[:c]) - sum(counts)))
            for s in some:
                lengths[s] += 1
            todo += [some[:cut], some[cut:]]
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
