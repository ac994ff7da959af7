// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/encoder_inputs.h"

#include "app/cli/lowrank_inputs.h"
#include "app/cli/method_choice.h"
#include "app/cli/usage_error.h"
#include "app/samples/sample_request.h"
#include "core/base/error.h"
#include "core/encoder/activation_rows.h"
#include "core/io/calibration.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <system_error>

namespace tamis::cli {
namespace {
constexpr std::int64_t kModelRows = 8192; // that are taken of a model's samples to fit to

/// The block after which the autoencoder reads: --block, or the number that is the last component of --layer ("blocks.3", "model.layers.3", "3").
int blockOf(const RunOptions& options)
{
    if (options.block >= 0) {
        if (options.calibration.empty() && !options.layers.empty())
            throw UsageError("found --block and --layer, expected one of them to name the block");
        return static_cast<int>(options.block);
    }
    if (!options.calibration.empty())
        throw UsageError("--model beside --calibration needs --block N for encoder.*: there --layer names the site to fit to, not the block after which the autoencoder reads");
    const std::string name = options.layers.size() == 1 ? options.layers.front() : "";
    const std::string last = name.substr(name.rfind('.') + 1); // npos + 1 is 0
    if (last.empty() || last.size() > 6 || last.find_first_not_of("0123456789") != std::string::npos)
        throw UsageError("--model needs --block N for encoder.*, or one --layer whose last component is the block after which the autoencoder reads, e.g. blocks.3" +
                         (name.empty() ? std::string() : "; found '" + name + "'"));
    return std::stoi(last);
}

/// The file and site, or the file, are the same: what is fitted has seen what is measured.
bool measuresWhatItFits(const RunOptions& options, const encoder::ActivationRows& measured)
{
    std::error_code unknown;
    if (!options.calibrationActivations.empty())
        return options.activationsSite.empty() && std::filesystem::equivalent(options.calibrationActivations, options.activations, unknown);
    return !options.calibration.empty() && !measured.heldOut() && options.layers.front() == options.activationsSite &&
           std::filesystem::equivalent(options.calibration, options.activations, unknown);
}

/// Rows of the one site that --layer names.
tensor::Matrix<float> siteRows(const RunOptions& options, std::int64_t width, const RunContext& context)
{
    if (options.layers.size() != 1)
        throw UsageError("--calibration needs one --layer SITE for encoder.*: the site that the autoencoder reads (tamis-cli inspect lists them)");
    const auto set = io::CalibrationSet::open(options.calibration, context);
    const std::string& site = options.layers.front();
    const auto features = set->features(site);
    if (!features)
        throw UsageError("--layer: the calibration set has no site '" + site + "' (tamis-cli inspect lists them)");
    if (*features != width)
        throw Error(ErrorCode::InvalidParameter, "found a site of " + std::to_string(*features) + " features, expected the " + std::to_string(width) + " that the autoencoder reads",
                    options.calibration + ": " + site);
    tensor::Matrix<float> rows = set->read(site).samples;
    if (rows.empty())
        throw Error(ErrorCode::InvalidParameter, "found no sample rows, expected some to fit the encoder to (capture --rows keeps them)", options.calibration + ": " + site);
    return rows;
}
} // namespace

const encoder::Method& encoderMethodNamed(const std::string& id)
{
    return methodAmong(encoder::methods(), id);
}

EncoderInputs openEncoderInputs(const RunOptions& options, const CommonOptions& common, const RunContext& context)
{
    if (options.encoder.empty())
        throw UsageError("--encoder is required: the autoencoder whose encoder is to become cheaper");
    if (options.activations.empty())
        throw UsageError("--activations is required: an .npy of rows that encoders are measured on");
    const SampleOptions& samples = options.samples;
    const bool sampled = !samples.images.empty() || !samples.tokens.empty() || !samples.text.empty();
    if (!options.calibrationActivations.empty() + !options.calibration.empty() + sampled > 1)
        throw UsageError("found several rows to fit to, expected one of --calibration-activations, --calibration and samples (--images, --tokens, --text)");
    if (!options.trained.empty() && (!options.calibrationActivations.empty() || !options.calibration.empty() || sampled))
        throw UsageError("--trained restores an encoder and fits nothing, expected no --calibration-activations, --calibration, --images, --tokens or --text beside it");
    if ((sampled || !options.heldOut.empty()) && options.model.empty())
        throw UsageError("samples and --held-out need --model: the checkpoint whose activations the autoencoder reads");
    if (options.block >= 0 && options.model.empty())
        throw UsageError("--block needs --model: the checkpoint after whose block the autoencoder reads");
    const int block = options.model.empty() ? -1 : blockOf(options); // before anything is read
    EncoderInputs inputs;
    auto autoencoder = std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(options.encoder, assumedFrom(options.assumed), context));
    inputs.fit.dictionary = encoder::Dictionary::of(std::move(autoencoder), options.k);
    const encoder::Method* method = encoder::findMethod(options.method);
    const bool ownSeed = method && method->declaration.schema.find("seed"); // --seed is then a parameter, and is not added once more
    inputs.fit.seed = ownSeed ? 0 : static_cast<std::uint64_t>(common.seed.value_or(0));
    const std::int64_t width = inputs.fit.dictionary->width();
    inputs.measured = options.activationsSite.empty() ? encoder::openActivations(options.activations, width)
                                                      : encoder::openSiteActivations(options.activations, options.activationsSite, width);
    tensor::Matrix<float> rows;
    if (!options.calibrationActivations.empty()) {
        rows = encoder::readActivations(options.calibrationActivations, width, context);
        inputs.calibration = options.calibrationActivations;
    } else if (!options.calibration.empty()) {
        rows = siteRows(options, width, context);
        inputs.calibration = options.calibration + ": " + options.layers.front();
    }
    if (!options.model.empty()) {
        inputs.block = block;
        const auto checkpoint = io::Checkpoint::open(options.model, context);
        inputs.model = nn::Model::load(*checkpoint, context);
        encoder::requireSite(*inputs.model, inputs.block, width);
    }
    if (sampled) {
        const auto source = app::openSamples(requestFrom(samples), options.model, *inputs.model, context);
        rows = encoder::siteRows(*inputs.model, inputs.block, *source, kModelRows, context);
        inputs.calibration = source->description();
    }
    if (!rows.empty() && measuresWhatItFits(options, *inputs.measured))
        inputs.warnings.emplace_back("fitted to the very rows that are measured: the figures are not held out");
    if (!rows.empty())
        inputs.fit.calibration = inputs.fit.dictionary->prepared(rows.view());
    return inputs;
}

