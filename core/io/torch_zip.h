// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// PyTorch files (.pt, .pth) as torch.save writes them since version 1.6: a zip of stored members, <prefix>/data.pkl
// with a pickle of what was saved and <prefix>/data/<key> with the elements of each storage. Reference:
// torch/serialization.py. Nothing in them is executed (core/io/restricted_pickle.h).
#include "core/base/run_context.h"
#include "core/io/restricted_pickle.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::io
{

/// Opening reads the zip's directory and the pickle and checks every tensor's shape, strides and offset against its
/// storage's bytes; elements are read on demand. Immutable, safe to share between threads.
class TorchFile
{
public:
    /// Throws Error{MalformedFile, UnsupportedFeature (an older or scripted file, big-endian numbers, a compressed
    /// member, a Python object that is no tensor), LimitExceeded, IoFailure}.
    static std::shared_ptr<const TorchFile> open(const std::filesystem::path& file, const PickleLimits& limits = {});
    /// `bytes` must outlive the file.
    static std::shared_ptr<const TorchFile> parse(std::span<const std::byte> bytes, const std::string& subject,
                                                  const PickleLimits& limits = {});
    ~TorchFile();

    const Pickle& pickle() const noexcept;
    /// The elements in row-major order, whatever the strides; destination.size() must be the product of the shape. The
    /// storage's CRC is checked. Throws Error{MalformedFile, IoFailure, OutOfMemory, Cancelled} with `subject`.
    void read(const PickleTensor& tensor, std::span<float> destination, const std::string& subject,
              const RunContext& context = {}) const;

private:
    struct Content;
    explicit TorchFile(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

/// True for a file that begins as a zip does (a cheap probe, never throws).
bool looksLikeTorchZip(const std::filesystem::path& file);

} // namespace tamis::io
