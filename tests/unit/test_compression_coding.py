"""Codes give back what they got, and are as long as the entropy says."""

from __future__ import annotations

import math
import random
from collections import Counter

import constriction
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from companion import compression as C
from companion.compression.arithmetic import scaled
from companion.compression.matrixcode import IntegerCode
from companion.compression.mixing import LIMIT, ONE, SQUASH, STRETCH, Mixer

counts_lists = st.lists(st.integers(0, 300), min_size=1, max_size=12).filter(any)


def draw(frequencies, n, seed=0):
    return random.Random(seed).choices(range(len(frequencies)), frequencies, k=n)


def ideal(frequencies, message):
    return sum(math.log2(sum(frequencies) / frequencies[symbol]) for symbol in message)


# ---- Huffman -----------------------------------------------------------------------------------


def two_queues(counts):
    """Total bits of an optimal code without a heap (van Leeuwen): two sorted queues."""
    leaves, joined, bits = sorted(n for n in counts if n), [], 0
    if len(leaves) == 1:
        return leaves[0]
    while len(leaves) + len(joined) > 1:
        pair = []
        for _ in range(2):
            is_leaf = leaves and (not joined or leaves[0] <= joined[0])
            pair.append((leaves if is_leaf else joined).pop(0))
        joined.append(sum(pair))
        bits += sum(pair)
    return bits


@given(counts=counts_lists)
def test_huffman_is_as_short_as_an_independent_count(counts):
    code = C.huffman_code(counts)
    bits = sum(n * len(code[symbol]) for symbol, n in enumerate(counts) if n)
    assert bits == two_queues(counts)
    assert set(code) == {symbol for symbol, n in enumerate(counts) if n}
    if len(code) > 1:
        assert C.kraft_sum(code) == 1
        assert C.entropy_bits(counts) <= bits + 1e-9 < C.entropy_bits(counts) + sum(counts) + 1e-6
    words = list(code.values())
    assert not any(a != b and b.startswith(a) for a in words for b in words)


@given(message=st.text("abcdefg", min_size=1, max_size=60))
def test_huffman_decodes_what_it_encoded(message):
    code = C.huffman_code(Counter(message))
    bits = C.huffman_encode(message, code)
    assert C.huffman_decode(bits, code) == list(message)
    assert C.canonical({symbol: len(word) for symbol, word in code.items()}) == code


def test_a_code_by_hand():
    code = C.huffman_code({"a": 45, "b": 13, "c": 12, "d": 16, "e": 9, "f": 5})  # CLRS, 16.3
    assert {symbol: len(word) for symbol, word in code.items()} == {
        "a": 1, "b": 3, "c": 3, "d": 3, "e": 4, "f": 4,
    }  # fmt: skip
    assert code == {"a": "0", "b": "100", "c": "101", "d": "110", "e": "1110", "f": "1111"}
    assert C.huffman_code({"x": 7}) == {"x": "0"} and C.kraft_sum({"x": "0"}) == 0.5
    assert C.huffman_encode("", code) == "" and C.huffman_decode("", code) == []
    assert C.entropy_bits([5, 5, 5, 5, 0]) == 40 and C.entropy_bits([]) == 0
    assert C.entropy_bits({"a": 9}) == 0


def test_huffman_refuses():
    for says, call in (
        ("no symbol occurs", lambda: C.huffman_code([0, 0])),
        ("no symbol occurs", lambda: C.huffman_code({})),
        ("count of symbol 'a' is -1", lambda: C.huffman_code({"a": -1})),
        ("count of symbol 0 is 0.5", lambda: C.entropy_bits([0.5])),
        ("symbol 'z' has no code word", lambda: C.huffman_encode("z", {"a": "0"})),
        ("the last 1 bits are no code word", lambda: C.huffman_decode("101", {0: "0", 1: "10"})),
        ("at least one bit", lambda: C.canonical({"a": 0})),
        ("Kraft's inequality", lambda: C.canonical({"a": 1, "b": 1, "c": 9})),
    ):
        with pytest.raises(ValueError, match=says):
            call()


# ---- arithmetic --------------------------------------------------------------------------------


@given(counts=counts_lists, n=st.integers(0, 200), seed=st.integers(0, 99))
def test_arithmetic_decodes_what_it_encoded_within_two_bytes_of_ideal(counts, n, seed):
    message, coder = draw(counts, n, seed), C.ArithmeticCoder(counts)
    data = coder.encode(message)
    assert coder.decode(data, n) == message
    assert 8 * len(data) <= ideal(counts, message) + 16
    assert C.ArithmeticCoder([7]).encode([0] * n) == b""


@pytest.mark.parametrize("frequencies", [(1, 1, 1, 65533), (9, 7, 5, 3), (1, 65535), (3,) * 200])
def test_a_long_message_stays_within_two_bytes_and_agrees_with_constriction(frequencies):
    message, coder = draw(frequencies, 20_000), C.ArithmeticCoder(frequencies)
    data = coder.encode(message)
    assert coder.decode(data, len(message)) == message
    bits = ideal(frequencies, message)
    assert bits - 1 < 8 * len(data) <= bits + 16
    model = constriction.stream.model.Categorical(
        np.array(frequencies) / sum(frequencies), perfect=True
    )
    peer = constriction.stream.queue.RangeEncoder()
    peer.encode(np.array(message, np.int32), model)
    peer_bits = 32 * len(peer.get_compressed())
    assert abs(8 * len(data) - peer_bits) <= 64 + 0.001 * bits
    found = constriction.stream.queue.RangeDecoder(peer.get_compressed()).decode(model, 20_000)
    assert found.tolist() == coder.decode(data, 20_000)


