// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/socket.h"

#include "core/base/error.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <linux/sockios.h>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace tamis::remote {
namespace {
constexpr int kSliceMilliseconds = 20;

std::string reason(int systemError) { return std::error_code(systemError, std::generic_category()).message(); }

struct Address {
    int family = 0;
    std::vector<char> bytes;
};

std::vector<Address> lookUp(const std::string& host, int port, int flags, std::string& failure)
{
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found); error != 0) {
        failure = gai_strerror(error);
        return {};
    }
    std::vector<Address> all;
    for (const addrinfo* each = found; each; each = each->ai_next) {
        const char* first = reinterpret_cast<const char*>(each->ai_addr);
        all.push_back({each->ai_family, {first, first + each->ai_addrlen}});
    }
    freeaddrinfo(found);
    return all;
}

struct Answer {
    std::mutex mutex;
    std::condition_variable came;
    bool whole = false;
    std::vector<Address> addresses;
    std::string failure;
};

/// A name server may take many seconds, and cannot be interrupted: its thread keeps what it needs and is not waited for.
std::vector<Address> lookUpInTime(const Server& server, const Patience& patience, std::string& failure)
{
    const auto answer = std::make_shared<Answer>();
    std::thread([answer, host = server.host, port = server.port] {
        std::string why;
        auto addresses = lookUp(host, port, 0, why);
        const std::lock_guard lock(answer->mutex);
        answer->addresses = std::move(addresses);
        answer->failure = std::move(why);
        answer->whole = true;
        answer->came.notify_all();
    }).detach();
    std::unique_lock lock(answer->mutex);
    while (!answer->whole)
        answer->came.wait_for(lock, std::chrono::milliseconds(patience.slice(server.text(), "an address for this name")));
    failure = answer->failure;
    return answer->addresses;
}
} // namespace

Patience Patience::of(double seconds, std::stop_token stop)
{
    return {Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)), std::move(stop)};
}

int Patience::slice(const std::string& subject, const char* what) const
{
    if (stop.stop_requested())
        throw Error(ErrorCode::Cancelled, "stopped", subject);
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (Clock::now() >= end)
        throw Error(ErrorCode::IoFailure, std::string("found none in time, expected ") + what, subject);
    return static_cast<int>(std::clamp<long long>(left, 1, kSliceMilliseconds));
}

Socket::~Socket() { close(); }

void Socket::close() noexcept
{
    if (m_descriptor >= 0)
        ::close(m_descriptor);
    m_descriptor = -1;
}

void Socket::fail(const std::string& what)
{
    close();
    throw Error(ErrorCode::IoFailure, what, m_subject);
}

bool Socket::tryOpen(int family, const void* address, unsigned addressBytes, const Patience& patience, int& systemError)
{
    close();
    m_descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (m_descriptor < 0) {
        systemError = errno;
        return false;
    }
    if (family != AF_UNIX) {
        const int on = 1;
        setsockopt(m_descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    int status = ::connect(m_descriptor, static_cast<const sockaddr*>(address), addressBytes);
    while (status < 0 && errno == EAGAIN) { // a Unix socket whose queue of connections is full
        poll(nullptr, 0, patience.slice(m_subject, "a free place in its queue"));
        status = ::connect(m_descriptor, static_cast<const sockaddr*>(address), addressBytes);
    }
    if (status < 0 && errno == EINPROGRESS) {
        wait(true, patience, "a connection");
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(m_descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
        errno = error;
        status = error == 0 ? 0 : -1;
    }
    if (status == 0)
        return true;
    systemError = errno;
    close();
    return false;
}

void Socket::openHost(const Server& server, const Patience& patience)
{
    std::string failure;
    std::vector<Address> addresses = lookUp(server.host == "localhost" ? "127.0.0.1" : server.host, server.port, AI_NUMERICHOST, failure);
    if (addresses.empty())
        addresses = lookUpInTime(server, patience, failure);
    if (addresses.empty())
        fail("has no address: " + failure);
    int systemError = 0;
    for (const Address& address : addresses)
        if (tryOpen(address.family, address.bytes.data(), static_cast<unsigned>(address.bytes.size()), patience, systemError))
            return;
    fail("cannot be connected to: " + reason(systemError));
}

void Socket::open(const Server& server, const Patience& patience)
{
    m_subject = server.text();
    try {
        if (server.socket.empty())
            return openHost(server, patience);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, server.socket.c_str(), std::min(server.socket.size(), sizeof address.sun_path - 1));
        int systemError = 0;
        if (!tryOpen(AF_UNIX, &address, sizeof address, patience, systemError))
            fail("cannot be connected to: " + reason(systemError));
    } catch (const Error&) {
        close();
        throw;
    }
}

void Socket::wait(bool writing, const Patience& patience, const char* wanted)
{
    pollfd one{m_descriptor, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0};
    if (poll(&one, 1, 0) > 0)
        return;
    while (poll(&one, 1, patience.slice(m_subject, wanted)) <= 0) {
    }
}

void Socket::waitBriefly(bool writing, const Patience& patience, const char* wanted)
{
    pollfd one{m_descriptor, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0};
    poll(&one, 1, patience.slice(m_subject, wanted));
}

std::size_t Socket::unsent() const noexcept
{
    int bytes = 0;
    return ::ioctl(m_descriptor, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

std::size_t Socket::write(const char* bytes, std::size_t count)
{
    const ssize_t sent = ::send(m_descriptor, bytes, count, MSG_NOSIGNAL);
    if (sent >= 0)
        return static_cast<std::size_t>(sent);
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail("writing failed: " + reason(errno));
    return 0;
}

std::size_t Socket::read(char* bytes, std::size_t count)
{
    const ssize_t got = ::recv(m_descriptor, bytes, count, 0);
    if (got > 0)
        return static_cast<std::size_t>(got);
    if (got == 0)
        fail("the server closed the connection");
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        fail("reading failed: " + reason(errno));
    return 0;
}

} // namespace tamis::remote
