#include "compare.h"

#include "chain.h"
#include "check.h"
#include "clock.h"
#include "decode.h"

#include <diffusion.h>
#include <log.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

namespace {

double median(std::vector<double> values) {
    std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
    return values[values.size() / 2];
}

double median_forward(Model & model, const std::vector<llama_token> & tokens) {
    std::vector<double> seconds;
    for (int k = 0; k < 9; ++k) {
        const double before = now();
        model.forward(tokens);
        seconds.push_back(now() - before);
    }
    return median(seconds);
}

// Everything that is drawn goes in here and is printed, so that nothing can be left out.
struct Consumed {
    uint64_t sum = 0;
    void take(const std::vector<llama_token> & tokens) {
        for (const llama_token token : tokens) {
            sum = sum * 31 + (uint64_t) token;
        }
    }
};

// A way to sample that is measured.
struct Task {
    const char * name;
    Decoding decoding;
    bool every_row_is_written; // by a step that reveals all; else a step reveals some of them
};

std::vector<Task> tasks(const Options & options) {
    Decoding all = options.decoding; // as given on the command line: by default, llama.cpp's defaults
    all.block_length = 0;
    Decoding top_p = all, free = all;
    top_p.top_k = free.top_k = 0;
    free.top_p = 1.0f;
    auto by = [](Decoding decoding, Algorithm algorithm) {
        decoding.algorithm = algorithm;
        return decoding;
    };
    return {
        { "draw, temperature alone", by(free, Algorithm::random), true },
        { "draw, top-p", by(top_p, Algorithm::random), true },
        { "draw, top-k and top-p", by(all, Algorithm::random), true },
        { "confidence, temperature alone", by(free, Algorithm::confidence), false },
        { "confidence, top-k and top-p", by(all, Algorithm::confidence), false },
        { "entropy, temperature alone", by(free, Algorithm::entropy), false },
        { "first-hitting, temperature alone", by(free, Algorithm::first_hitting), false },
        { "first-hitting, top-k and top-p", by(all, Algorithm::first_hitting), false },
    };
}

const int SHARE = 8; // a step by confidence or entropy reveals one of so many masks

// One step by llama.cpp's chain, as its example makes it: all masks, then the surest; one mask for
// first-hitting, where the example's origin draws the rows that it reveals and no others.
void their_step(const Model & model, const Task & task, Chain & chain, const float * logits,
                const std::vector<int> & masks, size_t round, std::vector<llama_token> & tokens) {
    auto row = [&](int position) { return logits + (size_t) model.row_of(position) * model.vocab(); };
    if (task.decoding.algorithm == Algorithm::first_hitting) {
        const int position = masks[round % masks.size()];
        tokens[position] = chain.draw(row(position));
        return;
    }
    if (task.every_row_is_written) {
        for (const int position : masks) {
            tokens[position] = chain.draw(row(position));
        }
        return;
    }
    std::vector<std::pair<float, int>> confidences;
    std::vector<llama_token> drawn(masks.size());
    for (size_t k = 0; k < masks.size(); ++k) {
        drawn[k] = chain.draw(row(masks[k]));
        confidences.emplace_back(chain.confidence(task.decoding.algorithm), (int) k);
    }
    const size_t n = (masks.size() + SHARE - 1) / SHARE;
    std::partial_sort(confidences.begin(), confidences.begin() + n, confidences.end(),
                      [](const auto & a, const auto & b) {
                          return a.first > b.first || (a.first == b.first && a.second < b.second);
                      });
    for (size_t k = 0; k < n; ++k) {
        tokens[masks[confidences[k].second]] = drawn[confidences[k].second];
    }
}

demask_policy our_policy(const Task & task) {
    demask_policy policy = make_policy(task.decoding, SHARE);
    if (task.decoding.algorithm != Algorithm::first_hitting) {
        policy.sizes = DEMASK_SIZES_EVEN;
        policy.sizes_parameter = 0.0;
        policy.steps = task.every_row_is_written ? 1 : SHARE;
    }
    return policy;
}

// Seconds per row: the median of rounds that take turns, of one step each on the same canvas.
struct Times {
    double theirs, ours;
    int rounds;
};

Times measure(const Model & model, demask_context * context, const Task & task, const float * logits,
              const std::vector<llama_token> & canvas, int n_input, const std::vector<int> & masks,
              Consumed & consumed) {
    const bool one = task.decoding.algorithm == Algorithm::first_hitting;
    const size_t rows = one ? 1 : masks.size();
    std::vector<llama_token> tokens = canvas;
    Chain chain(task.decoding, model.vocab());
    Window window(context, our_policy(task), model, tokens, n_input, (uint32_t) canvas.size(), 0);
    std::vector<double> theirs, ours;
    const int least = 9, most = 2001;
    const double start = now();
    while ((int) ours.size() < least || ((int) ours.size() < most && now() - start < 1.5)) {
        const size_t round = ours.size();
        double before = now();
        their_step(model, task, chain, logits, masks, round, tokens);
        theirs.push_back((now() - before) / rows);
        consumed.take(tokens);

        std::copy(canvas.begin(), canvas.end(), tokens.begin());
        window.restart(round);
        before = now();
        window.plan();
        window.step(logits);
        ours.push_back((now() - before) / rows);
        consumed.take(tokens);
        if (window.size() != rows) {
            throw std::runtime_error("a step of demask has other rows than one of llama.cpp");
        }
        std::copy(canvas.begin(), canvas.end(), tokens.begin());
    }
    return { median(theirs), median(ours), (int) ours.size() };
}

void compare_rows(Model & model, const Options & options, const std::vector<llama_token> & start,
                  int n_input, Consumed & consumed) {
    // A canvas in the middle of its generation: every second position is revealed.
    std::vector<llama_token> canvas = start;
    const Context context = make_context(canvas.size(), model.vocab(), 1);
    Decoding decoding = options.decoding;
    decoding.algorithm = Algorithm::first_hitting;
    decoding.block_length = 0;
    {
        Window window(context.get(), make_policy(decoding, 1), model, canvas, n_input,
                      (uint32_t) canvas.size(), decoding.seed);
        for (size_t k = 0; k < (canvas.size() - n_input) / 2 && window.plan(); ++k) {
            window.step(model.forward(canvas));
        }
    }
    std::vector<int> masks;
    for (size_t k = n_input; k < canvas.size(); ++k) {
        if (canvas[k] == model.mask()) {
            masks.push_back((int) k);
        }
    }
    std::printf("\nAgreement:\n\n");
    check_threads(model, options, start, n_input);
    const double forward = median_forward(model, canvas);
    float * logits = model.forward(canvas);
    // The mask token is never drawn by demask, and would be by the chain.
    for (size_t k = 0; k < canvas.size(); ++k) {
        logits[k * model.vocab() + model.mask()] = -INFINITY;
    }
    check_agreement(model, options.decoding, logits, masks);
    std::printf("\nSampling of a canvas with %zu masks, one thread; the network takes %.2f ms "
                "(threads: %d):\n\n"
                "| step | llama.cpp, µs a row | demask, µs a row | ratio | rounds | share of the step: "
                "llama.cpp | demask |\n|---|--:|--:|--:|--:|--:|--:|\n",
                masks.size(), forward * 1e3, options.threads);
    for (const Task & task : tasks(options)) {
        const Times t
            = measure(model, context.get(), task, logits, canvas, n_input, masks, consumed);
        const size_t rows = task.decoding.algorithm == Algorithm::first_hitting ? 1 : masks.size();
        auto share = [&](double row) { return 100.0 * rows * row / (forward + rows * row); };
        std::printf("| %s | %.2f | %.2f | %.1f | %d | %.1f %% | %.1f %% |\n", task.name, t.theirs * 1e6,
                    t.ours * 1e6, t.theirs / t.ours, t.rounds, share(t.theirs), share(t.ours));
        std::fflush(stdout);
    }
}

// What llama.cpp's diffusion_generate does, seen from its callback.
struct Watched {
    int forwards = 0, idle = 0, masks = -1;
    llama_token mask;
    double seconds = 0.0;