nlohmann::ordered_json inputsJson(const RunOptions& options, const EncoderInputs& inputs)
{
    const encoder::Dictionary& dictionary = *inputs.fit.dictionary;
    nlohmann::ordered_json json;
    json["encoder"] = {{"path", options.encoder},
                       {"width", dictionary.width()},
                       {"latents", dictionary.latents()},
                       {"k", dictionary.k()},
                       {"activation", std::string(io::saeActivationName(dictionary.autoencoder().config.activation))}};
    json["activations"] = {{"path", options.activations}, {"tokens", inputs.measured->rows()}};
    if (!options.activationsSite.empty())
        json["activations"].update({{"site", options.activationsSite}, {"heldOut", inputs.measured->heldOut()}});
    json["calibration"] = nullptr;
    if (!inputs.calibration.empty())
        json["calibration"] = {{"path", inputs.calibration}, {"tokens", inputs.fit.calibration.rows()}};
    json["model"] = inputs.model ? nlohmann::ordered_json({{"path", options.model}, {"block", inputs.block}}) : nlohmann::ordered_json(nullptr);
    json["heldOut"] = options.heldOut.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(options.heldOut);
    json["trained"] = options.trained.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(options.trained);
    return json;
}

void declareEncoder(OptionSet& set, RunOptions& options)
{
    set.text("--encoder", options.encoder, "PATH", "encoder.*: the autoencoder, a directory or its weight file");
    set.texts("--assume", options.assumed, "NAME=VALUE", "encoder.*: what the autoencoder's files leave open, as inspect takes it (repeatable)");
    set.text("--activations", options.activations, "FILE", "encoder.*: .npy of rows [tokens, width] to measure on, of any size; or a calibration set with --activations-site");
    set.text("--activations-site", options.activationsSite, "SITE", "encoder.*: measure on the held-out rows of this site of --activations, a calibration set; on its sample rows where there are none");
    set.text("--calibration-activations", options.calibrationActivations, "FILE",
             "encoder.*: .npy of rows to fit to; or --calibration with one --layer SITE, or --model with --block N and samples");
    set.integer("--block", options.block, 0, 999'999, "encoder.*: block of --model after which the autoencoder reads; or --layer blocks.N where that names no site of --calibration");
    set.integer("--k", options.k, 1, 1'000'000'000, "encoder.*: latents a token (the autoencoder's own)");
}

io::SaeReadOptions assumedFrom(const std::vector<std::string>& assignments)
{
    io::SaeReadOptions switches;
    for (const auto& assignment : assignments)
        try {
            io::setSaeReadOption(switches, assignment);
        } catch (const Error& error) {
            throw UsageError("--assume: " + error.message());
        }
    return switches;
}

} // namespace tamis::cli
