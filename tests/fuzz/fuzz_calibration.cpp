// SPDX-License-Identifier: GPL-3.0-or-later
// A whole calibration file, in memory under a name (memfd): open it, read every site. The HDF5 library is not instrumented,
// so there is no coverage to follow; instead most inputs are a file of the corpus with a few fields changed in place, which
// leaves enough of it intact to reach the library's inner readers.
#include "core/base/error.h"
#include "core/io/calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <sys/mman.h>
#include <unistd.h>

using namespace tamis;

namespace {
// What CalibrationSet::read promises.
void check(const io::CalibrationSite& site, std::int64_t features)
{
    const bool agree = site.count > 0 && site.gram.rows() == features && site.gram.cols() == features
                       && static_cast<std::int64_t>(site.mean.size()) == features && (site.samples.empty() || site.samples.cols() == features)
                       && (site.heldOut.empty() || site.heldOut.cols() == features);
    if (!agree)
        std::abort();
    for (const double value : site.gram.values())
        if (!std::isfinite(value))
            std::abort();
}

/// The files of the corpus folders on the command line.
std::vector<std::string>& starts()
{
    static std::vector<std::string> files;
    return files;
}
} // namespace

extern "C" int LLVMFuzzerInitialize(int* count, char*** arguments)
{
    for (int i = 1; i < *count; ++i)
        if (std::filesystem::is_directory((*arguments)[i]))
            for (const auto& entry : std::filesystem::directory_iterator((*arguments)[i])) {
                std::ifstream file(entry.path(), std::ios::binary);
                if (entry.path().extension() == ".h5")
                    starts().emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
            }
    // libFuzzer has a limit of its own, which would end the run instead.
    static char limit[] = "-malloc_limit_mb=1000000000";
    static std::vector<char*> extended(*arguments, *arguments + *count);
    extended.insert(extended.begin() + 1, limit);
    extended.push_back(nullptr);
    *arguments = extended.data();
    ++*count;
    return 0;
}

/// libhdf5 1.10.8 loses a few dozen bytes on some error paths; nothing that a caller could free.
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }
/// It asks malloc for whatever size a damaged record names and reports the refusal as its error. A sanitizer would mark
/// gigabytes that are never touched; so large ones are refused here.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1:max_allocation_size_mb=512"; }

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* input, std::size_t size, std::size_t maximum);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* input, std::size_t size, std::size_t maximum, unsigned seed)
{
    std::mt19937 random(seed);
    if (random() % 10 == 0)
        return LLVMFuzzerMutate(input, size, maximum);
    if (const std::string* start = starts().empty() ? nullptr : &starts()[random() % starts().size()]; start != nullptr && start->size() <= maximum) {
        size = start->size();
        std::memcpy(input, start->data(), size);
    }
    if (size < 16)
        return LLVMFuzzerMutate(input, size, maximum);
    static constexpr std::array<std::uint64_t, 12> kTelling{0, 1, 2, 8, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
    for (unsigned change = 1 + random() % 4; change-- > 0;) {
        const std::size_t width = std::size_t{1} << random() % 4, at = random() % (size - width + 1);
        std::uint64_t value = random() % 2 == 0 ? kTelling[random() % kTelling.size()] : random() % 4096;
        if (random() % 3 == 0) // another field of the file, such as an address
            std::memcpy(&value, input + random() % (size - 7), 8);
        std::memcpy(input + at, &value, width);
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    const int descriptor = memfd_create("fuzz", MFD_CLOEXEC);
    if (descriptor < 0 || write(descriptor, input, size) != static_cast<ssize_t>(size))
        std::abort();
    try {
        const auto set = io::CalibrationSet::open("/proc/self/fd/" + std::to_string(descriptor));
        for (const std::string& name : set->siteNames())
            try {
                check(set->read(name), set->features(name).value());
            } catch (const Error&) {
            }
    } catch (const Error&) {
    }
    close(descriptor);
    return 0;
}
