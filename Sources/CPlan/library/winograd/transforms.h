// The transforms of Winograd's algorithm, for the instruction set that a file is compiled for; see README.md.
// Nothing here may come from a C++ library header; see simd.h.

#ifndef WINOGRAD_TRANSFORMS_H
#define WINOGRAD_TRANSFORMS_H

#include "winograd/winograd.h"

#include "kernels/simd.h"

#if !defined(__AVX2__)
#error "these are for AVX2 and AVX-512"
#endif

namespace {

// MARK: Transforms

// A row of a tile stands for a polynomial. It is evaluated at pairs of points of the same square, at 0
// and at infinity, which splits every evaluation into the even and the odd coefficients. The last pair
// of large tiles is imaginary: both values follow from three real products, of the transformed_width
// even, even + sqrt(3) odd and even - sqrt(3) odd.
template <int kernel>
struct Points {
    static constexpr int pairs = 5;
    static constexpr double squares[pairs] = {0.48 * 0.48, 0.8 * 0.8, 1.2 * 1.2, 2.2 * 2.2, -1};
    static constexpr double roots[pairs] = {0.48, 0.8, 1.2, 2.2, 1.7320508075688772};
};

template <>
struct Points<3> {
    static constexpr int pairs = 3;
    static constexpr double squares[pairs] = {1, 4, 0.25};
    static constexpr double roots[pairs] = {1, 2, 0.5};
};

template <int kernel>
struct Transform {
    using T = Points<kernel>;
    static constexpr int pairs = T::pairs;
    static constexpr bool has_imaginary = T::squares[pairs - 1] < 0;
    static constexpr int real_pairs = has_imaginary ? pairs - 1 : pairs;

    static constexpr int input_tile = 2 * pairs + 2;  // pixels of a side
    static constexpr int output_tile = input_tile - kernel + 1;  // results of a side
    static constexpr int transformed_width = input_tile + (has_imaginary ? 1 : 0);
    static constexpr int elements = transformed_width * transformed_width;
    static_assert(
        elements == winograd_elements(kernel) && output_tile == winograd_output_tile(kernel));

    struct Factors {
        float all[pairs] = {};  // of the product of (x - square), of which the highest is 1
        float others[pairs][pairs] = {};  // of the product without one of them
        float powers[pairs][(output_tile + 1) / 2] = {};
        float roots[pairs] = {};
    };

    static constexpr Factors factors = [] {
        Factors made;
        for (int left_out = 0; left_out <= pairs; left_out++) {
            double product[pairs + 1] = {1};
            for (int p = 0; p < pairs; p++) {
                if (p == left_out) continue;
                for (int k = pairs; k > 0; k--) {
                    product[k] = product[k - 1] - T::squares[p] * product[k];
                }
                product[0] *= -T::squares[p];
            }
            for (int k = 0; k < pairs; k++) {
                (left_out == pairs ? made.all : made.others[left_out])[k] =
                    static_cast<float>(product[k]);
            }
        }
        for (int p = 0; p < pairs; p++) {
            made.roots[p] = static_cast<float>(T::roots[p]);
            double power = 1;
            for (float &stored : made.powers[p]) {
                stored = static_cast<float>(power);
                power *= T::squares[p];
            }
        }
        return made;
    }();

    // What becomes of a pair of points, from what the even and odd coefficients sum up to.
    template <typename Number>
    static constexpr void split(
        Number even, Number odd, int pair, Number (&f)[transformed_width]) {
        const int at = 1 + 2 * pair;
        const Number scaled = odd * factors.roots[pair];
        if (pair < real_pairs) {
            f[at] = even + scaled;
            f[at + 1] = even - scaled;
        } else {
            f[at] = even;
            f[at + 1] = even + scaled;
            f[at + 2] = even - scaled;
        }
    }

    // The input transform of a row: d B.
    template <typename Number>
    static constexpr void input_transform(
        const Number (&d)[input_tile], Number (&f)[transformed_width]) {
        f[0] = d[input_tile - 2];
        f[transformed_width - 1] = d[input_tile - 1];
#pragma GCC unroll 8
        for (int k = 0; k < pairs; k++) {
            f[0] += d[2 * k] * factors.all[k];
            f[transformed_width - 1] += d[2 * k + 1] * factors.all[k];
        }
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            Number even = d[input_tile - 2], odd = d[input_tile - 3];
#pragma GCC unroll 8
            for (int k = 0; k < pairs - 1; k++) {
                even += d[2 * k + 2] * factors.others[pair][k];
                odd += d[2 * k + 1] * factors.others[pair][k];
            }
            split(even, odd, pair, f);
        }
    }

    // The output transform of a row: f A.
    template <typename Number>
    static constexpr void output_transform(
        const Number (&f)[transformed_width], Number (&y)[output_tile]) {
        Number even[pairs] = {}, odd[pairs] = {};
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            const int at = 1 + 2 * pair + (pair < real_pairs ? 0 : 1);
            even[pair] = f[at] + f[at + 1];
            odd[pair] = (f[at] - f[at + 1]) * factors.roots[pair];
        }
        if constexpr (has_imaginary) even[pairs - 1] += f[transformed_width - 4];
        y[0] = f[0];
        y[1] = odd[0];
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            y[0] += even[pair];
            if (pair > 0) y[1] += odd[pair];
        }
