// A diffusion language model that llama.cpp runs.
#pragma once

#include <llama.h>

#include <memory>
#include <string>
#include <vector>

class Model {
public:
    // For sequences of at most `length` tokens; `threads` are those of the network.
    Model(const std::string & path, int length, int threads);

    int vocab() const;
    llama_token mask() const;
    // The row of logits that belongs to a position.
    int row_of(int position) const { return shifted && position > 0 ? position - 1 : position; }

    std::vector<llama_token> tokenize(const std::string & text) const;
    // Masks are written as `mask_text`.
    std::string text(const std::vector<llama_token> & tokens, const std::string & mask_text) const;

    // Runs the network. The logits are llama.cpp's own buffer: one row of vocab() floats for each
    // token, until the next call.
    float * forward(const std::vector<llama_token> & tokens);
    void set_threads(int threads);

    llama_context * llama() const { return context.get(); }
    bool shifts() const { return shifted; }

private:
    struct Free {
        void operator()(llama_model * model) const { llama_model_free(model); }
        void operator()(llama_context * context) const { llama_free(context); }
    };
    std::unique_ptr<llama_model, Free> model;
    std::unique_ptr<llama_context, Free> context;
    const llama_vocab * tokenizer;
    bool shifted; // the row before a position predicts it (Dream)
    int length;
};
