// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an encoder loses and what it costs: recall of the exact sets, never without the reconstruction's error and the cost beside it.
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/topk_encoder.h"
#include "core/report/encoder_report.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::encoder {

/// Tokens that encoders are measured on, and what is exact of them: computed once for all encoders of a dictionary. Immutable.
struct ExactTokens {
    std::shared_ptr<const Dictionary> dictionary;
    EncoderPtr encoder;             ///< scores every latent in float32
    tensor::Matrix<float> inputs;   ///< [tokens, D] as given
    tensor::Matrix<float> prepared; ///< [tokens, D], Dictionary::prepared
    SparseCodes codes;              ///< the exact sets
    double spread = 0;              ///< sum |x - mean|^2 over all tokens
    double fvu = 0;                 ///< of reconstructions from the exact sets: sum |x - y|^2 / spread
};

/// Throws Error{InvalidParameter} for no token or another width, Error{NonFinite} naming the token, Error{Cancelled}.
std::shared_ptr<const ExactTokens> exactTokens(std::shared_ptr<const Dictionary> dictionary, tensor::Matrix<float> inputs, const RunContext& context = {});

struct MeasureOptions {
    std::size_t missed = 100;                  ///< latents listed at most
    std::int64_t outcomes = 4096;              ///< evenly spread tokens at most of which outcomes and coarse ranks are kept
    std::vector<std::int64_t> latencyBatches;  ///< tokens a call, e.g. 1, 8, 64; empty: no latency
    double latencySeconds = 0.3;               ///< for each batch size, both encoders in turn
};

/// Of each latent of the exact sets, whether `encoder` found it, and what that does to values and reconstruction. Percentiles are by the
/// nearest rank: p5 of n recalls in rising order is the ceil(5 n / 100)-th, the lower end of what tokens get. Tokens without a positive
/// latent have recall 1 and do not count in them; without any other there is no recall (NaN). `parameters` must be complete. The
/// report's build time, training loss and notes are the caller's. Throws Error{InvalidParameter} for an encoder of another dictionary
/// (width, latents, k), Error{Cancelled}.
report::EncoderReport measureEncoder(const ExactTokens& exact, const TopKEncoder& encoder, const std::string& method, const Parameters& parameters,
                                     const MeasureOptions& options, const RunContext& context = {});

/// The value at the nearest rank: the ceil(percent n / 100)-th smallest, the smallest for 0 percent. `values` must not be empty.
double nearestRank(std::vector<double> values, int percent);

report::EncoderCostEstimate estimateOf(const EncoderCost& cost);

} // namespace tamis::encoder
