// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/byte_stream.h"

#include "core/base/error.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace tamis::io {
namespace {
constexpr std::size_t kBuffer = std::size_t{1} << 18U;
constexpr std::uint64_t kMostWindow = std::uint64_t{256} << 20U;

class PlainFile final : public ByteStream {
public:
    explicit PlainFile(const std::filesystem::path& path) : m_name(path.string()), m_file(std::fopen(path.c_str(), "rb"))
    {
        if (!m_file)
            throw Error(ErrorCode::IoFailure, std::string("cannot be opened: ") + std::strerror(errno), m_name);
        std::error_code failed;
        if (std::filesystem::is_directory(path, failed))
            throw Error(ErrorCode::IoFailure, "found a directory, expected a file", m_name);
        m_bytes = std::filesystem::file_size(path, failed);
        if (failed)
            m_bytes = 0;
    }
    std::size_t read(std::span<std::byte> to) override
    {
        const std::size_t got = std::fread(to.data(), 1, to.size(), m_file.get());
        if (got < to.size() && std::ferror(m_file.get()) != 0)
            throw Error(ErrorCode::IoFailure, "cannot be read", m_name, m_offset + got);
        m_offset += got;
        return got;
    }
    std::uint64_t fileOffset() const noexcept override { return m_offset; }
    std::uint64_t fileBytes() const noexcept override { return m_bytes; }
    const std::string& name() const noexcept { return m_name; }
    void rewind()
    {
        std::rewind(m_file.get());
        m_offset = 0;
    }

private:
    struct Close {
        void operator()(std::FILE* file) const noexcept { std::fclose(file); }
    };
    std::string m_name;
    std::unique_ptr<std::FILE, Close> m_file;
    std::uint64_t m_offset = 0, m_bytes = 0;
};

/// What the three libraries have in common: bytes in, bytes out, an end.
class Compressed : public ByteStream {
public:
    explicit Compressed(std::unique_ptr<PlainFile> file) : m_file(std::move(file)), m_in(kBuffer) {}
    std::uint64_t fileOffset() const noexcept override { return m_file->fileOffset() - m_left; }
    std::uint64_t fileBytes() const noexcept override { return m_file->fileBytes(); }

protected:
    const std::byte* next() const noexcept { return m_in.data() + m_at; }
    std::size_t left() const noexcept { return m_left; }
    void taken(std::size_t bytes) noexcept
    {
        m_at += bytes;
        m_left -= bytes;
    }
    /// False: the file has ended.
    bool refill()
    {
        if (m_left > 0)
            return true;
        m_at = 0;
        m_left = m_file->read(m_in);
        return m_left > 0;
    }
    [[noreturn]] void tooLarge(const char* format) const
    {
        throw Error(ErrorCode::LimitExceeded, std::string("found a stream of ") + format + " that needs more than 256 MiB to be read, expected less", m_file->name(), fileOffset());
    }
    [[noreturn]] void malformed(const std::string& what) const { throw Error(ErrorCode::MalformedFile, what, m_file->name(), fileOffset()); }

private:
    std::unique_ptr<PlainFile> m_file;
    std::vector<std::byte> m_in;
    std::size_t m_at = 0, m_left = 0;
};

class GzipStream final : public Compressed {
public:
    explicit GzipStream(std::unique_ptr<PlainFile> file) : Compressed(std::move(file))
    {
        if (inflateInit2(&m_zlib, 15 + 32) != Z_OK)
            throw Error(ErrorCode::OutOfMemory, "no memory to decompress it", "gzip");
    }
    ~GzipStream() override { inflateEnd(&m_zlib); }
    std::size_t read(std::span<std::byte> to) override
    {
        std::size_t done = 0;
        while (done < to.size()) {
            if (!refill()) {
                if (!m_ended)
                    malformed("found the end of the file, expected more of its gzip stream");
                break;
            }
            if (m_ended) { // members one after another are one file
                if (inflateReset2(&m_zlib, 15 + 32) != Z_OK)
                    malformed("found what is no gzip member behind one");
                m_ended = false;
            }
            const auto in = static_cast<uInt>(left());
            m_zlib.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(next()));
            m_zlib.avail_in = in;
            const auto room = static_cast<uInt>(std::min<std::size_t>(to.size() - done, 1U << 30U));
            m_zlib.next_out = reinterpret_cast<Bytef*>(to.data() + done);
            m_zlib.avail_out = room;
            const int result = inflate(&m_zlib, Z_NO_FLUSH);
            taken(in - m_zlib.avail_in);
            done += room - m_zlib.avail_out;
            if (result == Z_STREAM_END)
                m_ended = true;
            else if (result != Z_OK)
                malformed(std::string("found a broken gzip stream (") + (m_zlib.msg ? m_zlib.msg : "no reason given") + ")");
        }
        return done;
    }

private:
    z_stream m_zlib{};
    bool m_ended = false;
};

