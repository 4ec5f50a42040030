// What llama.cpp's own example does with logits: a chain of samplers for each row.
#pragma once

#include "model.h"
#include "options.h"

#include <memory>
#include <vector>

class Chain {
public:
    // Top-k, top-p, temperature, draw, as the example builds it; but temperature 0 is greedy, where
    // the example leaves the temperature out and so draws at 1.
    Chain(const Decoding & decoding, int vocab);

    // Draws from a row. What the samplers left stays in `candidates`.
    llama_token draw(const float * row);
    // How sure the example is of the token that was drawn last.
    float confidence(Algorithm algorithm) const;

    llama_token_data_array candidates{};

private:
    struct Free {
        void operator()(llama_sampler * sampler) const { llama_sampler_free(sampler); }
    };
    std::unique_ptr<llama_sampler, Free> chain;
    std::vector<llama_token_data> data;
};
