// A pool of threads for loops over independent units of work.
//
// The caller works too, and never waits for a worker that has not begun: where two cores are for a
// while one, a sleeping worker simply misses the loop. Each thread starts on its own contiguous range
// of units (memory is read in order) and then takes from the others' (nobody idles). Results must not
// depend on who does what. Workers start with the first loop that can use them, spin for some tens of
// microseconds between loops, then sleep; they are never joined, so nothing can hang at exit, and
// after a fork the child's caller works alone.
#pragma once

#include <cstdint>
#include <mutex>

namespace threads {

constexpr int kMaxThreads = 64;

void set_count(int count);
// How many threads take part at most; indices given to a loop's body are below it.
int count();

// Held by every call of the C interface that computes: calls come one after the other. Meanwhile
// numbers below 2^-126 count as 0 in the caller's thread, as they always do in workers: the processor
// takes a hundred times as long for them, and the weights of distant keys are full of them.
class Call {
  public:
    Call();
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

  private:
    std::lock_guard<std::mutex> lock_;
    uint32_t float_mode_;
};

using Body = void (*)(const void* context, int64_t unit, int thread);
void run(int64_t units, Body body, const void* context);

// Calls body(unit, thread) for each unit once, in any order; returns when all are done.
template <class Function>
void for_each(int64_t units, const Function& function) {
    run(
        units,
        [](const void* context, int64_t unit, int thread) {
            (*static_cast<const Function*>(context))(unit, thread);
        },
        &function);
}

// The same for rows of a matrix: a few are done by the caller, as waking a worker costs more.
template <class Function>
void for_rows(int64_t rows, const Function& function) {
    constexpr int64_t kAlone = 2;
    if (rows <= kAlone) {
        for (int64_t row = 0; row < rows; ++row) function(row, 0);
    } else {
        for_each(rows, function);
    }
}

}  // namespace threads
