# Misconception: All words have the same length.


def huffman(message, n_symbols, lengths=None):
    if not set(message) <= set(range(n_symbols)):
        raise ValueError("symbols")
    if lengths is None:
        lengths = [0] * n_symbols
        for s in set(message):
            share = message.count(s) / len(message)
            lengths[s] = max(1, (len(set(message)) - 1).bit_length())
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
