// SPDX-License-Identifier: GPL-3.0-or-later
// A sharded checkpoint of 20 GB that is almost all holes: opening must cost what its headers cost. A program of its own,
// because the peak of resident memory is kept for the whole life of a process.
#include "core/io/checkpoint.h"

#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>

#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace tamis::io;

namespace {
constexpr int kShards = 8, kLayersAShard = 5;
constexpr std::int64_t kHidden = 5120, kInner = 13824; // the shapes of LLaMA 2 13B, BF16

struct Shape {
    const char* name;
    std::int64_t rows, cols;
};
constexpr Shape kMatrices[] = {{"self_attn.q_proj", kHidden, kHidden}, {"self_attn.k_proj", kHidden, kHidden}, {"self_attn.v_proj", kHidden, kHidden},
                               {"self_attn.o_proj", kHidden, kHidden}, {"mlp.gate_proj", kInner, kHidden},     {"mlp.up_proj", kInner, kHidden},
                               {"mlp.down_proj", kHidden, kInner}};

/// A line "VmHWM:  1234 kB" of /proc/self/status, in bytes.
std::uint64_t processStatus(const std::string& key)
{
    std::ifstream stream("/proc/self/status");
    for (std::string word; stream >> word;)
        if (word == key + ":") {
            std::uint64_t kibibytes = 0;
            stream >> kibibytes;
            return kibibytes * 1024;
        }
    return 0;
}

/// Header and hole; returns the file's size, 0 when it cannot be made.
std::uint64_t writeShard(const std::string& path, int shard, std::string& weightMap, const std::string& file)
{
    std::string header = "{";
    std::uint64_t offset = 0;
    for (int layer = shard * kLayersAShard; layer < (shard + 1) * kLayersAShard; ++layer)
        for (const Shape& matrix : kMatrices) {
            const std::string name = "model.layers." + std::to_string(layer) + "." + matrix.name + ".weight";
            const std::uint64_t end = offset + 2 * static_cast<std::uint64_t>(matrix.rows * matrix.cols);
            header += (header.size() > 1 ? ",\"" : "\"") + name + "\":{\"dtype\":\"BF16\",\"shape\":[" + std::to_string(matrix.rows) + "," +
                      std::to_string(matrix.cols) + "],\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(end) + "]}";
            weightMap += (weightMap.empty() ? "\"" : ",\"") + name + "\":\"" + file + "\"";
            offset = end;
        }
    header += "}";
    const std::uint64_t length = header.size(), size = 8 + length + offset;
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool written = descriptor >= 0 && write(descriptor, &length, 8) == 8 &&
                         write(descriptor, header.data(), header.size()) == static_cast<ssize_t>(length) &&
                         ftruncate(descriptor, static_cast<off_t>(size)) == 0;
    if (descriptor >= 0)
        ::close(descriptor);
    return written ? size : 0;
}
} // namespace

class TstCheckpointLarge : public QObject
{
    Q_OBJECT
private slots:
    void twentyGigabytesOpenAtTheCostOfTheirHeaders()
    {
        QTemporaryDir dir;
        std::string weightMap;
        std::uint64_t apparent = 0, onDisk = 0;
        for (int shard = 0; shard < kShards; ++shard) {
            const std::string file = "model-0000" + std::to_string(shard + 1) + "-of-00008.safetensors";
            const std::string path = dir.filePath(QString::fromStdString(file)).toStdString();
            const std::uint64_t size = writeShard(path, shard, weightMap, file);
            struct stat status = {};
            if (size == 0 || stat(path.c_str(), &status) != 0 || status.st_blocks * 512 > 1'000'000)
                QSKIP("the file system of the temporary directory keeps no sparse files");
            apparent += size;
            onDisk += static_cast<std::uint64_t>(status.st_blocks) * 512;
        }
        std::ofstream(dir.filePath("model.safetensors.index.json").toStdString()) << "{\"weight_map\":{" << weightMap << "}}";
        QVERIFY(apparent > 20'000'000'000);

        const std::uint64_t residentBefore = processStatus("VmRSS");
        rusage before = {}, after = {};
        getrusage(RUSAGE_SELF, &before);
        const std::clock_t cpuBefore = std::clock();
        QElapsedTimer timer;
        timer.start();
        const auto model = Checkpoint::open(dir.path().toStdString());
        const double milliseconds = static_cast<double>(timer.nsecsElapsed()) / 1e6;
        const double cpuSeconds = static_cast<double>(std::clock() - cpuBefore) / CLOCKS_PER_SEC;
        getrusage(RUSAGE_SELF, &after);
        const std::uint64_t grown = processStatus("VmHWM") - residentBefore;
        const long faults = after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt;
        qInfo("%.1f GB in %d shards (%.1f MB on disk): opened in %.1f ms (%.1f ms of processor time), %.1f MB more resident, %ld page faults",
              static_cast<double>(apparent) / 1e9, kShards, static_cast<double>(onDisk) / 1e6, milliseconds, cpuSeconds * 1e3,
              static_cast<double>(grown) / 1e6, faults);

        QCOMPARE(model->tensors().size(), static_cast<std::size_t>(kShards * kLayersAShard) * std::size(kMatrices));
        QVERIFY(model->layout().family == Family::Llama && model->layout().layers == kShards * kLayersAShard);
        QVERIFY(grown < 200'000'000);
        // Touching the weights would take five million faults. Processor time, unlike the clock, is not the neighbours' doing.
        QVERIFY(faults < 20'000);
        QVERIFY(cpuSeconds < 1.0);

        const auto matrix = model->readMatrix(model->layout().matrices.front()); // and any of them can be read
        QCOMPARE(matrix.rows(), kHidden);
        QVERIFY(std::ranges::all_of(matrix.values(), [](float value) { return value == 0; }));
    }
};

QTEST_GUILESS_MAIN(TstCheckpointLarge)
#include "tst_checkpoint_large.moc"
