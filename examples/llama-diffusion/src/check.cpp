#include "check.h"

#include "chain.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace {

// Tokens and their probabilities, the likeliest first: top-k, top-p and temperature by a full sort,
// in double precision.
std::vector<std::pair<double, llama_token>> law(const float * row, int vocab, const Decoding & d) {
    std::vector<std::pair<double, llama_token>> tokens;
    for (llama_token token = 0; token < vocab; ++token) {
        tokens.emplace_back(row[token], token);
    }
    std::sort(tokens.begin(), tokens.end(), [](const auto & a, const auto & b) {
        return a.first > b.first || (a.first == b.first && a.second < b.second);
    });
    if (d.top_k > 0 && d.top_k < vocab) {
        tokens.resize(d.top_k);
    }
    const double largest = tokens[0].first;
    double sum = 0.0, before = 0.0;
    for (const auto & [logit, token] : tokens) {
        sum += std::exp(logit - largest);
    }
    size_t kept = 0;
    while (kept < tokens.size() && (kept == 0 || before < d.top_p * sum)) {
        before += std::exp(tokens[kept++].first - largest);
    }
    tokens.resize(kept);
    sum = 0.0;
    for (auto & [p, token] : tokens) {
        p = std::exp((p - largest) / d.temp);
        sum += p;
    }
    for (auto & [p, token] : tokens) {
        p /= sum;
    }
    return tokens;
}

// How far the draws are from the law, by a chi-square test whose statistic is turned into a nearly
// standard normal number (Wilson and Hilferty). Unlikely tokens are taken together. INFINITY if a
// token was drawn that the law lacks.
double distance(const std::vector<std::pair<double, llama_token>> & law, int vocab,
                const std::vector<llama_token> & draws) {
    const double least = 20.0; // expected draws of a group
    std::vector<int> group(vocab, -1);
    std::vector<double> expected(1, 0.0);
    double left = 1.0 * draws.size();
    for (const auto & [p, token] : law) {
        if (expected.back() >= least && left >= least) {
            expected.push_back(0.0);
        }
        expected.back() += p * draws.size();
        left -= p * draws.size();
        group[token] = (int) expected.size() - 1;
    }
    std::vector<double> seen(expected.size(), 0.0);
    for (const llama_token token : draws) {
        if (token < 0 || group[token] < 0) {
            return INFINITY;
        }
        seen[group[token]] += 1.0;
    }
    if (expected.size() == 1) {
        return 0.0;
    }
    double statistic = 0.0;
    for (size_t k = 0; k < expected.size(); ++k) {
        statistic += (seen[k] - expected[k]) * (seen[k] - expected[k]) / expected[k];
    }
    const double degrees = expected.size() - 1.0, variance = 2.0 / (9.0 * degrees);
    return (std::cbrt(statistic / degrees) - (1.0 - variance)) / std::sqrt(variance);
}

// How the policy of these options draws.
demask_draw_rule draw_rule(const Decoding & d) {
    demask_draw_rule rule;
    require(demask_draw_rule_init(&rule, sizeof rule), "demask_draw_rule_init");
    const demask_policy policy = make_policy(d, 2);
    rule.temperature = policy.temperature;
    rule.top_k = policy.top_k;
    rule.top_p = policy.top_p;
    rule.filter_order = policy.filter_order;
    return rule;
}

// `n` draws by demask.
std::vector<llama_token> draw(demask_context * context, const Decoding & d, const float * row, int vocab,
                              int n) {
    const demask_draw_rule rule = draw_rule(d);
    const demask_logits logits = rows_of_logits(row, 1, vocab);
    demask_key key{};
    key.seed = d.seed;
    std::vector<llama_token> tokens(n);
    require(demask_draw(context, &logits, &rule, nullptr, &key, 1, n, tokens.data(), nullptr),
            "demask_draw");
    return tokens;
}

void fail_unless(bool good, const char * what) {
    if (!good) {
        throw std::runtime_error(std::string("llama.cpp and demask differ: ") + what);
    }
}

struct Distances {
    double ours, theirs;
};

Distances check_laws(demask_context * context, const Model & model, const Decoding & d,
                     const float * logits, const std::vector<int> & positions, int draws) {
    const int vocab = model.vocab();
    Chain chain(d, vocab);
    Distances laws{ -INFINITY, -INFINITY };
    for (size_t k = 0; k < positions.size(); k += (positions.size() + 2) / 3) {
        const float * row = logits + (size_t) model.row_of(positions[k]) * vocab;
        const auto exact = law(row, vocab, d);
        std::vector<llama_token> theirs;
        for (int j = 0; j < draws; ++j) {
            theirs.push_back(chain.draw(row));
        }
        laws.ours = std::max(laws.ours, distance(exact, vocab, draw(context, d, row, vocab, draws)));
        laws.theirs = std::max(laws.theirs, distance(exact, vocab, theirs));
    }
    return laws;
}

