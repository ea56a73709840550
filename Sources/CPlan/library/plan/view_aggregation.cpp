// View aggregation: the softmax of slices' logits, added up voxel by voxel (arXiv:1801.04161, section
// 2.4). A voxel is in one slice of a plane, so that no sum depends on how threads share the work.

#include "plan/view_aggregation.h"

#include "abi/barrier.h"
#include "kernels/dispatch.h"
#include "plan/parallel.h"

#include <algorithm>
#include <vector>

namespace {

// Places that are fetched before their turn, where neighbours lie far apart.
constexpr int64_t lines_ahead = 6;

}  // namespace

CPlanStatus accumulate_views(
    const float *logits, int64_t count, int64_t height, int64_t width, int64_t outputs,
    uint16_t *sums, const int32_t *places, const CPlanSliceStrides *strides, int64_t first_slice,
    const int32_t *output_of_class, int32_t classes, double weight, uint8_t *labels,
    int64_t voxel_count) {
    return plan_guarded([&] {
        require(
            outputs <= 256 && classes <= 256, "at most 256 classes can be aggregated, not ",
            std::max<int64_t>(outputs, classes));
        for (int32_t c = 0; c < classes; c++) {
            require(
                output_of_class[c] >= 0 && output_of_class[c] < outputs, "no output ",
                output_of_class[c]);
        }
        if (count * height * width * outputs == 0) return;
        const auto [slice, row, column] = *strides;
        require(
            first_slice >= 0 && slice > 0 && row > 0 && column > 0 &&
                (first_slice + count - 1) * slice + (height - 1) * row + (width - 1) * column <
                    voxel_count,
            "slices that leave the volume");
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
                if (!is_by_row && sums != nullptr && x + lines_ahead < width) {
                    const int64_t ahead = voxel + lines_ahead * column;
                    const int64_t place = places == nullptr ? ahead : places[ahead];
                    for (int64_t c = 0; place >= 0 && c < length * classes; c += 32) {
                        __builtin_prefetch(sums + place * classes + c, 1);
                    }
                }
                kernels.accumulate(
                    logits + ((first * height + y) * width + x) * outputs, logits_step,
                    static_cast<int>(outputs), static_cast<int>(length),
                    outputs_of_classes.data(), classes,
                    static_cast<float>(weight), sums, places, labels, voxel, step);
            }
        };
        in_parallel(0, lines, 16, take);
    });
}

CPlanStatus argmax_views(
    const uint16_t *sums, int32_t classes, uint8_t *labels, int64_t voxel_count) {
    return plan_guarded([&] {
        require(classes <= 256, "at most 256 classes can be aggregated, not ", classes);
        const ViewKernels &kernels = *instruction_set().views;
        in_parallel(0, voxel_count, 1 << 14, [&](int64_t begin, int64_t end) {
            kernels.argmax(sums + begin * classes, classes, end - begin, labels + begin);
        });
    });
}

CPlanStatus average_mirrored(
    uint16_t *sums, const uint16_t *mirrored, const int64_t *size, int32_t axis,
    const int32_t *mirrored_class, int32_t classes) {
    return plan_guarded([&] {
        require(axis >= 0 && axis < 3, "no axis ", axis, " to mirror along");
        for (int32_t c = 0; c < classes; c++) {
            require(
                mirrored_class[c] >= 0 && mirrored_class[c] < classes, "no class ",
                mirrored_class[c]);
        }
        const ViewKernels &kernels = *instruction_set().views;
        in_parallel(0, size[0] * size[1], 16, [&](int64_t begin, int64_t end) {
            for (int64_t line = begin; line < end; line++) {
                for (int64_t x = 0; x < size[2]; x++) {
                    int64_t at[3] = {line / size[1], line % size[1], x};
                    at[axis] = size[axis] - 1 - at[axis];
                    const int64_t other = (at[0] * size[1] + at[1]) * size[2] + at[2];
                    kernels.average(
                        sums + (line * size[2] + x) * classes, mirrored + other * classes,
                        mirrored_class, classes);
                }
            }
        });
    });
}
