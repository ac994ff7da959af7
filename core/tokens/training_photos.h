// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Photos that something is trained on or measured on: those of a source that can be read, and which of them are kept apart. Private to the lab.
#include "core/base/run_context.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

struct ReadPhotos {
    std::vector<std::size_t> places; ///< those that could be read, in the order asked for
    std::size_t unread = 0;
    std::string firstFailure;        ///< empty: all could be read
    /// One sentence; empty where all could be read.
    std::string warning() const;
};
/// Reads the photos of `places` in parallel and hands each to `seen` with its index in `places`, from any thread; a photo that cannot be read is
/// left out. Throws Error{Cancelled, OutOfMemory} and what `seen` throws.
ReadPhotos readPhotos(const measure::SampleSource& source, std::span<const std::size_t> places, const std::function<void(std::size_t index, measure::LoadedSample& sample)>& seen,
                      const RunContext& context);
/// Of all photos of the source.
ReadPhotos readPhotos(const measure::SampleSource& source, const std::function<void(std::size_t index, measure::LoadedSample& sample)>& seen, const RunContext& context);

/// Throws as model.check(), naming photo `place` of the source.
void requireFitting(const nn::Model& model, const measure::SampleSource& source, std::size_t place, const measure::LoadedSample& sample);

/// Part of the photos that is kept apart to check on.
inline constexpr double kCheckShare = 0.125;
struct PhotoSplit {
    std::vector<std::size_t> trained, checked;
};
/// The last `share`, at least 1 and at most 256, is checked: one run, for neighbours in a folder are alike, and photos from among them would flatter
/// what is trained. Throws Error{InvalidParameter} for fewer than two.
PhotoSplit splitPhotos(const std::vector<std::size_t>& places, double share = kCheckShare);

/// Some photos of a source.
struct TrainingPhotos {
    std::vector<std::span<const float>> images; ///< as the model is fed them; they stay until the tape's reset()
    std::vector<std::int32_t> labels;           ///< class of each; train::kIgnored: not known
    std::vector<std::size_t> places;            ///< in the source
};

/// The photos of a source that can be read, split; kept in memory as far as it is meant for them.
class TrainingSource {
public:
    /// Adds a warning for photos that cannot be read. Throws Error{InvalidParameter} for fewer than two of the others, for one of another size than
    /// the model's and for a label beyond its classes.
    TrainingSource(const nn::Model& model, const measure::SampleSource& source, double checkShare, std::vector<std::string>& warnings, const RunContext& context);
    const std::vector<std::size_t>& trained() const noexcept { return m_split.trained; }
    const std::vector<std::size_t>& checked() const noexcept { return m_split.checked; }

    using Memory = std::vector<std::vector<float>>; ///< of photos that are not kept
    /// The photos of these places in the source; images point into what is kept, or into `memory`.
    TrainingPhotos at(std::vector<std::size_t> places, Memory& memory, const RunContext& context) const;

private:
    const measure::SampleSource& m_source;
    std::vector<std::vector<float>> m_kept; ///< [photos of the source]; empty: not kept
    std::vector<std::int32_t> m_labels;     ///< [photos of the source]
    PhotoSplit m_split;
};

} // namespace tamis::tokens
