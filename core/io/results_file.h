// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Stored runs of a sweep, HDF5, schema tamis.results/1: see docs/formats.md.
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tamis::io {

/// What one run leaves behind.
struct StoredRun {
    std::string method;                               ///< "spectrum.whitened"
    std::string parametersJson = "{}";                ///< settings, one JSON object
    double seconds = 0;
    std::string reportJson = "{}";                    ///< the run's report, one JSON object
    std::map<std::string, std::vector<double>> arrays; ///< names without '/', not empty
    bool operator==(const StoredRun&) const = default;
};

/// Runs are numbered from 0 and never change. A run is written under a provisional name, renamed and flushed: a program
/// that dies between two appends loses nothing, and a half-written run is dropped at the next open for appending.
/// Safe to share between threads (one lock around HDF5). One writer a file; readers open it when no writer has it.
class ResultsFile {
public:
    enum class Access { Read, Append };
    /// A new, empty store, put in place atomically (an older file of that name is replaced), open for appending.
    /// Throws Error{IoFailure}.
    static std::unique_ptr<ResultsFile> create(const std::filesystem::path& file);
    /// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure}.
    static std::unique_ptr<ResultsFile> open(const std::filesystem::path& file, Access access = Access::Read);
    ~ResultsFile();

    const std::filesystem::path& path() const noexcept;
    std::size_t runs() const;
    /// Number of the new run. Throws Error{InvalidParameter} (opened for reading, bad array names), Error{IoFailure}.
    std::size_t append(const StoredRun& run);
    /// Throws Error{InvalidParameter} (no such run), Error{MalformedFile, LimitExceeded, UnsupportedFeature}.
    StoredRun read(std::size_t number) const;

private:
    struct Content;
    explicit ResultsFile(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

} // namespace tamis::io