#pragma GCC unroll 16
        for (int k = 2; k < output_tile; k++) {
            const Number *const parts = k % 2 == 0 ? even : odd;
            y[k] = parts[0] * factors.powers[0][k / 2];
#pragma GCC unroll 8
            for (int pair = 1; pair < pairs; pair++) {
                y[k] += parts[pair] * factors.powers[pair][k / 2];
            }
        }
        y[output_tile - 1] += f[transformed_width - 1];
    }

    // y Aᵀ: the polynomial with these coefficients, at the points.
    template <typename Number>
    static constexpr void gradient_transform(
        const Number (&y)[output_tile], Number (&f)[transformed_width]) {
        f[0] = y[0];
        f[transformed_width - 1] = y[output_tile - 1];
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            Number even = y[0], odd = y[1];
#pragma GCC unroll 16
            for (int k = 2; k < output_tile; k++) {
                (k % 2 == 0 ? even : odd) += y[k] * factors.powers[pair][k / 2];
            }
            split(even, odd, pair, f);
        }
    }

    // The weight transform G: powers of a point, divided by the derivative there of the product of
    // (x - point).
    static constexpr void weight_matrix(double (&matrix)[transformed_width][kernel]) {
        double all = 1;
        for (const double square : T::squares) all *= -square;
        for (int k = 0; k < kernel; k++) {
            matrix[0][k] = k == 0 ? 1 / all : 0;
            matrix[transformed_width - 1][k] = k == kernel - 1;
        }
        for (int pair = 0; pair < pairs; pair++) {
            const double square = T::squares[pair], root = T::roots[pair];
            double power = 2 * square;
            for (int other = 0; other < pairs; other++) {
                if (other != pair) power *= square - T::squares[other];
            }
            power = 1 / power;
            const int at = 1 + 2 * pair;
            for (int k = 0; k < kernel; k++) {
                const bool is_odd = k % 2 != 0;
                if (pair < real_pairs) {
                    matrix[at][k] = is_odd ? power * root : power;
                    matrix[at + 1][k] = is_odd ? -power * root : power;
                } else {
                    // Twice the real part of a complex product, and by the difference of the last two
                    // its imaginary part.
                    matrix[at][k] = is_odd ? 0 : power * 8 / 3;
                    matrix[at + 1][k] = is_odd ? -power * root / 3 : -power / 3;
                    matrix[at + 2][k] = is_odd ? power * root / 3 : -power / 3;
                }
                if (is_odd) power *= square;
            }
        }
    }
};

// Aᵀ [(G g) ⊙ (Bᵀ d)] is the correlation of a row d with a kernel g: for a one at place i of the kernel and
// one at place j of the row it is one at place j - i. The transforms' factors are in single precision.
template <int kernel>
constexpr bool is_correlation() {
    using T = Transform<kernel>;
    double matrix[T::transformed_width][kernel] = {};
    T::weight_matrix(matrix);
    for (int j = 0; j < T::input_tile; j++) {
        double d[T::input_tile] = {}, f[T::transformed_width] = {};
        d[j] = 1;
        T::input_transform(d, f);
        for (int i = 0; i < kernel; i++) {
            double m[T::transformed_width] = {}, y[T::output_tile] = {};
            for (int p = 0; p < T::transformed_width; p++) m[p] = matrix[p][i] * f[p];
            T::output_transform(m, y);
            for (int k = 0; k < T::output_tile; k++) {
                const double error = y[k] - (k == j - i ? 1 : 0);
                if (error > 2e-6 || error < -2e-6) return false;
            }
        }
    }
    return true;
}
static_assert(is_correlation<3>() && is_correlation<5>() && is_correlation<7>());

// The transform of the weights of a pair of channels; with a vector for each, of as many pairs at once.
template <int kernel>
struct WeightTransform {
    static constexpr int transformed_width = Transform<kernel>::transformed_width;

    float at[transformed_width][kernel];

    WeightTransform() {
        double exact[transformed_width][kernel] = {};
        Transform<kernel>::weight_matrix(exact);
        for (int p = 0; p < transformed_width; p++) {
            for (int k = 0; k < kernel; k++) at[p][k] = static_cast<float>(exact[p][k]);
        }
    }

    // Calls `use` with each point and the value there.
    template <typename Use>
    void operator()(const Vector (&g)[kernel * kernel], Use use) const {
        for (int p = 0; p < transformed_width; p++) {
            Vector row[kernel];
            for (int x = 0; x < kernel; x++) {
                row[x] = g[x] * at[p][0];
                for (int y = 1; y < kernel; y++) row[x] += g[y * kernel + x] * at[p][y];
            }
            for (int q = 0; q < transformed_width; q++) {
                Vector sum = row[0] * at[q][0];
                for (int x = 1; x < kernel; x++) sum += row[x] * at[q][x];
                use(p * transformed_width + q, sum);
            }
        }
    }
};

template <int size>
struct Kernel {
    static constexpr int value = size;
};

template <typename Use>
inline auto with_kernel(int kernel, Use use) {
    return kernel == 3 ? use(Kernel<3>{}) : kernel == 5 ? use(Kernel<5>{}) : use(Kernel<7>{});
}

// Input channels as whole vectors.
inline int padded(int channels) { return (channels + 15) / 16 * 16; }

}  // namespace

#endif
