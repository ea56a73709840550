// The steps of a plan, and their buffers' places in scratch memory.

#include "plan/plan_layout.h"

#include "abi/barrier.h"

PlanLayout::PlanLayout(
    const CPlanBuffer *given_buffers, int32_t buffer_count, const CPlanStep *given_steps,
    int32_t step_count, bool is_bfloat16, CPlanKernels kind, const CPlanConvolutions *others)
    : is_bfloat16(is_bfloat16), others(others) {
    const InstructionSet &set = instruction_set(kind);
    kernels_name = set.names[is_bfloat16];
    kernels = set.kernels[is_bfloat16];
    winograd = set.winograd[is_bfloat16];
    floats = set.floats;
    direct = set.direct;
    element_size = is_bfloat16 ? 2 : 4;
    for (int32_t i = 0; i < buffer_count; i++) {
        PlanBuffer buffer{.size = given_buffers[i]};
        buffer.byte_count = buffer.pixels() * buffer.size.channels *
            (buffer.size.holds_indices ? 1 : element_size);
        buffers.push_back(buffer);
    }
    for (int32_t i = 0; i < step_count; i++) {
        const bool concatenates = i > 0 && only_concatenates_for(given_steps, step_count, i);
        steps.push_back(prepared(given_steps[i], concatenates));
    }
    chain_integers();
    find_uses();
    lay_out();
}

// Whether the step before a convolution does nothing but concatenate its input.
bool PlanLayout::only_concatenates_for(const CPlanStep *given, int count, int position) const {
    const CPlanStep &convolution = given[position], &concatenation = given[position - 1];
    const int input = convolution.sources[0].buffer;
    if (convolution.kind != CPLAN_STEP_CONVOLVE || concatenation.kind != CPLAN_STEP_CONCATENATE ||
        concatenation.pooled.buffer >= 0 || concatenation.target.buffer != input ||
        concatenation.target.channels != buffers[input].size.channels) {
        return false;
    }
    int uses = 0;
    for (int i = 0; i < count; i++) {
        each_place(given[i], [&](int buffer) { uses += buffer == input; });
    }
    return uses == 2;
}

// As many rows as stay near the processor.
int64_t PlanLayout::rows_at_once(const PlanBuffer &buffer) const {
    const int64_t row = element_size * buffer.size.width * buffer.size.channels;
    return std::clamp<int64_t>((2 << 20) / row, 1, buffer.size.height);
}

// How many rows a convolution by Winograd's algorithm concatenates and convolves at once.
int PlanLayout::band_of(const PlanStep &step) const {
    const int size = winograd_output_tile(step.winograd->kernel);
    const int64_t rows = rows_at_once(buffers[step.description.sources[0].buffer]);
    return std::max(1, static_cast<int>(rows - step.winograd->kernel + 1) / size) * size;
}

int64_t PlanLayout::concatenated_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        if (step.concatenation < 0) continue;
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        const int64_t rows = step.is_in_integers() ? 1
            : step.winograd                        ? band_of(step) + step.winograd->kernel - 1
                                                   : rows_at_once(source);
        most = std::max(
            most, rows * element_size * source.size.width * source.size.channels);
    }
    return most;
}

int64_t PlanLayout::integer_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        if (!step.is_in_integers()) continue;
        const PlanBuffer &source = buffers[step.description.sources[0].buffer];
        if (!source.holds_integers) {
            most = std::max(most, source.pixels() * source.size.channels);
        }
    }
    return most;
}

int64_t PlanLayout::convolution_scratch() const {
    int64_t most = 0;
    for (const PlanStep &step : steps) {
        const int source = step.description.sources[0].buffer;
        if (step.integer_sums) {
            most = std::max(
                most, direct->scratch(&step.integer_sums->layer, buffers[source].size.width));
        } else if (step.float_sums) {
            const int64_t numbers = floats->scratch(&step.float_sums->layer, buffers[source].size.width);
            most = std::max<int64_t>(most, numbers * sizeof(float));
        } else if (step.winograd) {
            most = std::max<int64_t>(most, winograd->scratch(&*step.winograd) * sizeof(float));
        }
    }
    return most;
}

