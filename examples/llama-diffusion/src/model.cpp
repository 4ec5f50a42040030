#include "model.h"

#include <cstdio>
#include <cstring>
#include <stdexcept>

static void log_errors(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        std::fputs(text, stderr);
    }
}

Model::Model(const std::string & path, int length, int threads) : length(length) {
    llama_log_set(log_errors, nullptr);
    model.reset(llama_model_load_from_file(path.c_str(), llama_model_default_params()));
    if (!model) {
        throw std::runtime_error("-m: llama.cpp cannot load '" + path + "'");
    }
    if (!llama_model_is_diffusion(model.get())) {
        throw std::runtime_error("-m: '" + path + "' is not a diffusion model");
    }
    tokenizer = llama_model_get_vocab(model.get());
    if (mask() == LLAMA_TOKEN_NULL) {
        throw std::runtime_error("-m: '" + path + "' names no mask token");
    }
    char shift[8];
    // llama.cpp's example shifts where the model does not say.
    shifted = llama_model_meta_val_str(model.get(), "diffusion.shift_logits", shift, sizeof shift) < 0
        || std::strcmp(shift, "true") == 0;

    llama_context_params params = llama_context_default_params();
    params.n_ctx = params.n_batch = params.n_ubatch = length;
    params.n_threads = params.n_threads_batch = threads;
    context.reset(llama_init_from_model(model.get(), params));
    if (!context) {
        throw std::runtime_error("-ub: llama.cpp cannot make a context of so many tokens");
    }
    llama_set_causal_attn(context.get(), false);
}

int Model::vocab() const {
    return llama_vocab_n_tokens(tokenizer);
}

llama_token Model::mask() const {
    return llama_vocab_mask(tokenizer);
}

void Model::set_threads(int threads) {
    llama_set_n_threads(context.get(), threads, threads);
}

std::vector<llama_token> Model::tokenize(const std::string & text) const {
    std::vector<llama_token> tokens(text.size() + 2); // a token is a byte at least; begin and end
    const int n = llama_tokenize(
        tokenizer, text.data(), (int) text.size(), tokens.data(), (int) tokens.size(), true, true);
    if (n < 0) {
        throw std::runtime_error("-p: llama.cpp cannot tokenize the prompt");
    }
    tokens.resize(n);
    return tokens;
}

std::string Model::text(const std::vector<llama_token> & tokens, const std::string & mask_text) const {
    std::string text;
    for (const llama_token token : tokens) {
        if (token == mask()) {
            text += mask_text;
            continue;
        }
        char piece[256];
        const int n = llama_token_to_piece(tokenizer, token, piece, sizeof piece, 0, false);
        text.append(piece, n > 0 ? n : 0);
    }
    return text;
}

float * Model::forward(const std::vector<llama_token> & tokens) {
    const int n = (int) tokens.size();
    if (n > length) {
        throw std::runtime_error("the canvas is longer than the context");
    }
    llama_batch batch = llama_batch_init(n, 0, 1);
    batch.n_tokens = n;
    for (int i = 0; i < n; ++i) {
        batch.token[i] = tokens[i];
        batch.pos[i] = i;
        batch.n_seq_id[i] = 1;
        batch.seq_id[i][0] = 0;
        batch.logits[i] = true;
    }
    const int status = llama_decode(context.get(), batch);
    llama_batch_free(batch);
    if (status != 0) {
        throw std::runtime_error("llama_decode fails with " + std::to_string(status));
    }
    return llama_get_logits(context.get());
}
