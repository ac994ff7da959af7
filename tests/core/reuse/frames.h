// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The bundled model and sequence, and runs over them.
#include "app/samples/frame_folder.h"
#include "core/base/error.h"
#include "core/reuse/run_reuse.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace tamis::test {

inline const std::shared_ptr<const nn::Model>& vit20()
{
    static const auto model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
    return model;
}

/// datasets/motion: a cut at frame 30, stills from 13 to 16 and from 43 to 46.
inline const reuse::FrameSequence& motion()
{
    static const auto sequence = app::openFrames({TAMIS_SOURCE_DIR "/datasets/motion", 0, false}, TAMIS_SOURCE_DIR "/datasets/vit20", *vit20(), {});
    return sequence;
}

/// Frames first .. last of it.
inline reuse::FrameSequence motionPart(std::size_t first, std::size_t last)
{
    reuse::FrameSequence part = motion();
    part.frames.assign(motion().frames.begin() + static_cast<std::ptrdiff_t>(first), motion().frames.begin() + static_cast<std::ptrdiff_t>(last) + 1);
    return part;
}

using Settings = std::vector<std::pair<std::string, std::string>>; ///< as typed: {"r", "17"}

inline reuse::Configuration configured(const std::string& id, const Settings& settings)
{
    const reuse::Method* method = reuse::findMethod(id);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "no method " + id);
    reuse::Configuration configuration{id, {}};
    for (const auto& [name, text] : settings)
        configuration.parameters.set(name, method->declaration.schema.parse(name, text));
    return configuration;
}

inline report::ReuseRun runOne(const reuse::FrameSequence& sequence, const std::string& id, const Settings& settings, bool baselines = false)
{
    const reuse::Configuration all[] = {configured(id, settings)};
    return reuse::runReuse(vit20(), sequence, all, {.baselines = baselines, .rounds = 1}, {}).runs.front();
}

} // namespace tamis::test
