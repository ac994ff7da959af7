// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Samples in memory, and models to run them.
#include "core/base/error.h"
#include "core/measure/sample_source.h"
#include "tests/core/linalg/matrices.h"
#include "tests/core/nn/golden_model.h"

#include <QString>

#include <functional>

namespace tamis::test {

class SampleList : public measure::SampleSource {
public:
    std::vector<measure::LoadedSample> samples;
    std::function<void(std::size_t)> beforeLoad; ///< called with the index

    std::size_t count() const noexcept override { return samples.size(); }
    std::string name(std::size_t index) const override { return "sample " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        if (beforeLoad)
            beforeLoad(index);
        sample = samples.at(index);
    }
    std::string description() const override { return "samples of a test"; }
    std::string sha256(const RunContext&) const override { return "hash of " + std::to_string(samples.size()) + " samples"; }
};

inline SampleList listOf(const nn::golden::Inputs& inputs)
{
    SampleList list;
    for (const nn::Sample& sample : inputs.samples) {
        measure::LoadedSample loaded;
        loaded.image.assign(sample.image.begin(), sample.image.end());
        loaded.tokens.assign(sample.tokens.begin(), sample.tokens.end());
        loaded.tokenTypes.assign(sample.tokenTypes.begin(), sample.tokenTypes.end());
        list.samples.push_back(std::move(loaded));
    }
    return list;
}

/// Images of Gaussian noise, 3 x size x size.
inline SampleList noise(std::size_t count, std::int64_t size, std::uint64_t seed)
{
    SampleList list;
    for (std::size_t i = 0; i < count; ++i) {
        const auto values = gaussianFloat(3 * size, size, seed + i);
        measure::LoadedSample loaded;
        loaded.image.assign(values.values().begin(), values.values().end());
        list.samples.push_back(std::move(loaded));
    }
    return list;
}

inline std::shared_ptr<const nn::Model> modelAt(const std::filesystem::path& path)
{
    return nn::Model::load(*io::Checkpoint::open(path));
}

inline std::shared_ptr<const nn::Model> vit20() { return modelAt(TAMIS_SOURCE_DIR "/datasets/vit20"); }

/// "error code name: what()" of the Error that `call` throws, or "accepted".
inline QString refusal(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return QString::fromUtf8(errorCodeName(error.code()).data()) + ": " + error.what();
    }
    return "accepted";
}

} // namespace tamis::test
