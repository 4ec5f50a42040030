#include "chain.h"

#include <cmath>

Chain::Chain(const Decoding & d, int vocab)
    : chain(llama_sampler_chain_init(llama_sampler_chain_default_params())), data(vocab) {
    if (d.top_k > 0) {
        llama_sampler_chain_add(chain.get(), llama_sampler_init_top_k(d.top_k));
    }
    if (d.top_p < 1.0f) {
        llama_sampler_chain_add(chain.get(), llama_sampler_init_top_p(d.top_p, 1));
    }
    llama_sampler_chain_add(chain.get(), llama_sampler_init_temp(d.temp));
    llama_sampler_chain_add(chain.get(), llama_sampler_init_dist(d.seed));
}

llama_token Chain::draw(const float * row) {
    const llama_token vocab = (llama_token) data.size();
    for (llama_token token = 0; token < vocab; ++token) {
        data[token] = { token, row[token], 0.0f };
    }
    candidates = { data.data(), data.size(), -1, false };
    llama_sampler_apply(chain.get(), &candidates);
    return candidates.data[candidates.selected].id;
}

float Chain::confidence(Algorithm algorithm) const {
    if (algorithm == Algorithm::entropy) {
        float entropy = 0.0f;
        for (size_t k = 0; k < candidates.size; ++k) {
            const float p = candidates.data[k].p;
            entropy -= p * logf(p + 1e-10f);
        }
        return entropy;
    }
    return candidates.data[candidates.selected].p;
}
