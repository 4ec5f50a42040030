#include "decode.h"

#include "clock.h"

#include <algorithm>
#include <stdexcept>
#include <string>

void require(demask_status status, const char * call) {
    if (status != DEMASK_OK) {
        throw std::runtime_error(std::string(call) + ": " + demask_status_string(status));
    }
}

Context make_context(uint32_t positions, int vocab, int threads) {
    demask_options options;
    require(demask_options_init(&options, sizeof options), "demask_options_init");
    options.max_positions = positions;
    options.max_vocab = vocab;
    options.threads = threads;
    demask_context * context = nullptr;
    require(demask_create(&options, &context), "demask_create");
    return Context(context);
}

static demask_policy preset(const Decoding & d, int steps) {
    demask_policy policy;
    const size_t size = sizeof policy;
    // Blocks reveal equally many positions at each step, one window as many as its times say.
    const uint32_t top_k = d.block_length ? DEMASK_DECODER_LLADA : DEMASK_DECODER_DREAM;
    switch (d.algorithm) {
        case Algorithm::first_hitting:
            require(demask_policy_first_hitting(DEMASK_NOISE_LINEAR, &policy, size), "first-hitting");
            return policy;
        case Algorithm::origin:
            require(demask_policy_decoder(DEMASK_DECODER_DREAM_ORIGIN, steps, &policy, size), "origin");
            // The last of the steps is the finish, which draws what is left.
            policy.end = 1.0 - (steps - 1) * (1.0 - d.eps) / steps;
            return policy;
        case Algorithm::random:
            require(demask_policy_random_order(steps, &policy, size), "random");
            break;
        case Algorithm::entropy:
            require(demask_policy_decoder(top_k, steps, &policy, size), "entropy");
            policy.score = DEMASK_SCORE_NEGATIVE_ENTROPY;
            break;
        case Algorithm::margin:
            require(demask_policy_decoder(top_k, steps, &policy, size), "margin");
            policy.score = DEMASK_SCORE_MARGIN;
            break;
        case Algorithm::confidence:
            require(demask_policy_decoder(top_k, steps, &policy, size), "confidence");
            break;
    }
    if (!d.block_length) {
        policy.sizes = DEMASK_SIZES_TIME_RATIO;
        policy.sizes_parameter = d.eps;
    }
    return policy;
}

demask_policy make_policy(const Decoding & d, int steps) {
    demask_policy policy = preset(d, steps);
    policy.temperature = d.temp;
    policy.top_k = d.top_k;
    policy.top_p = d.top_p;
    // llama.cpp's chain is top-k, top-p, temperature, and its scores are of what these leave.
    policy.filter_order = DEMASK_FILTER_BEFORE_TEMPERATURE;
    if (policy.select == DEMASK_SELECT_TOP_K) {
        policy.score_temperature = d.temp;
        policy.score_filtered = 1;
        policy.score_gumbel = d.alg_temp;
    }
    require(demask_policy_check(&policy), "demask_policy_check");
    return policy;
}

demask_logits rows_of_logits(const float * data, size_t rows, size_t vocab) {
    demask_logits logits{};
    logits.struct_size = sizeof logits;
    logits.dtype = DEMASK_DTYPE_F32;
    logits.data = data;
    logits.n_rows = rows;
    logits.vocab = vocab;
    logits.row_stride = vocab;
    return logits;
}

Window::Window(demask_context * context, const demask_policy & policy, const Model & model,
               std::vector<llama_token> & tokens, uint32_t begin, uint32_t end, uint64_t seed)
    : context(context), policy(policy), rows(end - begin), index(end - begin), model(model) {
    segment.begin = segment.origin = begin;
    segment.end = end;
    restart(seed);
    canvas.struct_size = sizeof canvas;
    canvas.mask_token = model.mask();
    canvas.tokens = tokens.data();
    canvas.n_positions = tokens.size();
    canvas.segments = &segment;
    canvas.n_segments = 1;
    canvas.segment_size = sizeof segment;
    canvas.policies = &this->policy;
    canvas.n_policies = 1;
    canvas.policy_size = sizeof policy;
    buffers.struct_size = sizeof buffers;
    buffers.rows = rows.data();
    buffers.rows_capacity = rows.size();
    buffers.offsets = offsets;
    buffers.steps = &step_number;
    buffers.log_masked = &log_masked;
    buffers.segments_capacity = 1;
}

void Window::restart(uint64_t seed) {
    demask_segment first{};
    first.begin = segment.begin;
    first.end = segment.end;
    first.origin = segment.origin;
    first.seed = seed;
    segment = first;
}

bool Window::plan() {
    require(demask_plan(context, &canvas, &buffers), "demask_plan");
    return buffers.n_active > 0;
}

void Window::step(const float * data) {
    for (size_t k = 0; k < size(); ++k) {
        index[k] = model.row_of((int) rows[k]);
    }
    demask_logits logits = rows_of_logits(data, size(), model.vocab());
    logits.row_index = index.data();
    logits.data_rows = canvas.n_positions;
    require(demask_step_planned(context, &canvas, &buffers, &logits, nullptr), "demask_step_planned");
}

Run generate(Model & model, demask_context * context, const Decoding & d,
             std::vector<llama_token> & tokens, int n_input,
             const std::function<void(const Run &)> & shown) {
    const int length = (int) tokens.size();
    const int block = d.block_length ? d.block_length : length;
    const int steps = d.steps / (length / block);
    const demask_policy policy = make_policy(d, steps);
    Run run;
    const double start = now();
    for (int begin = n_input; begin < length; begin += block) {
        Window window(context, policy, model, tokens, begin, std::min(begin + block, length), d.seed);
        for (;;) {
            double before = now();
            const bool active = window.plan();
            run.sampling += now() - before;
            if (!active) {
                break;
            }
            const float * logits = nullptr;
            if (window.size() > 0) {
                logits = model.forward(tokens);
                ++run.forwards;
            }
            before = now();
            window.step(logits);
            run.sampling += now() - before;
            ++run.steps;
            run.seconds = now() - start;
            shown(run);
        }
    }
    run.seconds = now() - start;
    return run;
}