    void see(const llama_token * tokens, int n) {
        const int left = (int) std::count(tokens, tokens + n, mask);
        idle += left == masks;
        masks = left;
    }
};

Watched their_generation(Model & model, const Decoding & d, const std::vector<llama_token> & canvas,
                         int n_input, Consumed & consumed) {
    Watched watched;
    watched.mask = model.mask();
    diffusion_params params;
    params.steps = d.steps;
    params.temperature = d.temp;
    params.top_k = d.top_k;
    params.top_p = d.top_p;
    params.seed = d.seed;
    params.eps = d.eps;
    params.algorithm = (diffusion_algorithm) d.algorithm;
    params.schedule = DIFFUSION_TRANSFER_SCHEDULE_TIMESTEP_BASED;
    params.shift_logits = model.shifts();
    params.mask_token_id = model.mask();
    params.max_length = (int) canvas.size();
    params.step_callback_user_data = &watched;
    params.step_callback = [](int, int, const llama_token * tokens, int n, void * user) {
        auto * watched = static_cast<Watched *>(user);
        watched->see(tokens, n);
        ++watched->forwards; // if all masks are gone it stops after this one
        return true;
    };
    std::vector<llama_token> tokens(canvas.size());
    int n_generated = 0;
    const double before = now();
    diffusion_generate(model.llama(), canvas.data(), tokens.data(), n_input, params, n_generated);
    watched.seconds = now() - before;
    watched.see(tokens.data(), (int) tokens.size());
    consumed.take(tokens);
    return watched;
}

// The mean number of network calls over many seeds. Which positions move does not depend on logits
// here, so every row may have the same ones.
double mean_forwards(const Model & model, demask_context * context, const Decoding & d,
                     const std::vector<llama_token> & canvas, int n_input, int seeds) {
    const std::vector<float> logits(canvas.size() * model.vocab());
    std::vector<llama_token> tokens = canvas;
    Window window(context, make_policy(d, d.steps), model, tokens, n_input, (uint32_t) canvas.size(), 0);
    long forwards = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
        std::copy(canvas.begin(), canvas.end(), tokens.begin());
        window.restart(seed);
        while (window.plan()) {
            forwards += window.size() > 0;
            window.step(logits.data());
        }
    }
    return 1.0 * forwards / seeds;
}

