// SPDX-License-Identifier: GPL-3.0-or-later
// A map of a long text is stopped while it is made, by every operator, and so is exact attention itself.
#include "core/attention/block_map.h"
#include "core/attention/method.h"
#include "core/base/error.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <chrono>
#include <functional>
#include <thread>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr std::int64_t kTokens = 4096, kDim = 32;

/// Whether work of some 10 to 1,000 ms ends by Error{Cancelled} where a stop is asked for 2 ms behind its start. On a busy machine the wish may come when
/// all is done: once in so many tries it does not. Work that never looks, or at its start alone, is never stopped.
bool isStopped(const std::function<void(const RunContext&)>& work)
{
    for (int attempt = 0; attempt < 20; ++attempt) {
        std::stop_source source;
        const std::jthread asks([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            source.request_stop();
        });
        try {
            work(RunContext(source.get_token()));
        } catch (const Error& error) {
            return error.code() == ErrorCode::Cancelled;
        }
    }
    return false;
}
} // namespace

class TstStoppedMaps : public QObject {
    Q_OBJECT
private slots:
    void mapsAreStopped_data()
    {
        QTest::addColumn<QString>("method");
        for (const char* method : {"tiled", "quantised", "band", "window", "chosen-windows", "block-sparse", "linformer", "native-sparse", "moba", "quest", "nystrom", "performer", "linear"})
            QTest::newRow(method) << method;
    }
    void mapsAreStopped()
    {
        QFETCH(QString, method);
        const tensor::Matrix<float> q = test::normalRows(kTokens, kDim, 1, 1), k = test::normalRows(kTokens, kDim, 1, 2), v = test::normalRows(kTokens, kDim, 1, 3);
        const nn::AttentionInput input{q.view(), k.view(), v.view()};
        Inputs inputs;
        inputs.spec = {.heads = 1, .keyValueHeads = 1, .headDim = kDim, .scale = 0.2F};
        inputs.width = kDim;
        const nn::AttentionPtr op = findMethod("attention." + method.toStdString())->op(inputs, {});
        QVERIFY(isStopped([&](const RunContext& context) { op->map(input, 0, 0, context); }));
        if (dynamic_cast<const SparseReader*>(op.get()))
            QVERIFY(isStopped([&](const RunContext& context) { blockMap(*op, input, 0, context); }));
    }
    void exactAttentionIsStopped()
    {
        const tensor::Matrix<float> q = test::normalRows(kTokens, 4 * kDim, 1, 1);
        const nn::AttentionInput input{q.view(), q.view(), q.view()};
        const auto exact = nn::exactAttention({.heads = 4, .keyValueHeads = 4, .headDim = kDim, .scale = 0.2F});
        QVERIFY(isStopped([&](const RunContext& context) { exact->map(input, 0, 0, context); }));
        for (const bool parallel : {false, true})
            QVERIFY(isStopped([&](const RunContext& context) {
                nn::Scratch scratch(parallel, context);
                tensor::Matrix<float> out(kTokens, 4 * kDim);
                exact->apply(input, out.view(), scratch);
            }));
    }
};

QTEST_APPLESS_MAIN(TstStoppedMaps)
#include "tst_stopped_maps.moc"
