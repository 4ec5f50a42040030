// Text from a diffusion language model: llama.cpp runs the network, demask does the sampling.

#include "compare.h"
#include "decode.h"
#include "model.h"
#include "options.h"
#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>

static void check_blocks(const Decoding & d, int length) {
    if (d.block_length > 0) {
        // As llama.cpp's example demands.
        if (length % d.block_length != 0 || d.steps % (length / d.block_length) != 0) {
            throw std::runtime_error("--diffusion-block-length: must divide the " + std::to_string(length)
                                     + " tokens, and the number of blocks the steps");
        }
    }
    const int blocks = d.block_length > 0 ? length / d.block_length : 1;
    if (d.algorithm == Algorithm::origin && d.steps / blocks < 2) {
        throw std::runtime_error("--diffusion-steps: origin needs two steps for each block");
    }
}

static void run(const Options & options) {
    llama_backend_init();
    // The prompt's length is known only once there is a model.
    const int most = options.generate > 0 ? options.generate + (int) options.prompt.size() + 2
                                          : options.length;
    Model model(options.model, most, options.threads);
    std::vector<llama_token> tokens = model.tokenize(options.prompt);
    const int n_input = (int) tokens.size();
    const int length = options.generate > 0 ? n_input + options.generate : options.length;
    if (n_input == 0 || n_input >= length) {
        throw std::runtime_error("-p: the prompt has " + std::to_string(n_input) + " tokens, and must have "
                                 "at least one and fewer than the " + std::to_string(length) + " of -ub");
    }
    tokens.resize(length, model.mask());
    if (options.compare) {
        compare(model, options, tokens, n_input);
        return;
    }
    check_blocks(options.decoding, length);
    const Context context = make_context(length, model.vocab(), options.sampling_threads);
    Run run;
    {
        Progress progress(model, tokens, options.visual);
        run = generate(model, context.get(), options.decoding, tokens, n_input,
                       [&](const Run & run) { progress.update(run); });
    }
    std::fprintf(stderr, "%d steps, %d forwards, %.1f ms, of which %.2f ms sampling\n", run.steps,
                 run.forwards, run.seconds * 1e3, run.sampling * 1e3);
    std::printf("%s\n", model.text(tokens, "\u2591").c_str());
}

int main(int argc, char ** argv) {
    const Options options = parse(argc, argv);
    try {
        run(options);
    } catch (const std::exception & error) {
        std::fprintf(stderr, "llama-diffusion: %s\n", error.what());
        return 1;
    }
    return 0;
}
