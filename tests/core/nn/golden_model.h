// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The reference models of tests/golden/models: checkpoint, inputs and what PyTorch computed in double precision.
#include "core/io/npz.h"
#include "core/nn/model.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::nn::golden {

struct Array {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
    std::int64_t rows() const { return shape.empty() || shape.back() == 0 ? 0 : static_cast<std::int64_t>(values.size()) / shape.back(); }
    std::int64_t cols() const { return shape.empty() ? 1 : shape.back(); }
};

inline std::filesystem::path folder(const std::string& variant)
{
    return std::filesystem::path(TAMIS_SOURCE_DIR) / "tests/golden/models" / variant;
}

inline std::vector<std::string> variants()
{
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder("")))
        if (std::filesystem::exists(entry.path() / "golden.npz"))
            names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

class Golden {
public:
    explicit Golden(const std::filesystem::path& file) : m_archive(io::NpzArchive::open(file)) {}
    bool has(const std::string& name) const { return m_archive->find(name) != nullptr; }
    Array read(const std::string& name) const
    {
        const io::NpyArray array = m_archive->read(name);
        return {array.shape, array.toFloats()};
    }

private:
    std::shared_ptr<const io::NpzArchive> m_archive;
};

/// The inputs of a golden file as samples; padding at the end of a sequence is cut off.
class Inputs {
public:
    explicit Inputs(const Golden& golden)
    {
        if (golden.has("pixel_values")) {
            m_images = golden.read("pixel_values");
            const std::size_t size = m_images.values.size() / static_cast<std::size_t>(m_images.shape[0]);
            for (std::int64_t i = 0; i < m_images.shape[0]; ++i)
                samples.push_back({std::span(m_images.values).subspan(static_cast<std::size_t>(i) * size, size), {}, {}});
            return;
        }
        const Array ids = golden.read("input_ids");
        const Array mask = golden.has("attention_mask") ? golden.read("attention_mask") : Array{};
        const Array types = golden.has("token_type_ids") ? golden.read("token_type_ids") : Array{};
        const auto n = static_cast<std::size_t>(ids.shape[0]), length = static_cast<std::size_t>(ids.shape[1]);
        stride = ids.shape[1];
        m_tokens.resize(n);
        m_types.resize(n);
        for (std::size_t i = 0; i < n; ++i)
            for (std::size_t t = 0; t < length; ++t)
                if (mask.values.empty() || mask.values[i * length + t] != 0) {
                    m_tokens[i].push_back(static_cast<std::int32_t>(ids.values[i * length + t]));
                    if (!types.values.empty())
                        m_types[i].push_back(static_cast<std::int32_t>(types.values[i * length + t]));
                }
        for (std::size_t i = 0; i < n; ++i)
            samples.push_back({{}, m_tokens[i], m_types[i]});
    }
    std::int64_t height() const { return m_images.shape.empty() ? 0 : m_images.shape[2]; }
    std::int64_t width() const { return m_images.shape.empty() ? 0 : m_images.shape[3]; }

    std::vector<Sample> samples;
    std::int64_t stride = 0; ///< tokens of a sequence in the golden file, padding included

private:
    Array m_images;
    std::vector<std::vector<std::int32_t>> m_tokens, m_types;
};

} // namespace tamis::nn::golden
