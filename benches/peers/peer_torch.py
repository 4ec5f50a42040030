"""The sampling steps that masked diffusion models publish, in torch.

Each is the arithmetic of its source for rows that are all masked: without mask handling,
classifier-free guidance and the logic of blocks, which would add passes.
"""

import torch
import torch.nn.functional as F

from steps import Step

CONFIDENCE = 32


def steps(temperature, threads):
    torch.set_num_threads(threads)
    torch.manual_seed(1)

    def multinomial(z):
        return torch.multinomial(torch.softmax(z / temperature, -1), 1)[:, 0]

    def mdlm(z):
        # kuleshov-group/mdlm, diffusion.py: _sample_categorical
        p = torch.softmax(z / temperature, -1)
        return (p / (1e-10 - (torch.rand_like(p) + 1e-10).log())).argmax(-1)

    def race(z):
        # pytorch-labs/gpt-fast and vLLM: p / Exponential(1)
        p = torch.softmax(z / temperature, -1)
        return p.div_(torch.empty_like(p).exponential_(1)).argmax(-1)

    def gumbel64(z):
        # ML-GSAI/LLaDA, generate.py: add_gumbel_noise
        z = z.to(torch.float64)
        noise = torch.rand_like(z, dtype=torch.float64)
        return (z.exp() / (-torch.log(noise)) ** temperature).argmax(-1)

    def confident(z, tokens):
        p = F.softmax(z, dim=-1)
        x0_p = torch.gather(p, -1, tokens[:, None])[:, 0]
        torch.topk(x0_p, min(CONFIDENCE, len(x0_p)))
        return tokens, x0_p

    def llada(z):
        # the same, generate: remasking = low_confidence
        return confident(z, gumbel64(z))

    def llada_greedy(z):
        # the same at its default temperature, 0
        return confident(z, z.argmax(-1))

    def gathered(z, tokens):
        logit = torch.gather(z, -1, tokens[:, None])[:, 0]
        return tokens, (logit - z.logsumexp(-1)).exp()

    def nucleus_of_40(z):
        # Filters at temperature 1 as in llama.cpp, and nothing sorted but what top-k leaves.
        z, index = torch.topk(z, min(40, z.shape[-1]))
        p = torch.softmax(z, -1)
        z = z.masked_fill(p.cumsum(-1) - p >= 0.95, -torch.inf)
        return index.gather(-1, torch.multinomial(torch.softmax(z / temperature, -1), 1))[:, 0]

    def top_50(z):
        z, index = torch.topk(z, min(50, z.shape[-1]))
        return index.gather(-1, torch.multinomial(torch.softmax(z / temperature, -1), 1))[:, 0]

    def dream(z, top_p=None, top_k=None):
        # HKUNLP/Dream, generation_utils.py: sample_tokens
        z = z / temperature
        if top_p is not None:
            ordered, index = torch.sort(z, descending=True)
            mass = torch.cumsum(F.softmax(ordered, dim=-1), dim=-1)
            drop = mass > top_p
            drop[..., 1:] = drop[..., :-1].clone()
            drop[..., 0] = 0
            mask = torch.zeros_like(z, dtype=torch.bool).scatter_(-1, index, drop)
            z = z.masked_fill(mask, torch.finfo(z.dtype).min)
        if top_k is not None:
            z = z.masked_fill(z < torch.topk(z, min(top_k, z.shape[-1]))[0][..., -1:],
                              torch.finfo(z.dtype).min)
        return torch.multinomial(torch.softmax(z, -1), 1)[:, 0]

    eager = [
        ("draw", "torch: softmax, multinomial", multinomial),
        ("draw", "torch: MDLM", mdlm),
        ("draw", "torch: exponential race", race),
        ("draw", "torch: LLaDA's float64 Gumbel", gumbel64),
        ("draw + confidence", "torch: LLaDA, low confidence", llada),
        ("draw + confidence", "torch: multinomial, logsumexp", lambda z: gathered(z, multinomial(z))),
        ("greedy", "torch: argmax", lambda z: z.argmax(-1)),
        ("greedy + confidence", "torch: LLaDA, temperature 0", llada_greedy),
        ("greedy + confidence", "torch: argmax, logsumexp", lambda z: gathered(z, z.argmax(-1))),
        ("top-k 50", "torch: Dream", lambda z: dream(z, top_k=50)),
        ("top-k 50", "torch: topk, multinomial", top_50),
        ("top-p 0.9", "torch: Dream", lambda z: dream(z, top_p=0.9)),
        ("top-k 40, top-p 0.95", "torch: topk, cumsum, multinomial", nucleus_of_40),
    ]
    compiled = [
        ("draw", "torch.compile: MDLM", mdlm),
        ("draw + confidence", "torch.compile: MDLM, logsumexp", lambda z: gathered(z, mdlm(z))),
        ("greedy + confidence", "torch.compile: LLaDA", llada_greedy),
        ("greedy + confidence", "torch.compile: logsumexp", lambda z: gathered(z, z.argmax(-1))),
    ]
    all_steps = eager + [
        (task, name, torch.compile(run, dynamic=True)) for task, name, run in compiled]
    return [Step(task, name, run, torch.from_numpy) for task, name, run in all_steps]
