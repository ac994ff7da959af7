// SPDX-License-Identifier: GPL-3.0-or-later
// A whole calibration file, in memory under a name (memfd): open it, read every site.
#include "core/base/error.h"
#include "core/io/calibration.h"

#include <cmath>
#include <cstdlib>

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
} // namespace

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
