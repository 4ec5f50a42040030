"""Prints the tokens of draws and of whole generations from logits that integers make, so that they
are the same in every language: tests/python.rs makes the same ones in Rust, and compares."""

import numpy as np

import demask

ROWS, VOCAB, STRIDE = 24, 1003, 1010
SEQUENCES, LENGTH, STATES, MASK = 3, 20, 50, -1


def lcg(count):
    """The first numbers of Numerical Recipes' generator from 1 on."""
    state, numbers = 1, []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) % 2**32
        numbers.append(state)
    return np.array(numbers, "u4")


def show(name, tokens):
    print(f"{name}:", *np.ravel(tokens))


def draws():
    # Eighths have the same value in every type.
    data = ((lcg(ROWS * STRIDE) >> 25) / 8).astype("f4").reshape(ROWS, STRIDE)[:, :VOCAB]
    bits = (data.base.view("u4") >> 16).astype("u2").reshape(ROWS, STRIDE)[:, :VOCAB]
    half = data.base.astype("f2").reshape(ROWS, STRIDE)[:, :VOCAB]
    keys = np.zeros(ROWS, demask.KEY)
    keys["seed"], keys["stream"], keys["step"], keys["position"] = 2024, 7, 3, range(ROWS)
    reverse = np.arange(ROWS, dtype="u4")[::-1].copy()
    views = {
        "f32": demask.logits(data),
        "f16": demask.logits(half),
        "bf16": demask.logits(bits, dtype=demask.DTYPE_BF16),
        "reversed": demask.logits(data, row_index=reverse),
        "guided": demask.logits(
            data, guide=demask.logits(data, row_index=reverse), guidance_scale=1.75),
    }
    rules = {
        "plain": dict(temperature=1.5),
        "greedy": dict(temperature=0),
        "filters": dict(temperature=1.5, top_k=40, top_p=0.95, min_p=0.03125),
        "race": dict(temperature=1.5, method=demask.METHOD_RACE),
    }
    sampler = demask.Sampler(ROWS)
    for view, rows in views.items():
        for rule, fields in rules.items():
            show(f"{view}, {rule}", sampler.draw(rows, keys, **fields))


def network(tokens):
    """Logits of every position, which depend on it and on its two neighbours."""
    u32 = np.uint32  # its arrays wrap around, as they should here
    around = np.pad(tokens, ((0, 0), (1, 1)), constant_values=MASK).astype(u32)
    at = np.arange(tokens.size, dtype=u32).reshape(tokens.shape)
    context = at * u32(2654435761) + around[:, :-2] * u32(40503) + around[:, 2:] * u32(69069)
    mixed = context[..., None] + np.arange(STATES, dtype=u32) * u32(2246822519)
    mixed = (mixed ^ (mixed >> u32(15))) * u32(1664525) + u32(1013904223)
    return ((mixed >> u32(25)) / 16).astype("f4").reshape(-1, STATES)


def generation(name, policy, planned):
    tokens = np.full((SEQUENCES, LENGTH), MASK, "i4")
    begins = np.arange(SEQUENCES) * LENGTH
    segments = demask.segments(
        SEQUENCES, begin=begins, end=begins + LENGTH, seed=2024, stream=range(SEQUENCES))
    canvas = demask.canvas(tokens, MASK, segments, policy)
    sampler, calls, rows = demask.Sampler(tokens.size, SEQUENCES), 0, 0
    while True:
        plan = sampler.plan(canvas)
        if plan.active == 0:
            break
        calls, rows = calls + (len(plan.rows) > 0), rows + len(plan.rows)
        logits = network(tokens)
        if planned:
            sampler.step(canvas, logits[plan.rows], plan)
        else:
            sampler.step(canvas, logits)
    show(f"{name}, {calls} calls, {rows} rows", tokens)


draws()
policies = {
    "first-hitting": demask.policy("first_hitting", demask.NOISE_LINEAR),
    "random order": demask.policy("random_order", 6, temperature=0.5),
    "ancestral": demask.policy(
        "sampler", demask.SAMPLER_ANCESTRAL, demask.NOISE_COSINE, 9, finish=demask.FINISH_SAMPLE),
    "llada": demask.policy("decoder", demask.DECODER_LLADA, 5, temperature=1),
    "fast-dllm": demask.policy(
        "decoder", demask.DECODER_FAST_DLLM, 0, threshold=0.125, threshold_2=0.125),
}
for name, policy in policies.items():
    generation(name, policy, planned=True)
    generation(name, policy, planned=False)
