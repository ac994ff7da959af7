// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/torch_zip.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/json_limits.h"
#include "core/io/mapped_file.h"
#include "core/io/tensor_entry.h"
#include "core/io/zip_directory.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>

namespace tamis::io
{
namespace
{
constexpr std::uint64_t kBlock = 1u << 20;           // elements between two looks at the stop token
constexpr std::uint64_t kWorthEstimating = 1u << 24; // bytes
constexpr std::string_view kPickle = "data.pkl";

[[noreturn]] void refuseStart(std::span<const std::byte> start, const std::string& subject)
{
    const auto at = [&](std::size_t i) { return i < start.size() ? std::to_integer<int>(start[i]) : -1; };
    if (start.empty())
        throw Error(ErrorCode::MalformedFile, "is empty, expected a PyTorch file", subject);
    // torch.save before 1.6 wrote pickles one after the other, the first one a magic number of 10 bytes.
    if (at(0) == 0x80 && at(2) == 0x8a && at(3) == 0x0a)
        throw Error(ErrorCode::UnsupportedFeature,
                    "is a PyTorch file of the form before version 1.6, expected a zip: load it with torch.load and "
                    "write it again with torch.save",
                    subject);
    static constexpr std::string_view kPointer = "version https://git-lfs";
    if (start.size() >= kPointer.size() && std::memcmp(start.data(), kPointer.data(), kPointer.size()) == 0)
        throw Error(ErrorCode::MalformedFile, "is a Git LFS pointer: the weights themselves were not downloaded",
                    subject);
    throw Error(ErrorCode::MalformedFile, "is not a PyTorch file, expected a zip archive", subject);
}

// Elements from the first to the one after the last that a tensor reaches in its storage; checked against overflow.
std::uint64_t reach(const PickleTensor& tensor, const std::string& subject)
{
    const auto fail = [&] {
        throw Error(ErrorCode::MalformedFile,
                    "its shape " + shapeText(tensor.shape) + " with strides " + shapeText(tensor.strides) +
                        " at offset " + std::to_string(tensor.offset) + " reaches beyond its storage of " +
                        std::to_string(tensor.storageElements) + " elements",
                    subject);
    };
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
        if (tensor.shape[i] == 0)
            return 0;
        std::uint64_t step = 0;
        if (__builtin_mul_overflow(static_cast<std::uint64_t>(tensor.shape[i] - 1),
                                   static_cast<std::uint64_t>(tensor.strides[i]), &step) ||
            __builtin_add_overflow(last, step, &last))
            fail();
    }
    if (tensor.offset >= tensor.storageElements || last >= tensor.storageElements - tensor.offset)
        fail();
    return last + 1;
}

bool isContiguous(const PickleTensor& tensor)
{
    std::int64_t expected = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
        if (tensor.shape[i] != 1 && tensor.strides[i] != expected)
            return false;
        expected *= tensor.shape[i];
    }
    return true;
}

// Copies the elements of `stored`, laid out by strides, in row-major order.
void gather(const PickleTensor& tensor, std::span<const float> stored, std::span<float> destination,
            const RunContext& context)
{
    std::vector<std::int64_t> index(tensor.shape.size());
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < destination.size(); ++i) {
        if (i % kBlock == 0)
            context.throwIfStopped();
        destination[i] = stored[at];
        for (std::size_t d = index.size(); d-- > 0;) {
            at += static_cast<std::uint64_t>(tensor.strides[d]);
            if (++index[d] < tensor.shape[d])
                break;
            at -= static_cast<std::uint64_t>(tensor.strides[d]) * static_cast<std::uint64_t>(tensor.shape[d]);
            index[d] = 0;
        }
    }
}
} // namespace

struct TorchFile::Content {
    std::string subject;
    ZipSource source;
    std::map<std::string, ZipMember, std::less<>> members;
    std::string prefix; // with the slash
    Pickle pickle;

    void read(std::uint64_t size, const PickleLimits& limits)
    {
        std::vector<std::byte> start(std::min<std::uint64_t>(size, 32));
        source(0, start, subject);
        static constexpr char kSignature[] = {'P', 'K', 3, 4};
        if (start.size() < sizeof kSignature || std::memcmp(start.data(), kSignature, sizeof kSignature) != 0)
            refuseStart(start, subject);
        for (ZipMember& member : readZipDirectory(source, size, subject))
            members.emplace(member.name, member);
        findPrefix();
        checkByteOrder();
        pickle = parsePickle(bytesOf(std::string(kPickle), limits.bytes),
                             zipMemberSubject(subject, prefix + "data.pkl"), limits);
        for (const PickleTensor& tensor : pickle.tensors)
            if (!tensor.shape.empty() || tensor.storageElements > 0)
                checkTensor(tensor);
    }

