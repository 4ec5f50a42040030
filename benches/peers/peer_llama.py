"""llama.cpp's sampler chains through its C API, with the filling of its token records."""

import ctypes as c

import llama_cpp.llama_cpp as llama
import numpy as np

from steps import Step

RECORD = np.dtype([("id", "i4"), ("logit", "f4"), ("p", "f4")])


def steps(temperature):
    def chain(*samplers):
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        for sampler in samplers:
            llama.llama_sampler_chain_add(chain, sampler)
        memory = {}

        def run(rows):
            vocab = rows.shape[1]
            if vocab not in memory:
                memory[vocab] = np.empty(vocab, RECORD), np.arange(vocab, dtype=np.int32)
            records, ids = memory[vocab]
            data = c.cast(records.ctypes.data, c.POINTER(llama.llama_token_data))
            tokens = np.empty(len(rows), np.int32)
            for k, row in enumerate(rows):
                records["id"] = ids
                records["logit"] = row
                records["p"] = 0
                found = llama.llama_token_data_array(data, vocab, -1, False)
                llama.llama_sampler_apply(chain, c.byref(found))
                tokens[k] = found.data[found.selected].id
            return tokens

        return run

    temp = lambda: llama.llama_sampler_init_temp(temperature)
    dist = lambda: llama.llama_sampler_init_dist(1)
    greedy = llama.llama_sampler_init_greedy()
    top_k, top_p = llama.llama_sampler_init_top_k(50), llama.llama_sampler_init_top_p(0.9, 1)
    default = llama.llama_sampler_init_top_k(40), llama.llama_sampler_init_top_p(0.95, 1)
    # Temperature first, so that top-p sees the same probabilities as elsewhere.
    chains = [
        ("draw", "llama.cpp: temp, dist", chain(temp(), dist())),
        ("greedy", "llama.cpp: greedy", chain(greedy)),
        ("top-k 50", "llama.cpp: top-k, temp, dist", chain(top_k, temp(), dist())),
        ("top-p 0.9", "llama.cpp: temp, top-p, dist", chain(temp(), top_p, dist())),
        # Order and values of its command line, which has min-p 0.05 after top-p.
        ("top-k 40, top-p 0.95", "llama.cpp: top-k, top-p, temp, dist",
         chain(*default, temp(), dist())),
    ]
    return [Step(task, name, run, np.asarray, one_thread=True, row_by_row=True)
            for task, name, run in chains]
