// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/hdf5_handle.h"

#include "core/io/printable_name.h"
#include "core/io/tensor_entry.h"

#include <H5PLpublic.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tamis::io {
namespace {

constexpr std::size_t kMaximumAttribute = 65536;

std::recursive_mutex& libraryMutex()
{
    static std::recursive_mutex mutex;
    return mutex;
}

/// Refuses to follow an external link that a soft link leads to.
herr_t refuseExternalLink(const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) { return -1; }

Hdf5Handle linkAccess(const std::string& subject)
{
    Hdf5Handle access(H5Pcreate(H5P_LINK_ACCESS), H5Pclose);
    if (!access.valid() || H5Pset_elink_cb(access, refuseExternalLink, nullptr) < 0)
        failHdf5(ErrorCode::IoFailure, "HDF5 cannot be set up", subject);
    return access;
}

Hdf5Handle openObject(hid_t location, const std::string& name, H5I_type_t kind, const std::string& subject)
{
    const char* expected = kind == H5I_GROUP ? "a group" : "a dataset";
    if (!hasLink(location, name, subject))
        throw Error(ErrorCode::MalformedFile, "found no '" + printableName(name) + "', expected " + expected, subject);
    H5L_info_t link{};
    if (H5Lget_info(location, name.c_str(), &link, H5P_DEFAULT) < 0)
        failHdf5(ErrorCode::MalformedFile, "the link '" + printableName(name) + "' cannot be read", subject);
    if (link.type != H5L_TYPE_HARD && link.type != H5L_TYPE_SOFT)
        throw Error(ErrorCode::UnsupportedFeature, "'" + printableName(name) + "' is a link into another file, expected " + expected + " of this one", subject);
    Hdf5Handle object(H5Oopen(location, name.c_str(), linkAccess(subject)), H5Oclose);
    if (!object.valid())
        failHdf5(ErrorCode::MalformedFile, "'" + printableName(name) + "' cannot be opened", subject);
    if (H5Iget_type(object) != kind)
        throw Error(ErrorCode::MalformedFile, "'" + printableName(name) + "' is not " + expected, subject);
    return object;
}

struct Attribute {
    Hdf5Handle handle, type;
};

/// A scalar (or one-element) attribute of the given class.
Attribute openAttribute(hid_t object, const char* name, H5T_class_t kind, const char* expected, const std::string& subject)
{
    const std::string what = std::string("the attribute '") + name + "'";
    const htri_t there = H5Aexists(object, name);
    if (there < 0)
        failHdf5(ErrorCode::MalformedFile, what + " cannot be looked up", subject);
    if (there == 0)
        throw Error(ErrorCode::MalformedFile, "lacks " + what + ", expected " + expected, subject);
    Hdf5Handle handle(H5Aopen(object, name, H5P_DEFAULT), H5Aclose);
    if (!handle.valid())
        failHdf5(ErrorCode::MalformedFile, what + " cannot be read", subject);
    Hdf5Handle type(H5Aget_type(handle), H5Tclose);
    const Hdf5Handle space(H5Aget_space(handle), H5Sclose);
    if (!type.valid() || !space.valid())
        failHdf5(ErrorCode::MalformedFile, what + " cannot be read", subject);
    if (H5Tget_class(type) != kind || H5Sget_simple_extent_npoints(space) != 1)
        throw Error(ErrorCode::MalformedFile, what + " is not " + expected, subject);
    if (const std::size_t size = H5Tget_size(type); size == 0 || size > kMaximumAttribute)
        throw Error(ErrorCode::LimitExceeded, what + " has " + std::to_string(size) + " bytes, expected 1 to " + std::to_string(kMaximumAttribute), subject);
    return {std::move(handle), std::move(type)};
}

void writeAttribute(hid_t object, const char* name, hid_t type, const void* value, const std::string& subject)
{
    const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose);
    const Hdf5Handle attribute(H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    if (!attribute.valid() || H5Awrite(attribute, type, value) < 0)
        failHdf5(ErrorCode::IoFailure, std::string("the attribute '") + name + "' cannot be written", subject);
}

} // namespace

