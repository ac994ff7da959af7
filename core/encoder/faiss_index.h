// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Indexes of the FAISS library over rows, where Tamis was built with it: flat, inverted lists, product quantisation, 8-bit scalars. The one place
// that knows the library. Its distribution build is for SSE2 and runs OpenMP threads of its own: calls take turns, whichever thread makes them.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::encoder {

enum class FaissKind {
    Flat,        ///< every row is compared
    IvfFlat,     ///< rows in lists by their nearest of some centroids; the rows of the lists nearest to the query are compared
    IvfPq,       ///< the same with rows as codes, a product quantiser of what the centroid leaves
    PqFastScan,  ///< codes of 4 bits for all rows, tables in registers
    Scalar8      ///< every row is compared, in 8 bits a feature
};

struct FaissSettings {
    FaissKind kind = FaissKind::Flat;
    bool euclidean = false;    ///< nearest by distance, else largest inner product
    std::int64_t lists = 128;  ///< at most as many as rows
    std::int64_t probes = 16;  ///< lists that are searched, at most all
    std::int64_t parts = 64;   ///< of a product quantiser; rows are filled up with zeros to a multiple of them
    std::int64_t bits = 8;     ///< of a part's code with IvfPq
    std::int64_t refine = 1;   ///< so many times the rows asked for are listed, and the best of them by the whole rows taken
    std::uint64_t seed = 0;
};

/// What a search of one query takes, counted from shapes; rows in lists are the mean of some queries.
struct FaissCost {
    double macs = 0, bytesRead = 0;
    std::uint64_t bytes = 0, parameters = 0; ///< kept in memory
};

/// Immutable once built; searches from several threads take turns.
class FaissIndex {
public:
    virtual ~FaissIndex() = default;
    /// Of each query, at most `count` rows in ascending order; what one query gets depends on no other and on no number of threads. Throws
    /// Error{Cancelled}, Error{InvalidParameter} with the library's own words.
    virtual std::vector<std::vector<std::int32_t>> nearest(tensor::MatrixView<const float> queries, std::size_t count, const RunContext& context = {}) const = 0;
    /// Of searches for `count` rows; `samples` are queries to count rows in lists on.
    virtual FaissCost cost(tensor::MatrixView<const float> samples, std::size_t count) const = 0;
};

bool hasFaiss() noexcept; ///< built with FAISS
/// The same index for the same seed, whatever the number of threads. Throws Error{UnsupportedFeature} without FAISS, Error{Cancelled},
/// Error{OutOfMemory}, Error{InvalidParameter} with the library's own words (fewer rows than a code has values).
std::shared_ptr<const FaissIndex> faissIndex(tensor::MatrixView<const float> rows, const FaissSettings& settings, const RunContext& context = {});

} // namespace tamis::encoder
