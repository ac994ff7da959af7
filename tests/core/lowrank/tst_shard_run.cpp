// SPDX-License-Identifier: GPL-3.0-or-later
// Large models matrix by matrix: the optimum of each, shards that do not matter, and processes that are killed. Started with
// "--run model calibration out count", the program compresses and kills itself (SIGKILL) when `count` matrices are finished.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/bench/bench.h"
#include "core/bench/random_llama.h"
#include "core/io/safetensors.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/part_store.h"
#include "core/lowrank/shard_run.h"
#include "core/lowrank/whitened_pair.h"
#include "core/plan/apply_plan.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <QElapsedTimer>
#include <QProcess>
#include <QTemporaryDir>

#include <csignal>
#include <fstream>
#include <sstream>

using namespace tamis;
using tensor::Matrix;

namespace {
namespace fs = std::filesystem;
constexpr bench::RandomLlama kShape{.layers = 2, .width = 48, .hidden = 80, .matricesPerShard = 3};

std::string bytesOf(const fs::path& file)
{
    std::ostringstream text;
    text << std::ifstream(file, std::ios::binary).rdbuf();
    return text.str();
}

lowrank::Inputs opened(const fs::path& model, const fs::path& calibration)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(model);
    inputs.calibration = io::CalibrationSet::open(calibration);
    return inputs;
}

lowrank::ShardRunOptions optionsFor(const fs::path& out, double keep = 0.5)
{
    lowrank::ShardRunOptions options{.out = out, .budget = {}};
    options.budget.keep = keep;
    options.budget.allocation = plan::Allocation::Uniform;
    return options;
}

/// A model, its statistics, and the directory that an uninterrupted run left.
struct Fixture {
    QTemporaryDir directory;
    fs::path root = directory.path().toStdString(), model = root / "model", calibration = root / "calibration.h5", out = root / "out";
    explicit Fixture(const bench::RandomLlama& shape = kShape)
    {
        bench::writeRandomLlama(shape, model);
        bench::writeRandomCovariances(shape, io::Checkpoint::open(model)->sha256(), calibration);
    }
    lowrank::Inputs inputs() const { return opened(model, calibration); }
};

ErrorCode refusal(const std::function<void()>& body)
{
    try {
        body();
    } catch (const Error& error) {
        return error.code();
    }
    throw std::runtime_error("nothing was refused");
}

int runUntilKilled(char** argv)
{
    const auto inputs = opened(argv[2], argv[3]);
    int left = std::atoi(argv[5]);
    lowrank::compressShards(inputs, optionsFor(argv[4]), {}, [&](const lowrank::ShardMatrix& done) {
        if (!done.resumed && --left == 0)
            std::raise(SIGKILL);
    });
    return 0;
}
} // namespace

class TestShardRun : public QObject {
    Q_OBJECT

