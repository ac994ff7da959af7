// SPDX-License-Identifier: GPL-3.0-or-later
// A trace as a file: the first byte chooses the format. What is read must be requests of at least one byte, as many in one read as in many.
#include "core/base/error.h"
#include "core/io/trace_reader.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

using namespace tamis;

namespace {
std::size_t requests(const std::string& path, io::TraceFormat format, std::size_t atOnce)
{
    const auto reader = io::TraceReader::open(path, {.format = format, .columns = {}});
    std::vector<io::TraceEntry> part(atOnce);
    std::size_t count = 0;
    for (std::size_t got = atOnce; got == atOnce && count < 100'000;) {
        got = reader->read(part);
        count += got;
        for (std::size_t i = 0; i < got; ++i)
            if (part[i].size == 0)
                std::abort();
    }
    return count;
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    constexpr std::array<io::TraceFormat, 8> kFormats{io::TraceFormat::Automatic, io::TraceFormat::Ids, io::TraceFormat::Csv, io::TraceFormat::Lirs,
                                                      io::TraceFormat::Arc, io::TraceFormat::OracleGeneral, io::TraceFormat::Vscsi, io::TraceFormat::Le64};
    if (size == 0)
        return 0;
    static const std::string path = "/tmp/tamis_fuzz_trace_" + std::to_string(getpid());
    if (std::FILE* file = std::fopen(path.c_str(), "wb")) {
        std::fwrite(input + 1, 1, size - 1, file);
        std::fclose(file);
    }
    const io::TraceFormat format = kFormats[input[0] % kFormats.size()];
    std::size_t whole = 0;
    try {
        whole = requests(path, format, 1000);
    } catch (const Error&) {
        return 0;
    }
    if (whole < 100'000 && requests(path, format, 7) != whole)
        std::abort();
    return 0;
}
