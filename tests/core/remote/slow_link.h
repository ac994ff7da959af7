// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A way to a server's Unix socket on which so many bytes a second pass towards it, one connection at a time; answers pass at once.
#include "core/remote/server.h"

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
    SlowLink(std::string path, const remote::Server& to, int bytesASecond) : m_to(to.socket), m_slice(bytesASecond / 100)
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

private:
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
    /// False: one side is closed.
    static bool pass(int from, int to, char* bytes, std::size_t most)
    {
        const ssize_t got = ::recv(from, bytes, most, 0);
        for (ssize_t sent = 0; sent < got;) {
            const ssize_t now = ::send(to, bytes + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
            if (now <= 0)
                return false;
            sent += now;
        }
        return got > 0;
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
    /// A slice every 10 ms.
    void relay(int client, int server, const std::stop_token& stop) const
    {
        std::string bytes(65536, ' ');
        while (!stop.stop_requested()) {
            if (readable(client, 0) && !pass(client, server, bytes.data(), static_cast<std::size_t>(m_slice)))
                return;
            if (readable(server, 10) && !pass(server, client, bytes.data(), bytes.size()))
                return;
        }
    }
    std::string m_to;
    int m_slice;
    remote::Server m_server;
    int m_listening = -1;
    std::jthread m_thread;
};

} // namespace tamis::test
