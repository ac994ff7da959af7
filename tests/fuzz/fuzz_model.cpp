// SPDX-License-Identifier: GPL-3.0-or-later
// Architectures: config.json, a line "---", then the tensors as lines "name d0 d1 ...". What loads must run.
#include "core/base/error.h"
#include "core/nn/model.h"
#include "tests/core/nn/listed_source.h"

using namespace tamis;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const std::string text(reinterpret_cast<const char*>(input), size);
    const std::size_t cut = text.find("\n---\n");
    if (cut == std::string::npos)
        return 0;
    try {
        const io::ModelConfig config = io::parseModelConfig(text.substr(0, cut), "fuzz");
        const nn::ListedSource source = nn::ListedSource::parse(text.substr(cut + 5));
        const auto model = nn::Model::load(config, source);
        const nn::ModelSpec& spec = model->spec();
        const std::int64_t pixels = spec.patch.channels * spec.patch.imageHeight * spec.patch.imageWidth;
        if (spec.tokens(3) > 64 || pixels > 65536)
            return 0;
        const std::vector<float> image(spec.vision() ? static_cast<std::size_t>(pixels) : 0, 0.5f);
        const std::vector<std::int32_t> tokens(spec.vision() ? 0 : 3, 0);
        nn::Scratch scratch(false);
        const nn::Sample sample{image, tokens, {}};
        tensor::Matrix<float> output(model->outputRows(sample), model->outputWidth());
        model->run(sample, output.view(), scratch);
    } catch (const Error&) {
    }
    return 0;
}
