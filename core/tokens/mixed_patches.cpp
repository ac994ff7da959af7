// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/mixed_patches.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/nn/token_hook.h"
#include "core/tokens/patch_quadtree.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/route.h"
#include "core/tokens/scaled_model.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>

namespace tamis::tokens {
namespace {
using Clock = std::chrono::steady_clock;
constexpr int kLargestLevel = 2; ///< of what "0" means: up to four times the model's patch

std::int64_t scaledSide(std::int64_t side, int level) { return level >= 0 ? side << level : side >> -level; }

/// Adds the log of each token's area to the scores of its key, and turns patches by the places of their centres.
class MixedHook final : public nn::TokenHook {
public:
    /// Either may be empty: nothing is added, the model has no rotary positions.
    MixedHook(std::vector<float> bias, nn::PatchTurns turns) : m_bias(std::move(bias)), m_turns(std::move(turns)) {}
    const float* keyBias(int, std::int64_t) override { return m_bias.empty() ? nullptr : m_bias.data(); }
    const nn::PatchTurns* turns(int, std::int64_t) override { return m_turns.pairs > 0 ? &m_turns : nullptr; }

private:
    std::vector<float> m_bias;
    nn::PatchTurns m_turns;
};

/// Centres of the patches, [patches, 2], in patches of the model's grid.
std::vector<double> centresOf(const nn::PatchSpec& spec, const std::vector<MixedPatch>& patches)
{
    std::vector<double> centres;
    for (const MixedPatch& patch : patches) {
        centres.push_back((static_cast<double>(patch.top) + 0.5 * static_cast<double>(patch.height)) / static_cast<double>(spec.patchHeight));
        centres.push_back((static_cast<double>(patch.left) + 0.5 * static_cast<double>(patch.width)) / static_cast<double>(spec.patchWidth));
    }
    return centres;
}

struct MixedSettings {
    QuadtreeRule rule;
    PatchPosition position = PatchPosition::Centre;
    Resampling enlarging = Resampling::Bicubic;
    bool proportional = false;
    std::int64_t asked = 0; ///< tokens that the user asked for; 0: by threshold
};

class MixedPatchesRoute final : public Route {
public:
    MixedPatchesRoute(std::shared_ptr<const nn::Model> model, MixedSettings settings) : m_embedding(std::move(model)), m_settings(settings)
    {
        for (int level = settings.rule.smallest; level <= settings.rule.largest; ++level)
            m_positions[level] = levelPositions(m_embedding, level, settings.position);
    }
    void run(const nn::Sample& sample, std::span<const Wish>, kernels::Rows output, nn::Scratch& scratch, Trace* trace) const override
    {
        const nn::Model& model = m_embedding.model();
        const nn::ModelSpec& spec = model.spec();
        const auto start = Clock::now();
        const std::vector<MixedPatch> patches = splitImage(spec.patch, sample.image, m_settings.rule, scratch.context());
        const auto count = static_cast<std::int64_t>(patches.size());
        nn::Scratch::Frame frame(scratch);
        const kernels::Rows x = frame.take(spec.patch.prefixTokens + count, spec.width);
        double choosingMs = 0;
        {
            nn::Scratch::Frame cutting(scratch);
            const kernels::Rows cut = cutting.take(count, m_embedding.values());
            const kernels::Rows positions = m_embedding.hasPositions() ? cutting.take(count, spec.width) : kernels::Rows{};
            gather(sample.image, patches, cut, positions, scratch.context());
            choosingMs = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
            m_embedding.embed(cut, positions, x, scratch);
        }
        const std::vector<float> areas = areasOf(patches);
        const bool even = std::ranges::all_of(areas, [](float area) { return area == 1.0f; });
        std::vector<float> bias;
        if (m_settings.proportional)
            std::ranges::transform(areas, std::back_inserter(bias), [](float area) { return std::log(area); });
        MixedHook hook(std::move(bias), m_embedding.turns() ? m_embedding.turnsAt(centresOf(spec.patch, patches)) : nn::PatchTurns{});
        for (int block = 0; block < static_cast<int>(spec.blocks.size()); ++block)
            if (!even && (m_settings.proportional || m_embedding.turns()))
                model.runBlock(block, x, scratch, hook);
            else
                model.runBlock(block, x, scratch);
        model.runTail(x, even ? std::span<const float>() : std::span<const float>(areas), output, scratch, 0, nullptr, trace ? &trace->features : nullptr);
        if (trace)
            describe(patches, choosingMs, *trace);
    }

private:
    /// Patches of the model's size: cut from the image averaged down or enlarged, level by level.
    void gather(std::span<const float> image, const std::vector<MixedPatch>& patches, kernels::Rows cut, kernels::Rows positions, const RunContext& context) const
    {
        const nn::PatchSpec& p = m_embedding.model().spec().patch;
        std::map<int, std::vector<float>> levels;
        for (std::size_t i = 0; i < patches.size(); ++i) {
            const MixedPatch& patch = patches[i];
            const PixelSize size{scaledSide(p.imageHeight, -patch.level), scaledSide(p.imageWidth, -patch.level)};
            std::vector<float>& pixels = levels[patch.level];
            if (pixels.empty())
                pixels = resampled(image, p.channels, {p.imageHeight, p.imageWidth}, size, patch.level > 0 ? Resampling::Area : m_settings.enlarging, context);
            const std::int64_t row = patch.top / patch.height, column = patch.left / patch.width;
            float* to = cut.data + static_cast<std::int64_t>(i) * cut.stride;
            for (std::int64_t c = 0; c < p.channels; ++c)
                for (std::int64_t y = 0; y < p.patchHeight; ++y, to += p.patchWidth)
                    std::copy_n(pixels.data() + (c * size.height + row * p.patchHeight + y) * size.width + column * p.patchWidth, p.patchWidth, to);
            if (positions.data)
                std::ranges::copy(m_positions.at(patch.level).view().row(row * (size.width / p.patchWidth) + column), positions.row(static_cast<std::int64_t>(i)).begin());
        }
    }
    /// [tokens] in patches of the model's, 1 for the prefix.
    std::vector<float> areasOf(const std::vector<MixedPatch>& patches) const
    {
        std::vector<float> areas(static_cast<std::size_t>(m_embedding.model().spec().patch.prefixTokens), 1.0f);
        for (const MixedPatch& patch : patches)
            areas.push_back(std::ldexp(1.0f, 2 * patch.level));
        return areas;
    }
    void describe(const std::vector<MixedPatch>& patches, double choosingMs, Trace& trace) const
    {
        const nn::ModelSpec& spec = m_embedding.model().spec();
        const std::int64_t prefix = spec.patch.prefixTokens, height = scaledSide(spec.patch.patchHeight, m_settings.rule.smallest), width = scaledSide(spec.patch.patchWidth, m_settings.rule.smallest);
        TokenSet set = wholeSet(prefix, spec.patch.imageHeight / height, spec.patch.imageWidth / width);
        std::vector<float> scores(set.sizes.size(), std::numeric_limits<float>::quiet_NaN());
        set.sizes.assign(static_cast<std::size_t>(prefix), 1.0f);
        std::map<std::int64_t, std::int64_t> heights;
        for (const MixedPatch& patch : patches) {
            ++heights[patch.height];
            for (std::int64_t y = patch.top / height; y < (patch.top + patch.height) / height; ++y)
                for (std::int64_t column = patch.left / width; column < (patch.left + patch.width) / width; ++column) {
                    const auto source = static_cast<std::size_t>(prefix + y * set.gridCols + column);
                    set.row[source] = static_cast<std::int32_t>(set.sizes.size());
                    scores[source] = static_cast<float>(patch.complexity);
                }
            set.sizes.push_back(static_cast<float>(patch.height / height * (patch.width / width)));
        }
        set.keyWeights = m_settings.proportional ? areasOf(patches) : std::vector<float>(set.sizes.size(), 1.0f);
        const auto count = static_cast<std::int64_t>(patches.size());
        const std::vector<BlockTokens> tokens(spec.blocks.size(), {prefix + count, prefix + count});
        const std::vector<std::uint64_t> macs = blockMacs(spec, tokens);
        for (std::size_t block = 0; block < macs.size(); ++block)
            trace.layers.push_back({tokens[block], set, block == 0 ? scores : std::vector<float>(), macs[block]});
        trace.macs = passMacs(spec, count);
        trace.reductionMs = choosingMs;
        trace.remark = remarkOf(count, heights);
    }
    std::string remarkOf(std::int64_t count, const std::map<std::int64_t, std::int64_t>& heights) const
    {
        std::string text = std::to_string(count) + " patches";
        if (m_settings.asked > 0 && count < m_settings.asked)
            text += count == patchesOfLevel(m_embedding.model().spec().patch, m_settings.rule.smallest) ? ", all that there are" : " (" + std::to_string(m_settings.asked) + " asked for: a split adds 3)";
        for (const auto& [height, many] : heights)
            text += (height == heights.begin()->first ? ": " : ", ") + std::to_string(many) + " of " + std::to_string(height);
        return text + " pixels";
    }
    nn::PatchEmbedding m_embedding;
    MixedSettings m_settings;
    std::map<int, tensor::Matrix<float>> m_positions; ///< by level
};

/// The level of patches that are `pixels` high; 0 pixels: `usual`.
int levelOf(const nn::PatchSpec& patch, std::int64_t pixels, int usual, const std::string& subject)
{
    if (pixels == 0)
        return usual;
    std::string known;
    for (int level = -4; level <= 8; ++level)
        if (fitsLevel(patch, level)) {
            if (scaledSide(patch.patchHeight, level) == pixels)
                return level;
            known += (known.empty() ? "" : ", ") + std::to_string(scaledSide(patch.patchHeight, level));
        }
    throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(pixels) + " pixels, expected one of " + known + ": the model's patch doubled or halved so that the image is whole patches", subject);
}

MixedSettings settingsFrom(const nn::ModelSpec& spec, const Parameters& parameters)
{
    MixedSettings settings;
    int largest = 0;
    while (largest < kLargestLevel && fitsLevel(spec.patch, largest + 1))
        ++largest;
    settings.rule.measure = regionMeasureNamed(parameters.text("measure"));
    settings.rule.smallest = levelOf(spec.patch, parameters.integer("smallest"), 0, "smallest");
    settings.rule.largest = levelOf(spec.patch, parameters.integer("largest"), std::max(largest, settings.rule.smallest), "largest");
    if (settings.rule.smallest > settings.rule.largest)
        throw Error(ErrorCode::InvalidParameter, "found a largest patch that is smaller than the smallest, expected it to be no smaller", "largest");
    settings.rule.threshold = parameters.real("threshold");
    settings.position = parameters.text("position") == "centre" ? PatchPosition::Centre : PatchPosition::Average;
    settings.enlarging = parameters.text("enlarge") == "bicubic" ? Resampling::Bicubic : Resampling::Bilinear;
    settings.proportional = parameters.boolean("proportional-attention");
    if (settings.rule.threshold > 0)
        return settings;
    const std::int64_t fewest = patchesOfLevel(spec.patch, settings.rule.largest), most = patchesOfLevel(spec.patch, settings.rule.smallest), given = parameters.integer("tokens");
    if (given != 0 && (given < fewest || given > most))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(given) + ", expected " + std::to_string(fewest) + " to " + std::to_string(most) + " patches between the largest and the smallest", "tokens");
    const auto share = static_cast<std::int64_t>(std::llround(parameters.real("keep") * static_cast<double>(spec.patch.gridHeight * spec.patch.gridWidth)));
    settings.asked = given != 0 ? given : std::clamp(share, fewest, most);
    settings.rule.budget = settings.asked;
    return settings;
}

