// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What classes there are and which picture belongs to which. Both are UTF-8 texts, with or without a carriage return at the
// end of a line and with or without a byte-order mark; empty lines at the end are left out.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tamis::inputs {

inline constexpr std::size_t kMaximumLabelFileBytes = 256u << 20;
inline constexpr std::size_t kMaximumLabels = 10'000'000;
inline constexpr std::size_t kMaximumClasses = 1'000'000;
inline constexpr std::size_t kMaximumClassNameBytes = 4096;

/// Class index by file name, in the order of the file.
struct ImageLabels {
    struct Entry {
        std::string file; ///< as written, a path relative to the folder of pictures
        std::int32_t classIndex = 0;
    };
    std::vector<Entry> entries;
    std::unordered_map<std::string, std::int32_t> byFile;

    /// Of a picture at `relative` to its folder; the bare name is tried where the whole path is not listed.
    std::optional<std::int32_t> find(const std::filesystem::path& relative) const;
};

/// Lines `file<TAB>class index`. A line whose second field is not a number is refused, but for the first, which may be a
/// heading; further fields are left aside. With `classes` > 0 an index must be below it. Throws Error{MalformedFile} naming
/// the line (no tab, no file, no whole number, index beyond the classes, a file listed with two indices, invalid UTF-8) and
/// Error{LimitExceeded}.
ImageLabels parseImageLabels(std::string_view text, std::int64_t classes, const std::string& subject);
/// Throws as above, and Error{IoFailure}.
ImageLabels readImageLabels(const std::filesystem::path& file, std::int64_t classes);

/// labels.txt: the names of the classes, one a line; the index of a class is its line, from 0.
/// Throws Error{MalformedFile} naming the line (empty, control characters, invalid UTF-8) and Error{LimitExceeded}.
std::vector<std::string> parseClassNames(std::string_view text, const std::string& subject);
/// Throws as above, and Error{IoFailure}.
std::vector<std::string> readClassNames(const std::filesystem::path& file);

} // namespace tamis::inputs
