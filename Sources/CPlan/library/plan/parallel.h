// Threads that images and voxels are dealt to.

#ifndef PARALLEL_H
#define PARALLEL_H

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>

int thread_count();

// Throws std::invalid_argument where there would be none.
void set_thread_count(int count);

// Calls `body` with 0, on this thread, and with 1 to `threads` - 1 on others, unless these start so late
// that the first call has returned: so that call must return only when nothing is left to begin.
void on_threads(int threads, const std::function<void(int)> &body);

// Calls `body` with parts of `begin` to `end`, as many at a time as there are threads. What it throws is
// thrown here once all threads have come to rest.
template <typename Body>
void in_parallel(int64_t begin, int64_t end, int64_t part, const Body &body) {
    const int64_t parts = (end - begin + part - 1) / part;
    std::atomic<int64_t> next{0};
    std::exception_ptr failure;
    std::mutex lock;
    on_threads(static_cast<int>(std::min<int64_t>(thread_count(), parts)), [&](int) {
        for (int64_t i = next++; i < parts; i = next++) {
            try {
                body(begin + i * part, std::min(begin + (i + 1) * part, end));
            } catch (...) {
                const std::lock_guard guard(lock);
                if (!failure) failure = std::current_exception();
            }
        }
    });
    if (failure) std::rethrow_exception(failure);
}

#endif
