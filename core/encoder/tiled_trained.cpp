// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/tiled_trained.h"

#include "core/base/error.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/low_rank_trained.h"
#include "core/encoder/score_training.h"
#include "core/encoder/tiled.h"
#include "core/encoder/tiles_on_tape.h"
#include "core/train/pointwise_ops.h"

#include <algorithm>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
constexpr const char* kId = "encoder.tiled-trained";
constexpr int kRounds = 20; // of dealing inputs and latents out anew, as encoder.tiled

const ParameterSchema& schema()
{
    using Type = ParameterType;
    static const ParameterSchema declared = scorerSchema({
        {.name = "tiles", .title = "Tiles", .type = Type::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 1024, .step = 1, .logarithmic = true,
         .help = "Parts that inputs and latents are cut into; a latent reads the inputs of its part"},
        {.name = "permutation", .title = "Permutation", .type = Type::Choice, .defaultValue = std::string("covariance"),
         .help = "covariance: as encoder.tiled deals them out; learned: by soft memberships that training hardens; none: in the order they have", .choices = {"covariance", "learned", "none"}},
        {.name = "assignment-steps", .title = "Steps of the permutation", .type = Type::Integer, .defaultValue = std::int64_t{300}, .minimum = 1, .maximum = 1e6, .step = 1, .logarithmic = true,
         .help = "learned: steps before the tiles are fixed and trained; each costs more than the dense product"},
        {.name = "rank", .title = "Rank of a tile", .type = Type::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 4096, .step = 1, .logarithmic = true,
         .help = "Directions of each tile's inputs; 0: whole blocks"}});
    return declared;
}

std::vector<TrainedTensor> withTiling(const Tiling& tiling, std::vector<TrainedTensor> tensors)
{
    tensors.push_back({"inputs", {static_cast<std::int64_t>(tiling.inputs.size())}, {}, tiling.inputs});
    tensors.push_back({"latents", {static_cast<std::int64_t>(tiling.latents.size())}, {}, tiling.latents});
    return tensors;
}

/// Throws Error{MalformedFile} for a tile that is outside or empty.
Tiling tilingFrom(const TrainedEncoder& trained)
{
    Tiling tiling{trained.parameters.integer("tiles"), trained.indices("inputs", {trained.width}).integers, trained.indices("latents", {trained.latents}).integers};
    for (const auto* items : {&tiling.inputs, &tiling.latents}) {
        std::vector<std::int64_t> members(static_cast<std::size_t>(tiling.tiles));
        for (const std::int32_t tile : *items) {
            if (tile < 0 || tile >= tiling.tiles)
                throw Error(ErrorCode::MalformedFile, "found tile " + std::to_string(tile) + ", expected 0 to " + std::to_string(tiling.tiles - 1), kId);
            ++members[static_cast<std::size_t>(tile)];
        }
        if (std::ranges::find(members, 0) != members.end())
            throw Error(ErrorCode::MalformedFile, "found a tile without " + std::string(items == &tiling.inputs ? "inputs" : "latents") + ", expected some in each of " + std::to_string(tiling.tiles), kId);
    }
    return tiling;
}

EncoderPtr encoderOf(const Inputs& inputs, const TrainedEncoder& trained)
{
    const Tiling tiling = tilingFrom(trained);
    const std::int64_t rank = trained.parameters.integer("rank");
    std::vector<TileFactors> tiles;
    for (std::int64_t t = 0; t < tiling.tiles; ++t) {
        TileFactors tile{tiling.inputsOf(t), tiling.latentsOf(t), {}, {}};
        const auto reads = static_cast<std::int64_t>(tile.inputs.size()), gives = static_cast<std::int64_t>(tile.latents.size());
        tile.outer = asMatrix(trained.floats("b." + std::to_string(t), {gives, rank > 0 ? rank : reads}));
        if (rank > 0)
            tile.inner = asMatrix(trained.floats("a." + std::to_string(t), {rank, reads}));
        tiles.push_back(std::move(tile));
    }
    return encoderFrom(inputs.dictionary, tiledScorer(trained.width, trained.floats("bias", {trained.latents}).values, tiles), trained.parameters.integer("candidates"));
}

