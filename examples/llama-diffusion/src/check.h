// Whether llama.cpp's chain and demask mean the same by the same options.
#pragma once

#include "decode.h"

// Prints what was checked, and throws where the two differ. `logits` are the rows of all tokens of
// the model's last call, with the mask token at -INFINITY; `positions` those of masks.
void check_agreement(const Model & model, const Decoding & decoding, const float * logits,
                     const std::vector<int> & positions);

// Throws unless a text is the same on one thread and on two, of the network and of demask.
void check_threads(Model & model, const Options & options, const std::vector<llama_token> & canvas,
                   int n_input);
