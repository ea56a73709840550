// LibTorch's convolutions of stride 1 on weights that are packed once: in a plan's own type, or in
// 8-bit integers.

#ifndef PACKED_CONVOLUTION_H
#define PACKED_CONVOLUTION_H

#include <ATen/ATen.h>

#include <cstdint>
#include <optional>
#include <vector>

// Numbers as integers of 0...255: scale * (integer - zero).
struct Quantization {
    float scale = 1;
    int zero = 0;
};

struct PackedConvolution {
    // `weight` [out, in, k, k] and `bias` in single precision. Results are of `type`; negative ones are
    // multiplied by `slope`. The images have about `height` x `width` pixels.
    PackedConvolution(
        const at::Tensor &weight, const std::optional<at::Tensor> &bias, double slope,
        at::ScalarType type, int64_t height, int64_t width);

    // The same of images in integers, and of weights in -127...127, the largest of each output channel
    // the latter; nothing where LibTorch has no such convolution for this processor, or an inexact one.
    static std::optional<PackedConvolution> in_integers(
        const at::Tensor &weight, const std::optional<at::Tensor> &bias, double slope,
        at::ScalarType type, Quantization input, int64_t height, int64_t width);

    // Of images [N, in, H, W], channels-last.
    at::Tensor operator()(const at::Tensor &images) const;

    int64_t in_channels() const { return channels[1]; }

    // Of the images.
    at::ScalarType image_type() const { return input ? at::kByte : type; }

    // Whether oneDNN runs it, rather than LibTorch's general convolution.
    bool is_packed = false;
    // Of what integers stand for the images, and for the results where these are integers too.
    std::optional<Quantization> input, output;

private:
    PackedConvolution(
        const at::Tensor &weight, const std::optional<at::Tensor> &bias, double slope,
        at::ScalarType type);

    at::ScalarType type;
    double slope;
    int64_t padding;
    std::vector<int64_t> channels;  // out, in
    at::Tensor weight, weight_scales, weight_zeros;
    std::optional<at::Tensor> bias;

    bool probe() const;
    void pack_integers(
        const at::Tensor &integers, const at::Tensor &scales, int64_t height, int64_t width);
    static bool sums_exactly(at::IntArrayRef sizes, Quantization input);
    at::Tensor in_own_type(const at::Tensor &images) const;
    at::Tensor in_integers(const at::Tensor &images) const;
};

#endif
