// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A decoder of the LLaMA family on the tape: LLaMA, Mistral, Qwen2, Qwen3, with every option that core/nn runs.
#include "core/io/checkpoint.h"
#include "core/nn/model_spec.h"
#include "core/train/observe.h"
#include "core/train/tape.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace tamis::train {

template <class T> class DecoderOnTape {
public:
    /// Throws Error{UnsupportedFeature} for another family and for compressed operators (one sentence with the tensor or
    /// key), Error{MalformedFile} for a missing tensor or one of another shape than expected, and what reading throws.
    static DecoderOnTape load(const io::Checkpoint& checkpoint, const RunContext& context = {});
    DecoderOnTape(DecoderOnTape&&) noexcept;
    DecoderOnTape& operator=(DecoderOnTape&&) noexcept;
    ~DecoderOnTape();

    const nn::ModelSpec& spec() const noexcept;
    ParameterSet<T>& parameters() noexcept; ///< named and shaped as in the checkpoint; a tied head is the embedding
    const ParameterSet<T>& parameters() const noexcept;

    /// Logits [ids, vocabulary] of `sequences` sequences of equal length, one after another. Ids outside the vocabulary
    /// throw Error{InvalidParameter}. `hooks` may
    /// watch or replace linear layers and watch blocks.
    Variable<T> logits(Tape<T>& tape, std::span<const std::int32_t> ids, std::int64_t sequences, const ForwardHooks<T>& hooks = {});

private:
    struct Content;
    explicit DecoderOnTape(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

extern template class DecoderOnTape<float>;
extern template class DecoderOnTape<double>;

/// Labels for crossEntropy(): of each id the one that follows it in its sequence, kIgnored for the last. Throws
/// Error{InvalidParameter} when the sequences do not divide the ids.
std::vector<std::int32_t> nextTokens(std::span<const std::int32_t> ids, std::int64_t sequences);

} // namespace tamis::train
