// SPDX-License-Identifier: GPL-3.0-or-later
// Rows from disk through the exact encoder of a bundled autoencoder, with their codes written: bench_stream_rows FOLDER [ROWS], by default 2000000.
// The files are made in FOLDER and removed. Counted first: 2 M D FLOP a row.
#include "core/base/blas_threads.h"
#include "core/encoder/codes_file.h"
#include "core/encoder/exact.h"
#include "core/encoder/streamed_quality.h"
#include "core/io/npy.h"
#include "core/io/sae_checkpoint.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::encoder;

namespace {
/// Mixtures of two of the bundled rows each.
void makeRows(const std::filesystem::path& file, std::int64_t rows, const tensor::Matrix<float>& from)
{
    std::string header = io::formatNpy(std::span<const float>(), {0, from.cols()});
    const std::string shape = "(" + std::to_string(rows) + ", " + std::to_string(from.cols()) + "), }";
    header.replace(header.find("(0, "), shape.size(), shape); // spaces follow
    std::ofstream out(file, std::ios::binary);
    out << header;
    std::mt19937 random(1);
    std::vector<float> row(static_cast<std::size_t>(from.cols()));
    for (std::int64_t i = 0; i < rows; ++i) {
        const std::uint32_t a = static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(from.rows())), b = static_cast<std::uint32_t>(random() % static_cast<std::uint64_t>(from.rows()));
        const float share = static_cast<float>(random() % 1000) / 1000;
        for (std::int64_t j = 0; j < from.cols(); ++j)
            row[static_cast<std::size_t>(j)] = share * from(a, j) + (1 - share) * from(b, j);
        out.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(row.size() * sizeof(float)));
    }
}

std::string peakMemory()
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:"))
            return line.substr(6);
    return " unknown";
}
} // namespace

int main(int argc, char** argv)
{
    prepareBlas(argv);
    if (argc < 2)
        return std::fprintf(stderr, "usage: bench_stream_rows FOLDER [ROWS]\n"), 2;
    const std::filesystem::path folder = argv[1], datasets = TAMIS_SOURCE_DIR "/datasets/sae", file = folder / "bench-rows.npy", codesFile = folder / "bench-codes.safetensors";
    const std::int64_t rows = argc > 2 ? std::atoll(argv[2]) : 2'000'000;
    makeRows(file, rows, io::readNpy(datasets / "tinylm.block3.heldout.npy").toFloatMatrix());
    const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(datasets / "tinylm.block3.k32/sparsify")));
    const auto exact = exactEncoder(dictionary);
    const double macs = static_cast<double>(dictionary->latents()) * static_cast<double>(dictionary->width());
    for (const bool written : {false, true}) {
        CodesFile codes(codesFile, dictionary, rows, {});
        StreamOptions options;
        if (written)
            options.codes = [&](std::int64_t, const SparseCodes& some) { codes.append(some); };
        const auto source = openActivations(file, dictionary->width());
        const auto start = std::chrono::steady_clock::now();
        const auto report = measureRows(dictionary, *exact, *source, *exact, "encoder.exact", {}, options);
        if (written)
            codes.commit();
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), done = static_cast<double>(report.tokens);
        std::printf("%s: %.0f rows of width %d in %.1f s, %.0f a second, %.0f GFLOP/s, %.0f MB/s read, FVU %.4f, peak resident%s\n", written ? "codes written" : "measured", done,
                    static_cast<int>(dictionary->width()), seconds, done / seconds, 2 * macs * done / seconds / 1e9, done * 4 * static_cast<double>(dictionary->width()) / seconds / 1e6,
                    report.quality.fvu, peakMemory().c_str());
        std::fflush(stdout);
    }
    std::filesystem::remove(file);
    std::filesystem::remove(codesFile);
    return 0;
}