// The expected number of cells of the time grid that are hit by one of n positions.
double expected_forwards(const Decoding & d, int n) {
    double expected = 0.0;
    for (int k = 0; k < d.steps; ++k) {
        const double cell = (1.0 - d.eps) / d.steps + (k == d.steps - 1 ? d.eps : 0.0);
        expected += 1.0 - std::pow(1.0 - cell, n);
    }
    return expected;
}

void compare_forwards(Model & model, const Options & options, const std::vector<llama_token> & canvas,
                      int n_input, Consumed & consumed) {
    const int n = (int) canvas.size() - n_input, seeds = 200;
    const Context context = make_context(canvas.size(), model.vocab(), 1);
    common_log_set_verbosity_thold(-1);
    std::printf("\nWhole generations of %d tokens (temp %g, top-k %d, top-p %g), seed %u (threads of "
                "the network: %d):\n\n"
                "| algorithm | steps | llama.cpp: forwards | of them idle | ms | demask: forwards | mean of "
                "%d seeds | expected | ms | of it sampling |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
                n, options.decoding.temp, options.decoding.top_k, options.decoding.top_p,
                options.decoding.seed, options.threads, seeds);
    Decoding d = options.decoding;
    d.block_length = 0;
    auto ours = [&](const Decoding & d) {
        std::vector<llama_token> tokens = canvas;
        const Run run = generate(model, context.get(), d, tokens, n_input, [](const Run &) {});
        consumed.take(tokens);
        return run;
    };
    const std::pair<Algorithm, int> loops[] = { { Algorithm::origin, 32 },
                                                { Algorithm::origin, 64 },
                                                { Algorithm::origin, 128 },
                                                { Algorithm::confidence, 64 } };
    for (const auto & [algorithm, steps] : loops) {
        d.algorithm = algorithm;
        d.steps = steps;
        const Watched theirs = their_generation(model, d, canvas, n_input, consumed);
        const Run run = ours(d);
        const bool origin = algorithm == Algorithm::origin;
        std::printf("| %s | %d | %d | %d | %.0f |", origin ? "origin" : "confidence", steps,
                    theirs.forwards, theirs.idle, theirs.seconds * 1e3);
        if (origin) {
            std::printf(" %d | %.1f | %.1f |", run.forwards,
                        mean_forwards(model, context.get(), d, canvas, n_input, seeds),
                        expected_forwards(d, n));
        } else {
            std::printf(" %d | | |", run.forwards);
        }
        std::printf(" %.0f | %.1f |\n", run.seconds * 1e3, run.sampling * 1e3);
        std::fflush(stdout);
    }
    d.algorithm = Algorithm::first_hitting;
    const Run run = ours(d);
    std::printf("| first-hitting | | | | | %d | | %d | %.0f | %.1f |\n", run.forwards, n,
                run.seconds * 1e3, run.sampling * 1e3);
}

std::string processor() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        if (line.rfind("model name", 0) == 0) {
            return line.substr(line.find(':') + 2);
        }
    }
    return "unknown processor";
}

} // namespace

void compare(Model & model, const Options & options, const std::vector<llama_token> & canvas,
             int n_input) {
    Consumed consumed;
    std::printf("%s, vocabulary %d, %zu tokens of which %d are the prompt; %s, level %s\n",
                options.model.c_str(), model.vocab(), canvas.size(), n_input, processor().c_str(),
                demask_level_name(demask_level_detect()));
    compare_rows(model, options, canvas, n_input, consumed);
    compare_forwards(model, options, canvas, n_input, consumed);
    std::printf("\n(all tokens drawn: %016llx)\n", (unsigned long long) consumed.sum);
}