Chain mixedPatchesChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = mixedPatchesMethod().declaration.schema.complete(given);
    requireReducible(*inputs.model, {});
    const nn::ModelSpec& spec = inputs.model->spec();
    const MixedSettings settings = settingsFrom(spec, parameters);
    const std::int64_t most = settings.asked > 0 ? settings.asked : patchesOfLevel(spec.patch, settings.rule.smallest);
    requireMemory(mixedPatchBytes(spec, settings.rule.smallest, settings.rule.largest, most) * static_cast<std::uint64_t>(threadCount()),
                  std::to_string(most) + " patches, the smallest of " + std::to_string(scaledSide(spec.patch.patchHeight, settings.rule.smallest)) + " pixels, of a photo on every thread");
    Chain chain;
    chain.route = std::make_shared<MixedPatchesRoute>(inputs.model, settings);
    chain.proportionalAttention = settings.proportional;
    chain.scoreTitle = regionMeasureTitle(settings.rule.measure);
    return chain;
}
} // namespace

std::uint64_t mixedPatchBytes(const nn::ModelSpec& spec, int smallest, int largest, std::int64_t patches)
{
    const nn::PatchSpec& p = spec.patch;
    std::uint64_t values = 0, finest = 0;
    for (int level = smallest; level <= largest; ++level) {
        const auto pixels = static_cast<std::uint64_t>(p.channels * scaledSide(p.imageHeight, -level) * scaledSide(p.imageWidth, -level));
        values += pixels;
        finest = std::max(finest, pixels);
    }
    const auto tokens = static_cast<std::uint64_t>(p.prefixTokens + patches);
    values += finest; // halfway through resizing, one side at a time
    values += static_cast<std::uint64_t>(patches * p.channels * p.patchHeight * p.patchWidth) + tokens * static_cast<std::uint64_t>(8 * spec.width);
    return values * sizeof(float);
}