class XzStream final : public Compressed {
public:
    explicit XzStream(std::unique_ptr<PlainFile> file) : Compressed(std::move(file))
    {
        if (lzma_stream_decoder(&m_lzma, kMostWindow, LZMA_CONCATENATED) != LZMA_OK)
            throw Error(ErrorCode::OutOfMemory, "no memory to decompress it", "xz");
    }
    ~XzStream() override { lzma_end(&m_lzma); }
    std::size_t read(std::span<std::byte> to) override
    {
        std::size_t done = 0;
        while (done < to.size() && !m_ended) {
            const bool more = refill();
            const std::size_t in = left();
            m_lzma.next_in = reinterpret_cast<const std::uint8_t*>(next());
            m_lzma.avail_in = in;
            m_lzma.next_out = reinterpret_cast<std::uint8_t*>(to.data() + done);
            m_lzma.avail_out = to.size() - done;
            const lzma_ret result = lzma_code(&m_lzma, more ? LZMA_RUN : LZMA_FINISH);
            taken(in - m_lzma.avail_in);
            done = to.size() - m_lzma.avail_out;
            if (result == LZMA_STREAM_END)
                m_ended = true;
            else if (result == LZMA_MEMLIMIT_ERROR)
                tooLarge("xz");
            else if (result != LZMA_OK)
                malformed(more ? "found a broken xz stream" : "found the end of the file, expected more of its xz stream");
        }
        return done;
    }

private:
    lzma_stream m_lzma = LZMA_STREAM_INIT;
    bool m_ended = false;
};

class ZstdStream final : public Compressed {
public:
    explicit ZstdStream(std::unique_ptr<PlainFile> file) : Compressed(std::move(file)), m_zstd(ZSTD_createDCtx())
    {
        if (!m_zstd)
            throw Error(ErrorCode::OutOfMemory, "no memory to decompress it", "zstd");
        ZSTD_DCtx_setParameter(m_zstd.get(), ZSTD_d_windowLogMax, 28);
    }
    std::size_t read(std::span<std::byte> to) override
    {
        ZSTD_outBuffer out{to.data(), to.size(), 0};
        while (out.pos < out.size) {
            const bool more = refill();
            if (!more && !m_open)
                break;
            ZSTD_inBuffer in{next(), left(), 0};
            const std::size_t before = out.pos;
            const std::size_t result = ZSTD_decompressStream(m_zstd.get(), &out, &in);
            taken(in.pos);
            if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
                tooLarge("zstd");
            if (ZSTD_isError(result) != 0)
                malformed(std::string("found a broken zstd stream (") + ZSTD_getErrorName(result) + ")");
            m_open = result != 0; // 0: a frame has ended, and all of it was given
            if (!more && out.pos == before)
                malformed("found the end of the file, expected more of its zstd stream");
        }
        return out.pos;
    }

private:
    struct Free {
        void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
    };
    std::unique_ptr<ZSTD_DCtx, Free> m_zstd;
    bool m_open = false; ///< within a frame
};
} // namespace

std::unique_ptr<ByteStream> ByteStream::open(const std::filesystem::path& path)
{
    auto file = std::make_unique<PlainFile>(path);
    std::array<unsigned char, 6> magic{};
    const std::size_t got = file->read(std::as_writable_bytes(std::span(magic)));
    file->rewind();
    constexpr std::array<unsigned char, 2> kGzip{0x1F, 0x8B};
    constexpr std::array<unsigned char, 6> kXz{0xFD, '7', 'z', 'X', 'Z', 0};
    constexpr std::array<unsigned char, 4> kZstd{0x28, 0xB5, 0x2F, 0xFD};
    const auto starts = [&](const auto& with) { return got >= with.size() && std::equal(with.begin(), with.end(), magic.begin()); };
    if (starts(kGzip))
        return std::make_unique<GzipStream>(std::move(file));
    if (starts(kXz))
        return std::make_unique<XzStream>(std::move(file));
    if (starts(kZstd))
        return std::make_unique<ZstdStream>(std::move(file));
    return file;
}

} // namespace tamis::io
