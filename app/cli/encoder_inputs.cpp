// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/encoder_inputs.h"

#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/encoder/activation_rows.h"
#include "core/io/calibration.h"

#include <nlohmann/json.hpp>

namespace tamis::cli {
namespace {
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
    if (const auto* method = encoder::findMethod(id))
        return *method;
    std::string known;
    for (const auto& method : encoder::methods())
        known += (known.empty() ? "" : ", ") + method.declaration.id;
    throw UsageError("method: found '" + id + "', expected one of " + known);
}

EncoderInputs openEncoderInputs(const RunOptions& options, const CommonOptions& common, const RunContext& context)
{
    if (options.encoder.empty())
        throw UsageError("--encoder is required: the autoencoder whose encoder is to become cheaper");
    if (options.activations.empty())
        throw UsageError("--activations is required: an .npy of rows that encoders are measured on");
    if (!options.calibrationActivations.empty() && !options.calibration.empty())
        throw UsageError("found both --calibration-activations and --calibration, expected one of them");
    EncoderInputs inputs;
    auto autoencoder = std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(options.encoder, context));
    inputs.fit.dictionary = encoder::Dictionary::of(std::move(autoencoder), options.k);
    inputs.fit.seed = static_cast<std::uint64_t>(common.seed.value_or(0));
    const std::int64_t width = inputs.fit.dictionary->width();
    inputs.measured = encoder::readActivations(options.activations, width, context);
    tensor::Matrix<float> rows;
    if (!options.calibrationActivations.empty()) {
        rows = encoder::readActivations(options.calibrationActivations, width, context);
        inputs.calibration = options.calibrationActivations;
    } else if (!options.calibration.empty()) {
        rows = siteRows(options, width, context);
        inputs.calibration = options.calibration + ": " + options.layers.front();
    }
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
    json["activations"] = {{"path", options.activations}, {"tokens", inputs.measured.rows()}};
    json["calibration"] = nullptr;
    if (!inputs.calibration.empty())
        json["calibration"] = {{"path", inputs.calibration}, {"tokens", inputs.fit.calibration.rows()}};
    return json;
}

void declareEncoder(OptionSet& set, RunOptions& options)
{
    set.text("--encoder", options.encoder, "PATH", "encoder.*: the autoencoder, a directory or its weight file");
    set.text("--activations", options.activations, "FILE", "encoder.*: .npy of rows [tokens, width] to measure on");
    set.text("--calibration-activations", options.calibrationActivations, "FILE",
             "encoder.*: .npy of rows to fit to; or --calibration with one --layer SITE, whose sample rows are taken");
    set.integer("--k", options.k, 1, 1'000'000'000, "encoder.*: latents a token (the autoencoder's own)");
    set.flag("--latency,!--no-latency", options.latency, "encoder.*: measure latency at batch 1, 8 and 64 beside the exact encoder (on)");
}

} // namespace tamis::cli
