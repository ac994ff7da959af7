// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A way to a server's Unix socket on which so many bytes a second pass towards it, one connection at a time; answers pass at once. It may break.
#include "core/remote/server.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace tamis::test {

class SlowLink {
public:
    /// A slice every 10 ms: 6 MB a second at most. `breaksAfter`: bytes of a connection towards the server, after which it ends, answers that are on their way delivered; 0: never.
    SlowLink(std::string path, const remote::Server& to, int bytesASecond, std::uint64_t breaksAfter = 0) : m_to(to.socket), m_slice(std::min(bytesASecond / 100, kMostSlice)), m_breaksAfter(breaksAfter)
    {
        m_server.socket = std::move(path);
        const sockaddr_un address = addressOf(m_server.socket);
        m_listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
        ::bind(m_listening, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        ::listen(m_listening, 8);
        m_thread = std::jthread([this](std::stop_token stop) { serve(stop); });
    }
    ~SlowLink()
    {
        m_thread.request_stop();
        m_thread.join();
        ::close(m_listening);
    }
    const remote::Server& server() const { return m_server; }
    std::uint64_t passed() const { return m_passed; } ///< bytes towards the server, of all connections

private:
    static constexpr int kMostSlice = 65536;
    static sockaddr_un addressOf(const std::string& path)
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        return address;
    }
    static bool readable(int descriptor, int milliseconds)
    {
        pollfd one{descriptor, POLLIN, 0};
        return poll(&one, 1, milliseconds) > 0;
    }
    /// Bytes; 0: one side is closed.
    static std::uint64_t pass(int from, int to, char* bytes, std::size_t most)
    {
        const ssize_t got = ::recv(from, bytes, most, 0);
        for (ssize_t sent = 0; sent < got;) {
            const ssize_t now = ::send(to, bytes + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
            if (now <= 0)
                return 0;
            sent += now;
        }
        return static_cast<std::uint64_t>(std::max<ssize_t>(got, 0));
    }
    void serve(const std::stop_token& stop) const
    {
        while (!stop.stop_requested())
            if (readable(m_listening, 10)) {
                const int client = ::accept(m_listening, nullptr, nullptr), server = ::socket(AF_UNIX, SOCK_STREAM, 0);
                const sockaddr_un address = addressOf(m_to);
                if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
                    relay(client, server, stop);
                ::close(server);
                ::close(client);
            }
    }
    void relay(int client, int server, const std::stop_token& stop) const
    {
        std::string bytes(kMostSlice, ' ');
        for (std::uint64_t own = 0; !stop.stop_requested();) {
            if (readable(client, 0)) {
                const std::uint64_t got = pass(client, server, bytes.data(), static_cast<std::size_t>(m_slice));
                if (got == 0)
                    return;
                own += got;
                m_passed += got;
                if (m_breaksAfter > 0 && own >= m_breaksAfter) {
                    while (readable(server, 200) && pass(server, client, bytes.data(), bytes.size())) {}
                    return;
                }
            }
            if (readable(server, 10) && !pass(server, client, bytes.data(), bytes.size()))
                return;
        }
    }
    std::string m_to;
    int m_slice;
    std::uint64_t m_breaksAfter;
    mutable std::atomic<std::uint64_t> m_passed = 0;
    remote::Server m_server;
    int m_listening = -1;
    std::jthread m_thread;
};

} // namespace tamis::test
