// The computation of an image by a plan, step by step, in the scratch memory of one thread.

#ifndef PLAN_STEPS_H
#define PLAN_STEPS_H

#include "plan/plan_layout.h"

#include <memory>
#include <vector>

// A result that another library owns.
struct OtherResult {
    std::shared_ptr<void> owner;
    void *data = nullptr;
};

// What one thread needs.
struct Workspace {
    Block<char> block;
    Block<char> convolution;
    Block<uint8_t> integers;
    Block<char> concatenated;
    std::vector<OtherResult> outputs;  // by buffer
    Floats sums, means, hidden, factors, row;
};

// Images side by side, planes of channels one after another.
struct Images {
    const float *numbers;
    int64_t count;
    int channels, height, width;

    int64_t size() const { return static_cast<int64_t>(channels) * height * width; }
    const float *operator[](int64_t i) const { return numbers + i * size(); }
};

class PlanSteps : public PlanLayout {
protected:
    using PlanLayout::PlanLayout;

    Workspace workspace() const;

    // Where `counts` is not null the inputs of convolutions are counted.
    void run_image(
        Workspace &work, const Images &images, int64_t image, float *logits,
        int64_t *counts = nullptr) const;

private:
    // The rows of a place.
    struct Rows {
        char *start;
        int64_t row_bytes;
        long stride;
        int channels, height, width;

        char *operator[](int y) const { return start + y * row_bytes; }
    };

    char *data(Workspace &work, int buffer) const;
    Rows rows(Workspace &work, const CPlanPlace &place) const;
    void take_input(Workspace &work, const PlanStep &step, const Images &images, int64_t image) const;
    void pool_rows(Workspace &work, const PlanStep &step, const Rows &source, int y) const;
    void concatenate_row(Workspace &work, const PlanStep &step, int y, void *target, long stride) const;
    void concatenate(Workspace &work, const PlanStep &step) const;
    void upsample(Workspace &work, const PlanStep &step) const;
    void recalibrate(Workspace &work, const PlanStep &step) const;
    void add(Workspace &work, const PlanStep &step, const float *factors) const;
    void pool_windows(Workspace &work, const PlanStep &step) const;
    // Mixes the sources by what the mean of their sum selects.
    void select(Workspace &work, const PlanStep &step) const;
    // The mean over the image of the sources' sum -> the thread's means.
    void average_sum(Workspace &work, const PlanStep &step) const;
    void classify_image(Workspace &work, const PlanStep &step, float *logits) const;
    // A fully connected layer.
    static void connect(const Floats &weight, const Floats &bias, const Floats &input, Floats &output);
    void classify(Workspace &work, const PlanStep &step, float *logits, int height, int width) const;

    // plan_convolutions.cpp
    void count_numbers(const char *numbers, int64_t count, int64_t *counts) const;
    void convolve(Workspace &work, const PlanStep &step, int64_t *counts) const;
    // What a convolution works in.
    static float *numbers(Workspace &work);
    OtherResult by_others(const PlanStep &step, const void *image, int64_t height, int64_t width) const;
    void convolve_by_others(Workspace &work, const PlanStep &step, int64_t *counts) const;
    // Some rows of a convolution by Winograd's algorithm.
    void convolve_rows(Workspace &work, const PlanStep &step, const char *source, int first, int last) const;
    // The rows that a band needs are concatenated once, and convolved while they are near.
    void convolve_in_bands(Workspace &work, const PlanStep &step, int64_t *counts) const;
    // A convolution's input as integers.
    void *integers(Workspace &work, const PlanStep &step) const;
    // Of a convolution by pixels some rows are concatenated, and convolved by `use` while they are near.
    template <typename Use> void in_parts(
        Workspace &work, const PlanStep &step, int64_t *counts, const Use &use) const;
};

#endif
