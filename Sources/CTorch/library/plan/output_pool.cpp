#include "plan/output_pool.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <cstdlib>
#include <mutex>
#include <new>
#include <optional>
#include <unordered_map>
#include <vector>

class OutputPool {
public:
    ~OutputPool() {
        for (auto &[size, blocks] : idle) {
            for (void *block : blocks) std::free(block);
        }
    }

    void *take(size_t size) {
        {
            const std::lock_guard guard(lock);
            auto &blocks = idle[size];
            if (!blocks.empty()) {
                void *block = blocks.back();
                blocks.pop_back();
                return block;
            }
        }
        void *block = std::aligned_alloc(64, size);
        if (block == nullptr) throw std::bad_alloc();
        return block;
    }

    void give_back(void *block, size_t size) {
        const std::lock_guard guard(lock);
        idle[size].push_back(block);
    }

private:
    std::mutex lock;
    std::unordered_map<size_t, std::vector<void *>> idle;
};

namespace {

thread_local std::shared_ptr<OutputPool> current_pool;

// Which pool a block that is in use belongs to. LibTorch frees some of what it allocates by the
// pointer alone, so that nothing else can tell.
struct Lent {
    std::shared_ptr<OutputPool> pool;
    size_t size;
};
std::mutex lent_lock;
std::unordered_map<void *, Lent> lent_blocks;

c10::DeleterFnPtr standard_deleter = nullptr;

void give_back(void *block) {
    std::optional<Lent> lent;
    {
        const std::lock_guard guard(lent_lock);
        const auto found = lent_blocks.find(block);
        if (found != lent_blocks.end()) {
            lent = std::move(found->second);
            lent_blocks.erase(found);
        }
    }
    if (lent.has_value()) {
        lent->pool->give_back(block, lent->size);
    } else {
        standard_deleter(block);
    }
}

class PoolingAllocator final : public c10::Allocator {
public:
    c10::DataPtr allocate(size_t bytes) override {
        if (current_pool == nullptr || bytes == 0) return standard->allocate(bytes);
        const size_t size = (bytes + 63) / 64 * 64;
        void *block = current_pool->take(size);
        {
            const std::lock_guard guard(lent_lock);
            lent_blocks[block] = {current_pool, size};
        }
        return {block, block, give_back, c10::Device(c10::DeviceType::CPU)};
    }

    c10::DeleterFnPtr raw_deleter() const override { return give_back; }

    void copy_data(void *target, const void *source, size_t count) const override {
        default_copy_data(target, source, count);
    }

    // LibTorch's allocator, for all that is not made by a plan.
    c10::Allocator *standard = c10::GetCPUAllocator();
};

}  // namespace

std::shared_ptr<OutputPool> make_output_pool() {
    static PoolingAllocator *const allocator = [] {
        auto *made = new PoolingAllocator;
        standard_deleter = made->standard->raw_deleter();
        c10::SetCPUAllocator(made, 1);
        return made;
    }();
    static_cast<void>(allocator);
    return std::make_shared<OutputPool>();
}

PoolScope::PoolScope(std::shared_ptr<OutputPool> pool) : before(std::move(current_pool)) {
    current_pool = std::move(pool);
}

PoolScope::~PoolScope() { current_pool = std::move(before); }