Hdf5Lock::Hdf5Lock() : m_lock(libraryMutex())
{
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    static const herr_t pluginsOff = H5PLset_loading_state(0); // once in the process: no code is loaded for a file
    static_cast<void>(pluginsOff);
}

Hdf5Handle& Hdf5Handle::operator=(Hdf5Handle&& other) noexcept
{
    if (this != &other) {
        reset();
        m_id = std::exchange(other.m_id, H5I_INVALID_HID);
        m_close = other.m_close;
    }
    return *this;
}

bool Hdf5Handle::reset() noexcept
{
    if (m_id < 0)
        return true;
    const Hdf5Lock lock;
    return m_close(std::exchange(m_id, H5I_INVALID_HID)) >= 0;
}

std::string hdf5Reason()
{
    std::string reason;
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD,
        [](unsigned n, const H5E_error2_t* error, void* text) -> herr_t {
            if (n > 0)
                return 0;
            std::array<char, 128> minor{};
            H5E_type_t kind = H5E_MINOR;
            const bool named = H5Eget_msg(error->min_num, &kind, minor.data(), minor.size()) > 0;
            auto& sentence = *static_cast<std::string*>(text);
            sentence = error->desc != nullptr ? error->desc : "";
            if (named)
                sentence += sentence.empty() ? minor.data() : std::string(" (") + minor.data() + ")";
            return 0;
        },
        &reason);
    H5Eclear2(H5E_DEFAULT);
    std::replace_if(reason.begin(), reason.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    return reason.empty() ? "the HDF5 library gives no reason" : reason;
}

void failHdf5(ErrorCode code, const std::string& message, const std::string& subject)
{
    throw Error(code, message + ": " + hdf5Reason(), subject);
}

Hdf5Handle openHdf5(const std::filesystem::path& path, unsigned access)
{
    const std::string subject = path.string();
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        throw Error(ErrorCode::IoFailure, std::string("cannot be opened: ") + std::strerror(errno), subject);
    struct stat status {};
    std::array<unsigned char, 8> start{};
    const bool known = fstat(descriptor, &status) == 0;
    const ssize_t got = known && S_ISREG(status.st_mode) ? pread(descriptor, start.data(), start.size(), 0) : 0;
    close(descriptor);
    if (!known || !S_ISREG(status.st_mode))
        throw Error(ErrorCode::IoFailure, S_ISDIR(status.st_mode) ? "is a directory, expected an HDF5 file" : "is not a regular file", subject);
    static constexpr std::array<unsigned char, 8> kSignature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    if (got != 8 || start != kSignature)
        throw Error(ErrorCode::MalformedFile, got == 0 ? "is empty, expected an HDF5 file" : "is not an HDF5 file: expected its signature at the start",
                    subject, 0);
    Hdf5Handle file(H5Fopen(path.c_str(), access, H5P_DEFAULT), H5Fclose);
    if (!file.valid()) {
        const std::string reason = hdf5Reason();
        const bool locked = reason.find("unable to lock") != std::string::npos || faccessat(AT_FDCWD, path.c_str(), access == H5F_ACC_RDONLY ? R_OK : W_OK, AT_EACCESS) != 0;
        throw Error(locked ? ErrorCode::IoFailure : ErrorCode::MalformedFile, "cannot be opened as HDF5: " + reason, subject);
    }
    return file;
}

