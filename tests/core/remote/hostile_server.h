// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Something that introduces itself as a Redis server and then answers every command with the same bytes, again and again, or not at all.
#include "core/remote/server.h"

#include <atomic>
#include <cstring>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

namespace tamis::test {

class HostileServer {
public:
    /// `pause`: milliseconds before every answer.
    HostileServer(std::string path, std::string answer, bool endless, int pause = 0) : m_answer(std::move(answer)), m_endless(endless), m_pause(pause)
    {
        m_server.socket = std::move(path);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, m_server.socket.c_str(), m_server.socket.size());
        m_listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
        ::bind(m_listening, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::listen(m_listening, 8);
        m_thread = std::jthread([this](std::stop_token stop) { serve(stop); });
    }
    ~HostileServer()
    {
        m_thread.request_stop();
        m_thread.join();
        ::close(m_listening);
    }
    const remote::Server& server() const { return m_server; }

private:
    static bool readable(int descriptor)
    {
        pollfd one{descriptor, POLLIN, 0};
        return poll(&one, 1, 10) > 0;
    }
    void serve(std::stop_token stop)
    {
        while (!stop.stop_requested())
            if (readable(m_listening)) {
                const int descriptor = ::accept(m_listening, nullptr, nullptr);
                serveOne(descriptor, stop);
                ::close(descriptor);
            }
    }
    void serveOne(int descriptor, std::stop_token stop)
    {
        char bytes[4096];
        for (int reads = 0; !stop.stop_requested();) {
            if (!readable(descriptor))
                continue;
            const ssize_t got = ::recv(descriptor, bytes, sizeof bytes, 0);
            if (got <= 0)
                return;
            ::usleep(static_cast<useconds_t>(m_pause) * 1000);
            if (std::string_view(bytes, static_cast<std::size_t>(got)).starts_with("*2\r\n$4\r\nAUTH")) {
                ::send(descriptor, "+OK\r\n", 5, MSG_NOSIGNAL);
                continue;
            }
            const std::string introduction = "+PONG\r\n$12\r\nrun_id:abcde\r\n";
            const std::string& answer = reads++ == 0 ? introduction : m_answer;
            do {
                if (::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL) < 0)
                    return;
            } while (reads > 1 && m_endless && !stop.stop_requested());
        }
    }
    remote::Server m_server;
    std::string m_answer;
    bool m_endless;
    int m_pause;
    int m_listening = -1;
    std::jthread m_thread;
};

} // namespace tamis::test
