// Memory for what LibTorch's operators return, used again from image to image.
//
// LibTorch's convolutions allocate their result. While a PoolScope lives on a thread, such memory
// comes from a pool and goes back to it; elsewhere LibTorch's own allocator is in use.

#ifndef OUTPUT_POOL_H
#define OUTPUT_POOL_H

#include <memory>

class OutputPool;

std::shared_ptr<OutputPool> make_output_pool();

class PoolScope {
public:
    explicit PoolScope(std::shared_ptr<OutputPool> pool);
    ~PoolScope();
    PoolScope(const PoolScope &) = delete;
    PoolScope &operator=(const PoolScope &) = delete;

private:
    std::shared_ptr<OutputPool> before;
};

#endif