std::vector<std::string> linkNames(hid_t group, std::size_t limit, const std::string& subject)
{
    struct Walk {
        std::vector<std::string> names;
        std::size_t limit;
        bool exceeded = false;
    } walk{{}, limit};
    const auto visit = [](hid_t, const char* name, const H5L_info_t*, void* state) noexcept -> herr_t {
        auto& seen = *static_cast<Walk*>(state);
        seen.exceeded = seen.names.size() == seen.limit;
        if (!seen.exceeded)
            seen.names.emplace_back(name, strnlen(name, kMaximumNameBytes + 1));
        return seen.exceeded ? 1 : 0;
    };
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, visit, &walk) < 0)
        failHdf5(ErrorCode::MalformedFile, "the group cannot be listed", subject);
    if (walk.exceeded)
        throw Error(ErrorCode::LimitExceeded, "the group has more than " + std::to_string(limit) + " entries", subject);
    for (const std::string& name : walk.names)
        if (name.empty() || name == "." || name.size() > kMaximumNameBytes || name.find('/') != std::string::npos)
            throw Error(ErrorCode::MalformedFile, "found an entry named '" + printableName(name) + "', expected a plain name", subject);
    return std::move(walk.names);
}

bool hasLink(hid_t location, const std::string& name, const std::string& subject)
{
    const htri_t there = H5Lexists(location, name.c_str(), H5P_DEFAULT);
    if (there < 0)
        failHdf5(ErrorCode::MalformedFile, "'" + printableName(name) + "' cannot be looked up", subject);
    return there > 0;
}

bool hasAttribute(hid_t object, const char* name, const std::string& subject)
{
    const htri_t there = H5Aexists(object, name);
    if (there < 0)
        failHdf5(ErrorCode::MalformedFile, std::string("the attribute '") + name + "' cannot be looked up", subject);
    return there > 0;
}

Hdf5Handle openGroup(hid_t location, const std::string& name, const std::string& subject)
{
    return openObject(location, name, H5I_GROUP, subject);
}

Hdf5Handle openDataset(hid_t location, const std::string& name, const std::string& subject)
{
    return openObject(location, name, H5I_DATASET, subject);
}

std::string readTextAttribute(hid_t object, const char* name, const std::string& subject)
{
    const Attribute attribute = openAttribute(object, name, H5T_STRING, "one text", subject);
    const auto fail = [&] { failHdf5(ErrorCode::MalformedFile, std::string("the attribute '") + name + "' cannot be read", subject); };
    const htri_t variable = H5Tis_variable_str(attribute.type);
    Hdf5Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
    if (variable < 0 || !memory.valid() || H5Tset_cset(memory, H5Tget_cset(attribute.type)) < 0)
        fail();
    if (variable > 0) {
        char* text = nullptr;
        if (H5Tset_size(memory, H5T_VARIABLE) < 0 || H5Aread(attribute.handle, memory, &text) < 0)
            fail();
        const std::string value(text != nullptr ? text : "", text != nullptr ? strnlen(text, kMaximumAttribute + 1) : 0);
        H5free_memory(text);
        if (value.size() > kMaximumAttribute)
            throw Error(ErrorCode::LimitExceeded, std::string("the attribute '") + name + "' is longer than " + std::to_string(kMaximumAttribute) + " bytes", subject);
        return value;
    }
    std::string value(H5Tget_size(attribute.type), '\0');
    if (H5Tset_size(memory, value.size()) < 0 || H5Tset_strpad(memory, H5Tget_strpad(attribute.type)) < 0
        || H5Aread(attribute.handle, memory, value.data()) < 0)
        fail();
    if (H5Tget_strpad(memory) == H5T_STR_SPACEPAD)
        value.erase(value.find_last_not_of(' ') + 1);
    value.resize(strnlen(value.c_str(), value.size()));
    return value;
}

