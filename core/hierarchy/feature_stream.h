// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Frames as requests for stored features: frame by frame, block by block, cell by cell.
#include "core/hierarchy/frame_features.h"
#include "core/hierarchy/request_stream.h"

#include <memory>
#include <mutex>

namespace tamis::hierarchy {

/// What two cells must have in common to be served by one entry: the block, and
struct KeySettings {
    double tolerance = 0.25;  ///< contents in the same steps of this size, in normalised pixel values; 0: equal contents
    bool sameCell = true;     ///< and the same place in the frame
    int neighbours = 4;       ///< cells around one that the spatial predictor names, 1 to 8
    bool operator==(const KeySettings&) const = default;
};

struct FeatureStream {
    RequestStream requests;   ///< ids: of the requested objects, then of those that are predicted and never come
    std::size_t requested = 0; ///< objects that come
    PrefetchTable neighbours; ///< what lay around this entry when it was last asked for
    PrefetchTable motion;     ///< what will be in this cell of the next frame if all keeps moving as it did
    PrefetchTable layers;     ///< the same cell behind the next block
    double reuseError = 0;    ///< |x - x'| / |x| over all requests but the first of each key; x': of the first frame with the key
};

/// No predictor knows what comes: motion names the keys that would be, whether they come or not. Throws Error{OutOfMemory, Cancelled}.
FeatureStream featureStream(const FrameFeatures& frames, const KeySettings& settings, const RunContext& context);

/// Frames with the stream that was asked for last. Thread-safe.
class FeatureSource {
public:
    explicit FeatureSource(std::shared_ptr<const FrameFeatures> frames) : m_frames(std::move(frames)) {}
    const FrameFeatures& frames() const noexcept { return *m_frames; }
    std::shared_ptr<const FeatureStream> stream(const KeySettings& settings, const RunContext& context) const;

private:
    std::shared_ptr<const FrameFeatures> m_frames;
    mutable std::mutex m_mutex; ///< guards the next two
    mutable KeySettings m_of;
    mutable std::shared_ptr<const FeatureStream> m_stream;
};

} // namespace tamis::hierarchy