/// The factors of encoder.tiled, of equal ranks in all tiles: those that find fewer directions lower it for all.
std::vector<TileFactors> startTiles(const Inputs& inputs, const Moments& moments, const Tiling& tiling, Parameters& parameters, std::vector<std::string>& warnings, const RunContext& context)
{
    const std::int64_t asked = parameters.integer("rank");
    std::int64_t rank = asked > 0 ? std::max<std::int64_t>(1, std::min({asked, inputs.dictionary->width() / tiling.tiles, inputs.dictionary->latents() / tiling.tiles})) : 0;
    auto tiles = tileFactors(inputs.dictionary->rows(), moments, tiling, rank, context);
    for (const TileFactors& tile : tiles)
        rank = rank > 0 ? std::min(rank, tile.inner.rows()) : 0;
    if (rank != asked) {
        warnings.push_back("The rank of a tile is " + std::to_string(rank) + ", not " + std::to_string(asked) + ": a tile has no more directions.");
        tiles = tileFactors(inputs.dictionary->rows(), moments, tiling, rank, context);
    }
    parameters.set("rank", rank);
    for (TileFactors& tile : tiles)
        if (rank > 0)
            balanceFactors(tile.outer, tile.inner);
    return tiles;
}

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    Parameters parameters = schema().complete(given);
    const Dictionary& dictionary = *inputs.dictionary;
    const bool learned = parameters.text("permutation") == "learned";
    Built built;
    clampCandidates(parameters, dictionary, built.warnings);
    context.setParts(learned ? 40 : 21);
    const Tiling tiling = trainedTiling(inputs, parameters, built.warnings, context.part(learned ? 20 : 1, "tiling"));
    const Moments moments = weightedMoments(inputs, weightingFrom(parameters), context);
    const auto tiles = startTiles(inputs, moments, tiling, parameters, built.warnings, context.part(1, "tiles to start from"));
    train::ParameterSet<float> set;
    addTiles(set, tiles, tileBias(dictionary.rows(), dictionary.bias(), tiles, moments.mean, context));
    const auto scores = [&](train::Tape<float>& tape, train::Variable<float> x, std::int64_t, bool) { return tileScores(tape, set, tiling, x); };
    trainScores(built, set, parameters, inputs, scores, context.part(19, "training"));
    built.trained = trainedBy(kId, std::move(parameters), dictionary, withTiling(tiling, tensorsOf(set)), context);
    built.encoder = encoderOf(inputs, *built.trained);
    return built;
}

EncoderPtr restore(const Inputs& inputs, const TrainedEncoder& trained, const RunContext& context)
{
    return encoderOf(inputs, completed(trained, kId, schema(), *inputs.dictionary, context));
}
} // namespace

Tiling trainedTiling(const Inputs& inputs, const Parameters& parameters, std::vector<std::string>& warnings, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const std::int64_t tiles = parameters.integer("tiles");
    const std::string& permutation = parameters.text("permutation");
    if (permutation == "none")
        return runsOf(dictionary.width(), dictionary.latents(), tiles);
    const Moments moments = weightedMoments(inputs, weightingFrom(parameters), context);
    std::vector<double> variance;
    for (std::int64_t j = 0; j < dictionary.width(); ++j)
        variance.push_back(moments.c(j, j));
    Tiling tiling = energyTiling(dictionary.rows(), variance, tiles, kRounds, context);
    if (permutation == "covariance" || tiles == 1)
        return tiling;
    EncoderTrainingSettings settings(parameters, inputs.seed);
    settings.steps = parameters.integer("assignment-steps");
    settings.patience = 0;
    SoftTiling soft(dictionary.rows(), dictionary.bias(), tiling, settings.steps);
    EncoderObjective objective =
        objectiveOf(parameters, inputs, [&soft](train::Tape<float>& tape, train::Variable<float> x, std::int64_t step, bool checking) { return soft.scores(tape, x, step, checking); });
    objective.loss = [&soft, of = std::move(objective.loss)](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
        return train::add(of(tape, rows, step, checking), soft.crowding(tape, step, checking));
    };
    EncoderTrainingResult result = trainEncoder(soft.parameters(), inputs, settings, objective, context);
    std::ranges::move(result.warnings, std::back_inserter(warnings));
    return soft.balanced();
}

Method tiledTrainedMethod()
{
    return trainedMethod({.id = kId,
                          .lab = "encoder",
                          .title = "Tiled, trained",
                          .reference = "Block-diagonal rows trained by AdamW (Loshchilov, Hutter 2019) on the exact codes of the calibration rows; tiles by soft memberships that are annealed and balanced",
                          .schema = schema()},
                         build, restore, [](const Parameters&) { return std::vector<std::string>{"candidates"}; });
}

} // namespace tamis::encoder
