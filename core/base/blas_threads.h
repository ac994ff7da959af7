// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// OpenBLAS as Tamis uses it: one thread a call (TBB makes the tiles) and the kernels that the processor deserves.

namespace tamis {

/// First call in every main. Sets OpenBLAS to one thread a call. OpenBLAS 0.3.21 does not know processors younger than
/// itself and then runs its SSE2 kernels, four times slower; it only reads OPENBLAS_CORETYPE while it is loaded, so in
/// that case this sets the variable and starts the program again (once). So it does, where Tamis was built with FAISS, for the OpenMP
/// library, whose idle threads would else spin and take the processors from the others: OMP_WAIT_POLICY=passive, which is read at
/// the start, too. A variable that the user set is respected.
void prepareBlas(char** argv);

/// Name of the kernels in use, for bench reports ("SkylakeX").
const char* blasCoreName();

/// While it lives, plain BLAS calls may use `threads` threads (peers in benches). Not for use beside other BLAS work.
class BlasThreads {
public:
    explicit BlasThreads(int threads);
    ~BlasThreads();
    BlasThreads(const BlasThreads&) = delete;
    BlasThreads& operator=(const BlasThreads&) = delete;
};

} // namespace tamis