tensor::Matrix<float> levelPositions(const nn::PatchEmbedding& embedding, int level, PatchPosition position)
{
    const nn::PatchSpec& p = embedding.model().spec().patch;
    const std::int64_t count = patchesOfLevel(p, level);
    if (!embedding.hasPositions())
        return {};
    const kernels::ConstRows table = embedding.positions();
    const std::int64_t rows = scaledSide(p.gridHeight, -level), cols = scaledSide(p.gridWidth, -level);
    const double side = std::ldexp(1.0, level); // in rows of the table
    /// Rows of the table and their weights along one side.
    const auto tapsOf = [&](std::int64_t i, std::int64_t grid) {
        std::vector<std::pair<std::int64_t, double>> taps;
        if (position == PatchPosition::Average) {
            const auto first = static_cast<std::int64_t>(static_cast<double>(i) * side), covered = std::max<std::int64_t>(1, static_cast<std::int64_t>(side));
            for (std::int64_t j = first; j < first + covered; ++j)
                taps.emplace_back(j, 1 / static_cast<double>(covered));
            return taps;
        }
        const double at = std::clamp((static_cast<double>(i) + 0.5) * side - 0.5, 0.0, static_cast<double>(grid - 1));
        const auto first = static_cast<std::int64_t>(at);
        taps.emplace_back(first, 1 - (at - static_cast<double>(first)));
        if (at > static_cast<double>(first))
            taps.emplace_back(first + 1, at - static_cast<double>(first));
        return taps;
    };
    tensor::Matrix<float> positions(count, table.cols);
    std::vector<double> sum(static_cast<std::size_t>(table.cols));
    for (std::int64_t y = 0; y < rows; ++y)
        for (std::int64_t x = 0; x < cols; ++x) {
            std::ranges::fill(sum, 0.0);
            for (const auto& [row, down] : tapsOf(y, p.gridHeight))
                for (const auto& [column, across] : tapsOf(x, p.gridWidth))
                    for (std::size_t j = 0; j < sum.size(); ++j)
                        sum[j] += down * across * static_cast<double>(table(row * p.gridWidth + column, static_cast<std::int64_t>(j)));
            std::ranges::transform(sum, positions.view().row(y * cols + x).begin(), [](double value) { return static_cast<float>(value); });
        }
    return positions;
}

