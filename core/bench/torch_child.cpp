// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/torch_child.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>
#include <utility>

extern char** environ; // NOLINT: POSIX declares it nowhere

namespace tamis::bench {
namespace {
constexpr const char* kPython = "/usr/bin/python3"; // Debian's: PyTorch is its python3-torch
constexpr int kTorchAbsent = 77;                     // exit status by which a script says that an import failed
constexpr std::size_t kMaximumOutput = std::size_t{1} << 20;
constexpr int kPollMilliseconds = 20;

class Descriptor {
public:
    explicit Descriptor(int number = -1) : m_number(number) {}
    ~Descriptor() { close(); }
    Descriptor(Descriptor&& other) noexcept : m_number(std::exchange(other.m_number, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(m_number, other.m_number);
        return *this;
    }
    int number() const noexcept { return m_number; }
    void close() noexcept
    {
        if (m_number >= 0)
            ::close(m_number);
        m_number = -1;
    }

private:
    int m_number;
};

struct Pipe {
    Descriptor read, write;
    Pipe()
    {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            throw Error(ErrorCode::IoFailure, std::string("no pipe to a child process could be made: ") + std::strerror(errno));
        read = Descriptor(ends[0]);
        write = Descriptor(ends[1]);
    }
};

/// Owns a running child: killed and reaped when it is left early.
class Child {
public:
    explicit Child(pid_t pid) : m_pid(pid) {}
    ~Child()
    {
        if (m_pid <= 0)
            return;
        ::kill(m_pid, SIGKILL);
        wait();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    int wait() noexcept ///< the status of waitpid
    {
        int status = 0;
        while (::waitpid(m_pid, &status, 0) < 0 && errno == EINTR) {
        }
        m_pid = -1;
        return status;
    }

private:
    pid_t m_pid;
};

std::vector<std::string> childEnvironment()
{
    const std::array<std::string, 2> threads{"OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS="};
    std::vector<std::string> result;
    for (char** entry = environ; *entry; ++entry) {
        const std::string_view text(*entry);
        const bool ours = text == "OMP_WAIT_POLICY=passive"; // set by prepareBlas(): the peer waits as it would by itself
        if (!ours && !text.starts_with(threads[0]) && !text.starts_with(threads[1]))
            result.emplace_back(text);
    }
    for (const auto& name : threads)
        result.push_back(name + std::to_string(threadCount()));
    return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> result;
    for (auto& text : texts)
        result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

/// 0 or the error number of posix_spawn.
int spawn(const std::filesystem::path& script, const std::vector<std::string>& arguments, const Pipe& out, const Pipe& err, pid_t& pid)
{
    std::vector<std::string> words{kPython, "-s", script.string()}; // -s: nothing from the user's own site-packages
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<std::string> variables = childEnvironment();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out.write.number(), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err.write.number(), STDERR_FILENO);
    const int failure = posix_spawn(&pid, kPython, &actions, nullptr, pointers(words).data(), pointers(variables).data());
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

/// Appends what is there; false at the end of the stream.
bool drain(const Descriptor& source, std::string& text)
{
    std::array<char, 4096> block{};
    const ssize_t got = ::read(source.number(), block.data(), block.size());
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    text.append(block.data(), static_cast<std::size_t>(got));
    return got > 0;
}

std::string lastLine(std::string_view text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    const auto start = text.rfind('\n');
    return std::string(start == std::string_view::npos ? text : text.substr(start + 1)).substr(0, 300);
}
} // namespace

std::filesystem::path torchScript(std::string_view name)
{
    std::error_code failure;
    std::string tried;
    std::vector<std::filesystem::path> places;
    if (const auto program = std::filesystem::read_symlink("/proc/self/exe", failure); !failure)
        places.push_back(program.parent_path().parent_path() / "share" / "tamis" / "scripts");
    places.emplace_back(TAMIS_SOURCE_SCRIPTS);
    for (const auto& place : places) {
        if (std::filesystem::is_regular_file(place / name, failure))
            return place / name;
        tried += (tried.empty() ? "" : " or ") + place.string();
    }
    throw Error(ErrorCode::IoFailure, "the script was not found in " + tried, std::string(name));
}

std::optional<std::string> runTorch(const std::filesystem::path& script, const std::vector<std::string>& arguments,
                                    const RunContext& context, std::string& whyNot)
{
    context.throwIfStopped();
    Pipe out, err;
    pid_t pid = -1;
    if (const int failure = spawn(script, arguments, out, err, pid); failure != 0) {
        whyNot = std::string(kPython) + " could not be started: " + std::strerror(failure);
        return {};
    }
    Child child(pid);
    out.write.close();
    err.write.close();
    std::string text, complaints;
    bool outOpen = true, errOpen = true;
    while (outOpen || errOpen) {
        context.throwIfStopped();
        std::array<pollfd, 2> waits{pollfd{outOpen ? out.read.number() : -1, POLLIN, 0}, pollfd{errOpen ? err.read.number() : -1, POLLIN, 0}};
        if (::poll(waits.data(), waits.size(), kPollMilliseconds) <= 0)
            continue;
        if (waits[0].revents)
            outOpen = drain(out.read, text);
        if (waits[1].revents)
            errOpen = drain(err.read, complaints);
        if (text.size() > kMaximumOutput || complaints.size() > kMaximumOutput) {
            whyNot = script.filename().string() + " printed more than 1 MiB and was stopped";
            return {};
        }
    }
    const int status = child.wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return text;
    if (WIFEXITED(status) && WEXITSTATUS(status) == kTorchAbsent)
        whyNot = std::string(kPython) + " has no PyTorch (Debian: python3-torch)";
    else
        whyNot = script.filename().string() + " failed" +
                 (WIFSIGNALED(status) ? " by signal " + std::to_string(WTERMSIG(status)) : "") + ": " + lastLine(complaints);
    return {};
}

} // namespace tamis::bench
