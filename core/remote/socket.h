// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A stream to a server whose every wait has an end and hears a stop. Private to the folder.
#include "core/remote/server.h"

#include <chrono>
#include <cstddef>
#include <stop_token>
#include <string>

namespace tamis::remote {

using Clock = std::chrono::steady_clock;

/// When a wait ends, and who may end it before.
struct Patience {
    Clock::time_point end;
    std::stop_token stop;
    static Patience of(double seconds, std::stop_token stop);
    /// Milliseconds to wait now, 20 at most. Throws Error{Cancelled}; Error{IoFailure} once the end has come, saying that `what` did not.
    int slice(const std::string& subject, const char* what) const;
};

/// Owns a descriptor. Not thread-safe.
class Socket {
public:
    Socket() = default;
    ~Socket();
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    /// Names other than numbers and "localhost" are looked up on a thread of their own, which is left behind where it takes longer. Throws
    /// Error{IoFailure (nothing there, no answer in time, a name that is not known), Cancelled}.
    void open(const Server& server, const Patience& patience);
    void close() noexcept;
    bool isOpen() const noexcept { return m_descriptor >= 0; }
    /// Until something can be read or, with `writing`, written; what `wanted` says is missing when it ends.
    void wait(bool writing, const Patience& patience, const char* wanted);
    /// The same for one slice at most: returns though nothing can be.
    void waitBriefly(bool writing, const Patience& patience, const char* wanted);
    std::size_t unsent() const noexcept; ///< bytes that were written and that the other side has not taken, as far as the system knows
    std::size_t write(const char* bytes, std::size_t count); ///< 0: not now. Throws Error{IoFailure}
    std::size_t read(char* bytes, std::size_t count);        ///< 0: nothing there now. Throws Error{IoFailure (also: closed by the server)}

private:
    bool tryOpen(int family, const void* address, unsigned addressBytes, const Patience& patience, int& systemError);
    void openHost(const Server& server, const Patience& patience);
    [[noreturn]] void fail(const std::string& what);
    std::string m_subject;
    int m_descriptor = -1;
};

} // namespace tamis::remote
