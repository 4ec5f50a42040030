"""That arrays are taken as they lie, and those refused that cannot be."""

import numpy as np

import demask

ROWS, VOCAB = 12, 40
sampler = demask.Sampler(ROWS)
keys = np.zeros(ROWS, demask.KEY)
keys["position"] = range(ROWS)
logits = np.random.default_rng(1).normal(size=(3, 4, VOCAB)).astype("f4")
tokens = sampler.draw(logits, keys)

# The same rows, with room behind each, and among others.
padded = np.full((3, 4, VOCAB + 7), np.nan, "f4")
padded[..., :VOCAB] = logits
longer = np.full((5, 4, VOCAB), np.nan, "f4")
longer[1:4] = logits
index = np.arange(4, 16, dtype="u4")
for same in (
        padded[..., :VOCAB], padded.reshape(ROWS, -1)[:, :VOCAB], longer[1:4], logits[None, :, None],
        demask.logits(longer, row_index=index)):
    assert np.array_equal(sampler.draw(same, keys), tokens)


def refused(kind, call, *arguments, **fields):
    try:
        call(*arguments, **fields)
    except kind as error:
        return str(error)
    raise AssertionError(f"not refused: {arguments} {fields}")


fixed = np.zeros(ROWS, "i4")
fixed.flags.writeable = False
policy = demask.policy("random_order", 3)
whole = demask.segments(1, end=ROWS)
for rows in (
        logits[..., ::2], logits[:, :3], logits.transpose(1, 0, 2), logits[..., ::-1], logits[::-1],
        np.broadcast_to(logits[0, 0], (3, 4, VOCAB)), logits.astype(">f4"), np.zeros((), "f4")):
    assert refused(ValueError, sampler.draw, rows, keys)
for rows in (logits.astype("f8"), logits.astype("i4"), logits.astype("u2"), logits.tolist()):
    assert refused(TypeError, sampler.draw, rows, keys)
assert "keys" in refused(ValueError, sampler.draw, logits, keys["step"])
assert "keys" in refused(TypeError, sampler.draw, logits, np.zeros(ROWS, demask.SEGMENT))
assert "tokens" in refused(TypeError, demask.canvas, np.zeros(ROWS, "i8"), -1, whole, policy)
for tokens in (np.zeros((4, 6), "i4")[:, ::2], fixed):
    assert "tokens" in refused(ValueError, demask.canvas, tokens, -1, whole, policy)
assert "kinds" in refused(
    ValueError, demask.canvas, fixed.copy(), -1, whole, policy, kinds=np.zeros(3, "u1"))
assert "temprature" in refused(TypeError, demask.policy, "random_order", 3, temprature=1)
assert "top_k" in refused(ValueError, demask.policy, "random_order", 3, top_k=-1)
assert "-3" in refused(ValueError, demask.policy, "random_order", -3)
assert "mask_token" in refused(ValueError, demask.canvas, fixed.copy(), 2**31, whole, policy)
assert "demask_draw" in refused(demask.Error, sampler.draw, logits, keys[1:])
assert "demask_create" in refused(demask.Error, demask.Sampler, 1, threads=0)

# What a canvas points to lives as long as it does.
canvas = demask.canvas(np.full(ROWS, -1, "i4"), -1, demask.segments(1, end=ROWS, seed=1), policy)
for _ in range(3):
    assert sampler.step(canvas, logits).n_revealed == 4
assert sampler.plan(canvas).active == 0 and (canvas._tokens >= 0).all()
print("arrays are taken as they lie, or refused")
