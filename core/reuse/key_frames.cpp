// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/key_frames.h"

#include "core/reuse/block_match.h"
#include "core/reuse/whole_frame.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::reuse {

namespace {
using report::PatchSource;

constexpr double kOtherContent = 24; ///< mean absolute difference of the best blocks, grey levels, beyond which nothing has merely moved
constexpr double kMostMotion = 6;    ///< patches: beyond it less than half of a usual grid is still in sight
constexpr double kBeyond = 2;        ///< patches that are looked beyond the threshold: what has moved so far is told from what has moved further

std::array<double, 64> histogramOf(const Plane& grey)
{
    std::array<double, 64> shares{};
    for (const float level : grey.values())
        shares[level > 0 ? static_cast<std::size_t>(std::min(level, 255.0f) / 4) : 0] += // no number: the darkest
            1 / static_cast<double>(grey.size());
    return shares;
}

class KeyFrames final : public FrameReuser {
public:
    KeyFrames(const ReuserInputs& inputs, const Parameters& parameters, std::unique_ptr<FrameReuser> between)
        : m_model(inputs.model), m_preprocess(inputs.sequence->preprocess), m_rule(parameters.text("rule")), m_interval(parameters.integer("interval")), m_histogram(parameters.real("histogram")),
          m_motion(parameters.real("motion")), m_between(std::move(between))
    {
    }
    void restart() override
    {
        m_since = -1;
        m_between->restart();
    }
    void requireWhole() override { m_since = -1; }
    void next(const Frame& frame, FrameAnswer& answer, nn::Scratch& scratch) override
    {
        Plane grey;
        double macs = 0;
        if (m_rule != "interval") {
            grey = greyOf(frame.image, m_preprocess);
            macs += 3 * static_cast<double>(grey.size());
        }
        if (m_since < 0 || isKey(grey, macs, scratch.context())) {
            m_between->requireWhole();
            m_between->next(frame, answer, scratch);
            m_key = std::move(grey);
            m_moved.clear();
            m_last = answer.answer;
            m_since = 0;
        } else if (m_repeats) {
            beginAnswer(*m_model, answer);
            answer.answer = m_last;
            std::ranges::fill(answer.patches, PatchSource::Dropped);
        } else {
            m_between->next(frame, answer, scratch);
        }
        ++m_since;
        answer.macs += macs;
        answer.overheadMacs += macs;
    }
    void repeatBetween() { m_repeats = true; }

private:
    bool isKey(const Plane& grey, double& macs, const RunContext& context)
    {
        if (m_interval > 0 && m_since >= m_interval)
            return true;
        if (m_rule == "histogram") {
            macs += 2 * static_cast<double>(grey.size()) + 64;
            return histogramChange(grey, m_key) > m_histogram;
        }
        if (m_rule == "motion") {
            const nn::PatchSpec& patch = m_model->model().spec().patch;
            const auto range = static_cast<std::int64_t>(std::ceil((m_motion + kBeyond) * static_cast<double>(std::max(patch.patchHeight, patch.patchWidth))));
            double differences = 0, error = 0;
            m_moved = matchBlocks(grey.view(), m_key.view(), m_model->gridRows(), m_model->gridColumns(), {range, patch.patchHeight / 2, BlockSearch::Diamond, false}, &differences, context, m_moved);
            macs += differences;
            std::vector<double> lengths; // of blocks that are in the key frame, too
            for (const Displacement& block : m_moved) {
                error += static_cast<double>(block.error);
                if (static_cast<double>(block.error) <= kOtherContent)
                    lengths.push_back(std::hypot(static_cast<double>(block.dx) / static_cast<double>(patch.patchWidth), static_cast<double>(block.dy) / static_cast<double>(patch.patchHeight)));
            }
            if (error > kOtherContent * static_cast<double>(m_moved.size()))
                return true;
            const auto middle = lengths.begin() + static_cast<std::ptrdiff_t>(lengths.size() / 2); // some are: else all are above
            std::ranges::nth_element(lengths, middle);
            return *middle > m_motion;
        }
        return false;
    }
    std::shared_ptr<const TokenModel> m_model;
    inputs::ImagePreprocess m_preprocess;
    std::string m_rule;
    std::int64_t m_interval;
    double m_histogram, m_motion;
    std::unique_ptr<FrameReuser> m_between;
    bool m_repeats = false;
    Plane m_key;             ///< of the last key frame; empty with the rule "interval"
    std::vector<Displacement> m_moved; ///< of the last frame's blocks since then, whole pixels: where the next one's are looked for; empty behind a key frame
    Answer m_last;
    std::int64_t m_since = -1; ///< frames since the key frame, itself included; -1: none yet
};
} // namespace

double histogramChange(const Plane& a, const Plane& b)
{
    const auto first = histogramOf(a), second = histogramOf(b);
    double difference = 0;
    for (std::size_t i = 0; i < first.size(); ++i)
        difference += 0.5 * std::abs(first[i] - second[i]);
    return difference;
}

Method keyFramesMethod()
{
    Method method;
    method.declaration = {
        .id = "reuse.key-frames",
        .lab = "reuse",
        .title = "Key frames",
        .reference = "whole frames at intervals, by the change of the histogram or by the amount of motion since the last one; between them the old answer or another method",
        .schema = ParameterSchema({
            {.name = "rule", .title = "Rule", .type = ParameterType::Choice, .defaultValue = std::string("histogram"), .help = "What makes a key frame, beside the interval", .choices = {"interval", "histogram", "motion"}},
            {.name = "interval", .title = "Interval", .type = ParameterType::Integer, .defaultValue = std::int64_t{8}, .minimum = 0, .maximum = 1e6, .unit = "frames", .help = "A key frame at least so often; 0: as the rule says"},
            {.name = "histogram", .title = "Histogram change", .type = ParameterType::Real, .defaultValue = 0.2, .minimum = 0, .maximum = 1, .help = "With histogram: share of the pixels that fall elsewhere than in the last key frame"},
            {.name = "motion", .title = "Motion", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0, .maximum = kMostMotion, .unit = "patches", .help = "With motion: displacement since the last key frame, median over what is still in sight"},
            {.name = "between", .title = "Between", .type = ParameterType::Choice, .defaultValue = std::string("answer"), .help = "The old answer again, or a method at its usual settings", .choices = {"answer", "gate", "eventful", "block-match", "flow", "affine", "perspective"}},
        })};
    method.make = [schema = method.declaration.schema](const ReuserInputs& inputs, const Parameters& given) -> std::unique_ptr<FrameReuser> {
        const Parameters parameters = schema.complete(given);
        const std::string& between = parameters.text("between");
        Parameters inner;
        inner.set("whole-above", 1.0); // the rule says which frames are whole
        auto reuser = std::make_unique<KeyFrames>(inputs, parameters, findMethod(between == "answer" ? "reuse.gate" : "reuse." + between)->make(inputs, inner));
        if (between == "answer")
            reuser->repeatBetween();
        return reuser;
    };
    return method;
}

} // namespace tamis::reuse
