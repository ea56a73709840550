// Images as the operators of training take them: channels-last rows of C numbers a pixel, float32 or
// bfloat16 on the CPU. Sums are formed in float32 over blocks of pixels that do not depend on the number of
// threads, and added in float64 in the order of the blocks.

#ifndef IMAGE_ROWS_H
#define IMAGE_ROWS_H

#include "training/dispatch.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <type_traits>
#include <vector>

using at::Tensor;

constexpr int64_t pixels_of_block = 256;

template <typename Number>
const TrainingKernels<Number> &training_kernels() {
    const AllTrainingKernels &all = *training_set().kernels;
    if constexpr (std::is_same_v<Number, float>) {
        return all.float32;
    } else {
        return all.bfloat16;
    }
}

// An image tensor as `samples * pixels` rows of `channels` numbers.
struct Rows {
    explicit Rows(const Tensor &image)
        : samples(image.size(0)), channels(image.size(1)), pixels(image.size(2) * image.size(3)),
          blocks((pixels + pixels_of_block - 1) / pixels_of_block) {}

    int64_t samples, channels, pixels, blocks;

    // Calls `body(sample, first row, number of rows, block)` for every block, on all threads.
    template <typename Body>
    void for_each_block(const Body &body) const {
        at::parallel_for(0, samples * blocks, 1, [&](int64_t begin, int64_t end) {
            for (int64_t block = begin; block < end; block++) {
                const int64_t sample = block / blocks;
                const int64_t first = block % blocks * pixels_of_block;
                body(
                    sample, sample * pixels + first, std::min(pixels_of_block, pixels - first),
                    block);
            }
        });
    }

    // Adds up the rows of `parts` (`[samples * blocks, width]`) that belong to each sample.
    std::vector<double> sums_of_samples(const std::vector<float> &parts, int64_t width) const {
        std::vector<double> sums(samples * width, 0.0);
        for (int64_t block = 0; block < samples * blocks; block++) {
            for (int64_t i = 0; i < width; i++) {
                sums[block / blocks * width + i] += parts[block * width + i];
            }
        }
        return sums;
    }
};

inline Tensor as_rows(const Tensor &image) { return image.contiguous(at::MemoryFormat::ChannelsLast); }

template <typename Number>
Number *data(const Tensor &tensor) {
    return static_cast<Number *>(tensor.data_ptr());
}

// Calls `body` with a number of the tensor's type.
template <typename Body>
void with_type(const Tensor &tensor, const Body &body) {
    TORCH_CHECK(
        tensor.is_cpu() && tensor.dim() == 4, "an image [N, C, H, W] on the CPU is needed");
    switch (tensor.scalar_type()) {
    case at::kFloat: return body(float{});
    case at::kBFloat16: return body(BFloat16{});
    default: TORCH_CHECK(false, "float32 or bfloat16 is needed, not ", tensor.scalar_type());
    }
}

inline Tensor float_tensor(const std::vector<double> &values, at::IntArrayRef shape) {
    Tensor tensor = at::empty(shape, at::kFloat);
    std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
    return tensor;
}

#endif