std::uint64_t readCountAttribute(hid_t object, const char* name, const std::string& subject)
{
    const Attribute attribute = openAttribute(object, name, H5T_INTEGER, "one whole number", subject);
    std::uint64_t value = 0;
    std::int64_t signedValue = 0;
    const bool isSigned = H5Tget_sign(attribute.type) == H5T_SGN_2;
    if (H5Tget_size(attribute.type) > 8)
        throw Error(ErrorCode::UnsupportedFeature, std::string("the attribute '") + name + "' has more than 64 bits", subject);
    if ((isSigned ? H5Aread(attribute.handle, H5T_NATIVE_INT64, &signedValue) : H5Aread(attribute.handle, H5T_NATIVE_UINT64, &value)) < 0)
        failHdf5(ErrorCode::MalformedFile, std::string("the attribute '") + name + "' cannot be read", subject);
    if (signedValue < 0)
        throw Error(ErrorCode::MalformedFile, std::string("the attribute '") + name + "' is " + std::to_string(signedValue) + ", expected no negative number", subject);
    return isSigned ? static_cast<std::uint64_t>(signedValue) : value;
}

double readRealAttribute(hid_t object, const char* name, const std::string& subject)
{
    const Attribute attribute = openAttribute(object, name, H5T_FLOAT, "one number", subject);
    double value = 0;
    if (H5Aread(attribute.handle, H5T_NATIVE_DOUBLE, &value) < 0)
        failHdf5(ErrorCode::MalformedFile, std::string("the attribute '") + name + "' cannot be read", subject);
    return value;
}

void checkSchema(hid_t file, std::string_view name, int version, const std::string& subject)
{
    const std::string found = readTextAttribute(file, "schema", subject);
    const std::string expected = std::string(name) + "/" + std::to_string(version);
    if (found == expected)
        return;
    const std::string prefix = std::string(name) + "/";
    int number = 0;
    const char* end = found.data() + found.size();
    const bool sameName = found.starts_with(prefix);
    const auto [stop, problem] = sameName ? std::from_chars(found.data() + prefix.size(), end, number) : std::from_chars_result{end, std::errc::invalid_argument};
    if (problem == std::errc() && stop == end && number > version)
        throw Error(ErrorCode::UnsupportedFeature, "found the newer schema '" + printableName(found) + "', expected '" + expected + "'", subject);
    throw Error(ErrorCode::MalformedFile, "found the schema '" + printableName(found) + "', expected '" + expected + "'", subject);
}

void writeTextAttribute(hid_t object, const char* name, const std::string& text, const std::string& subject)
{
    if (text.size() > kMaximumAttribute - 1024 || text.find('\0') != std::string::npos)
        throw Error(ErrorCode::InvalidParameter, std::string("the text of the attribute '") + name + "' is too long or holds a zero byte", subject);
    const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    if (!type.valid() || H5Tset_size(type, std::max<std::size_t>(text.size(), 1)) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0
        || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)
        failHdf5(ErrorCode::IoFailure, std::string("the attribute '") + name + "' cannot be written", subject);
    writeAttribute(object, name, type, text.c_str(), subject);
}

void writeCountAttribute(hid_t object, const char* name, std::uint64_t count, const std::string& subject)
{
    // Signed, as h5py writes Python's integers, unless the value needs the last bit.
    const bool fits = count <= static_cast<std::uint64_t>(INT64_MAX);
    writeAttribute(object, name, fits ? H5T_STD_I64LE : H5T_STD_U64LE, &count, subject);
}

void writeRealAttribute(hid_t object, const char* name, double value, const std::string& subject)
{
    writeAttribute(object, name, H5T_IEEE_F64LE, &value, subject);
}

Hdf5Handle createHdf5(const std::filesystem::path& path, const std::string& subject)
{
    Hdf5Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    if (!file.valid())
        failHdf5(ErrorCode::IoFailure, "cannot be created as HDF5", subject);
    return file;
}

Hdf5Handle createGroup(hid_t location, const std::string& name, const std::string& subject)
{
    Hdf5Handle group(H5Gcreate2(location, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    if (!group.valid())
        failHdf5(ErrorCode::IoFailure, "the group '" + name + "' cannot be written", subject);
    return group;
}

} // namespace tamis::io
