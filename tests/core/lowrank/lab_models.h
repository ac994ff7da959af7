// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The bundled models with statistics and samples, ready for the lab.
#include "core/inputs/token_file.h"
#include "core/lowrank/method.h"
#include "core/measure/capture.h"
#include "core/measure/token_source.h"
#include "tests/core/measure/sample_list.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace tamis::test {

inline lowrank::Inputs vit20Inputs()
{
    const std::filesystem::path folder = TAMIS_SOURCE_DIR "/datasets/vit20";
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(folder);
    inputs.model = nn::Model::load(*inputs.checkpoint);
    inputs.calibration = io::CalibrationSet::open(folder / "calibration.h5");
    return inputs;
}

inline std::shared_ptr<const io::CalibrationSet> captured(const lowrank::Inputs& inputs, const std::filesystem::path& file)
{
    measure::CaptureOptions options;
    options.out = file;
    options.modelSha256 = inputs.checkpoint->sha256();
    options.stateSeconds = -1;
    measure::captureCalibration(*inputs.model, *inputs.samples, options, {});
    return io::CalibrationSet::open(file);
}

/// Calibration captured into `folder` from the first windows of 128 tokens of the bundled held-out text; its samples too.
inline lowrank::Inputs tinylmInputs(const std::filesystem::path& folder, std::size_t windows = 24)
{
    const std::filesystem::path path = TAMIS_SOURCE_DIR "/datasets/tinylm";
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(path);
    inputs.model = nn::Model::load(*inputs.checkpoint);
    inputs::TokenSequences sequences = inputs::readTokenFile(path / "heldout.npy", inputs.model->spec().text.vocabulary);
    std::vector<std::int32_t> first;
    for (const auto& sequence : sequences)
        first.insert(first.end(), sequence.begin(), sequence.end());
    first.resize(windows * 128);
    inputs.samples = std::make_shared<measure::TokenSource>(inputs::TokenSequences{first}, measure::TokenWindows{.context = 128, .stride = 0}, "held-out text");
    inputs.calibration = captured(inputs, folder / "tinylm.h5");
    return inputs;
}

/// A reference model of tests/golden/models with its golden samples.
inline lowrank::Inputs goldenInputs(const std::string& variant, const std::filesystem::path& folder)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(nn::golden::folder(variant));
    const nn::golden::Inputs golden(nn::golden::Golden(nn::golden::folder(variant) / "golden.npz"));
    inputs.model = nn::Model::load(*inputs.checkpoint, {}, golden.height(), golden.width());
    inputs.samples = std::make_shared<SampleList>(listOf(golden));
    inputs.calibration = captured(inputs, folder / (variant + ".h5"));
    return inputs;
}

/// Largest difference of two models' outputs over the largest output of the first.
inline double relativeDifference(const nn::Model& a, const nn::Model& b, const measure::LoadedSample& sample)
{
    const nn::Sample view = sample.view();
    const auto x = nn::runBatch(a, {&view, 1}), y = nn::runBatch(b, {&view, 1});
    double largest = 0, size = 0;
    for (std::size_t i = 0; i < x[0].size(); ++i) {
        largest = std::max(largest, std::abs(double(x[0].values()[i]) - double(y[0].values()[i])));
        size = std::max(size, std::abs(double(x[0].values()[i])));
    }
    return largest / size;
}

} // namespace tamis::test
