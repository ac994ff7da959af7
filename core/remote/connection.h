// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Commands to a Redis server and its replies. The protocol is hiredis's; the waits are our own: bounded, and ended by a stop within 20 ms.
#include "core/remote/server.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::remote {

struct ConnectionSettings {
    Server server;
    std::string password;        ///< empty: none. Sent as it is: no TLS
    double connectSeconds = 0.5; ///< of connecting and introducing ourselves, together
    double commandSeconds = 1;   ///< of a run() in which nothing moves: neither do bytes leave nor arrive
    std::uint64_t mostReplyBytes = (std::uint64_t{64} << 20U) + 4096; ///< a longer reply ends the connection
};

struct Reply {
    enum class Kind { Nothing, Text, Number, List, Failure };
    Kind kind = Kind::Nothing;
    std::string text; ///< of Text, and the server's sentence of Failure
    std::int64_t number = 0;
    std::vector<Reply> list;
};

/// Words of a command; their memory is the caller's.
using Command = std::vector<std::string_view>;

struct Patience;

/// Not thread-safe.
class Connection {
public:
    explicit Connection(ConnectionSettings settings);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// Connects, says the password, and asks who the server is. Throws Error{IoFailure (not there, not in time, it is still loading),
    /// InvalidParameter (the password is refused, or one is needed), MalformedFile (no Redis), Cancelled}.
    void open(std::stop_token stop);
    void close() noexcept;
    bool isOpen() const noexcept;
    const std::string& runId() const noexcept; ///< another after every start of the server; empty: it does not say

    /// Of every reply as soon as it is whole, with its number.
    using ReplyListener = std::function<void(std::size_t, const Reply&)>;
    /// Sends all, then has one reply each, in order. After an error the connection is closed. Throws Error{IoFailure, MalformedFile (bytes that
    /// are no replies), LimitExceeded (a reply too long), Cancelled}. A refusal of a command is a Reply, not an error.
    std::vector<Reply> run(std::span<const Command> commands, std::stop_token stop, const ReplyListener& heard = {});

private:
    struct Parts;
    std::vector<Reply> exchange(std::span<const Command> commands, Patience patience, double idleSeconds, const ReplyListener& heard);
    void take(std::size_t got, std::size_t wanted, std::vector<Reply>& replies, const ReplyListener& heard);
    void introduce(const Patience& patience);
    ConnectionSettings m_settings;
    std::unique_ptr<Parts> m_parts;
    std::string m_runId;
};

} // namespace tamis::remote
