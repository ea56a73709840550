// What winograd.cpp and winograd_gradient.cpp share: vectors of the instruction set that they are
// compiled for, and the transforms. As there nothing may come from a C++ library header.

#ifndef WINOGRAD_TILES_H
#define WINOGRAD_TILES_H

#include "winograd.h"

#include "simd.h"

#if !defined(__AVX2__)
#error "these are for AVX2 and AVX-512"
#endif

namespace {

// MARK: Transforms

// A row of a tile stands for a polynomial. It is evaluated at pairs of points of the same square, at 0
// and at infinity, which splits every evaluation into the even and the odd coefficients. The last pair
// of large tiles is imaginary: both values follow from three real products, of the forms
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
    using At = Points<kernel>;
    static constexpr int pairs = At::pairs;
    static constexpr bool has_imaginary = At::squares[pairs - 1] < 0;
    static constexpr int real_pairs = has_imaginary ? pairs - 1 : pairs;

    static constexpr int tile = 2 * pairs + 2;  // pixels of a side
    static constexpr int size = tile - kernel + 1;  // results of a side
    static constexpr int forms = tile + (has_imaginary ? 1 : 0);  // what a row becomes
    static constexpr int points = forms * forms;
    static_assert(points == winograd_points(kernel) && size == winograd_size(kernel));

    struct Factors {
        float all[pairs] = {};  // of the product of (x - square), of which the highest is 1
        float others[pairs][pairs] = {};  // of the product without one of them
        float powers[pairs][(size + 1) / 2] = {};
        float roots[pairs] = {};
    };

    static constexpr Factors factors = [] {
        Factors made;
        for (int left_out = 0; left_out <= pairs; left_out++) {
            double product[pairs + 1] = {1};
            for (int p = 0; p < pairs; p++) {
                if (p == left_out) continue;
                for (int k = pairs; k > 0; k--) {
                    product[k] = product[k - 1] - At::squares[p] * product[k];
                }
                product[0] *= -At::squares[p];
            }
            for (int k = 0; k < pairs; k++) {
                (left_out == pairs ? made.all : made.others[left_out])[k] =
                    static_cast<float>(product[k]);
            }
        }
        for (int p = 0; p < pairs; p++) {
            made.roots[p] = static_cast<float>(At::roots[p]);
            double power = 1;
            for (float &stored : made.powers[p]) {
                stored = static_cast<float>(power);
                power *= At::squares[p];
            }
        }
        return made;
    }();

    // The forms of a pair, from what its even and odd coefficients sum up to.
    static inline void split(Vector even, Vector odd, int pair, Vector (&f)[forms]) {
        const int at = 1 + 2 * pair;
        const Vector scaled = odd * factors.roots[pair];
        if (pair < real_pairs) {
            f[at] = even + scaled;
            f[at + 1] = even - scaled;
        } else {
            f[at] = even;
            f[at + 1] = even + scaled;
            f[at + 2] = even - scaled;
        }
    }

    // d B
    static inline void input(const Vector (&d)[tile], Vector (&f)[forms]) {
        f[0] = d[tile - 2];
        f[forms - 1] = d[tile - 1];
#pragma GCC unroll 8
        for (int k = 0; k < pairs; k++) {
            f[0] += d[2 * k] * factors.all[k];
            f[forms - 1] += d[2 * k + 1] * factors.all[k];
        }
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            Vector even = d[tile - 2], odd = d[tile - 3];
#pragma GCC unroll 8
            for (int k = 0; k < pairs - 1; k++) {
                even += d[2 * k + 2] * factors.others[pair][k];
                odd += d[2 * k + 1] * factors.others[pair][k];
            }
            split(even, odd, pair, f);
        }
    }

    // f A
    static inline void output(const Vector (&f)[forms], Vector (&y)[size]) {
        Vector even[pairs], odd[pairs];
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            const int at = 1 + 2 * pair + (pair < real_pairs ? 0 : 1);
            even[pair] = f[at] + f[at + 1];
            odd[pair] = (f[at] - f[at + 1]) * factors.roots[pair];
        }
        if constexpr (has_imaginary) even[pairs - 1] += f[forms - 4];
        y[0] = f[0];
        y[1] = odd[0];
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            y[0] += even[pair];
            if (pair > 0) y[1] += odd[pair];
        }
