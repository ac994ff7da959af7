// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/motion_reuse.h"

#include "core/reuse/block_match.h"
#include "core/reuse/global_motion.h"
#include "core/reuse/optical_flow.h"
#include "core/reuse/warp.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>
#include <cmath>

namespace tamis::reuse {

namespace {
using report::PatchSource;

struct Estimate {
    MotionField field;
    double macs = 0;
};
/// Of `current` against the last frame computed whole.
using Estimator = std::function<Estimate(const Plane& current, const Plane& key, const RunContext& context)>;

class MotionReuse final : public FrameReuser {
public:
    MotionReuse(const ReuserInputs& inputs, const Parameters& parameters, Estimator estimate)
        : m_model(inputs.model), m_preprocess(inputs.sequence->preprocess), m_estimate(std::move(estimate)), m_residual(parameters.real("residual")), m_wholeAbove(parameters.real("whole-above")),
          m_bilinear(parameters.text("warp") == "bilinear")
    {
    }
    void restart() override { m_key = {}; }
    void requireWhole() override { m_key = {}; }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        const TokenModel& model = *m_model;
        const auto patches = static_cast<std::size_t>(model.patches());
        beginAnswer(model, answer);
        Plane grey = greyOf(frame.image, m_preprocess);
        answer.overheadMacs = answer.macs = 3 * static_cast<double>(grey.size());
        if (m_key.empty())
            return computeWhole(frame, std::move(grey), answer, scratch);
        const Estimate estimate = m_estimate(grey, m_keyGrey, scratch.context());
        scratch.context().throwIfStopped();
        const auto motion = patchMotion(estimate.field, grey.view(), m_keyGrey.view(), model.gridRows(), model.gridColumns(), scratch.context());
        answer.overheadMacs = answer.macs += estimate.macs + kPatchMotionMacs * static_cast<double>(grey.size());
        std::vector<std::int32_t> rows;
        answer.change.resize(patches);
        for (std::size_t p = 0; p < patches; ++p) {
            answer.change[p] = motion[p].error;
            if (!(static_cast<double>(motion[p].error) <= m_residual))
                rows.push_back(static_cast<std::int32_t>(p));
        }
        if (static_cast<double>(rows.size()) > m_wholeAbove * static_cast<double>(patches))
            return computeWhole(frame, std::move(grey), answer, scratch);
        const nn::PatchSpec& patch = model.model().spec().patch;
        const Warp warp = warpOf(motion, model.gridRows(), model.gridColumns(), patch.patchHeight, patch.patchWidth, m_bilinear);
        answer.movedFrom = warp.nearestCell;
        for (std::size_t p = 0; p < patches; ++p)
            if (!warp.sources[p].own)
                answer.patches[p] = PatchSource::Warped;
        for (const std::int32_t row : rows) {
            answer.patches[static_cast<std::size_t>(row)] = PatchSource::Computed;
            answer.movedFrom[static_cast<std::size_t>(row)] = row;
        }
        moveAndCompute(frame, warp, rows, answer, scratch);
    }

private:
    void moveAndCompute(const Frame& frame, const Warp& warp, const std::vector<std::int32_t>& rows, FrameAnswer& answer, nn::Scratch& scratch)
    {
        const TokenModel& model = *m_model;
        const bool pooled = model.model().spec().pool != nn::Pool::ClassToken;
        if (rows.empty() && (!pooled || !warp.moves())) { // the class token saw the same patches elsewhere
            answer.answer = m_keyAnswer;
            return;
        }
        if (m_moved.empty())
            m_moved = model.emptyState(model.tokens());
        const double floats = static_cast<double>(model.patches()) * (rows.empty() ? static_cast<double>(model.width()) : model.stateFloats()) * (m_bilinear ? 4 : 1);
        answer.overheadMacs += floats;
        answer.macs += floats;
        if (rows.empty()) {
            warpRows(warp, model.prefix(), m_key.hidden.view(), m_moved.hidden.view());
        } else {
            warpState(warp, model.prefix(), m_key, m_moved, scratch.context());
            const auto tokens = withPrefix(model.prefix(), rows);
            nn::Scratch::Frame taken(scratch);
            const kernels::Rows x = taken.take(static_cast<std::int64_t>(tokens.size()), model.width());
            model.embedSome(frame.image, rows, x, scratch);
            model.runRows(x, tokens, m_moved, scratch);
            answer.macs += static_cast<double>(rows.size()) * model.patchMacs() + model.rowsMacs(static_cast<double>(tokens.size()), static_cast<double>(model.tokens()));
        }
        model.answer(m_moved.hidden.view(), answer.answer, scratch);
        answer.macs += model.headMacs();
    }
    void computeWhole(const Frame& frame, Plane grey, FrameAnswer& answer, nn::Scratch& scratch)
    {
        const TokenModel& model = *m_model;
        nn::Scratch::Frame taken(scratch);
        const kernels::Rows x = taken.take(model.tokens(), model.width());
        model.embed(frame.image, x, scratch);
        answer.macs += model.embeddingMacs();
        runWhole(model, x, m_key, answer, scratch);
        m_keyGrey = std::move(grey);
        m_keyAnswer = answer.answer;
    }
    std::shared_ptr<const TokenModel> m_model;
    inputs::ImagePreprocess m_preprocess;
    Estimator m_estimate;
    double m_residual, m_wholeAbove;
    bool m_bilinear;
    TokenState m_key, m_moved; ///< of the last whole frame; moved to this one
    Plane m_keyGrey;
    Answer m_keyAnswer;
};

void addShared(std::vector<ParameterSpec>& specs)
{
    specs.push_back({.name = "residual", .title = "Residual", .type = ParameterType::Real, .defaultValue = 8.0, .minimum = 0, .maximum = 255, .unit = "grey levels",
                     .help = "Patches that differ by more from what was moved to them are computed: mean absolute difference"});
    specs.push_back({.name = "warp", .title = "Features between cells", .type = ParameterType::Choice, .defaultValue = std::string("bilinear"), .help = "Of the four cells around, or of the nearest", .choices = {"bilinear", "nearest"}});
    specs.push_back(wholeAboveParameter());
}

std::vector<ParameterSpec> matchParameters()
{
    return {
        {.name = "search", .title = "Search", .type = ParameterType::Choice, .defaultValue = std::string("exhaustive"), .help = "Of the displacement of each block: all, in three and more steps, by diamonds", .choices = {"exhaustive", "three-step", "diamond"}},
        {.name = "range", .title = "Range", .type = ParameterType::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 8, .unit = "patches", .help = "How far a block is looked for, each way"},
        {.name = "margin", .title = "Margin", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = 4, .unit = "patches", .help = "How far a block extends beyond its patch"},
    };
}

BlockMatchSettings matchSettings(const Parameters& parameters, const nn::PatchSpec& patch)
{
    const std::string& search = parameters.text("search");
    const auto pixels = [&](const char* name) { return static_cast<std::int64_t>(std::lround(parameters.real(name) * static_cast<double>(patch.patchHeight))); };
    return {pixels("range"), pixels("margin"), search == "three-step" ? BlockSearch::ThreeStep : search == "diamond" ? BlockSearch::Diamond : BlockSearch::Exhaustive, true};
}

Estimator matching(const std::shared_ptr<const TokenModel>& model, const BlockMatchSettings& settings)
{
    return [model, settings](const Plane& current, const Plane& key, const RunContext& context) {
        Estimate estimate;
        const auto found = matchBlocks(current.view(), key.view(), model->gridRows(), model->gridColumns(), settings, &estimate.macs, context);
        estimate.field = spread(found, model->gridRows(), model->gridColumns(), current.rows(), current.cols(), context);
        return estimate;
    };
}

/// A flat block was anywhere: only matches of blocks with some texture are fitted to.
bool textured(const Plane& grey, std::int64_t top, std::int64_t left, std::int64_t height, std::int64_t width)
{
    constexpr double kLeastDeviation = 3; // grey levels
    double sum = 0, squared = 0;
    for (std::int64_t y = top; y < top + height; ++y)
        for (std::int64_t x = left; x < left + width; ++x) {
            const auto value = static_cast<double>(grey(y, x));
            sum += value;
            squared += value * value;
        }
    const auto pixels = static_cast<double>(height * width);
    return squared / pixels - sum / pixels * sum / pixels > kLeastDeviation * kLeastDeviation;
}

Estimator fitting(const std::shared_ptr<const TokenModel>& model, const BlockMatchSettings& settings, MotionKind kind, const FitSettings& fit)
{
    return [model, settings, kind, fit](const Plane& current, const Plane& key, const RunContext& context) {
        Estimate estimate;
        const auto found = matchBlocks(current.view(), key.view(), model->gridRows(), model->gridColumns(), settings, &estimate.macs, context);
        const std::int64_t height = current.rows() / model->gridRows(), width = current.cols() / model->gridColumns();
        std::vector<PointMatch> matches;
        for (std::size_t p = 0; p < found.size(); ++p) {
            const std::int64_t top = static_cast<std::int64_t>(p) / model->gridColumns() * height, left = static_cast<std::int64_t>(p) % model->gridColumns() * width;
            if (!textured(current, top, left, height, width))
                continue;
            const double x = static_cast<double>(left) + 0.5 * static_cast<double>(width - 1), y = static_cast<double>(top) + 0.5 * static_cast<double>(height - 1);
            matches.push_back({x, y, x + static_cast<double>(found[p].dx), y + static_cast<double>(found[p].dy)});
        }
        // A trial: a least set solved (n^3) and nine for every match
        const double unknowns = kind == MotionKind::Affine ? 6 : 8;
        estimate.macs += static_cast<double>(current.size()) * 2 + static_cast<double>(fit.trials) * (unknowns * unknowns * unknowns + 9 * static_cast<double>(matches.size())) +
                         static_cast<double>(fit.reweightings) * 2 * static_cast<double>(matches.size()) * unknowns * unknowns;
        const auto motion = fitMotion(matches, kind, fit, context);
        estimate.field = fieldOf(motion.value_or(GlobalMotion{}), current.rows(), current.cols(), context);
        estimate.macs += static_cast<double>(current.size()) * (kind == MotionKind::Affine ? 4 : 9);
        return estimate;
    };
}

Method globalMethod(const char* id, const char* title, const char* reference, MotionKind kind)
{
    Method method;
    auto specs = matchParameters();
    specs.push_back({.name = "tolerance", .title = "Tolerance", .type = ParameterType::Real, .defaultValue = 0.75, .minimum = 0.05, .maximum = 16, .unit = "pixels", .help = "How far a match may be off and still be fitted to"});
    specs.push_back({.name = "trials", .title = "Trials", .type = ParameterType::Integer, .defaultValue = std::int64_t{200}, .minimum = 1, .maximum = 10000, .help = "Least sets that are drawn"});
    specs.push_back({.name = "seed", .title = "Seed", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 9e15, .help = "Of the draws"});
    addShared(specs);
    method.declaration = {.id = id, .lab = "reuse", .title = title, .reference = reference, .schema = ParameterSchema(std::move(specs))};
    method.make = [schema = method.declaration.schema, kind](const ReuserInputs& inputs, const Parameters& given) -> std::unique_ptr<FrameReuser> {
        const Parameters parameters = schema.complete(given);
        const FitSettings fit{parameters.real("tolerance"), parameters.integer("trials"), 10, static_cast<std::uint64_t>(parameters.integer("seed"))};
        return std::make_unique<MotionReuse>(inputs, parameters, fitting(inputs.model, matchSettings(parameters, inputs.model->model().spec().patch), kind, fit));
    };
    return method;
}
} // namespace

