// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Either kind of model on the tape, run on loaded samples.
#include "core/io/checkpoint.h"
#include "core/measure/sample_source.h"
#include "core/train/decoder_on_tape.h"
#include "core/train/vit_on_tape.h"

#include <span>
#include <variant>

namespace tamis::measure {

using ModelOnTape = std::variant<train::VitOnTape<float>, train::DecoderOnTape<float>>;

/// A language model as decoder, others as vision transformer at the image size of `model`. Throws what loading throws.
ModelOnTape loadOnTape(const io::Checkpoint& checkpoint, const nn::Model& model, const RunContext& context);
/// Logits of samples of one length, one after another: [1 a photo or one a token, classes]. Throws what the model throws.
train::Variable<float> logits(ModelOnTape& model, train::Tape<float>& tape, std::span<const LoadedSample* const> samples, const train::ForwardHooks<float>& hooks);

} // namespace tamis::measure
