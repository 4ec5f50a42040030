"""LLaDA's generation (Nie et al., arXiv 2502.09992: blocks from left to right, in each the tokens of
highest confidence first), with demask in the place of its sampling.

The model in models/kjv stands for LLaDA's. At temperature 0 the tokens are compared with those of a
plain loop in torch.
"""

import numpy as np
import torch

import demask
import kjv


@torch.no_grad()
def generate(model, prompt, gen_length, block_length, steps, mask_id, temperature=0.0,
             cfg_scale=0.0, seed=0):
    """`model` makes logits [batch, length, vocab] of tokens. `prompt` is [batch, length]."""
    batch, begin = prompt.shape
    x = torch.full((batch, begin + gen_length), mask_id, dtype=torch.int32)
    x[:, :begin] = prompt
    steps_per_block = steps * block_length // gen_length
    starts = np.arange(batch) * x.shape[1]
    # Stands for get_num_transfer_tokens and remasking="low_confidence". Dream, Fast-dLLM or SDAR
    # are other numbers here.
    policy = demask.policy(
        "decoder", demask.DECODER_LLADA, steps_per_block, temperature=temperature)
    sampler = demask.Sampler(x.numel(), batch)
    for first in range(begin, begin + gen_length, block_length):
        # Stands for mask_index, and for the confidence of later blocks, which is minus infinity:
        # a segment is a window of one request, and nothing outside of segments is touched.
        segments = demask.segments(
            batch, begin=starts + first, end=starts + first + block_length, origin=first,
            seed=seed, stream=range(batch))
        canvas = demask.canvas(x, mask_id, segments, policy)
        for _ in range(steps_per_block):
            logits = demask.logits(model(x))
            if cfg_scale > 0:
                # Stands for torch.chunk and un_logits + (cfg_scale + 1) * (logits - un_logits).
                masked = x.clone()
                masked[:, :begin] = mask_id
                logits.set(guide=demask.logits(model(masked)), guidance_scale=cfg_scale + 1)
            # Stands for all that comes after the network: add_gumbel_noise in float64, argmax,
            # softmax and gather, two torch.where, topk for each sequence, and writing x.
            sampler.step(canvas, logits)
    return x


@torch.no_grad()
def generate_plainly(model, prompt, gen_length, block_length, steps, mask_id):
    """The same rule at temperature 0 in torch: what its definition says, step by step."""
    x = torch.full((prompt.shape[0], prompt.shape[1] + gen_length), mask_id, dtype=torch.int32)
    x[:, :prompt.shape[1]] = prompt
    blocks = gen_length // block_length
    for first in range(prompt.shape[1], x.shape[1], block_length):
        for step in range(steps // blocks):
            block = x[:, first:first + block_length]
            law = model(x)[:, first:first + block_length].double().softmax(dim=-1)
            confidence, likeliest = law.max(dim=-1)
            confidence[block != mask_id] = -1
            for row in range(len(block)):
                left = int((block[row] == mask_id).sum())
                count = -(-left // (steps // blocks - step))
                chosen = confidence[row].topk(count).indices
                block[row, chosen] = likeliest[row, chosen].int()
    return x


def main():
    text, network = kjv.Text(), kjv.Kjv()

    def model(tokens):
        return torch.from_numpy(network(tokens.numpy()))

    prompts = ["And the LORD said unto Moses", "And the king said unto David"]
    prompt = torch.tensor(np.stack([text.encode(prompt)[:-1] for prompt in prompts]))
    shape = dict(gen_length=30, block_length=10, steps=15, mask_id=kjv.MASK)
    tokens = generate(model, prompt, **shape)
    for row in tokens.tolist():
        print(text.decode(row))
    same = torch.equal(tokens, generate_plainly(model, prompt, **shape))
    print(f"the same tokens as a plain loop in torch: {same}\n")
    assert same

    # As LLaDA's network gives them, the logits are in bfloat16 here.
    tokens = generate(
        lambda x: model(x).bfloat16(), prompt, temperature=0.7, cfg_scale=0.5, **shape)
    for row in tokens.tolist():
        print(text.decode(row))


if __name__ == "__main__":
    main()
