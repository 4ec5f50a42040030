#include "progress.h"

#include <algorithm>
#include <cstdio>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

static const int BAR = 40;

static int count(const std::vector<llama_token> & tokens, llama_token mask) {
    return (int) std::count(tokens.begin(), tokens.end(), mask);
}

// One line of text, cut to so many characters of a terminal.
static std::string line(const std::string & text, int width) {
    std::string line;
    int characters = 0;
    for (const char c : text) {
        const bool begins = (c & 0xc0) != 0x80; // a character, in UTF-8
        characters += begins;
        if (characters > width) {
            break;
        }
        line += (unsigned char) c < ' ' ? ' ' : c;
    }
    return line;
}

Progress::Progress(const Model & model, const std::vector<llama_token> & tokens, bool every_step)
    : model(model), tokens(tokens), every_step(every_step), terminal(isatty(STDERR_FILENO)),
      first_masks(count(tokens, model.mask())) {
    if (!terminal && !every_step) {
        std::fputc('[', stderr);
    }
}

Progress::~Progress() {
    std::fputs(terminal ? "\n\n" : every_step ? "" : "]\n", stderr);
}

void Progress::update(const Run & run) {
    const int masks = count(tokens, model.mask());
    const int bar = first_masks ? (first_masks - masks) * BAR / first_masks : BAR;
    if (terminal) {
        winsize size{};
        const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
        const int width = known ? size.ws_col : 80;
        const std::string text = line(model.text(tokens, "\u2591"), width - 1);
        const std::string done(bar, '='), left(BAR - bar, ' ');
        // The bar, the text below it, and back up.
        std::fprintf(stderr, "\r\033[K[%s%s] %d masks left, %d forwards\n\033[K%s\033[A\r",
                     done.c_str(), left.c_str(), masks, run.forwards, text.c_str());
    } else if (every_step) {
        std::fprintf(stderr, "step %d, forward %d: %s\n", run.steps, run.forwards,
                     line(model.text(tokens, "\u2591"), 1 << 20).c_str());
    } else {
        for (; drawn < bar; ++drawn) {
            std::fputc('=', stderr);
        }
    }
    std::fflush(stderr);
}
