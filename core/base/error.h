// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The one exception type that core throws.
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace tamis {

enum class ErrorCode {
    MalformedFile,      ///< the bytes contradict the format
    UnsupportedFeature, ///< valid, but Tamis cannot read or compute it
    LimitExceeded,      ///< larger than a stated limit
    IoFailure,          ///< the operating system refused
    InvalidParameter,   ///< a setting or argument is out of its range
    NonFinite,          ///< NaN or infinity where numbers are needed
    Cancelled,          ///< the user stopped it
    OutOfMemory         ///< the memory estimate does not fit
};

/// "malformed file", "i/o failure" ...: for logs and the command line.
std::string_view errorCodeName(ErrorCode code) noexcept;

/// `message` is one complete sentence: what, where, found, expected. `subject` is the file or tensor or parameter that
/// it is about; `offset` a byte position in it where there is one. what() is "subject: message (at byte offset)".
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, std::string message, std::string subject = {}, std::optional<std::uint64_t> offset = {});
    ErrorCode code() const noexcept { return m_code; }
    const std::string& message() const noexcept { return m_message; }
    const std::string& subject() const noexcept { return m_subject; }
    std::optional<std::uint64_t> offset() const noexcept { return m_offset; }

private:
    ErrorCode m_code;
    std::string m_message;
    std::string m_subject;
    std::optional<std::uint64_t> m_offset;
};

} // namespace tamis
