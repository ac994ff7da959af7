// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Codes of many tokens on disk, as safetensors: docs/formats-codes.md.
#include "core/encoder/dictionary.h"
#include "core/io/safetensors.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tamis::encoder {

/// "indices" I32 [rows, k] and "values" F32 [rows, k]: of each token the latents that fire, largest score first, and what the decoder's rows are
/// multiplied by; then -1 and 0. Written as the codes come; the file is there at commit(), whole, and without it nothing remains. Not
/// thread-safe.
class CodesFile {
public:
    /// Throws what io::SafetensorsWriter throws.
    CodesFile(const std::filesystem::path& target, std::shared_ptr<const Dictionary> dictionary, std::int64_t rows, const std::map<std::string, std::string>& metadata);
    /// Of the next rows. Throws Error{InvalidParameter} for more than k latents a token or more rows than there are to be, Error{IoFailure}.
    void append(const SparseCodes& codes);
    /// Throws Error{InvalidParameter} when rows are missing, Error{IoFailure}.
    void commit() { m_writer.commit(); }
    std::uint64_t bytes() const noexcept { return m_writer.fileSize(); } ///< of the whole file

private:
    std::shared_ptr<const Dictionary> m_dictionary;
    std::string m_subject;
    io::SafetensorsWriter m_writer;
    std::vector<std::int32_t> m_indices;
    std::vector<float> m_values;
};

} // namespace tamis::encoder
