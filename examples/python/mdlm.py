"""MDLM's ancestral sampling (Sahoo et al., arXiv 2406.07524), with demask in the place of its
update.

The model in models/kjv stands for MDLM's.
"""

import numpy as np
import torch

import demask
import kjv


@torch.no_grad()
def sample(model, batch, length, steps, mask_id, eps=1e-5, seed=0):
    """Samples from nothing, in steps of one width from time 1 to `eps`. `model` makes logits
    [batch, length, vocab] of tokens. Returns the tokens and how often the network ran."""
    x = torch.full((batch, length), mask_id, dtype=torch.int32)
    # Stands for the noise schedule and the time steps, and for noise_removal: what is masked at the
    # end gets its likeliest token.
    policy = demask.policy("sampler", demask.SAMPLER_ANCESTRAL, demask.NOISE_LINEAR, steps,
                           end=eps, finish=demask.FINISH_ARGMAX)
    begins = np.arange(batch) * length
    segments = demask.segments(
        batch, begin=begins, end=begins + length, seed=seed, stream=range(batch))
    canvas = demask.canvas(x, mask_id, segments, policy)
    sampler, calls, logits = demask.Sampler(x.numel(), batch), 0, None
    while True:
        # Which positions this step reveals is decided here. If none, the network need not run: that
        # stands for the cache of p_x0, which is used again if the step before changed nothing.
        plan = sampler.plan(canvas)
        if plan.active == 0:
            return x, calls
        if len(plan.rows) > 0:
            # A model of one's own would compute only these rows of its output layer. From another
            # device it is these alone that are copied: .cpu() belongs behind them.
            rows = torch.from_numpy(plan.rows.astype("i8"))
            logits, calls = model(x).flatten(0, 1)[rows], calls + 1
        # Stands for subs_parameterization (the mask is never drawn), q_xs, sample_categorical with
        # its Gumbel noise, and copy_flag.
        sampler.step(canvas, logits if len(plan.rows) > 0 else None, plan)


def main():
    text, network = kjv.Text(), kjv.Kjv()
    steps = 128
    tokens, calls = sample(
        lambda x: torch.from_numpy(network(x.numpy())), 2, 40, steps, kjv.MASK, seed=3)
    for row in tokens.tolist():
        print(text.decode(row))
    print(f"{steps} steps, in {calls} of which the network ran")
    assert not (tokens == kjv.MASK).any()


if __name__ == "__main__":
    main()
