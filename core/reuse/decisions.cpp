// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/decisions.h"

#include "core/base/error.h"

#include <algorithm>
#include <utility>

namespace tamis::reuse {

report::FrameResult decisionsOf(const Frame& frame, const FrameAnswer& answer, const TokenModel& model)
{
    report::FrameResult result;
    result.file = frame.file;
    result.keyFrame = answer.keyFrame;
    result.patches = answer.patches;
    result.change = answer.change;
    result.movedFrom = answer.movedFrom;
    result.macs = answer.macs;
    result.overheadMacs = answer.overheadMacs;
    result.wholeMacs = model.wholeMacs();
    return result;
}

void decide(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, const Configuration& configuration, std::size_t first, std::size_t count,
            const std::function<void(std::size_t frame, report::FrameResult result)>& onFrame, const RunContext& context)
{
    const Method* method = findMethod(configuration.method);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "found the method '" + configuration.method + "', expected one of the reuse lab");
    const auto tokens = std::make_shared<const TokenModel>(std::move(model), TokenModel::Runs::EmbeddingAlone);
    const auto reuser = method->make({tokens, &sequence}, method->declaration.schema.complete(configuration.parameters));
    nn::Scratch scratch(true, context);
    FrameAnswer answer;
    for (std::size_t i = first; i < std::min(first + count, sequence.frames.size()); ++i) {
        context.throwIfStopped();
        reuser->next(sequence.frames[i], answer, scratch);
        onFrame(i, decisionsOf(sequence.frames[i], answer, *tokens));
    }
}

} // namespace tamis::reuse