// How far scores are from double precision, at most: the probability of a token after filters and
// temperature, and the entropy.
Distances check_scores(demask_context * context, const Model & model, const Decoding & d,
                       const float * logits, const std::vector<int> & positions) {
    const int vocab = model.vocab();
    Chain chain(d, vocab);
    demask_draw_rule rule = draw_rule(d);
    demask_statistics statistics;
    require(demask_statistics_init(&statistics, sizeof statistics), "demask_statistics_init");
    statistics.temperature = d.temp;
    statistics.filtered = 1;
    Distances largest{ 0.0, 0.0 };
    for (const int position : positions) {
        const float * row = logits + (size_t) model.row_of(position) * vocab;
        const uint32_t token = chain.draw(row);
        double probability = 0.0, entropy = 0.0;
        for (const auto & [p, id] : law(row, vocab, d)) {
            entropy -= p > 0.0 ? p * std::log(p) : 0.0;
            probability = id == (llama_token) token ? p : probability;
        }
        const demask_logits one = rows_of_logits(row, 1, vocab);
        demask_key key{};
        demask_row_statistics result;
        llama_token drawn;
        statistics.given = &token;
        statistics.rows = &result;
        require(demask_draw_statistics(context, &one, &rule, nullptr, &key, 1, &statistics, &drawn,
                                       nullptr),
                "demask_draw_statistics");
        largest.ours = std::max({ largest.ours,
                                  std::abs(std::exp(result.given_log_probability) - probability),
                                  std::abs(result.entropy - entropy) });
        largest.theirs = std::max({ largest.theirs,
                                    std::abs(chain.confidence(Algorithm::confidence) - probability),
                                    std::abs(chain.confidence(Algorithm::entropy) - entropy) });
    }
    return largest;
}

} // namespace

void check_agreement(const Model & model, const Decoding & decoding, const float * logits,
                     const std::vector<int> & positions) {
    const int vocab = model.vocab();
    // In standard deviations. 12 tests are made: right programs fail in one of 25,000 runs.
    const double most = 4.5;
    const int filtered_draws = 10000, free_draws = 2000;
    const Context context = make_context(filtered_draws, vocab, 1);

    Decoding greedy = decoding, free = decoding;
    greedy.temp = 0.0f;
    free.top_k = 0;
    free.top_p = 1.0f;
    Chain chain(greedy, vocab);
    size_t equal = 0;
    for (const int position : positions) {
        const float * row = logits + (size_t) model.row_of(position) * vocab;
        equal += chain.draw(row) == draw(context.get(), greedy, row, vocab, 1)[0];
    }
    std::printf("- temperature 0: the same token in %zu of %zu rows\n", equal, positions.size());
    fail_unless(equal == positions.size(), "the likeliest tokens");

    for (const Decoding * d : { &decoding, (const Decoding *) &free }) {
        const int draws = d == &free ? free_draws : filtered_draws;
        const Distances laws = check_laws(context.get(), model, *d, logits, positions, draws);
        const Distances scores = check_scores(context.get(), model, *d, logits, positions);
        std::printf("- temp %g, top-k %d, top-p %g: %d draws of each of 3 rows are from the exact law "
                    "(chi-square, at most %.1f standard deviations: llama.cpp %.1f, demask %.1f); "
                    "confidences and entropies are right to llama.cpp %.0e, demask %.0e\n",
                    d->temp, d->top_k, d->top_p, draws, most, laws.theirs, laws.ours, scores.theirs,
                    scores.ours);
        fail_unless(laws.theirs <= most && laws.ours <= most, "laws of tokens");
        // llama.cpp adds up the probabilities of a whole vocabulary in single precision.
        fail_unless(scores.theirs <= 1e-2 && scores.ours <= 1e-5, "confidences or entropies");
    }
}

void check_threads(Model & model, const Options & options, const std::vector<llama_token> & canvas,
                   int n_input) {
    Decoding decoding = options.decoding;
    const int seeds = 3;
    decoding.steps = 8;
    decoding.block_length = 0;
    for (const Algorithm algorithm : { Algorithm::confidence, Algorithm::origin }) {
        decoding.algorithm = algorithm;
        for (int seed = 1; seed <= seeds; ++seed) {
            decoding.seed = seed;
            std::vector<llama_token> first;
            for (const int threads : { 1, 2 }) {
                const Context context = make_context(canvas.size(), model.vocab(), threads);
                model.set_threads(threads);
                std::vector<llama_token> tokens = canvas;
                generate(model, context.get(), decoding, tokens, n_input, [](const Run &) {});
                first = threads == 1 ? tokens : first;
                fail_unless(tokens == first, "texts on one thread and on two");
            }
        }
    }
    model.set_threads(options.threads);
    std::printf("- the same text on 1 and 2 threads, of the network and of demask: %d seeds, %d "
                "steps, by confidence and by origin\n",
                seeds, decoding.steps);
}
