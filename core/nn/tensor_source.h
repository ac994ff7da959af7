// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where a model's tensors come from: a checkpoint, or random numbers of the shapes that an architecture asks for.
#include "core/io/checkpoint.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::nn {

class TensorSource {
public:
    virtual ~TensorSource() = default;
    virtual bool has(std::string_view tensor) const = 0;
    /// The stored shape of a tensor that is there; `expected` is what the architecture asks for (random sources answer with it).
    virtual std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>& expected) const = 0;
    /// Decoded, row-major, of that shape. Throws what reading throws.
    virtual std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>& shape) const = 0;
    /// For messages: the file or directory.
    virtual std::string subject() const = 0;
};

inline constexpr int kMostParts = 16; ///< of a stacked operator

/// The operator `name` is there in any form that an export writes: .weight, .lowrank_b, .remap_b, .tiled_weight, .tiled_b, or stacked
/// of parts in those forms.
bool hasOperator(const TensorSource& source, const std::string& name);
/// Its number of outputs; `expected` from random sources.
std::int64_t operatorOutputs(const TensorSource& source, const std::string& name, std::int64_t expected);

/// Rows of a table of that width ([rows, width] or [1, rows, width]); `expected` from random sources. Throws
/// Error{MalformedFile} when it is missing or has another width.
std::int64_t tableRows(const TensorSource& source, const std::string& tensor, std::int64_t width, std::int64_t expected);

class CheckpointSource final : public TensorSource {
public:
    explicit CheckpointSource(const io::Checkpoint& checkpoint) : m_checkpoint(checkpoint) {} ///< must outlive this
    bool has(std::string_view tensor) const override;
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>& expected) const override;
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>& shape) const override;
    std::string subject() const override;

private:
    const io::Checkpoint& m_checkpoint;
};

/// Numbers of a spread that keeps activations of order 1 (1 / sqrt(inputs) for matrices, 1 + small for norm weights); the
/// same seed and name give the same tensor. It has the tensors whose names end with one of `endings`.
class RandomSource final : public TensorSource {
public:
    RandomSource(std::uint64_t seed, std::vector<std::string> endings) : m_seed(seed), m_endings(std::move(endings)) {}
    static RandomSource timmVit(std::uint64_t seed); ///< class token, biases, a head
    static RandomSource llama(std::uint64_t seed);   ///< no biases, a head of its own
    bool has(std::string_view tensor) const override;
    std::vector<std::int64_t> shape(std::string_view tensor, const std::vector<std::int64_t>& expected) const override;
    std::vector<float> values(std::string_view tensor, const std::vector<std::int64_t>& shape) const override;
    std::string subject() const override { return "random weights"; }

private:
    std::uint64_t m_seed;
    std::vector<std::string> m_endings;
};

} // namespace tamis::nn
