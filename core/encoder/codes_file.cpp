// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/codes_file.h"

#include "core/base/error.h"

#include <algorithm>
#include <span>

namespace tamis::encoder {
namespace {
constexpr const char *kIndices = "indices", *kValues = "values";

std::map<std::string, std::string> described(std::map<std::string, std::string> metadata, const Dictionary& dictionary)
{
    metadata["format"] = "tamis.codes/1";
    metadata["width"] = std::to_string(dictionary.width());
    metadata["latents"] = std::to_string(dictionary.latents());
    metadata["k"] = std::to_string(dictionary.k());
    return metadata;
}
} // namespace

CodesFile::CodesFile(const std::filesystem::path& target, std::shared_ptr<const Dictionary> dictionary, std::int64_t rows, const std::map<std::string, std::string>& metadata)
    : m_dictionary(std::move(dictionary)), m_subject(target.string()),
      m_writer(target, {{kIndices, tensor::DType::I32, {rows, m_dictionary->k()}}, {kValues, tensor::DType::F32, {rows, m_dictionary->k()}}}, described(metadata, *m_dictionary))
{
}

void CodesFile::append(const SparseCodes& codes)
{
    const auto k = static_cast<std::size_t>(m_dictionary->k()), tokens = static_cast<std::size_t>(codes.tokens());
    const std::vector<float> activations = m_dictionary->activations(codes);
    m_indices.assign(tokens * k, -1);
    m_values.assign(tokens * k, 0.0F);
    for (std::size_t t = 0; t < tokens; ++t) {
        const std::size_t begin = codes.first[t], count = codes.first[t + 1] - begin;
        if (count > k)
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(count) + " latents of one token, expected at most k = " + std::to_string(k), m_subject);
        std::copy_n(codes.latents.begin() + static_cast<std::ptrdiff_t>(begin), count, m_indices.begin() + static_cast<std::ptrdiff_t>(t * k));
        std::copy_n(activations.begin() + static_cast<std::ptrdiff_t>(begin), count, m_values.begin() + static_cast<std::ptrdiff_t>(t * k));
    }
    m_writer.appendBeside(kIndices, std::as_bytes(std::span(m_indices)));
    m_writer.appendBeside(kValues, std::as_bytes(std::span(m_values)));
}

} // namespace tamis::encoder