def test_carries_run_through_bytes_that_are_full():
    """The upper end of the interval, again and again, and then across its middle."""
    for total in (2, 3, 65536):
        for n in range(120):
            message = [1] * n + [0, 1, 0]
            coder = C.ArithmeticCoder([1, total - 1])
            assert coder.decode(coder.encode(message), len(message)) == message
    rare = C.ArithmeticCoder([65535, 1])
    message = draw([1, 1], 3000)
    assert rare.decode(rare.encode(message), 3000) == message


def test_frequencies_are_scaled_down():
    assert scaled([3, 0, 2]) == [3, 0, 2]
    found = scaled([10**9, 1, 0, 10**9])
    assert sum(found) <= 1 << 16 and found[1] == 1 and found[2] == 0 and found[0] == found[3]
    message = draw([10**6, 1, 5 * 10**5], 1000)
    coder = C.ArithmeticCoder([10**6, 1, 5 * 10**5])
    assert coder.decode(coder.encode(message), 1000) == message


def test_arithmetic_refuses():
    for bad in ([], [0, 0], [-1, 2], [0.5, 0.5]):
        with pytest.raises(ValueError, match="integers of at least 0, one of them above 0"):
            C.ArithmeticCoder(bad)
    with pytest.raises(ValueError, match="40000 symbols, expected at most 32768"):
        C.ArithmeticCoder([1] * 40000)
    for symbol in (1, 2, -1):
        with pytest.raises(ValueError, match=f"symbol {symbol} has no frequency: .*0 to 1"):
            C.ArithmeticCoder([5, 0]).encode([0, symbol])


@given(seed=st.integers(0, 99))
def test_what_is_mixed_in_one_stream_comes_out_in_order(seed):
    rng = random.Random(seed)
    plan = [(rng.choice("bns"), rng.randrange(1, ONE), rng.randrange(ONE)) for _ in range(200)]

    def run(coder, is_reading):
        found = []
        for kind, p, value in plan:
            if kind == "b":
                found.append(coder.bit(p, None if is_reading else value % 2))
            elif kind == "n":
                found.append(coder.number(p, None if is_reading else value % p))
            else:
                cumulative = [0, p, p, ONE]
                found.append(coder.symbol(cumulative, None if is_reading else 2 * (value % 2)))
        return found

    encoder = C.Encoder()
    written = run(encoder, False)
    n_bits = encoder.n_bits
    decoder = C.Decoder(encoder.finish())
    assert run(decoder, True) == written
    assert decoder.n_bits == pytest.approx(n_bits)


# ---- adaptive bits -----------------------------------------------------------------------------


def test_tables_are_the_logistic_function_and_its_inverse():
    for x in range(-LIMIT, LIMIT + 1, 7):
        assert abs(SQUASH[x + LIMIT] - ONE / (1 + math.exp(-x / 256))) <= 1
        assert SQUASH[x + LIMIT] + SQUASH[LIMIT - x] in (ONE, ONE - 1, ONE + 1)
    assert len(STRETCH) == ONE + 1 and min(SQUASH) == 1 and max(SQUASH) == ONE - 1
    for p in range(ONE // 50, ONE * 49 // 50, 501):
        assert abs(STRETCH[p] - 256 * math.log(p / (ONE - p))) <= 1.5


def mixed(bits, contexts, **kwargs):
    encoder, mixer = C.Encoder(), Mixer(len(contexts[0]), **kwargs)
    for bit, context in zip(bits, contexts, strict=True):
        mixer.bit(encoder, context, bit)
    data = encoder.finish()
    decoder, mixer = C.Decoder(data), Mixer(len(contexts[0]), **kwargs)
    assert [mixer.bit(decoder, context, None) for context in contexts] == bits
    return 8 * len(data)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5])
def test_adaptive_bits_reach_the_entropy_without_a_table(share):
    rng = random.Random(0)
    bits = [int(rng.random() < share) for _ in range(20_000)]
    best = C.entropy_bits([sum(bits), len(bits) - sum(bits)])
    assert mixed(bits, [(0,)] * len(bits), trust=10) <= 1.01 * best + 64


def test_a_context_that_tells_is_found_among_others_that_do_not():
    rng = random.Random(0)
    telling = [rng.randrange(2) for _ in range(10_000)]
    bits = [int(rng.random() < (0.05, 0.6)[t]) for t in telling]
    by_context = Counter(zip(telling, bits, strict=True))
    best = sum(C.entropy_bits([by_context[t, 0], by_context[t, 1]]) for t in (0, 1))
    plain = C.entropy_bits([len(bits) - sum(bits), sum(bits)])
    found = mixed(bits, [(0, i % 5, t) for i, t in enumerate(telling)], trust=10)
    assert best < found < 1.05 * best < 0.9 * plain


@given(values=st.lists(st.integers(-(2**31) + 1, 2**31 - 1) | st.integers(-3, 3), max_size=40))
def test_integers_come_back(values):
    encoder, code = C.Encoder(), IntegerCode(1)
    for i, value in enumerate(values):
        assert code.code(encoder, value, (i % 2,)) == value
        if value:
            code.code(encoder, value, (i % 2,), is_zero_known=True)
    decoder, code = C.Decoder(encoder.finish()), IntegerCode(1)
    for i, value in enumerate(values):
        assert code.code(decoder, 0, (i % 2,)) == value
        if value:
            assert code.code(decoder, 0, (i % 2,), is_zero_known=True) == value
