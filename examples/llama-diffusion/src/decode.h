// Decoding with demask: which positions, when, and which tokens are all its choice.
#pragma once

#include "model.h"
#include "options.h"

#include <demask.h>

#include <functional>
#include <memory>
#include <vector>

// Throws unless the call went well.
void require(demask_status status, const char * call);

struct Destroy {
    void operator()(demask_context * context) const { demask_destroy(context); }
};
using Context = std::unique_ptr<demask_context, Destroy>;
Context make_context(uint32_t positions, int vocab, int threads);

// The policy that does what llama.cpp's example describes; README.md says where the two differ.
// `steps` are those of a window.
demask_policy make_policy(const Decoding & decoding, int steps);

demask_logits rows_of_logits(const float * data, size_t rows, size_t vocab);

// The positions that are decoded together: all after the prompt, or a block.
class Window {
public:
    Window(demask_context * context, const demask_policy & policy, const Model & model,
           std::vector<llama_token> & tokens, uint32_t begin, uint32_t end, uint64_t seed);
    Window(const Window &) = delete;

    // Starts anew with the masks that the tokens have now.
    void restart(uint64_t seed);
    // Chooses the positions of the next step; false if there is nothing left to do. If no row()
    // is needed, the step reveals nothing and needs no logits.
    bool plan();
    const uint32_t * begin() const { return rows.data(); }
    const uint32_t * end() const { return rows.data() + buffers.n_rows; }
    size_t size() const { return buffers.n_rows; }
    // Draws their tokens and writes those that are revealed.
    void step(const float * logits);

private:
    demask_context * context;
    demask_policy policy;
    demask_segment segment{};
    demask_canvas canvas{};
    demask_plan_buffers buffers{};
    uint32_t offsets[2], step_number;
    double log_masked;
    std::vector<uint32_t> rows, index;
    const Model & model;
};

struct Run {
    int steps = 0;
    int forwards = 0;
    double seconds = 0.0;  // in all
    double sampling = 0.0; // of it for plans and steps
};

// Reveals what follows the first `n_input` tokens. `shown` is called after every step.
Run generate(Model & model, demask_context * context, const Decoding & decoding,
             std::vector<llama_token> & tokens, int n_input,
             const std::function<void(const Run &)> & shown);
