// Measures llama.cpp's own sampling and demask's on the same logits.
#pragma once

#include "model.h"
#include "options.h"

void compare(Model & model, const Options & options, const std::vector<llama_token> & canvas,
             int n_input);
