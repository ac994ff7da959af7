// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The replaceable encoder of a sparse autoencoder: tokens in, their largest latents out.
#include "core/base/run_context.h"
#include "core/encoder/topk_autoencoder.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

namespace tamis::encoder {

/// For one token, as predicted from shapes; what depends on the data is the mean of what was encoded last in measureEncoder().
struct EncoderCost {
    std::uint64_t parameters = 0; ///< kept in memory, as numbers
    std::uint64_t bytes = 0;      ///< kept in memory, rows for the exact re-ranking included
    double macs = 0;              ///< a token
    double bytesRead = 0;         ///< a token at batch 1, weights only
};

/// What a certified encoder can say of one token.
struct TokenCertificate {
    std::int32_t candidates = 0; ///< latents whose exact score was computed
    float margin = 0;            ///< k-th value less the largest upper bound outside of the result; >= 0: the set is proven
    bool dense = false;          ///< the candidates exceeded the cap, so that every latent was scored
    float failure = 0;          ///< probability that the certificate does not hold, over what the method drew; 0: it always does
    float bound = std::numeric_limits<float>::quiet_NaN(); ///< by how much upper bounds lie above the exact scores, mean over the candidates
};

/// Beside the codes, where the caller asks for it.
struct EncodeTrace {
    std::vector<TokenCertificate> certificates;     ///< [tokens], or empty where the encoder gives none
    std::vector<std::vector<std::int32_t>> ranking; ///< [tokens]: the coarse candidates in their coarse order, or empty without a coarse stage
    double rowsScored = 0;                          ///< latents a token whose exact score was computed, mean
    bool wantsRanking = true;                       ///< set by the caller: false spares the ranking, which is tokens x candidates
};

/// Immutable and safe to use from several threads.
class TopKEncoder {
public:
    virtual ~TopKEncoder() = default;
    virtual std::int64_t width() const noexcept = 0;   ///< D
    virtual std::int64_t latents() const noexcept = 0; ///< M
    virtual std::int64_t k() const noexcept = 0;
    virtual EncoderCost cost() const noexcept = 0;
    /// Codes of prepared inputs (Dictionary::prepared) [tokens, D]: at most k positive latents a token, in the order of SparseCodes;
    /// the values are those that the encoder itself has (exact ones where it re-ranks). Results depend on neither the number of
    /// threads nor the other tokens of the batch. Throws Error{InvalidParameter} for another width, Error{Cancelled} within 100 ms.
    virtual SparseCodes encode(tensor::MatrixView<const float> prepared, const RunContext& context = {}, EncodeTrace* trace = nullptr) const = 0;
};

using EncoderPtr = std::shared_ptr<const TopKEncoder>;

} // namespace tamis::encoder
