// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What multiplies whole rows of an autoencoder, brought into its weights: encode and decode then need not know of it.
// Each throws Error{Cancelled}, and leaves the autoencoder in between.
#include "core/base/run_context.h"
#include "core/io/sae_checkpoint.h"

#include <string>
#include <vector>

namespace tamis::io
{

/// [M] lengths of the decoder's rows.
std::vector<double> decoderNorms(const SparseAutoencoder& autoencoder, const RunContext& context = {});

/// Scores count times the length of their decoder row, values too, and decoder rows have length 1: SAELens's
/// rescale_acts_by_decoder_norm. A threshold then counts for the product.
void foldDecoderNorms(SparseAutoencoder& autoencoder, const RunContext& context = {});

/// Scores count times the length of their decoder row, values do not: Llama Scope's sparsity_include_decoder_norm.
void selectByDecoderNorms(SparseAutoencoder& autoencoder, const RunContext& context = {});

/// Values count times the length of their decoder row, what is selected stays (a threshold is scaled along):
/// dictionary_learning's normalised decoder.
void countByDecoderNorms(SparseAutoencoder& autoencoder, const RunContext& context = {});

/// All rows of the encoder and of the decoder times a number each; biases stay.
void scaleRows(SparseAutoencoder& autoencoder, double encoder, double decoder, const RunContext& context = {});

/// For weights made for x `input` and reconstructions y `output`: encoder rows times `input`, decoder and its bias
/// divided by `output`. Values stay those of the scaled input.
void foldInputScale(SparseAutoencoder& autoencoder, double input, double output, const RunContext& context = {});

/// The same function with values in the units of x as it is: the encoder's bias divided by `input`, decoder rows times
/// input / output, the decoder's bias divided by `output`. Not for a decoder bias that is subtracted from the input.
void foldInputScaleIntoBiases(SparseAutoencoder& autoencoder, double input, double output,
                              const RunContext& context = {});

/// A gated autoencoder's magnitudes v = exp(r_mag) (h - encoderBias) + mag_bias; `r`, `bias` have M entries. Throws
/// Error{NonFinite} with `subject` where exp(r_mag) is no float.
void setGate(SparseAutoencoder& autoencoder, const std::vector<float>& r, const std::vector<float>& bias,
             const std::string& subject);

} // namespace tamis::io
