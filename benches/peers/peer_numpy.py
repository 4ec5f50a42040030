"""The textbook draws in numpy."""

import numpy as np

from steps import Step


def steps(temperature):
    rng = np.random.default_rng(1)

    def softmax_search(z):
        z = z / np.float32(temperature)
        z -= z.max(axis=-1, keepdims=True)
        np.exp(z, out=z)
        cdf = np.cumsum(z, axis=-1, dtype=np.float64)
        u = rng.random((len(z), 1)) * cdf[:, -1:]
        if z.shape[1] < 1000:
            return (cdf <= u).sum(axis=-1)
        return np.array([np.searchsorted(row, x[0], "right") for row, x in zip(cdf, u)])

    def gumbel(z):
        return (z / np.float32(temperature) + rng.gumbel(size=z.shape)).argmax(axis=-1)

    plain = np.asarray
    return [
        Step("draw", "numpy: softmax, cumsum, search", softmax_search, plain, one_thread=True),
        Step("draw", "numpy: Gumbel argmax", gumbel, plain, one_thread=True),
        Step("greedy", "numpy: argmax", lambda z: z.argmax(axis=-1), plain, one_thread=True),
    ]
