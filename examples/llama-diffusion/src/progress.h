// What is shown on stderr while a text comes into being.
#pragma once

#include "decode.h"

class Progress {
public:
    Progress(const Model & model, const std::vector<llama_token> & tokens, bool every_step);
    ~Progress();
    void update(const Run & run);

private:
    const Model & model;
    const std::vector<llama_token> & tokens;
    const bool every_step, terminal;
    const int first_masks;
    int drawn = 0; // characters of the bar, where it only grows
};
