// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/server.h"

#include "core/base/error.h"

#include <charconv>

namespace tamis::remote {
namespace {
constexpr std::size_t kMostSocketPath = 107; ///< bytes that the system takes
constexpr std::size_t kMostHost = 253;

[[noreturn]] void refuse(std::string_view text)
{
    throw Error(ErrorCode::InvalidParameter, "found '" + std::string(text.substr(0, 200)) + "', expected HOST:PORT, [ADDRESS]:PORT or unix:PATH, a port from 1 to 65535", "server");
}

int portFrom(std::string_view digits, std::string_view whole)
{
    int port = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (failure != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535)
        refuse(whole);
    return port;
}
} // namespace

std::string Server::text() const
{
    if (!socket.empty())
        return "unix:" + socket;
    return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

bool Server::local() const noexcept { return !socket.empty() || host == "localhost" || host == "::1" || host.starts_with("127."); }

Server parseServer(std::string_view text)
{
    Server server;
    if (text.starts_with("unix:") || text.starts_with("/")) {
        server.socket = text.starts_with("/") ? text : text.substr(5);
        if (server.socket.empty() || server.socket.size() > kMostSocketPath || server.socket.find('\0') != std::string::npos)
            refuse(text);
        return server;
    }
    std::string_view host = text, port;
    if (text.starts_with("[")) {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos || (close + 1 < text.size() && text[close + 1] != ':'))
            refuse(text);
        host = text.substr(1, close - 1);
        port = close + 1 < text.size() ? text.substr(close + 2) : std::string_view();
        if (close + 1 < text.size())
            server.port = portFrom(port, text);
    } else if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        server.port = portFrom(text.substr(colon + 1), text);
    }
    constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
    if (host.empty() || host.size() > kMostHost || host.find_first_not_of(kAllowed) != std::string_view::npos)
        refuse(text);
    server.host = host;
    return server;
}

} // namespace tamis::remote
