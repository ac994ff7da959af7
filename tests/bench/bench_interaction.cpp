// SPDX-License-Identifier: GPL-3.0-or-later
// How fast the window answers on the bundled models: first and final picture after a change of keep and of ridge, of the keep on the
// low-rank Run page, of a rank on the attention-map page, of one in the encoder tab and of r in the token tab; the longest pause of the window's thread while
// each is dragged, the stop of a running sweep, the end of the window.
// Bounds asked for: first picture 50 ms, final picture 300 ms, pause 50 ms, stop 100 ms, end 1 s.
//   xvfb-run -a build/release/tests/bench/bench_interaction
#include "app/window/lowrank_run_controller.h"
#include "app/window/main_window.h"
#include "core/base/blas_threads.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/singular_values.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_panel.h"
#include "views/lowrank/attention_panel.h"
#include "views/lowrank/low_rank_panel.h"
#include "views/tokens/token_panel.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QTest>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

using namespace tamis;
using namespace tamis::app;

namespace {
double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

double milliseconds(const QElapsedTimer& clock) { return static_cast<double>(clock.nsecsElapsed()) / 1e6; }

/// First and final picture after `edit`, milliseconds; medians of nine.
void measureChange(MainWindow& window, const char* what, const std::function<void(SessionState&, int)>& edit)
{
    std::vector<double> first, last;
    for (int round = 0; round < 9; ++round) {
        QElapsedTimer clock;
        double shown = -1;
        const auto connection = QObject::connect(&window.spectrum(), &SpectrumController::pictureShown, &window, [&] {
            if (shown < 0)
                shown = milliseconds(clock);
        });
        clock.start();
        window.document().change(QStringLiteral("bench"), {}, [&](SessionState& state) { edit(state, round); });
        (void)QTest::qWaitFor([&] { return window.spectrum().isUpToDate() && !window.spectrum().lane().isBusy(); }, 10000);
        last.push_back(milliseconds(clock));
        first.push_back(shown);
        QObject::disconnect(connection);
    }
    std::printf("%-28s first picture %6.1f ms, final picture %6.1f ms (median of 9, the final one polled every 10 ms)\n", what, median(first),
                median(last));
}

/// 60 edits, 8 ms apart, as a dragged slider makes them; `pictures` counts those shown so far.
void measureDrag(const char* what, const std::function<int()>& pictures, const std::function<void(int)>& edit)
{
    QElapsedTimer sinceTick;
    double longest = 0;
    QTimer ticker;
    QObject::connect(&ticker, &QTimer::timeout, &ticker, [&] {
        longest = std::max(longest, milliseconds(sinceTick));
        sinceTick.restart();
    });
    const int before = pictures();
    sinceTick.start();
    ticker.start(1);
    for (int i = 0; i < 60; ++i) {
        edit(i);
        QTest::qWait(8);
    }
    ticker.stop();
    std::printf("%-28s %d pictures of 60 edits, 8 ms apart; longest pause of the window's thread %.1f ms\n", what, pictures() - before, longest);
}

/// First and final picture of a page of the low-rank lab after `edit`, milliseconds against the bounds; medians of nine. Then the
/// same dragged.
template <class Controller> void measurePage(const char* what, Controller& controller, const std::function<void(int)>& edit)
{
    std::vector<double> first, last;
    for (int round = 0; round < 9; ++round) {
        QElapsedTimer clock;
        double shown = -1, whole = -1;
        const auto connection = QObject::connect(&controller, &Controller::pictureShown, &controller, [&](bool complete) {
            shown = shown < 0 ? milliseconds(clock) : shown;
            whole = complete ? milliseconds(clock) : whole;
        });
        clock.start();
        edit(6 * round);
        (void)QTest::qWaitFor([&] { return whole >= 0 && !controller.isBusy(); }, 10000);
        first.push_back(shown);
        last.push_back(whole);
        QObject::disconnect(connection);
    }
    std::printf("%-28s first picture %6.1f ms of 50, final picture %6.1f ms of 300 (median of 9)\n", what, median(first), median(last));
    measureDrag(what, [&] { return controller.lane().counts().coarse + controller.lane().counts().partial + controller.lane().counts().finals; }, edit);
    (void)QTest::qWaitFor([&] { return !controller.isBusy(); }, 10000);
}

/// Opens a model and its photos and shows a page of the low-rank lab with its first whole picture.
void showPage(MainWindow& window, const QString& page, const QString& model, const QString& photos)
{
    window.open(model);
    const auto opened = [&] { return window.workspaces().workspace() && window.spectrum().isUpToDate() && !window.spectrum().lane().isBusy() && window.model().report(); };
    (void)QTest::qWaitFor(opened, 60000);
    if (!photos.isEmpty())
        window.model().openPhotos(photos);
    window.showLab(window.lowRankViews().panel);
    window.lowRankViews().panel->showPage(page);
    QTest::qWait(0);
    (void)QTest::qWaitFor([&] { return !window.attentionMaps().isBusy() && !window.lowRank().runs().isBusy() && !window.model().isBusy(); }, 60000);
}

void measureRun(MainWindow& window, const char* what, const QString& model)
{
    showPage(window, QStringLiteral("run"), model, {});
    measurePage(what, window.lowRank().runs(), [&](int i) {
        window.document().change(QStringLiteral("bench"), QStringLiteral("lowrank-keep"), [i](SessionState& state) { state.lowRank.run.budget.keep = 0.3 + 0.008 * i; });
    });
}

void measureAttention(MainWindow& window, const char* what, const QString& model, const QString& photos)
{
    showPage(window, QStringLiteral("attention"), model, photos);
    auto& maps = window.attentionMaps();
    measurePage(what, maps, [&](int i) { emit maps.panel().valueEdited(QStringLiteral("query-rank"), std::int64_t{8 + i}, true); });
}

/// First and whole picture of the encoder tab after a change of the rank, and the longest pause while the cut is dragged, milliseconds.
void measureEncoder(MainWindow& window, const QString& autoencoder)
{
    auto& lab = window.encoder();
    lab.open(autoencoder);
    const auto settled = [&] { return !window.jobs().isRunning() && !lab.isBusy() && lab.isUpToDate(); };
    (void)QTest::qWaitFor(settled, 60000);
    std::vector<double> first, last;
    for (int round = 0; round < 9; ++round) {
        QElapsedTimer clock;
        double shown = -1, whole = -1;
        const auto connection = QObject::connect(&lab, &EncoderController::pictureShown, &window, [&](bool complete) {
            shown = shown < 0 ? milliseconds(clock) : shown;
            whole = complete && whole < 0 ? milliseconds(clock) : whole;
        });
        clock.start();
        window.document().change(QStringLiteral("bench"), {}, [&](SessionState& state) { state.encoder.parameters.set("rank", std::int64_t{20 + 7 * round}); });
        (void)QTest::qWaitFor([&] { return whole >= 0 && settled(); }, 10000);
        first.push_back(shown);
        last.push_back(whole);
        QObject::disconnect(connection);
    }
    std::printf("%-28s first picture %6.1f ms of 50, of all tokens %6.1f ms of 300 (median of 9)\n", "encoder, rank", median(first), median(last));
    measureDrag("encoder, rank, dragged", [&] { return lab.lane().counts().coarse; }, [&](int i) {
        window.document().change(QStringLiteral("bench"), QStringLiteral("encoder-rank"), [i](SessionState& s) { s.encoder.parameters.set("rank", std::int64_t{16 + i}); });
    });
    (void)QTest::qWaitFor(settled, 10000);
    const int before = lab.lane().counts().requests;
    std::vector<double> steps;
    for (int i = 0; i < 120; ++i) {
        QElapsedTimer clock;
        clock.start();
        emit window.encoderViews().panel->cutMoved(20 + 5 * i, i == 119);
        window.encoderViews().panel->repaint();
        steps.push_back(milliseconds(clock));
    }
    std::printf("%-28s %.1f ms (median of 120 with the picture), longest %.1f ms, %d requests\n", "encoder, drag of the cut", median(steps),
                *std::max_element(steps.begin(), steps.end()), lab.lane().counts().requests - before);
}

/// The tokens that each block merges, on the photo that is seen closely; what is painted belongs to the time.
void measureTokens(MainWindow& window, const QString& model, const QString& photos)
{
    window.open(model);
    (void)QTest::qWaitFor([&] { return window.workspaces().workspace() && window.spectrum().isUpToDate() && !window.spectrum().lane().isBusy() && window.model().report(); }, 60000);
    window.model().openPhotos(photos);
    window.showLab(&window.tokenPanel());
    auto& lab = window.tokens();
    (void)QTest::qWaitFor([&] { return lab.isUpToDate() && lab.isFolderUpToDate() && !lab.isBusy(); }, 60000);
    const auto painted = QObject::connect(&lab, &TokensController::pictureShown, &window, [&] { window.tokenPanel().repaint(); });
    measurePage("tokens, vit20, r", lab, [&](int i) {
        window.document().change(QStringLiteral("bench"), QStringLiteral("r"), [i](SessionState& s) {
            s.tokens.setting.method = "tokens.tome";
            s.tokens.setting.parameters.set("r", std::int64_t{1 + i % 40});
        });
    });
    QObject::disconnect(painted);
    QElapsedTimer clock;
    clock.start();
    window.document().change(QStringLiteral("bench"), {}, [](SessionState& s) { s.tokens.setting.parameters.set("r", std::int64_t{16}); });
    (void)QTest::qWaitFor([&] { return lab.isFolderUpToDate(); }, 60000);
    std::printf("%-28s %.0f ms, 150 of them waited for rest\n", "tokens, 20 photos again", milliseconds(clock));
    window.document().change(QStringLiteral("bench"), {}, [](SessionState& s) { s.tokens.setting.parameters.set("r", std::int64_t{17}); });
    (void)QTest::qWaitFor([&] { return lab.folderLane().isBusy(); }, 60000);
    clock.start();
    lab.stop();
    std::printf("%-28s %.1f ms of 100\n", "tokens, stop of the folder", milliseconds(clock));
}

/// Time from a stop to the return of a sweep of 40 matrices 1500 x 1500.
void measureStop()
{
    std::vector<double> latencies;
    tensor::Matrix<float> matrix(1500, 1500);
    for (std::int64_t i = 0; i < 1500; ++i)
        for (std::int64_t j = 0; j < 1500; ++j)
            matrix(i, j) = static_cast<float>((i * 7919 + j * 104729) % 1009) / 1009.f;
    for (int round = 0; round < 5; ++round) {
        std::stop_source source;
        std::chrono::steady_clock::time_point stopped;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(150 + 40 * round));
            stopped = std::chrono::steady_clock::now();
            source.request_stop();
        });
        try {
            parallelFor(RunContext(source.get_token()), 40, [&](std::size_t) { linalg::singularValues(matrix.view(), RunContext(source.get_token())); });
        } catch (const Error&) {
            latencies.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - stopped).count());
        }
    }
    if (!latencies.empty())
        std::printf("%-28s %.1f ms (median of %zu)\n", "stop of a running sweep", median(latencies), latencies.size());
}
} // namespace

