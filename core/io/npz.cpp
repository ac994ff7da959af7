// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/npz.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/mapped_file.h"

#include <map>

namespace tamis::io {
namespace {

/// The names of an archive's arrays, and the members they stand for.
std::string arraySubject(const std::string& subject, const NpzMember& member)
{
    return zipMemberSubject(subject, member.name);
}

NpzMember arrayOf(const ZipMember& member, const std::string& subject)
{
    constexpr std::string_view kSuffix = ".npy";
    if (!member.name.ends_with(kSuffix))
        throw Error(ErrorCode::UnsupportedFeature,
                    "the member is not a NumPy array: expected a name that ends in .npy",
                    zipMemberSubject(subject, member.name));
    NpzMember array;
    static_cast<ZipMember&>(array) = member;
    array.name.resize(array.name.size() - kSuffix.size());
    return array;
}

NpyHeader memberHeader(const ZipSource& source, const NpzMember& member, const std::string& subject)
{
    const std::uint64_t needed = npyHeaderBytes(readZipMemberStart(source, member, 12, subject), subject);
    return parseNpyHeader(readZipMemberStart(source, member, needed, subject), member.inflatedBytes, subject);
}

} // namespace

struct NpzArchive::Content {
    std::string subject;
    ZipSource source;
    std::vector<NpzMember> members;
    std::map<std::string, std::size_t, std::less<>> byName;

    void read(std::uint64_t size, const NpzLimits& limits)
    {
        for (const ZipMember& member : readZipDirectory(source, size, subject, limits))
            members.push_back(arrayOf(member, subject));
        for (std::size_t i = 0; i < members.size(); ++i) {
            try {
                members[i].header = memberHeader(source, members[i], arraySubject(subject, members[i]));
            } catch (const Error& error) {
                if (error.code() != ErrorCode::UnsupportedFeature)
                    throw;
                members[i].unsupported = error.message();
            }
            byName.emplace(members[i].name, i);
        }
    }
};

NpzArchive::NpzArchive(std::unique_ptr<Content> content) : m_content(std::move(content)) {}
NpzArchive::~NpzArchive() = default;

std::shared_ptr<const NpzArchive> NpzArchive::open(const std::filesystem::path& path, const NpzLimits& limits)
{
    const auto file = MappedFile::open(path);
    auto content = std::make_unique<Content>();
    content->subject = path.string();
    content->source = zipSource(file);
    content->read(file->size(), limits);
    return std::shared_ptr<const NpzArchive>(new NpzArchive(std::move(content)));
}

std::shared_ptr<const NpzArchive> NpzArchive::parse(std::span<const std::byte> bytes, const std::string& subject, const NpzLimits& limits)
{
    auto content = std::make_unique<Content>();
    content->subject = subject;
    content->source = zipSource(bytes);
    content->read(bytes.size(), limits);
    return std::shared_ptr<const NpzArchive>(new NpzArchive(std::move(content)));
}

const std::vector<NpzMember>& NpzArchive::members() const noexcept { return m_content->members; }

const NpzMember* NpzArchive::find(std::string_view name) const noexcept
{
    const auto found = m_content->byName.find(name);
    return found == m_content->byName.end() ? nullptr : &m_content->members[found->second];
}

NpyArray NpzArchive::read(const NpzMember& member) const
{
    const std::string subject = arraySubject(m_content->subject, member);
    if (!member.unsupported.empty())
        throw Error(ErrorCode::UnsupportedFeature, member.unsupported, subject);
    requireMemory(member.inflatedBytes * 2, subject);
    return parseNpy(readZipMember(m_content->source, member, subject), subject);
}

NpyArray NpzArchive::read(std::string_view name) const
{
    const NpzMember* member = find(name);
    if (member == nullptr)
        throw Error(ErrorCode::InvalidParameter, "has no array '" + std::string(name) + "'", m_content->subject);
    return read(*member);
}

} // namespace tamis::io