    void findPrefix()
    {
        const ZipMember* found = nullptr;
        for (const auto& [name, member] : members) {
            const std::size_t slash = name.find('/');
            if (slash == std::string::npos || name.substr(slash + 1) != kPickle)
                continue;
            if (found)
                throw Error(ErrorCode::MalformedFile,
                            "holds both " + quotedName(found->name) + " and " + quotedName(name) +
                                ", expected one data.pkl",
                            subject);
            found = &member;
            prefix = name.substr(0, slash + 1);
        }
        if (!found)
            throw Error(ErrorCode::MalformedFile, "is a zip archive without a data.pkl, expected a PyTorch file",
                        subject);
        if (members.contains(prefix + "constants.pkl"))
            throw Error(ErrorCode::UnsupportedFeature, "is a TorchScript program, expected tensors only", subject);
    }
    void checkByteOrder() const
    {
        if (!members.contains(prefix + "byteorder"))
            return; // older files have none and are little-endian
        const std::vector<std::byte> bytes = bytesOf("byteorder", 16);
        const std::string order(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        if (order != "little")
            throw Error(ErrorCode::UnsupportedFeature, "has the byte order " + quotedName(order) + ", expected little",
                        subject);
    }

    const ZipMember& member(const std::string& name) const
    {
        const auto found = members.find(prefix + name);
        if (found == members.end())
            throw Error(ErrorCode::MalformedFile, "lacks the member " + quotedName(prefix + name), subject);
        if (found->second.deflated)
            throw Error(ErrorCode::UnsupportedFeature, "the member is deflated, expected it stored as PyTorch does",
                        zipMemberSubject(subject, found->first));
        return found->second;
    }
    std::vector<std::byte> bytesOf(const std::string& name, std::uint64_t limit) const
    {
        const ZipMember& found = member(name);
        const std::string where = zipMemberSubject(subject, found.name);
        if (found.inflatedBytes > limit)
            throw Error(ErrorCode::LimitExceeded,
                        "has " + std::to_string(found.inflatedBytes) + " bytes, at most " + std::to_string(limit) +
                            " are read",
                        where);
        return readZipMember(source, found, where);
    }
    void checkTensor(const PickleTensor& tensor) const
    {
        const ZipMember& storage = member("data/" + tensor.storage);
        const std::string where = zipMemberSubject(subject, storage.name);
        std::uint64_t need = 0;
        if (__builtin_mul_overflow(tensor.storageElements, tensor::dtypeSize(tensor.dtype), &need) ||
            need != storage.storedBytes)
            throw Error(ErrorCode::MalformedFile,
                        "the storage has " + std::to_string(storage.storedBytes) + " bytes, expected " +
                            std::to_string(tensor.storageElements) + " elements of " +
                            std::string(tensor::dtypeName(tensor.dtype)),
                        where);
        checkedTensorBytes(tensor.dtype, tensor.shape, where);
        reach(tensor, where);
    }
};

TorchFile::TorchFile(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
TorchFile::~TorchFile() = default;

std::shared_ptr<const TorchFile> TorchFile::open(const std::filesystem::path& path, const PickleLimits& limits)
{
    const auto file = MappedFile::open(path);
    auto content = std::make_unique<Content>();
    content->subject = path.string();
    content->source = zipSource(file);
    content->read(file->size(), limits);
    return std::shared_ptr<const TorchFile>(new TorchFile(std::move(content)));
}

std::shared_ptr<const TorchFile> TorchFile::parse(std::span<const std::byte> bytes, const std::string& subject,
                                                  const PickleLimits& limits)
{
    auto content = std::make_unique<Content>();
    content->subject = subject;
    content->source = zipSource(bytes);
    content->read(bytes.size(), limits);
    return std::shared_ptr<const TorchFile>(new TorchFile(std::move(content)));
}

const Pickle& TorchFile::pickle() const noexcept
{
    return m_content->pickle;
}

void TorchFile::read(const PickleTensor& tensor, std::span<float> destination, const std::string& subject,
                     const RunContext& context) const
{
    const std::uint64_t need = checkedTensorBytes(tensor.dtype, tensor.shape, subject);
    const std::size_t size = tensor::dtypeSize(tensor.dtype);
    if (need / size != destination.size())
        throw Error(ErrorCode::InvalidParameter,
                    "has " + std::to_string(need / size) + " elements, expected " + std::to_string(destination.size()),
                    subject);
    const ZipMember& storage = m_content->member("data/" + tensor.storage);
    verifyZipMember(m_content->source, storage, zipMemberSubject(m_content->subject, storage.name), context);
    const std::uint64_t reached = reach(tensor, subject);
    if (reached == 0)
        return;
    const bool contiguous = isContiguous(tensor);
    if (!contiguous && reached * sizeof(float) > kWorthEstimating)
        requireMemory(reached * sizeof(float), subject);
    std::vector<float> stored(contiguous ? 0 : reached);
    const std::span<float> target = contiguous ? destination : std::span(stored);
    std::vector<std::byte> bytes(std::min<std::uint64_t>(target.size(), kBlock) * size);
    for (std::uint64_t at = 0; at < target.size(); at += kBlock) {
        context.throwIfStopped();
        const std::span<float> part = target.subspan(at, std::min<std::uint64_t>(kBlock, target.size() - at));
        const std::span<std::byte> raw = std::span(bytes).first(part.size() * size);
        m_content->source(storage.dataOffset + (tensor.offset + at) * size, raw, subject);
        tensor::decode(tensor.dtype, raw, part);
    }
    if (!contiguous)
        gather(tensor, stored, destination, context);
}

bool looksLikeTorchZip(const std::filesystem::path& file)
{
    std::ifstream stream(file, std::ios::binary);
    char start[4] = {};
    return stream.read(start, sizeof start) && std::memcmp(start, "PK\x03\x04", sizeof start) == 0;
}

} // namespace tamis::io
