// View aggregation: the softmax of slices' logits, added up voxel by voxel (arXiv:1801.04161, section
// 2.4). A voxel is in one slice of a plane, so that no sum depends on how threads share the work.

#include "plan/view_aggregation.h"

#include "kernels/dispatch.h"
#include "abi/internal.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

namespace {

// Places that are fetched before their turn, where neighbours lie far apart.
constexpr int64_t lines_ahead = 6;

uint16_t *fp16_of(const at::Tensor &sums, int64_t classes, int64_t voxel_count) {
    TORCH_CHECK(
        sums.is_cpu() && sums.scalar_type() == at::kHalf && sums.is_contiguous() &&
            sums.numel() == voxel_count * classes,
        "sums of shape ", sums.sizes(), " for ", voxel_count, " voxels of ", classes, " classes");
    return static_cast<uint16_t *>(sums.data_ptr());
}

}  // namespace

CTorchStatus accumulate_views(
    CTorchTensor logits, CTorchTensor sums, const CTorchSliceStrides *strides, int64_t first_slice,
    const int32_t *output_of_class, int32_t classes, double weight, uint8_t *labels,
    int64_t voxel_count) {
    return guarded([&] {
        const at::Tensor given = tensor_of(logits);
        TORCH_CHECK(given.dim() == 4 && given.is_cpu(), "logits must be [N, K, H, W] on the CPU");
        const at::Tensor dense = given.permute({0, 2, 3, 1}).to(at::kFloat).contiguous();
        const int64_t count = dense.size(0), height = dense.size(1), width = dense.size(2);
        const int64_t outputs = dense.size(3);
        TORCH_CHECK(
            outputs <= 256 && classes <= 256, "at most 256 classes can be aggregated, not ",
            std::max<int64_t>(outputs, classes));
        for (int32_t c = 0; c < classes; c++) {
            TORCH_CHECK(
                output_of_class[c] >= 0 && output_of_class[c] < outputs, "no output ",
                output_of_class[c]);
        }
        if (dense.numel() == 0) return;
        const auto [slice, row, column] = *strides;
        TORCH_CHECK(
            first_slice >= 0 && slice > 0 && row > 0 && column > 0 &&
                (first_slice + count - 1) * slice + (height - 1) * row + (width - 1) * column <
                    voxel_count,
            "slices that leave the volume");
        uint16_t *const fp16 =
            sums == nullptr ? nullptr : fp16_of(tensor_of(sums), classes, voxel_count);
        const float *const numbers = dense.const_data_ptr<float>();
        const ViewKernels &kernels = *instruction_set().views;
        std::vector<int32_t> outputs_of_classes(output_of_class, output_of_class + classes);
        outputs_of_classes.resize((classes + 15) / 16 * 16);
        // Inside goes what lies closest together in the volume: a row of a slice, or the same place of
        // all slices.
        const bool is_by_row = column < slice;
        const int64_t length = is_by_row ? width : count;
        const int64_t step = is_by_row ? column : slice;
        const int64_t logits_step = (is_by_row ? 1 : height * width) * outputs;
        const int64_t lines = height * (is_by_row ? count : width);
        const int64_t across = is_by_row ? 1 : width;
        const auto take = [&, slice = slice, row = row, column = column](
                              int64_t begin, int64_t end) {
            for (int64_t line = begin; line < end; line++) {
                const int64_t x = line % across, y = line / across % height;
                const int64_t first = line / across / height;
                const int64_t voxel = (first_slice + first) * slice + y * row + x * column;
                if (!is_by_row && fp16 != nullptr && x + lines_ahead < width) {
                    const uint16_t *const later = fp16 + (voxel + lines_ahead * column) * classes;
                    for (int64_t c = 0; c < length * classes; c += 32) __builtin_prefetch(later + c, 1);
                }
                kernels.accumulate(
                    numbers + ((first * height + y) * width + x) * outputs, logits_step,
                    static_cast<int>(outputs), static_cast<int>(length),
                    outputs_of_classes.data(), classes,
                    static_cast<float>(weight),
                    fp16 == nullptr ? nullptr : fp16 + voxel * classes, step * classes,
                    labels == nullptr ? nullptr : labels + voxel, step);
            }
        };
        at::parallel_for(0, lines, 16, take);
    });
}

CTorchStatus argmax_views(CTorchTensor sums, uint8_t *labels, int64_t voxel_count) {
    return guarded([&] {
        const int64_t classes = tensor_of(sums).size(-1);
        TORCH_CHECK(classes <= 256, "at most 256 classes can be aggregated, not ", classes);
        const uint16_t *const fp16 = fp16_of(tensor_of(sums), classes, voxel_count);
        const ViewKernels &kernels = *instruction_set().views;
        at::parallel_for(0, voxel_count, 1 << 14, [&](int64_t begin, int64_t end) {
            kernels.argmax(
                fp16 + begin * classes, static_cast<int>(classes), end - begin, labels + begin);
        });
    });
}