    /// Runs this program on the fixture. True when it was killed.
    static bool child(const Fixture& fixture, const fs::path& out, int count, int killAfterMs = -1)
    {
        QProcess process;
        process.setProcessChannelMode(QProcess::ForwardedChannels);
        process.start(QCoreApplication::applicationFilePath(), {"--run", fixture.model.c_str(), fixture.calibration.c_str(), out.c_str(), QString::number(count)});
        if (killAfterMs >= 0 && !process.waitForFinished(killAfterMs))
            process.kill(); // SIGKILL
        if (process.state() != QProcess::NotRunning && !process.waitForFinished(60'000))
            throw std::runtime_error("the child does not end");
        if (process.exitStatus() == QProcess::NormalExit && process.exitCode() != 0)
            throw std::runtime_error("the child failed");
        return process.exitStatus() == QProcess::CrashExit;
    }

private slots:
    /// Both routes against the eigenvalues of W C W^T, the theoretical optimum, and the loss against its definition. All in double;
    /// the condition of C is below 1e4.
    void pairIsTheOptimum()
    {
        for (const auto& [m, n] : {std::pair{20, 31}, std::pair{31, 20}, std::pair{16, 16}})
            for (const double ridge : {0.0, 1e-3}) {
                const Matrix<double> w = test::gaussian(m, n, 1), x = test::gaussian(n, 5 * n, 2), c = test::multiply(x, test::transposed(x));
                double mean = 0;
                for (std::int64_t i = 0; i < n; ++i)
                    mean += c(i, i) / double(n);
                Matrix<double> regular = c;
                for (std::int64_t i = 0; i < n; ++i)
                    regular(i, i) += ridge * mean;
                const auto squares = linalg::symmetricEigen(test::multiply(test::multiply(w, regular), test::transposed(w))).values;
                const auto pair = lowrank::whitenedPair(w, c, ridge, 7);
                const Matrix<double> d = test::difference(w, test::multiply(pair.b, pair.a));
                const double loss = test::sumOfSquares(test::multiply(d, x)), objective = loss + ridge * mean * test::sumOfSquares(d);
                double least = 0;
                for (std::size_t i = 7; i < squares.size(); ++i)
                    least += std::max(0.0, squares[i]);
                QVERIFY(std::abs(objective - least) < 1e-10 * least);
                QVERIFY(std::abs(pair.loss - loss) < 1e-9 * loss);
                const double energy = test::sumOfSquares(test::multiply(w, x));
                QVERIFY(std::abs(pair.energy - energy) < 1e-12 * energy);
            }
    }

    /// Fewer tokens than inputs: the wide route needs no root, the tall one raises its ridge and says so; both lose nothing that the
    /// tokens show once the rank is theirs.
    void pairOfSingularStatistics()
    {
        for (const auto& [m, n] : {std::pair{12, 30}, std::pair{40, 30}}) {
            const Matrix<double> w = test::gaussian(m, n, 3), x = test::gaussian(n, 6, 4);
            const auto pair = lowrank::whitenedPair(w, test::multiply(x, test::transposed(x)), 0, 6);
            QCOMPARE(pair.warnings.size(), std::size_t(m > n ? 1 : 0));
            const Matrix<double> d = test::difference(w, test::multiply(pair.b, pair.a));
            QVERIFY(test::sumOfSquares(test::multiply(d, x)) < 1e-9 * pair.energy); // the ridge itself is 1e-12
        }
        QCOMPARE(refusal([] { lowrank::whitenedPair(Matrix<double>(4, 5), Matrix<double>(5, 5), 0, 2); }), ErrorCode::InvalidParameter);
        QCOMPARE(refusal([] { lowrank::whitenedPair(test::gaussian(4, 5, 1), test::identity(5), 0, 5); }), ErrorCode::InvalidParameter);
        QCOMPARE(refusal([] {
            auto w = test::gaussian(4, 5, 1);
            w(1, 1) = std::numeric_limits<double>::infinity();
            lowrank::whitenedPair(w, test::identity(5), 0, 2);
        }), ErrorCode::NonFinite);
    }

    /// The plan and its factors are those of the optimum, as every reader of plans sees them.
    void writesAPlanWithItsFactors()
    {
        const Fixture fixture;
        std::vector<std::string> order;
        const auto done = lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out), {}, [&](const lowrank::ShardMatrix& m) { order.push_back(m.matrix.name); });
        QCOMPARE(order.size(), std::size_t(14));
        QCOMPARE(done.resumed, std::size_t(0));
        QVERIFY(done.report.achievedKeep <= 0.5 && done.report.achievedKeep > 0.45);
        const auto plan = plan::readPlan(fixture.out / "plan.json");
        QCOMPARE(plan::planToJson(plan), plan::planToJson(done.plan));
        const auto stored = plan::readStoredOperators(plan);
        QCOMPARE(stored.size(), std::size_t(14));
        const auto inputs = fixture.inputs();
        for (std::size_t i = 0; i < 14; ++i) {
            const auto& matrix = *std::ranges::find(inputs.checkpoint->layout().matrices, order[i], &io::MatrixRef::name);
            const auto site = inputs.calibration->read(matrix.name);
            const auto measured = lowrank::measureOperator(*inputs.checkpoint, matrix, stored[i].op.get(), &site);
            QCOMPARE(stored[i].name, order[i]);
            // factors are rounded to floats: 1e-7 of W, whose loss under C is some 1e-14 of the energy, beside cross terms of 1e-7
            QVERIFY(std::abs(measured.loss - plan.operators[i].predictedLoss) < 1e-5 * measured.loss);
            QCOMPARE(measured.rank, plan.operators[i].rank);
            QCOMPARE(measured.cost.parameters, done.report.matrices[i].cost.parameters);
        }
        QVERIFY(!fs::exists(fixture.out / "parts"));
        // Everything is there: the second run computes nothing and says the same.
        const auto again = lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out));
        QCOMPARE(again.resumed, std::size_t(14));
        QCOMPARE(plan::planToJson(again.plan), plan::planToJson(plan));
        QVERIFY(std::abs(again.report.relativeLoss() - done.report.relativeLoss()) < 1e-12);
    }

    void shardsAndThreadsDoNotMatter()
    {
        const Fixture three;
        bench::RandomLlama other = kShape;
        other.matricesPerShard = 7;
        const Fixture seven(other);
        QVERIFY(bytesOf(three.model / "model.safetensors.index.json") != bytesOf(seven.model / "model.safetensors.index.json"));
        lowrank::compressShards(three.inputs(), optionsFor(three.out));
        const ThreadLimit limit(1);
        lowrank::compressShards(seven.inputs(), optionsFor(seven.out));
        QVERIFY(bytesOf(three.out / "factors.safetensors") == bytesOf(seven.out / "factors.safetensors"));
    }

    void blockIdentityIsStoredToo()
    {
        const Fixture fixture;
        auto options = optionsFor(fixture.out);
        options.budget.accounting = plan::Accounting::BlockIdentity;
        lowrank::compressShards(fixture.inputs(), options);
        const auto stored = plan::readStoredOperators(plan::readPlan(fixture.out / "plan.json"));
        QCOMPARE(stored.size(), std::size_t(14));
        QCOMPARE(std::string(stored[3].op->kind()), std::string("block-identity"));
    }

    /// Killed behind every count of finished matrices, by itself: the next run finds exactly those, and in the end the files are, to the
    /// last byte, those of a run that nobody disturbed.
    void survivesBeingKilledBehindAnyMatrix()
    {
        const Fixture fixture;
        lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out));
        const fs::path out = fixture.root / "killed";
        for (const int count : {1, 4, 3, 5}) // 13 of 14
            QVERIFY(child(fixture, out, count));
        QVERIFY(!fs::exists(out / "plan.json"));
        std::size_t computed = 0;
        const auto rest = lowrank::compressShards(fixture.inputs(), optionsFor(out), {}, [&](const lowrank::ShardMatrix& m) { computed += m.resumed ? 0 : 1; });
        QCOMPARE(computed, std::size_t(1));
        QCOMPARE(rest.resumed, std::size_t(13));
        QVERIFY(bytesOf(out / "factors.safetensors") == bytesOf(fixture.out / "factors.safetensors"));
        QVERIFY(bytesOf(out / "plan.json") == bytesOf(fixture.out / "plan.json"));
    }

    /// Killed from outside at moments that nobody chose, in the middle of whatever is being written.
    void survivesBeingKilledAtAnyTime()
    {
        const Fixture fixture;
        lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out));
        const fs::path out = fixture.root / "killed";
        int killed = 0;
        for (int delay = 10; child(fixture, out, 1'000, delay); delay += 7 + delay / 8) // a slow machine takes longer to start, not many more rounds
            ++killed;
        QVERIFY(killed > 0); // the first 10 ms do not suffice to start
        QVERIFY(bytesOf(out / "factors.safetensors") == bytesOf(fixture.out / "factors.safetensors"));
        QVERIFY(bytesOf(out / "plan.json") == bytesOf(fixture.out / "plan.json"));
    }

    /// A part that was damaged behind the journal's back is made again; a journal of other inputs or settings is refused.
    void trustsNothingThatItsHashesDoNotVouchFor()
    {
        const Fixture fixture;
        lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out));
        const fs::path out = fixture.root / "other";
        QVERIFY(child(fixture, out, 5));
        const fs::path part = out / "parts" / "2.safetensors";
        QVERIFY(fs::exists(part));
        std::fstream file(part, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(-3, std::ios::end);
        file.put('x');
        file.close();
        fs::remove(out / "parts" / "3.safetensors");
        QCOMPARE(refusal([&] { lowrank::compressShards(fixture.inputs(), optionsFor(out, 0.4)); }), ErrorCode::InvalidParameter);
        auto ridge = optionsFor(out);
        ridge.ridge = 1e-3;
        QCOMPARE(refusal([&] { lowrank::compressShards(fixture.inputs(), ridge); }), ErrorCode::InvalidParameter);
        const auto rest = lowrank::compressShards(fixture.inputs(), optionsFor(out));
        QCOMPARE(rest.resumed, std::size_t(3));
        QVERIFY(bytesOf(out / "factors.safetensors") == bytesOf(fixture.out / "factors.safetensors"));
        // without its journal a finished directory still answers for itself, and only for itself
        fs::remove(out / lowrank::PartStore::kJournal);
        QCOMPARE(refusal([&] { lowrank::compressShards(fixture.inputs(), ridge); }), ErrorCode::InvalidParameter);
        fs::remove(out / lowrank::PartStore::kJournal);
        QCOMPARE(refusal([&] { lowrank::compressShards(fixture.inputs(), optionsFor(out, 0.4)); }), ErrorCode::InvalidParameter);
        fs::remove(out / lowrank::PartStore::kJournal);
        QCOMPARE(lowrank::compressShards(fixture.inputs(), optionsFor(out)).resumed, std::size_t(14));
        std::ofstream(out / lowrank::PartStore::kJournal) << "a shopping list\n";
        QCOMPARE(refusal([&] { lowrank::compressShards(fixture.inputs(), optionsFor(out)); }), ErrorCode::MalformedFile);
    }

    void refusesWhatItCannotDo()
    {
        const Fixture fixture;
        auto inputs = fixture.inputs();
        inputs.calibration = nullptr;
        QCOMPARE(refusal([&] { lowrank::compressShards(inputs, optionsFor(fixture.out)); }), ErrorCode::InvalidParameter);
        auto greedy = optionsFor(fixture.out);
        greedy.budget.allocation = plan::Allocation::Greedy;
        QCOMPARE(refusal([&] { lowrank::compressShards(fixture.inputs(), greedy); }), ErrorCode::InvalidParameter);
        bench::RandomLlama another = kShape;
        another.seed = 2;
        const Fixture other(another);
        QCOMPARE(refusal([&] { lowrank::compressShards(opened(fixture.model, other.calibration), optionsFor(fixture.out)); }), ErrorCode::InvalidParameter);
    }

    void stopsAndKeepsWhatIsFinished()
    {
        const Fixture fixture;
        std::stop_source stop;
        int heard = 0;
        QCOMPARE(refusal([&] {
            lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out), RunContext(stop.get_token()), [&](const lowrank::ShardMatrix&) {
                if (++heard == 4)
                    stop.request_stop();
            });
        }), ErrorCode::Cancelled);
        QCOMPARE(heard, 4);
        QCOMPARE(lowrank::compressShards(fixture.inputs(), optionsFor(fixture.out)).resumed, std::size_t(4));
    }

    /// The bench itself, small.
    void benchMeasuresLayersAndShards()
    {
        QTemporaryDir directory;
        const auto results = bench::benchShards({}, {.layers = 2, .width = 64, .hidden = 96, .directory = directory.path().toStdString()});
        QCOMPARE(results.size(), std::size_t(4));
        for (const auto& result : results)
            QVERIFY(result.oursSeconds > 0);
        QVERIFY(results[1].oursSeconds > results[0].oursSeconds); // sums of the same run
        QVERIFY(fs::is_empty(directory.path().toStdString()));
    }
};

int main(int argc, char** argv)
{
    prepareBlas(argv);
    if (argc == 6 && std::string_view(argv[1]) == "--run")
        return runUntilKilled(argv);
    QCoreApplication application(argc, argv);
    TestShardRun test;
    return QTest::qExec(&test, argc, argv);
}
#include "tst_shard_run.moc"
