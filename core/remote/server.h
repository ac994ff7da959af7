// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where a server is.
#include <string>
#include <string_view>

namespace tamis::remote {

struct Server {
    std::string host = "127.0.0.1";
    int port = 6379;
    std::string socket;          ///< path of a Unix socket; host and port do not count then
    std::string text() const;    ///< "127.0.0.1:6379", "[::1]:6379", "unix:/run/redis.sock"
    bool local() const noexcept; ///< a Unix socket, or an address that does not leave this machine
};

/// "HOST", "HOST:PORT", "[ADDRESS]:PORT", "unix:PATH" or an absolute path. Throws Error{InvalidParameter}.
Server parseServer(std::string_view text);

} // namespace tamis::remote
