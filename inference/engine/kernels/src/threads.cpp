// The pool behind threads.h.
//
// One atomic word says whether a loop is open and how many workers are in it. A worker enters by
// raising the number while the loop is open; the caller closes the loop when no unit is left and waits
// until the number is 0. Only then may the loop's description change, so a late worker can never see
// half of a new one.
#include "threads.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>

#include "abi.h"
#include "simd.h"

namespace threads {
namespace {

constexpr uint64_t kInside = 0xffff;      // the number of workers in the loop
constexpr uint64_t kOpen = 1u << 16;      // workers may enter
constexpr uint64_t kNextLoop = 1u << 17;  // the loop's number is above
constexpr std::chrono::microseconds kSpin{50};

struct alignas(64) Range {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
};

struct Pool {
    std::mutex calls;
    std::atomic<int> threads{1};

    std::atomic<uint64_t> state{0};
    Body body = nullptr;
    const void* context = nullptr;
    int parties = 1;
    Range ranges[kMaxThreads];

    int started = 1;  // the caller is the first
    std::mutex mutex;
    std::condition_variable work_came, workers_left;
    std::atomic<int> sleepers{0};
    std::atomic<bool> caller_sleeps{false};
};

// Never destroyed: detached workers may still look at it while the process ends.
Pool& pool() {
    static Pool& shared = *new Pool;
    return shared;
}

// Spins until `ready` or for kSpin; says whether it became ready.
template <class Condition>
bool spin(const Condition& ready) {
    const auto deadline = std::chrono::steady_clock::now() + kSpin;
    do {
        for (int i = 0; i < 64; ++i) {
            if (ready()) return true;
            simd::pause();
        }
    } while (std::chrono::steady_clock::now() < deadline);
    return false;
}

void take_units(Pool& p, int own) {
    for (int step = 0; step < p.parties; ++step) {
        Range& range = p.ranges[(own + step) % p.parties];
        for (;;) {
            const int64_t unit = range.next.fetch_add(1, std::memory_order_relaxed);
            if (unit >= range.end) break;
            p.body(p.context, unit, own);
        }
    }
}

void leave(Pool& p) {
    const uint64_t before = p.state.fetch_sub(1);
    if ((before & kInside) == 1 && p.caller_sleeps.load()) {
        std::lock_guard<std::mutex> lock(p.mutex);
        p.workers_left.notify_one();
    }
}

// Waits for a loop other than `seen`, enters it and returns its number.
uint64_t enter(Pool& p, uint64_t seen) {
    const auto is_new = [&] {
        const uint64_t state = p.state.load();
        return (state & kOpen) != 0 && state / kNextLoop != seen;
    };
    for (;;) {
        if (!spin(is_new)) {
            std::unique_lock<std::mutex> lock(p.mutex);
            p.sleepers.fetch_add(1);
            p.work_came.wait(lock, is_new);
            p.sleepers.fetch_sub(1);
        }
        uint64_t state = p.state.load();
        while ((state & kOpen) != 0 && state / kNextLoop != seen) {
            if (p.state.compare_exchange_weak(state, state + 1)) return state / kNextLoop;
        }
    }
}

void work(Pool& p, int index) {
    simd::set_float_mode(simd::without_denormals(simd::float_mode()));
    uint64_t seen = 0;
    for (;;) {
        seen = enter(p, seen);
        if (index < p.parties) take_units(p, index);
        leave(p);
    }
}

// Starts missing workers. Fewer than asked for is no failure: the others do their units.
void start_workers(Pool& p, int wanted) {
    if (p.started >= wanted) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the interpreter's
    try {
        while (p.started < wanted) {
            std::thread worker(work, std::ref(p), p.started);
            pthread_setname_np(worker.native_handle(), "vl-kernels");
            worker.detach();
            ++p.started;
        }
    } catch (const std::exception&) {
        p.threads = p.started;
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void open_loop(Pool& p) {
    const uint64_t number = p.state.load() / kNextLoop + 1;
    p.state.store(number * kNextLoop | kOpen);
    if (p.sleepers.load() > 0) {
        std::lock_guard<std::mutex> lock(p.mutex);
        p.work_came.notify_all();
    }
}

void close_loop(Pool& p) {
    p.state.fetch_and(~kOpen);
    const auto is_empty = [&] { return (p.state.load() & kInside) == 0; };
    if (spin(is_empty)) return;
    std::unique_lock<std::mutex> lock(p.mutex);
    p.caller_sleeps = true;
    p.workers_left.wait(lock, is_empty);
    p.caller_sleeps = false;
}

}  // namespace

void set_count(int count) { pool().threads = std::clamp(count, 1, kMaxThreads); }

int count() { return pool().threads; }

Call::Call() : lock_(pool().calls), float_mode_(simd::float_mode()) {
    simd::set_float_mode(simd::without_denormals(float_mode_));
}

Call::~Call() { simd::set_float_mode(float_mode_); }

void run(int64_t units, Body body, const void* context) {
    Pool& p = pool();
    const int parties = static_cast<int>(std::min<int64_t>(p.threads, units));
    if (parties <= 1) {
        for (int64_t unit = 0; unit < units; ++unit) body(context, unit, 0);
        return;
    }
    start_workers(p, parties);
    p.body = body;
    p.context = context;
    p.parties = parties;
    for (int i = 0; i < parties; ++i) {
        p.ranges[i].next.store(units * i / parties, std::memory_order_relaxed);
        p.ranges[i].end = units * (i + 1) / parties;
    }
    open_loop(p);
    take_units(p, 0);
    close_loop(p);
}

}  // namespace threads

VL_EXPORT void vl_set_threads(int32_t count) {
    const threads::Call call;
    threads::set_count(count);
}
