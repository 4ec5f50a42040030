// The command line.
#pragma once

#include <cstdint>
#include <string>

// The first five are numbered as in llama.cpp's example.
enum class Algorithm { origin, entropy, margin, random, confidence, first_hitting };

// How positions are decoded. The defaults are those of llama.cpp's example.
struct Decoding {
    Algorithm algorithm = Algorithm::confidence;
    int steps = 128;
    float eps = 0.001f;   // times of steps fall from 1 to this
    int block_length = 0; // 0: one window
    float alg_temp = 0.0f;
    float temp = 0.8f;
    int top_k = 40;
    float top_p = 0.95f;
    uint32_t seed = 1;
};

struct Options {
    std::string model;
    std::string prompt = "And the LORD said unto";
    int length = 64;    // of the canvas, prompt included
    int generate = 0;   // how many tokens follow the prompt; 0: up to the length
    int threads;        // of the network
    int sampling_threads = 1;
    bool visual = false;
    bool compare = false;
    Decoding decoding;
};

// Prints a help or a message, and exits, where that is due.
Options parse(int argc, char ** argv);
