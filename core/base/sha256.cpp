// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/sha256.h"

#include "core/base/error.h"

#include <openssl/evp.h>

#include <fstream>
#include <memory>

namespace tamis {
namespace {
class Digest {
public:
    Digest() : m_context(EVP_MD_CTX_new(), EVP_MD_CTX_free) { EVP_DigestInit_ex(m_context.get(), EVP_sha256(), nullptr); }
    void add(const void* bytes, std::size_t size) { EVP_DigestUpdate(m_context.get(), bytes, size); }
    std::string finish()
    {
        unsigned char raw[EVP_MAX_MD_SIZE];
        unsigned size = 0;
        EVP_DigestFinal_ex(m_context.get(), raw, &size);
        std::string hex;
        for (unsigned i = 0; i < size; ++i) {
            hex += "0123456789abcdef"[raw[i] >> 4];
            hex += "0123456789abcdef"[raw[i] & 15];
        }
        return hex;
    }

private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> m_context;
};
} // namespace

std::string sha256(std::span<const std::byte> bytes)
{
    Digest digest;
    digest.add(bytes.data(), bytes.size());
    return digest.finish();
}

std::string sha256OfFiles(const std::vector<std::filesystem::path>& files, const RunContext& context)
{
    Digest digest;
    std::vector<char> block(1 << 20);
    for (const auto& file : files) {
        std::ifstream stream(file, std::ios::binary);
        if (!stream)
            throw Error(ErrorCode::IoFailure, "cannot be opened for reading", file.string());
        while (stream) {
            context.throwIfStopped();
            stream.read(block.data(), static_cast<std::streamsize>(block.size()));
            digest.add(block.data(), static_cast<std::size_t>(stream.gcount()));
        }
        if (stream.bad())
            throw Error(ErrorCode::IoFailure, "reading failed", file.string());
    }
    return digest.finish();
}

} // namespace tamis
