#include "options.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <vector>

namespace {

struct Flag {
    const char * names; // separated by ", "
    const char * value; // what it is called in the help; null for none
    const char * help;
    std::function<void(const char *)> set;
};

template <typename T> T number(const char * text, T least, T most) {
    T value{};
    const char * end = text + std::strlen(text);
    const auto [rest, error] = std::from_chars(text, end, value);
    if (error != std::errc{} || rest != end || !(value >= least && value <= most)) {
        std::ostringstream message;
        message << "is not a number from " << least << " to " << most << ": '" << text << "'";
        throw std::invalid_argument(message.str());
    }
    return value;
}

Algorithm algorithm(const char * text) {
    const char * names[] = { "origin", "entropy", "margin", "random", "confidence", "first-hitting" };
    for (int k = 0; k < 6; ++k) {
        if (std::strcmp(text, names[k]) == 0 || std::to_string(k) == text) {
            return (Algorithm) k;
        }
    }
    throw std::invalid_argument("is not 0 to 5 or one of their names: '" + std::string(text) + "'");
}

std::vector<Flag> flags(Options & o) {
    Decoding & d = o.decoding;
    return {
        { "-m, --model", "FILE", "the model, a GGUF", [&](const char * v) { o.model = v; } },
        { "-p, --prompt", "TEXT", "what the text begins with",
          [&](const char * v) { o.prompt = v; } },
        { "-ub, --ubatch-size", "N", "tokens of the canvas, with the prompt [64]",
          [&](const char * v) { o.length = number(v, 2, 1 << 20); } },
        { "-n, --n-predict", "N", "tokens after the prompt, in the place of -ub",
          [&](const char * v) { o.generate = number(v, 1, 1 << 20); } },
        { "-t, --threads", "N", "threads of the network [one for each core]",
          [&](const char * v) { o.threads = number(v, 1, 512); } },
        { "-s, --seed", "N", "what all randomness starts from [1]",
          [&](const char * v) { d.seed = number<uint32_t>(v, 0, UINT32_MAX); } },
        { "--temp", "T", "temperature; 0 takes the likeliest token [0.8]",
          [&](const char * v) { d.temp = number(v, 0.0f, 1e6f); } },
        { "--top-k", "K", "draw from the K likeliest tokens, 0 from all [40]",
          [&](const char * v) { d.top_k = number(v, 0, INT32_MAX); } },
        { "--top-p", "P", "draw from the likeliest tokens of probability P together [0.95]",
          [&](const char * v) { d.top_p = number(v, 0.0f, 1.0f); } },
        { "--diffusion-steps", "N", "steps [128]",
          [&](const char * v) { d.steps = number(v, 2, 1 << 20); } },
        { "--diffusion-algorithm", "A",
          "which positions are revealed: 0 origin (random times on a grid), 1 entropy, 2 margin,\n"
          "3 random, 4 confidence, 5 first-hitting (one after another, at exact times) [4]",
          [&](const char * v) { d.algorithm = algorithm(v); } },
        { "--diffusion-eps", "E", "the time at which steps end [0.001]",
          [&](const char * v) { d.eps = number(v, 0.0f, 0.5f); } },
        { "--diffusion-block-length", "N", "decode blocks of so many tokens from left to right",
          [&](const char * v) { d.block_length = number(v, 1, 1 << 20); } },
        { "--diffusion-alg-temp", "T", "temperature at which 1, 2 and 4 choose positions [0]",
          [&](const char * v) { d.alg_temp = number(v, 0.0f, 1e6f); } },
        { "--diffusion-visual", nullptr, "a line of text at every step, even without a terminal",
          [&](const char *) { o.visual = true; } },
        { "--sampling-threads", "N", "threads of demask; the text does not depend on them [1]",
          [&](const char * v) { o.sampling_threads = number(v, 1, 512); } },
        { "--compare", nullptr, "measure llama.cpp's own sampling and demask's side by side",
          [&](const char *) { o.compare = true; } },
    };
}

void help(const std::vector<Flag> & flags) {
    std::puts("llama-diffusion: a diffusion language model on llama.cpp, sampled by demask\n\n"
              "usage: llama-diffusion -m FILE [options]\n");
    for (const Flag & flag : flags) {
        std::string left = std::string(flag.names) + (flag.value ? std::string(" ") + flag.value : "");
        std::string text = flag.help;
        for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 33) {
            text.replace(at, 1, "\n" + std::string(32, ' '));
        }
        std::printf("  %-29s %s\n", left.c_str(), text.c_str());
    }
    std::printf("  %-29s %s\n", "-h, --help", "this text");
}

bool is_named(const Flag & flag, const std::string & name) {
    return (", " + std::string(flag.names) + ", ").find(", " + name + ", ") != std::string::npos;
}

} // namespace

Options parse(int argc, char ** argv) {
    Options options;
    const int cores = (int) std::thread::hardware_concurrency();
    options.threads = cores > 0 ? cores : 1;
    const std::vector<Flag> all = flags(options);
    auto refuse = [](const std::string & message) {
        std::fprintf(stderr, "llama-diffusion: %s (see --help)\n", message.c_str());
        std::exit(2);
    };
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "-h" || name == "--help") {
            help(all);
            std::exit(0);
        }
        const Flag * found = nullptr;
        for (const Flag & flag : all) {
            found = is_named(flag, name) ? &flag : found;
        }
        if (!found) {
            refuse("unknown option '" + name + "'");
        }
        if (found->value && i + 1 == argc) {
            refuse(name + " needs a value");
        }
        try {
            found->set(found->value ? argv[++i] : nullptr);
        } catch (const std::invalid_argument & error) {
            refuse(name + " " + error.what());
        }
    }
    if (options.model.empty()) {
        refuse("no model: -m FILE");
    }
    return options;
}