Method mixedPatchesMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.mixed-patches",
        .lab = "tokens",
        .title = "Patches of several sizes",
        .reference = "Ronen et al. 2023, Vision Transformers with Mixed-Resolution Tokenization: a quadtree of patches, large where there is little to see, each resized to the model's patch",
        .schema = ParameterSchema({
            {.name = "keep", .title = "Keep", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0.05, .maximum = 4, .step = 0.05,
             .help = "Patches made, as a part of the model's; above 1 with smaller ones"},
            {.name = "tokens", .title = "Patches", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 65536, .step = 1,
             .help = "Patches made, instead of a part; 0: as Keep says"},
            {.name = "threshold", .title = "Split above", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 10, .step = 0.01,
             .help = "Every patch of a higher complexity is split, however many they become; 0: as many as Keep or Patches say"},
            {.name = "measure", .title = "Complexity", .type = ParameterType::Choice, .defaultValue = std::string("variance"),
             .help = "Of the greys of a patch: variance, mean edge strength (Sobel), entropy of the histogram", .choices = regionMeasureNames()},
            {.name = "smallest", .title = "Smallest patch", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 256, .step = 1, .unit = "pixels",
             .help = "The model's patch doubled or halved; 0: the model's"},
            {.name = "largest", .title = "Largest patch", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 256, .step = 1, .unit = "pixels",
             .help = "The model's patch doubled or halved; 0: up to four times the model's, as far as the image is whole patches"},
            {.name = "position", .title = "Position", .type = ParameterType::Choice, .defaultValue = std::string("centre"),
             .help = "centre: interpolated at the patch's centre; average: the mean over what it covers", .choices = {"centre", "average"}},
            {.name = "enlarge", .title = "Enlarge by", .type = ParameterType::Choice, .defaultValue = std::string("bicubic"),
             .help = "How patches smaller than the model's are enlarged", .choices = {"bicubic", "bilinear"}},
            {.name = "proportional-attention", .title = "Proportional attention", .type = ParameterType::Boolean, .defaultValue = true,
             .help = "A patch counts in the attention as often as the model's patches it covers"},
        })};
    method.chain = mixedPatchesChain;
    return method;
}

} // namespace tamis::tokens
