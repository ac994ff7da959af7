// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Recall of two-stage encoders over rank and candidates, for a lane. Runs on workers, never on the window's thread.
#include "app/window/encoder_work.h"
#include "core/report/recall_surface.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace tamis::app {

struct SurfaceRequest {
    SourcesPointer sources;
    std::int64_t k = 0;    ///< 0: the autoencoder's own
    std::string coarse;    ///< "low-rank" or "random"
    Parameters parameters; ///< of encoder.two-stage, complete: how directions are weighed, the seed; rank and candidates do not matter
    bool operator==(const SurfaceRequest& other) const; ///< the same surface
};

/// The surface that is worth looking at beside an encoder: with the same coarse scores and weighting where it has some, else with those
/// of the two-stage method's defaults.
SurfaceRequest surfaceBeside(const EncoderRequest& request);

struct SurfacePicture {
    SurfaceRequest request;
    std::shared_ptr<const report::RecallSurface> surface;
    bool complete = false; ///< all ranks on all tokens
};

/// 1, 2, 3, 4, 6, 8, ... up to what is no dearer than the exact scores: rank (width + latents) <= width latents.
std::vector<std::int64_t> surfaceRanks(std::int64_t width, std::int64_t latents);
/// From k to all latents, about four in a doubling, both among them.
std::vector<std::int64_t> surfaceCandidates(std::int64_t k, std::int64_t latents);

/// Remembers the last surface. One thread at a time.
class SurfaceWork {
public:
    using Picture = std::shared_ptr<const SurfacePicture>;
    /// What is remembered; else a few ranks on a part of the tokens, where that takes some 30 ms. Null: nothing in that time. What fails is
    /// left to refine().
    Picture coarse(const SurfaceRequest& request);
    /// All tokens; published as ranks are finished, every fourth first. Throws tamis::Error.
    Picture refine(const SurfaceRequest& request, const RunContext& context, const std::function<void(Picture)>& publish);

private:
    Picture m_last; ///< complete
};

} // namespace tamis::app