Method blockMatchMethod()
{
    Method method;
    auto specs = matchParameters();
    addShared(specs);
    method.declaration = {.id = "reuse.block-match", .lab = "reuse", .title = "Block matching",
                          .reference = "least sum of absolute differences around each patch (three-step: Koga et al. 1981; diamond: Zhu, Ma 2000), features moved, residual patches computed",
                          .schema = ParameterSchema(std::move(specs))};
    method.make = [schema = method.declaration.schema](const ReuserInputs& inputs, const Parameters& given) -> std::unique_ptr<FrameReuser> {
        const Parameters parameters = schema.complete(given);
        return std::make_unique<MotionReuse>(inputs, parameters, matching(inputs.model, matchSettings(parameters, inputs.model->model().spec().patch)));
    };
    return method;
}

Method flowMethod()
{
    Method method;
    std::vector<ParameterSpec> specs{
        {.name = "levels", .title = "Levels", .type = ParameterType::Integer, .defaultValue = std::int64_t{3}, .minimum = 1, .maximum = 8, .help = "Of the pyramid; those below 16 pixels are left out"},
        {.name = "radius", .title = "Window", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 32, .unit = "pixels", .help = "Radius of the window that moves as one"},
        {.name = "iterations", .title = "Iterations", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 50, .help = "A level"},
    };
    addShared(specs);
    method.declaration = {.id = "reuse.flow", .lab = "reuse", .title = "Optical flow", .reference = "Lucas, Kanade 1981, over a pyramid (Bouguet 2000), dense, its mean over each patch; features moved, residual patches computed",
                          .schema = ParameterSchema(std::move(specs))};
    method.make = [schema = method.declaration.schema](const ReuserInputs& inputs, const Parameters& given) -> std::unique_ptr<FrameReuser> {
        const Parameters parameters = schema.complete(given);
        const FlowSettings settings{parameters.integer("levels"), parameters.integer("radius"), parameters.integer("iterations")};
        return std::make_unique<MotionReuse>(inputs, parameters, [settings](const Plane& current, const Plane& key, const RunContext& context) {
            Estimate estimate;
            estimate.field = denseFlow(current.view(), key.view(), settings, &estimate.macs, context);
            return estimate;
        });
    };
    return method;
}

Method affineMethod()
{
    return globalMethod("reuse.affine", "Affine motion", "block matches fitted by RANSAC (Fischler, Bolles 1981) and Tukey's weights; features moved, residual patches computed", MotionKind::Affine);
}

Method perspectiveMethod()
{
    return globalMethod("reuse.perspective", "Perspective motion", "a homography of block matches by RANSAC (Fischler, Bolles 1981) and Tukey's weights; features moved, residual patches computed", MotionKind::Perspective);
}

} // namespace tamis::reuse
