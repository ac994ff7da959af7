// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Models and images that the token tests run: tests/golden/make_token_reduction_golden.py says what the archive holds.
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/tokens/method.h"
#include "core/tokens/reduced_forward.h"

#include <QTest>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::test {

inline std::shared_ptr<const io::Checkpoint> tokenCheckpoint(const std::string& name)
{
    const std::string source = TAMIS_SOURCE_DIR;
    return io::Checkpoint::open(name == "vit20" ? source + "/datasets/vit20" : name == "deit" ? source + "/tests/golden/token_reduction/deit" : source + "/tests/golden/models/" + name);
}

inline std::shared_ptr<const nn::Model> tokenModel(const std::string& name)
{
    return nn::Model::load(*tokenCheckpoint(name));
}

struct GoldenArray {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
};

inline GoldenArray tokenGolden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/token_reduction/golden.npz");
    const io::NpyArray array = archive->read(name);
    return {array.shape, array.toFloats()};
}

/// The images that came with the goldens of a model.
class TokenImages {
public:
    explicit TokenImages(const std::string& model, GoldenArray (*golden)(const std::string&) = tokenGolden) : m_array(golden(model + ".input"))
    {
        const std::size_t size = m_array.values.size() / static_cast<std::size_t>(m_array.shape[0]);
        for (std::size_t i = 0; i < static_cast<std::size_t>(m_array.shape[0]); ++i)
            samples.push_back({std::span<const float>(m_array.values).subspan(i * size, size), {}, {}});
    }
    TokenImages(const TokenImages&) = delete;
    TokenImages& operator=(const TokenImages&) = delete;
    std::vector<nn::Sample> samples;
    std::int64_t height() const { return m_array.shape[2]; }
    std::int64_t width() const { return m_array.shape[3]; }

private:
    GoldenArray m_array;
};

/// A method's chain with these settings, as typed: {"r", "17"}.
inline tokens::Chain chainOf(const std::string& id, std::shared_ptr<const nn::Model> model, const std::vector<std::pair<std::string, std::string>>& settings, std::uint64_t seed = 0,
                             std::shared_ptr<const io::Checkpoint> checkpoint = nullptr)
{
    const tokens::Method* method = tokens::findMethod(id);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "no method " + id);
    Parameters parameters;
    for (const auto& [name, text] : settings)
        parameters.set(name, method->declaration.schema.parse(name, text));
    if (method->declaration.schema.find("seed") && !parameters.contains("seed"))
        parameters.set("seed", static_cast<std::int64_t>(seed));
    return method->chain({std::move(model), nullptr, std::move(checkpoint)}, method->declaration.schema.complete(parameters), {});
}

inline std::vector<float> runOne(const nn::Model& model, const tokens::Chain& chain, const nn::Sample& sample, tokens::Trace* trace = nullptr, std::span<const tokens::Wish> wishes = {})
{
    std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
    nn::Scratch scratch;
    tokens::runReduced(model, chain, sample, wishes, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch, trace);
    return output;
}

inline std::vector<std::int64_t> tokensAfter(const tokens::Trace& trace)
{
    std::vector<std::int64_t> counts;
    for (const auto& layer : trace.layers)
        counts.push_back(layer.tokens.mlp);
    return counts;
}

} // namespace tamis::test
