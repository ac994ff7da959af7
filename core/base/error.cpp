// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"

namespace tamis {
namespace {
std::string sentence(const std::string& message, const std::string& subject, std::optional<std::uint64_t> offset)
{
    std::string text = subject.empty() ? message : subject + ": " + message;
    if (offset)
        text += " (at byte " + std::to_string(*offset) + ")";
    return text;
}
} // namespace

std::string_view errorCodeName(ErrorCode code) noexcept
{
    switch (code) {
    case ErrorCode::MalformedFile: return "malformed file";
    case ErrorCode::UnsupportedFeature: return "unsupported feature";
    case ErrorCode::LimitExceeded: return "limit exceeded";
    case ErrorCode::IoFailure: return "i/o failure";
    case ErrorCode::InvalidParameter: return "invalid parameter";
    case ErrorCode::NonFinite: return "non-finite values";
    case ErrorCode::Cancelled: return "cancelled";
    case ErrorCode::OutOfMemory: return "out of memory";
    }
    return "error";
}

Error::Error(ErrorCode code, std::string message, std::string subject, std::optional<std::uint64_t> offset)
    : std::runtime_error(sentence(message, subject, offset)), m_code(code), m_message(std::move(message)),
      m_subject(std::move(subject)), m_offset(offset)
{
}

} // namespace tamis