#pragma GCC unroll 16
        for (int k = 2; k < size; k++) {
            const Vector *const parts = k % 2 == 0 ? even : odd;
            y[k] = parts[0] * factors.powers[0][k / 2];
#pragma GCC unroll 8
            for (int pair = 1; pair < pairs; pair++) {
                y[k] += parts[pair] * factors.powers[pair][k / 2];
            }
        }
        y[size - 1] += f[forms - 1];
    }

    // y Aᵀ: the polynomial of `size` coefficients at the points.
    static inline void expand(const Vector (&y)[size], Vector (&f)[forms]) {
        f[0] = y[0];
        f[forms - 1] = y[size - 1];
#pragma GCC unroll 8
        for (int pair = 0; pair < pairs; pair++) {
            Vector even = y[0], odd = y[1];
#pragma GCC unroll 16
            for (int k = 2; k < size; k++) {
                (k % 2 == 0 ? even : odd) += y[k] * factors.powers[pair][k / 2];
            }
            split(even, odd, pair, f);
        }
    }

    // G: powers of a point, divided by the derivative there of the product of (x - point).
    static void weights(double (&matrix)[forms][kernel]) {
        double all = 1;
        for (const double square : At::squares) all *= -square;
        for (int k = 0; k < kernel; k++) {
            matrix[0][k] = k == 0 ? 1 / all : 0;
            matrix[forms - 1][k] = k == kernel - 1;
        }
        for (int pair = 0; pair < pairs; pair++) {
            const double square = At::squares[pair], root = At::roots[pair];
            double power = 2 * square;
            for (int other = 0; other < pairs; other++) {
                if (other != pair) power *= square - At::squares[other];
            }
            power = 1 / power;
            double(*const rows)[kernel] = matrix + 1 + 2 * pair;
            for (int k = 0; k < kernel; k++) {
                const bool is_odd = k % 2 != 0;
                if (pair < real_pairs) {
                    rows[0][k] = is_odd ? power * root : power;
                    rows[1][k] = is_odd ? -power * root : power;
                } else {
                    // Twice the real part of a complex product, and by the difference of the last two
                    // its imaginary part.
                    rows[0][k] = is_odd ? 0 : power * 8 / 3;
                    rows[1][k] = is_odd ? -power * root / 3 : -power / 3;
                    rows[2][k] = is_odd ? power * root / 3 : -power / 3;
                }
                if (is_odd) power *= square;
            }
        }
    }
};

// The transform of the weights of a pair of channels; with a vector for each, of as many pairs at once.
template <int kernel>
struct WeightTransform {
    static constexpr int forms = Transform<kernel>::forms;

    float at[forms][kernel];

    WeightTransform() {
        double exact[forms][kernel];
        Transform<kernel>::weights(exact);
        for (int p = 0; p < forms; p++) {
            for (int k = 0; k < kernel; k++) at[p][k] = static_cast<float>(exact[p][k]);
        }
    }

    // Calls `use` with each point and the value there.
    template <typename Use>
    void operator()(const Vector (&g)[kernel * kernel], Use use) const {
        for (int p = 0; p < forms; p++) {
            Vector row[kernel];
            for (int x = 0; x < kernel; x++) {
                row[x] = g[x] * at[p][0];
                for (int y = 1; y < kernel; y++) row[x] += g[y * kernel + x] * at[p][y];
            }
            for (int q = 0; q < forms; q++) {
                Vector sum = row[0] * at[q][0];
                for (int x = 1; x < kernel; x++) sum += row[x] * at[q][x];
                use(p * forms + q, sum);
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
