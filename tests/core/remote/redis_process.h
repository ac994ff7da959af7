// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A Redis server of a test's own: on a Unix socket or a free port of this machine, in a directory of its own, without persistence.
#include "core/remote/server.h"

#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QThread>

#include <csignal>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tamis::test {

class RedisProcess {
public:
    enum class Kind { Socket, Port };
    explicit RedisProcess(Kind kind, QStringList more = {}) : m_more(std::move(more))
    {
        if (kind == Kind::Socket)
            m_server.socket = m_directory.filePath("redis.sock").toStdString();
        else
            m_server.port = freePort();
    }
    ~RedisProcess() { killHard(); }
    static bool available() { return !program().isEmpty(); }
    const remote::Server& server() const { return m_server; }
    QString text() const { return QString::fromStdString(m_server.text()); }

    /// Until it accepts connections; 10 s at most.
    bool start()
    {
        QStringList arguments{"--save", "", "--appendonly", "no", "--dir", m_directory.path(), "--bind", "127.0.0.1", "--port", m_server.socket.empty() ? QString::number(m_server.port) : "0"};
        if (!m_server.socket.empty())
            arguments << "--unixsocket" << QString::fromStdString(m_server.socket);
        m_process.start(program(), arguments + m_more);
        QByteArray said;
        for (int waited = 0; waited < 200 && m_process.state() != QProcess::NotRunning; ++waited) {
            m_process.waitForReadyRead(50);
            said += m_process.readAllStandardOutput();
            if (said.contains("eady to accept connections"))
                return true;
        }
        qWarning("%s", said.constData());
        return false;
    }
    /// As kill -9 does.
    void killHard()
    {
        if (m_process.state() == QProcess::NotRunning)
            return;
        resume();
        m_process.kill();
        m_process.waitForFinished();
    }
    int pid() const { return static_cast<int>(m_process.processId()); }
    void pause() const { ::kill(static_cast<pid_t>(m_process.processId()), SIGSTOP); }
    void resume() const { ::kill(static_cast<pid_t>(m_process.processId()), SIGCONT); }

private:
    static QString program() { return QStandardPaths::findExecutable("redis-server", {"/usr/bin", "/usr/local/bin"}); }
    static int freePort()
    {
        const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size);
        ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
        ::close(descriptor);
        return ntohs(address.sin_port);
    }
    QTemporaryDir m_directory;
    remote::Server m_server;
    QStringList m_more;
    QProcess m_process;
};

} // namespace tamis::test
