// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The HDF5 C library behind closed doors: one lock, owned handles, one-sentence errors. Included by the .cpp files of
// core/io only. External links are refused, filter plug-ins are switched off.
#include "core/base/error.h"

#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tamis::io {

/// Held around every call into HDF5 in this process; may be taken again by the thread that has it. Also silences the
/// library's own error printing, which is a setting of each thread.
class Hdf5Lock {
public:
    Hdf5Lock();
    Hdf5Lock(const Hdf5Lock&) = delete;
    Hdf5Lock& operator=(const Hdf5Lock&) = delete;

private:
    std::unique_lock<std::recursive_mutex> m_lock;
};

/// Owns one HDF5 identifier and closes it with the function of its kind, under the lock. Invalid when default-constructed.
class Hdf5Handle {
public:
    using Closer = herr_t (*)(hid_t);
    Hdf5Handle() = default;
    Hdf5Handle(hid_t id, Closer close) noexcept : m_id(id), m_close(close) {}
    ~Hdf5Handle() { reset(); }
    Hdf5Handle(Hdf5Handle&& other) noexcept : m_id(std::exchange(other.m_id, H5I_INVALID_HID)), m_close(other.m_close) {}
    Hdf5Handle& operator=(Hdf5Handle&& other) noexcept;
    /// Closes now; false when the library reports a failure (unwritten data).
    bool reset() noexcept;
    bool valid() const noexcept { return m_id >= 0; }
    operator hid_t() const noexcept { return m_id; }

private:
    hid_t m_id = H5I_INVALID_HID;
    Closer m_close = nullptr;
};

/// The innermost reason on HDF5's error stack of this thread, in words ("unable to open file (file signature not found)");
/// clears the stack.
std::string hdf5Reason();
/// Throws Error{code}: "`message`: <reason>".
[[noreturn]] void failHdf5(ErrorCode code, const std::string& message, const std::string& subject);

/// Opens a regular file. Before the library sees it: exists, is a regular file, is not empty, has the HDF5 signature.
/// Throws Error{IoFailure, MalformedFile}.
Hdf5Handle openHdf5(const std::filesystem::path& file, unsigned access);

/// Name of every link in a group, at most `limit` (Error{LimitExceeded}).
std::vector<std::string> linkNames(hid_t group, std::size_t limit, const std::string& subject);
/// False when there is no link of that name.
bool hasLink(hid_t location, const std::string& name, const std::string& subject);
/// The object must be of that kind and not be reached through an external link: Error{MalformedFile, UnsupportedFeature}.
Hdf5Handle openGroup(hid_t location, const std::string& name, const std::string& subject);
Hdf5Handle openDataset(hid_t location, const std::string& name, const std::string& subject);

/// False when the object has no attribute of that name.
bool hasAttribute(hid_t object, const char* name, const std::string& subject);
/// A scalar string attribute, of fixed or variable length, at most 64 KiB. Throws Error{MalformedFile} when it is missing or
/// something else.
std::string readTextAttribute(hid_t object, const char* name, const std::string& subject);
/// A scalar whole number, not negative. Throws Error{MalformedFile}.
std::uint64_t readCountAttribute(hid_t object, const char* name, const std::string& subject);
double readRealAttribute(hid_t object, const char* name, const std::string& subject);

/// Checks the root attribute `schema`, "<name>/<version>": Error{MalformedFile} for another name, Error{UnsupportedFeature}
/// for a newer version.
void checkSchema(hid_t file, std::string_view name, int version, const std::string& subject);

void writeTextAttribute(hid_t object, const char* name, const std::string& text, const std::string& subject);
void writeCountAttribute(hid_t object, const char* name, std::uint64_t count, const std::string& subject);
void writeRealAttribute(hid_t object, const char* name, double value, const std::string& subject);
/// An empty file at `path`, which is overwritten; opened for writing. Throws Error{IoFailure}.
Hdf5Handle createHdf5(const std::filesystem::path& path, const std::string& subject);
Hdf5Handle createGroup(hid_t location, const std::string& name, const std::string& subject);

} // namespace tamis::io
