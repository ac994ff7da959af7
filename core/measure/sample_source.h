// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the samples of a capture or an evaluation come from: photos of a folder, windows of a token file.
#include "core/base/run_context.h"
#include "core/nn/model.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::measure {

/// One sample in memory. Reused from sample to sample, so that its buffers keep their size.
struct LoadedSample {
    std::vector<float> image;              ///< [channels, height, width], normalised; empty for text
    std::vector<std::int32_t> tokens;      ///< empty for images
    std::vector<std::int32_t> tokenTypes;
    std::size_t firstScored = 1;           ///< tokens before it are context only: their prediction is not counted
    std::uint64_t scoredBytes = 0;         ///< bytes of text that the scored tokens stand for; 0: not known
    int label = -1;                        ///< class of an image; -1: not known

    nn::Sample view() const noexcept { return {image, tokens, tokenTypes}; }
};

/// A list of samples, read one at a time. Immutable; load() and name() are called from several threads at once.
class SampleSource {
public:
    virtual ~SampleSource() = default;
    virtual std::size_t count() const noexcept = 0;
    /// File name, or "sequence 3": the subject of errors about the sample.
    virtual std::string name(std::size_t index) const = 0;
    /// Fills all of `sample`. Throws what reading throws.
    virtual void load(std::size_t index, LoadedSample& sample) const = 0;
    /// What the samples are, in words.
    virtual std::string description() const = 0;
    /// Of everything that decides what load() gives. May read all files.
    virtual std::string sha256(const RunContext& context) const = 0;
};

} // namespace tamis::measure
