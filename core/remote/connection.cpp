// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/remote/connection.h"

#include "core/base/error.h"
#include "core/remote/socket.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <new>

namespace tamis::remote {
namespace {
constexpr int kMostElements = 65536; ///< of a reply, its lists in lists included: more than any that we ask for
constexpr double kLeastRate = 4096;  ///< bytes a second, both ways: a server that keeps us with less is left as if it said nothing
constexpr std::size_t kChunk = std::size_t{64} << 10U;

// The reader builds replies through these. They must not throw: no memory and lists beyond the limit are its "out of memory".
Reply* placeOf(const redisReadTask* task) noexcept
{
    if (!task->parent)
        return new (std::nothrow) Reply;
    auto* parent = static_cast<Reply*>(task->parent->obj);
    return task->idx >= 0 && static_cast<std::size_t>(task->idx) < parent->list.size() ? &parent->list[static_cast<std::size_t>(task->idx)] : nullptr;
}

void drop(const redisReadTask* task, Reply* reply) noexcept
{
    if (!task->parent)
        delete reply;
}

void* makeText(const redisReadTask* task, char* text, std::size_t size)
{
    Reply* reply = placeOf(task);
    try {
        if (reply)
            reply->text.assign(text, size);
    } catch (...) {
        drop(task, reply);
        return nullptr;
    }
    if (reply)
        reply->kind = task->type == REDIS_REPLY_ERROR ? Reply::Kind::Failure : Reply::Kind::Text;
    return reply;
}

void* makeList(const redisReadTask* task, int elements)
{
    int& left = *static_cast<int*>(task->privdata);
    if (elements < 0 || elements > left)
        return nullptr;
    left -= elements;
    Reply* reply = placeOf(task);
    try {
        if (reply)
            reply->list.resize(static_cast<std::size_t>(elements));
    } catch (...) {
        drop(task, reply);
        return nullptr;
    }
    if (reply)
        reply->kind = Reply::Kind::List;
    return reply;
}

void* makeNumber(const redisReadTask* task, long long number)
{
    Reply* reply = placeOf(task);
    if (reply) {
        reply->kind = Reply::Kind::Number;
        reply->number = number;
    }
    return reply;
}

void* makeNothing(const redisReadTask* task) { return placeOf(task); }

void freeReply(void* reply) { delete static_cast<Reply*>(reply); }

redisReplyObjectFunctions* replyFunctions()
{
    static redisReplyObjectFunctions functions{makeText, makeList, makeNumber, makeNothing, freeReply};
    return &functions;
}

void append(std::string& out, const Command& command)
{
    std::vector<const char*> words;
    std::vector<std::size_t> sizes;
    for (const std::string_view word : command) {
        words.push_back(word.data());
        sizes.push_back(word.size());
    }
    char* formatted = nullptr;
    const int size = redisFormatCommandArgv(&formatted, static_cast<int>(words.size()), words.data(), sizes.data());
    if (size < 0)
        throw std::bad_alloc();
    const std::unique_ptr<char, void (*)(char*)> owner(formatted, redisFreeCommand);
    out.append(formatted, static_cast<std::size_t>(size));
}
} // namespace

struct Connection::Parts {
    Socket socket;
    std::unique_ptr<redisReader, void (*)(redisReader*)> reader{redisReaderCreateWithFunctions(replyFunctions()), redisReaderFree};
    std::uint64_t fed = 0;            ///< bytes since the last whole reply
    int elementsLeft = kMostElements; ///< of the reply that is being read
    std::array<char, kChunk> chunk;
};

Connection::Connection(ConnectionSettings settings) : m_settings(std::move(settings)) {}
Connection::~Connection() = default;
void Connection::close() noexcept { m_parts.reset(); }
bool Connection::isOpen() const noexcept { return m_parts != nullptr; }
const std::string& Connection::runId() const noexcept { return m_runId; }

void Connection::open(std::stop_token stop)
{
    m_parts = std::make_unique<Parts>();
    if (!m_parts->reader)
        throw std::bad_alloc();
    m_parts->reader->privdata = &m_parts->elementsLeft;
    const Patience patience = Patience::of(m_settings.connectSeconds, std::move(stop)); // for all of it
    try {
        m_parts->socket.open(m_settings.server, patience);
        introduce(patience);
    } catch (...) {
        close();
        throw;
    }
}

void Connection::introduce(const Patience& patience)
{
    const std::string subject = m_settings.server.text();
    if (!m_settings.password.empty()) {
        const std::array<Command, 1> login{Command{"AUTH", m_settings.password}};
        const Reply reply = exchange(login, patience, 0, {}).front();
        if (reply.kind == Reply::Kind::Failure)
            throw Error(ErrorCode::InvalidParameter, "refuses the password: " + reply.text.substr(0, 200), subject);
    }
    const std::array<Command, 2> questions{Command{"PING"}, Command{"INFO", "server"}};
    const std::vector<Reply> replies = exchange(questions, patience, 0, {});
    for (const Reply& reply : replies)
        if (reply.kind == Reply::Kind::Failure)
            throw Error(reply.text.starts_with("NOAUTH") ? ErrorCode::InvalidParameter : ErrorCode::IoFailure, "refuses to work: " + reply.text.substr(0, 200), subject);
    if (replies[0].kind != Reply::Kind::Text || replies[0].text != "PONG")
        throw Error(ErrorCode::MalformedFile, "found another answer to PING than PONG, expected a Redis server", subject);
    constexpr std::string_view kName = "run_id:";
    const std::string& about = replies[1].text;
    const std::size_t at = about.find(kName);
    m_runId = at == std::string::npos ? std::string() : about.substr(at + kName.size(), std::min(about.find_first_of("\r\n", at), about.size()) - at - kName.size()).substr(0, 64);
}

std::vector<Reply> Connection::run(std::span<const Command> commands, std::stop_token stop, const ReplyListener& heard)
{
    if (!m_parts)
        throw Error(ErrorCode::IoFailure, "is not connected", m_settings.server.text());
    try {
        return exchange(commands, Patience::of(m_settings.commandSeconds, std::move(stop)), m_settings.commandSeconds, heard);
    } catch (...) {
        close();
        throw;
    }
}

/// Feeds what came to the reader; whole replies join `replies`.
void Connection::take(std::size_t got, std::size_t wanted, std::vector<Reply>& replies, const ReplyListener& heard)
{
    const std::string subject = m_settings.server.text();
    if (redisReaderFeed(m_parts->reader.get(), m_parts->chunk.data(), got) != REDIS_OK)
        throw Error(ErrorCode::OutOfMemory, "found no memory for its answer", subject);
    m_parts->fed += got;
    while (replies.size() < wanted) {
        void* whole = nullptr;
        if (redisReaderGetReply(m_parts->reader.get(), &whole) != REDIS_OK)
            throw Error(ErrorCode::MalformedFile, "found bytes that are no answer of a Redis server: " + std::string(m_parts->reader->errstr), subject);
        if (!whole)
            break;
        const std::unique_ptr<Reply> owner(static_cast<Reply*>(whole));
        replies.push_back(std::move(*owner));
        m_parts->fed = 0;
        m_parts->elementsLeft = kMostElements;
        if (heard)
            heard(replies.size() - 1, replies.back());
    }
    if (m_parts->fed > m_settings.mostReplyBytes)
        throw Error(ErrorCode::LimitExceeded, "found an answer of more than " + std::to_string(m_settings.mostReplyBytes) + " bytes, expected fewer", subject);
}

/// Writes and reads by turns: a server stops reading when its replies are not taken. With `idleSeconds` the end moves while bytes do: so long after
/// the last of them, but no longer than a reply each may take and kLeastRate allows for the bytes; 0: the patience's own end stands.
std::vector<Reply> Connection::exchange(std::span<const Command> commands, Patience patience, double idleSeconds, const ReplyListener& heard)
{
    using Seconds = std::chrono::duration<double>;
    const std::string subject = m_settings.server.text();
    const Clock::time_point start = Clock::now();
    std::string out;
    for (const Command& command : commands)
        append(out, command);
    std::vector<Reply> replies;
    std::size_t sent = 0, taken = 0, arrived = 0; // bytes: given to the system, that have left it, received
    while (replies.size() < commands.size()) {
        m_parts->socket.waitBriefly(sent < out.size(), patience, "an answer"); // hears a stop however busy the server keeps us
        if (sent < out.size())
            sent += m_parts->socket.write(out.data() + sent, std::min(out.size() - sent, kChunk * 4));
        const std::size_t got = m_parts->socket.read(m_parts->chunk.data(), m_parts->chunk.size());
        const std::size_t now = taken < sent ? sent - std::min(sent, m_parts->socket.unsent()) : sent;
        if (got > 0)
            take(got, commands.size(), replies, heard);
        if (idleSeconds > 0 && (got > 0 || now > taken)) {
            taken = std::max(taken, now);
            arrived += got;
            const Seconds most(idleSeconds * static_cast<double>(1 + replies.size()) + static_cast<double>(taken + arrived) / kLeastRate);
            patience.end = std::min(Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(idleSeconds)), start + std::chrono::duration_cast<Clock::duration>(most));
        }
    }
    return replies;
}

} // namespace tamis::remote
