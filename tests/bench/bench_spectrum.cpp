// SPDX-License-Identifier: GPL-3.0-or-later
// Prints what `tamis-cli bench spectrum` measures, without the rest of the program.
#include "core/base/blas_threads.h"
#include "core/bench/bench.h"

#include <cstdio>
#include <exception>

int main(int, char** argv)
{
    tamis::prepareBlas(argv);
    try {
        const tamis::bench::SpectrumBenchInputs inputs{TAMIS_SOURCE_DIR "/datasets/vit20", TAMIS_SOURCE_DIR "/datasets/vit20/calibration.h5"};
        std::printf("BLAS kernels: %s\n", tamis::blasCoreName());
        for (const auto& r : tamis::bench::benchSpectrum({}, inputs))
            std::printf("%-70s %8.3f  peer %8.3f  ratio %6.2f  bound %4.0f %%\n    %s\n    %s; %s\n", r.name.c_str(), r.oursSeconds, r.peerSeconds,
                        r.ratio, 100 * r.boundFraction, r.peerName.c_str(), r.bound.c_str(), r.note.c_str());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_spectrum: %s\n", error.what());
        return 1;
    }
}
