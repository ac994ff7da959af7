// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The residual stream of a model after one of its blocks: where an autoencoder reads, and where its reconstruction can stand in.
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"
#include "core/encoder/topk_encoder.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstdint>

namespace tamis::encoder {

/// Throws Error{InvalidParameter} for a block that there is not, or one of another width than `width`, Error{UnsupportedFeature} for models
/// whose token grid shrinks between blocks and for distilled ones, and for tasks other than classification of images and next tokens.
void requireSite(const nn::Model& model, int block, std::int64_t width);

/// Output rows of the block over the samples, at most `most`, evenly spread over all: [rows, width]. Throws as requireSite, what loading
/// throws, Error{Cancelled}.
tensor::Matrix<float> siteRows(const nn::Model& model, int block, const measure::SampleSource& samples, std::int64_t most, const RunContext& context = {});

/// Means over all predictions.
struct SiteLoss {
    double crossEntropy = 0; ///< nats: of the next token, of the label, of the dense model's likeliest class where there is no label
    double top1 = 0;         ///< share of predictions that are right in this sense
};

struct SplicedLoss {
    SiteLoss dense, exact, encoded; ///< without the autoencoder, with its exact codes, with the encoder's
    std::int64_t predictions = 0, tokens = 0; ///< tokens that went through the autoencoder
    bool labelled = false;          ///< the classes of images are known
};

/// Runs the model with decode(encode(x)) in place of every row x after `block`. Throws as requireSite, Error{InvalidParameter} for no sample or
/// an autoencoder that decodes into another site, what loading and scoring throw, Error{Cancelled}.
SplicedLoss measureSplicedLoss(const nn::Model& model, int block, const Dictionary& dictionary, const TopKEncoder& exact, const TopKEncoder& encoder,
                               const measure::SampleSource& samples, const RunContext& context = {});

} // namespace tamis::encoder