int main(int argc, char** argv)
{
    prepareBlas(argv);
    QApplication application(argc, argv);
    QCoreApplication::setOrganizationName(QStringLiteral("TamisBench"));
    views::Theme::instance().apply(application, views::Theme::Mode::Light);
    QElapsedTimer clock;
    {
        MainWindow window{QString()};
        window.show();
        clock.start();
        window.open(QStringLiteral(TAMIS_SOURCE_DIR "/datasets/vit20"));
        (void)QTest::qWaitFor([&] { return window.workspaces().workspace() && window.spectrum().isUpToDate() && window.spectrum().picture(); }, 20000);
        std::printf("%-28s %.0f ms\n", "open to all spectra", milliseconds(clock));
        measureChange(window, "keep", [](SessionState& s, int round) { s.settings.budget.keep = 0.3 + 0.05 * round; });
        measureChange(window, "ridge", [](SessionState& s, int round) { s.settings.parameters.set("ridge", 1e-4 * (round + 1)); });
        measureDrag("keep, dragged", [&] { return window.spectrum().lane().counts().coarse; }, [&](int i) {
            window.document().change(QStringLiteral("bench"), QStringLiteral("keep"), [i](SessionState& s) { s.settings.budget.keep = 0.9 - i * 0.01; });
        });
        window.document().change(QStringLiteral("bench"), {}, [](SessionState& s) { s.settings.budget.keep = 1; });
        const QString datasets = QStringLiteral(TAMIS_SOURCE_DIR "/datasets/");
        measureRun(window, "low-rank run, vit20, keep", datasets + QStringLiteral("vit20"));
        measureAttention(window, "attention maps, vit20, r_q", datasets + QStringLiteral("vit20"), datasets + QStringLiteral("photos"));
        measureAttention(window, "attention maps, tinylm, r_q", datasets + QStringLiteral("tinylm"), {});
        measureTokens(window, datasets + QStringLiteral("vit20"), datasets + QStringLiteral("photos"));
        measureEncoder(window, datasets + QStringLiteral("sae/vit20.block3.k16/sparsify"));
        window.open(datasets + QStringLiteral("vit20"));
        (void)QTest::qWaitFor([&] { return window.workspaces().workspace() && window.spectrum().isUpToDate(); }, 20000);
        window.document().change(QStringLiteral("bench"), {}, [](SessionState& s) { s.settings.parameters.set("ridge", 0.77); });
        clock.start();
        window.close();
    }
    std::printf("%-28s %.0f ms\n", "end of the window at work", milliseconds(clock));
    measureStop();
    return 0;
}