// Whether the next step concatenates its input itself.
bool PlanLayout::is_concatenated_later(size_t position) const {
    return position + 1 < steps.size() && steps[position + 1].concatenation >= 0;
}

void PlanLayout::find_uses() {
    for (size_t i = 0; i < steps.size(); i++) {
        const int time = static_cast<int>(is_concatenated_later(i) ? i + 1 : i);
        const int never =
            time > static_cast<int>(i) ? steps[i].description.target.buffer
            : steps[i].concatenation >= 0       ? steps[i].description.sources[0].buffer
                                       : -1;
        each_place(steps[i].description, [&](int buffer) {
            if (buffer < 0 || buffer == never) return;
            require(buffer < static_cast<int>(buffers.size()), "no buffer ", buffer);
            if (buffers[buffer].first_use < 0) buffers[buffer].first_use = time;
            buffers[buffer].last_use = time;
        });
    }
    for (size_t b = 0; b < buffers.size(); b++) {
        if (buffers[b].from_convolution) {
            steps[buffers[b].last_use].released.push_back(static_cast<int>(b));
        }
    }
}

// Gives each buffer the lowest place that is free as long as it is in use, the large ones
// first.
void PlanLayout::lay_out() {
    std::vector<int> order;
    for (size_t b = 0; b < buffers.size(); b++) {
        if (!buffers[b].from_convolution && buffers[b].first_use >= 0) {
            order.push_back(static_cast<int>(b));
        }
    }
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
        return buffers[a].byte_count > buffers[b].byte_count;
    });
    std::vector<int> placed;
    for (const int b : order) {
        PlanBuffer &buffer = buffers[b];
        const int64_t size = (buffer.byte_count + 63) / 64 * 64;
        int64_t offset = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (const int other_index : placed) {
                const PlanBuffer &other = buffers[other_index];
                const bool meet = other.first_use <= buffer.last_use &&
                    buffer.first_use <= other.last_use;
                const int64_t end = other.offset + (other.byte_count + 63) / 64 * 64;
                if (meet && offset < end && other.offset < offset + size) {
                    offset = end;
                    moved = true;
                }
            }
        }
        buffer.offset = offset;
        arena_size = std::max(arena_size, offset + size);
        placed.push_back(b);
    }
}

int64_t PlanLayout::peak_of_outputs() const {
    int64_t peak = 0;
    for (size_t i = 0; i < steps.size(); i++) {
        int64_t alive = 0;
        for (const PlanBuffer &buffer : buffers) {
            if (buffer.from_convolution && buffer.first_use <= static_cast<int>(i) &&
                buffer.last_use >= static_cast<int>(i)) {
                alive += buffer.byte_count;
            }
        }
        peak = std::max(peak, alive);
    }
    return peak;
}

int32_t PlanLayout::integer_count() const {
    return static_cast<int32_t>(
        std::count_if(steps.begin(), steps.end(), [](const PlanStep &s) { return s.is_in_integers(); }));
}

int32_t PlanLayout::packed_count() const {
    return static_cast<int32_t>(
        std::count_if(steps.begin(), steps.end(), [](const PlanStep &s) {
        return s.description.kind == CPLAN_STEP_CONVOLVE && !s.winograd && !s.is_in_integers();
    }));
}

int32_t PlanLayout::winograd_count() const {
    return static_cast<int32_t>(
        std::count_if(steps.begin(), steps.end(), [](const PlanStep &s) { return s.winograd; }));
}

int64_t PlanLayout::byte_count() const {
    return arena_size + peak_of_outputs() + convolution_scratch() + integer_scratch() +
        concatenated_scratch();
}
