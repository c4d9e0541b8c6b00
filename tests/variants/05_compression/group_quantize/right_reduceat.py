# Largest values of stretches by reduceat, halves rounded up.

import numpy as np


def group_quantize(weight, group_size, bits):
    if weight.ndim != 2 or not weight.is_floating_point() or not weight.numel():
        raise ValueError("weight must be (m, n), floating, not empty")
    if not weight.isfinite().all():
        raise ValueError("weight must be finite")
    if bits not in range(2, 9) or group_size < 1 or group_size != int(group_size):
        raise ValueError("bits from 2 to 8, group_size at least 1")
    m, n = weight.shape
    largest = 2 ** (bits - 1) - 1
    starts = np.arange(0, n, group_size)
    w = weight.double().numpy()
    tops = np.maximum.reduceat(np.abs(w), starts, axis=1) / largest
    with np.errstate(over="ignore"):
        scales = tops.astype(np.float16)
    if np.isinf(scales).any():
        raise ValueError("a scale is too large for float16")
    widths = np.diff(np.append(starts, n))
    each = np.repeat(scales.astype(np.float64), widths, axis=1)
    safe = np.where(each == 0, 1.0, each)
    codes = np.clip(np.floor(w / safe + 0.5), -largest, largest)
    codes = np.where(each == 0, 0, codes)
    total = m * n * bits + 16 * scales.size
    return (
        torch.from_numpy(codes.astype(np.int8)),
        torch.from_numpy(scales),
        total / (m * n),
    )
