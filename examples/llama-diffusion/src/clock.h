#pragma once

#include <chrono>

// Seconds from some moment in the past.
inline double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
