#include "plan/parallel.h"

#include "abi/barrier.h"

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <set>
#include <string>
#include <system_error>
#include <thread>

#include <sched.h>
#include <signal.h>

namespace {

struct Job {
    const std::function<void(int)> *body;
    int next, count;
    int running = 0;
    std::condition_variable idle;
};

// Its threads live as long as the process, and sleep while there is nothing to do.
class Pool {
public:
    void run(int threads, const std::function<void(int)> &body) {
        Job job{.body = &body, .next = 1, .count = threads};
        if (threads > 1) {
            const std::lock_guard guard(lock);
            grow(threads - 1);
            jobs.push_back(&job);
            wake.notify_all();
        }
        body(0);
        if (threads <= 1) return;
        std::unique_lock guard(lock);
        const auto waiting = std::find(jobs.begin(), jobs.end(), &job);
        if (waiting != jobs.end()) jobs.erase(waiting);
        job.idle.wait(guard, [&] { return job.running == 0; });
    }

private:
    std::mutex lock;
    std::condition_variable wake;
    std::deque<Job *> jobs;
    int workers = 0;

    // With fewer threads than asked for the work is done all the same.
    void grow(int wanted) {
        // Signals are the program's own threads' business.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            for (; workers < wanted; workers++) std::thread([this] { work(); }).detach();
        } catch (const std::system_error &) {
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void work() {
        std::unique_lock guard(lock);
        for (;;) {
            wake.wait(guard, [this] { return !jobs.empty(); });
            Job &job = *jobs.front();
            const int number = job.next++;
            if (job.next == job.count) jobs.pop_front();
            job.running++;
            guard.unlock();
            (*job.body)(number);
            guard.lock();
            if (--job.running == 0) job.idle.notify_one();
        }
    }
};

// The cores that this process may use; threads that share one would only take turns.
int core_count() {
#ifdef __linux__
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        std::set<std::string> cores;
        for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
            if (!CPU_ISSET(cpu, &allowed)) continue;
            std::ifstream file(
                "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
            std::string siblings;
            if (!(file >> siblings)) siblings = std::to_string(cpu);
            cores.insert(siblings);
        }
        return static_cast<int>(cores.size());
    }
#endif
    return static_cast<int>(std::thread::hardware_concurrency());
}

int first_thread_count() {
    if (const char *const chosen = std::getenv("OMP_NUM_THREADS")) {
        const int count = std::atoi(chosen);
        if (count > 0) return count;
    }
    return std::max(1, core_count());
}

std::atomic<int> &threads() {
    static std::atomic<int> count{first_thread_count()};
    return count;
}

}  // namespace

int thread_count() { return threads(); }

void set_thread_count(int count) {
    require(count > 0, "at least one thread computes, not ", count);
    threads() = count;
}

void on_threads(int count, const std::function<void(int)> &body) {
    static Pool &pool = *new Pool;
    pool.run(count, body);
}
