// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// From a row to the cells of a memory that it reads, and with what weights: product keys and mixtures.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tamis::addressing {

/// What one row reads: cells, most important first, with weights that sum to 1; none at all is possible.
struct Reads {
    std::vector<std::int32_t> cells;
    std::vector<float> weights; ///< [cells]
    bool operator==(const Reads&) const = default;
};

/// Immutable; safe to share between threads.
class Addresser {
public:
    virtual ~Addresser() = default;
    virtual std::int64_t width() const noexcept = 0; ///< of a row
    virtual std::int64_t cells() const noexcept = 0;
    virtual std::uint64_t macs() const noexcept = 0; ///< a row
    /// x [width]. Throws Error{NonFinite} for a score that is no number.
    virtual void address(std::span<const float> x, Reads& reads) const = 0;
};
using AddresserPtr = std::shared_ptr<const Addresser>;

/// Of every row, in order. Throws Error{InvalidParameter} for another width, and as address(), Error{Cancelled}.
std::vector<Reads> addressAll(const Addresser& addresser, tensor::MatrixView<const float> rows, const RunContext& context = {});

/// weights = softmax(scores / temperature) over what is listed.
void softmaxWeights(std::span<const float> scores, double temperature, std::vector<float>& weights);

/// s_i = x . key_i - |key_i|^2 / 2, which is largest for the nearest key; in double, rounded once. `halves` [keys] holds |key_i|^2 / 2.
void nearnessScores(tensor::MatrixView<const float> keys, std::span<const double> halves, std::span<const float> x, std::vector<float>& scores);
std::vector<double> halfSquares(tensor::MatrixView<const float> keys);

// Product keys (Lample et al. 2019, "Large Memory Layers with Product Keys", arXiv 1907.05242).

struct ScoredCell {
    std::int32_t first = 0, second = 0; ///< sub-keys
    float score = 0;                    ///< first's score + second's, rounded once
    bool operator==(const ScoredCell&) const = default;
};

/// The k best of all products (i, j) by first[i] + second[j]; of equal sums the larger first[i], then the lower i, then the larger second[j], then the
/// lower j. Exact, rounding of the sums included: of the k best sub-keys of each half only pairs of ranks a, b with (a + 1)(b + 1) <= k can be
/// among them, for all pairs of lower or equal ranks come before. Throws Error{InvalidParameter} for k outside 1 to all products.
std::vector<ScoredCell> bestProducts(std::span<const float> first, std::span<const float> second, std::int64_t k);

/// Sub-keys [n, width / 2] and [n, width - width / 2]; cell i n + j is the key (first_i, second_j), its score that of the nearest product.
/// Reads the k best cells, weights by softmax(score / temperature). Throws Error{InvalidParameter}.
AddresserPtr productAddresser(tensor::Matrix<float> first, tensor::Matrix<float> second, std::int64_t k, double temperature);

// Mixtures.

enum class Routing {
    TopExperts, ///< the e largest of a softmax
    Relu        ///< gates max(z - threshold, 0), any number of them (ReMoE: Wang, Chen, Zhu 2024, 2412.14711)
};

/// z_e = (nearness of key e) / temperature - cost_e. `cost` [experts], or empty: none. TopExperts: the `active` largest, weights softmax(z) over them; Relu: all
/// with z > threshold, weights z - threshold over their sum. Throws Error{InvalidParameter}.
AddresserPtr mixtureAddresser(tensor::Matrix<float> keys, Routing routing, std::int64_t active, double temperature, std::vector<double> cost, double threshold = 0);
/// The threshold that leaves `active` experts a row on average over these rows. Throws as address().
double reluThreshold(tensor::MatrixView<const float> keys, double temperature, std::int64_t active, tensor::MatrixView<const float> rows, const RunContext& context = {});

} // namespace tamis::addressing
