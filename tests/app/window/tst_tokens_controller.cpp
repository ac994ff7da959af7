// SPDX-License-Identifier: GPL-3.0-or-later
// The token tab in the window: vit20 with its photos, from opening to sliders, patches by hand with undo, a folder, a comparison.
#include "tests/app/window/desk.h"
#include "views/common/class_bars.h"
#include "views/tokens/overlay_page.h"
#include "views/tokens/token_overlay_view.h"
#include "views/tokens/token_panel.h"
#include "views/tokens/token_pareto_chart.h"
#include "views/tokens/token_pareto_page.h"
#include "views/tokens/token_photo_model.h"
#include "views/tokens/token_settings.h"
#include "views/tokens/token_strip.h"

#include <QAbstractSpinBox>
#include <QComboBox>
#include <QDir>
#include <QDoubleSpinBox>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QListView>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QUndoStack>

#include <cmath>

using namespace tamis;
using namespace tamis::app;
using namespace tamis::app::test;
using report::TokenWish;

namespace {
struct TokenDesk : Desk {
    TokensController& controller() { return window.tokens(); }
    views::TokenPanel& panel() { return window.tokenPanel(); }
    views::TokenOverlayView& photo() { return *panel().overlays()->reduced(); }
    const report::TokenOverlay& reduced() { return *controller().result()->reduced.overlay(); }
    bool shown()
    {
        return waitFor([this] { return controller().isUpToDate() && !controller().isBusy(); });
    }
    bool folder()
    {
        return waitFor([this] { return controller().isFolderUpToDate(); });
    }
    /// What is open already stays, with everything asked for at its defaults.
    bool openAll(const QString& photos = dataset("photos"))
    {
        if (window.model().report() && controller().result()) {
            window.document().select([](Selection& selection) { selection.tokenPage = "tokens"; });
            window.document().change("defaults", {}, [](SessionState& state) { state.tokens = {}; });
            window.document().select([](Selection& selection) { selection.tokenPhoto.clear(); });
            if (window.model().photoFolder() != photos)
                window.model().openPhotos(photos);
            window.showLab(&panel());
            return shown();
        }
        if (!Desk::open(dataset("vit20")) || !waitFor([this] { return window.model().report() != nullptr; }))
            return false;
        window.model().openPhotos(photos);
        window.showLab(&panel());
        return shown();
    }
    QAbstractSpinBox* box(const char* name) { return panel().settings()->findChild<QAbstractSpinBox*>(QLatin1String(name)); }
    void click(int patch) { QTest::mouseClick(&photo(), Qt::LeftButton, {}, photo().patchRect(patch).center().toPoint()); }
};
} // namespace

class TstTokensController : public QObject {
    Q_OBJECT
public:
    static void initMain() { prepareApplication("tst_tokens_controller"); }

private slots:
    /// One window for most of them: vit20 with its photos, at the lab's first choice.
    void init()
    {
        if (m_desk)
            return;
        m_desk = std::make_unique<TokenDesk>();
    }
    void cleanupTestCase() { m_desk.reset(); }

    void nothingIsComputedOutOfSight()
    {
        QVERIFY(m_desk->Desk::open(dataset("vit20")));
        QVERIFY(m_desk->waitFor([&] { return m_desk->window.model().report() != nullptr; }));
        QVERIFY(m_desk->controller().disabledReason().contains("photos"));
        m_desk->window.model().openPhotos(dataset("photos"));
        QTest::qWait(60);
        QCOMPARE(m_desk->controller().lane().counts().requests, 0);
        m_desk->window.showLab(&m_desk->panel());
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->photo().picture().tokens(0), std::int64_t(257));
        QVERIFY(m_desk->photo().picture().tokens(6) < 257);
        QVERIFY(!m_desk->panel().overlays()->classes()->rows().empty());
        QVERIFY(!m_desk->child<QLabel>("tokenNumbers")->text().isEmpty());
        savePicture(m_desk->window, "tokens-tab");
    }
    void aSliderRedrawsThePhotoFirst()
    {
        QVERIFY(m_desk->openAll());
        QVERIFY(m_desk->folder());
        const auto& lane = m_desk->controller().lane();
        const auto& folder = m_desk->controller().folderLane();
        const int asked = lane.counts().requests, folders = folder.counts().requests;
        int foldersAtPicture = -1;
        const auto shown = connect(&m_desk->controller(), &TokensController::pictureShown, this, [&] { foldersAtPicture = folder.counts().requests; });
        auto* r = m_desk->box("r");
        QVERIFY(r);
        r->setFocus();
        QTest::keyClick(r, Qt::Key_Up);
        QCOMPARE(lane.counts().requests, asked + 1); // at once
        QVERIFY(m_desk->shown());
        disconnect(shown);
        QCOMPARE(foldersAtPicture, folders); // the folder waited until the photo was there and edits rested
        QCOMPARE(m_desk->photo().picture().tokens(6), std::int64_t(257 - 6 * 9));
        QVERIFY(m_desk->folder()); // follows by itself
        QCOMPARE(m_desk->panel().photos().picture(7).tokens(6), std::int64_t(257 - 6 * 9));
        m_desk->run("edit.undo");
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->photo().picture().tokens(6), std::int64_t(257 - 6 * 8));
    }
    void slidersAreAsLongAsTheModelHasUseFor()
    {
        QVERIFY(m_desk->openAll());
        m_desk->window.document().change("r", {}, [](SessionState& state) { state.tokens.setting.method = "tokens.tome"; });
        auto* r = qobject_cast<QDoubleSpinBox*>(m_desk->box("r"));
        QVERIFY(r);
        QCOMPARE(r->maximum(), 128.0); // half of the patches
    }
    void patchesByHandAreUndone()
    {
        QVERIFY(m_desk->openAll());
        m_desk->window.document().change("method", {}, [](SessionState& state) {
            state.tokens.setting.method = "tokens.evit";
            state.tokens.setting.parameters.set("keep", 0.3);
            state.tokens.setting.parameters.set("fuse", false);
        });
        QVERIFY(m_desk->shown());
        int pruned = 0;
        while (m_desk->photo().picture().groupOf(6, pruned) >= 0)
            ++pruned;
        const double shift = m_desk->reduced().embeddingShift;
        m_desk->click(pruned);
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::Keep);
        QVERIFY(m_desk->shown());
        QVERIFY(m_desk->photo().picture().groupOf(6, pruned) >= 0);
        QVERIFY(m_desk->reduced().embeddingShift != shift);
        QCOMPARE(m_desk->panel().settings()->findChild<QLabel*>("tokenWishes")->text(), QStringLiteral("1 kept, 0 dropped"));
        m_desk->click(pruned);
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::Drop);
        QVERIFY(m_desk->shown());
        QVERIFY(m_desk->photo().picture().groupOf(1, pruned) < 0);
        m_desk->run("edit.undo");
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::Keep);
        m_desk->run("edit.undo");
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::None);
        QCOMPARE(m_desk->reduced().embeddingShift, shift);
        // By keys: the same.
        m_desk->photo().setFocused(pruned);
        m_desk->photo().setFocus();
        QTest::keyClick(&m_desk->photo(), Qt::Key_Space);
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::Keep);
        m_desk->run("tokens.clear");
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::None);
        m_desk->run("edit.undo");
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::Keep);
        // Another photo has its own.
        m_desk->window.document().select([&](Selection& selection) { selection.tokenPhoto = m_desk->panel().photos().name(3).toStdString(); });
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->photo().wish(pruned), TokenWish::None);
    }
    void photosAreChosenInTheStrip()
    {
        QVERIFY(m_desk->openAll());
        QVERIFY(m_desk->folder());
        QCOMPARE(m_desk->panel().photos().known(), 20);
        auto* list = m_desk->panel().strip()->list();
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualRect(list->model()->index(4, 0)).center());
        QVERIFY(m_desk->shown());
        QCOMPARE(QString::fromStdString(m_desk->controller().result()->photo), m_desk->panel().photos().name(4));
        m_desk->run("tokens.changed");
        QVERIFY(m_desk->shown());
        for (int row = 0; row < 20; ++row)
            QVERIFY(m_desk->panel().photos().picture(row).overlay()->embeddingShift <= m_desk->reduced().embeddingShift);
    }
    void settingsArePinnedBeside()
    {
        QVERIFY(m_desk->openAll());
        emit m_desk->panel().pinRequested();
        QVERIFY(m_desk->shown());
        const auto pinned = m_desk->controller().result()->reduced.tokens(6);
        auto* r = m_desk->box("r");
        r->setFocus();
        for (int i = 0; i < 5; ++i)
            QTest::keyClick(r, Qt::Key_Up);
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->panel().overlays()->other()->picture().tokens(6), pinned);
        QCOMPARE(m_desk->photo().picture().tokens(6), pinned - 6 * 5);
    }
    void threeHundredPhotosStop()
    {
        QTemporaryDir folder;
        const QDir from(dataset("photos"));
        const QStringList files = from.entryList({"*.jpg", "*.png"}, QDir::Files);
        QVERIFY(!files.isEmpty());
        for (int i = 0; i < 300; ++i)
            QVERIFY(QFile::link(from.filePath(files[i % files.size()]), folder.filePath(QStringLiteral("photo-%1.jpg").arg(i, 3, 10, QLatin1Char('0')))));
        QVERIFY(m_desk->openAll(folder.path()));
        QVERIFY(m_desk->waitFor([&] { return m_desk->panel().photos().known() > 0; })); // thumbnails fill in
        QVERIFY(m_desk->panel().photos().known() < 300);
        auto* stop = m_desk->child<QPushButton>("stopTokens");
        QVERIFY(m_desk->waitFor([&] { return stop->isVisible(); }));
        QTest::mouseClick(stop, Qt::LeftButton);
        QVERIFY(!m_desk->controller().folderLane().isBusy());
        const int known = m_desk->panel().photos().known();
        QTest::qWait(200);
        QCOMPARE(m_desk->panel().photos().known(), known); // nothing comes after the stop
        QVERIFY(known < 300);
    }
    void comparisonsFillTheChart()
    {
        QTemporaryDir folder; // two photos: the whole set is the work's own test
        const QDir from(dataset("photos"));
        const QStringList files = from.entryList({"*.jpg", "*.png"}, QDir::Files);
        for (int i = 0; i < 2; ++i)
            QVERIFY(QFile::copy(from.filePath(files[i]), folder.filePath(files[i])));
        QVERIFY(m_desk->openAll(folder.path()));
        m_desk->run("tokens.compare");
        QVERIFY(!m_desk->controller().compareDisabledReason().isEmpty());
        QVERIFY(m_desk->waitFor([&] { return m_desk->controller().comparison() && m_desk->controller().comparison()->points.size() > 2; }));
        QCOMPARE(m_desk->panel().page(), QStringLiteral("compare"));
        auto* chart = m_desk->panel().compare()->chart();
        const auto& point = m_desk->controller().comparison()->points[2];
        QTest::mouseClick(chart, Qt::LeftButton, {}, chart->toPixel(2).toPoint());
        const auto& taken = m_desk->window.document().state().tokens.setting;
        QVERIFY(taken.method == point.method); // another point of the same method may lie on it
        m_desk->run("tokens.stop");
        QVERIFY(m_desk->waitFor([&] { return m_desk->controller().compareDisabledReason().isEmpty(); }));
        savePicture(m_desk->window, "tokens-compare");
    }
    void keptTokensAreWritten()
    {
        QVERIFY(m_desk->openAll());
        m_desk->saveAs = m_desk->path("kept.json");
        m_desk->click(5);
        QVERIFY(m_desk->shown());
        emit m_desk->panel().jsonRequested();
        QFile file(m_desk->saveAs);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto json = QJsonDocument::fromJson(file.readAll()).object();
        QCOMPARE(json["file"].toString(), QString::fromStdString(m_desk->controller().result()->photo));
        QCOMPARE(json["kept_by_hand"], QJsonValue(QJsonArray{6}));
        m_desk->saveAs = m_desk->path("overlay.csv");
        emit m_desk->panel().exportRequested(&m_desk->photo(), views::FigureFormat::Csv, "tokens");
        QFile table(m_desk->saveAs);
        QVERIFY(table.open(QIODevice::ReadOnly));
        const QByteArray text = table.readAll();
        QVERIFY(text.contains("r 8") && text.contains("by hand 1 kept") && text.contains("block_5"));
    }
    void sessionsComeBack()
    {
        QTemporaryDir kept; // outlives the first window
        QVERIFY(m_desk->openAll());
        m_desk->click(7);
        emit m_desk->panel().pinRequested();
        m_desk->saveAs = kept.filePath("mine.tamis");
        m_desk->run("file.save");
        const auto state = m_desk->window.document().state();
        const QString file = m_desk->saveAs;
        m_desk.reset();
        m_desk = std::make_unique<TokenDesk>();
        QVERIFY(m_desk->Desk::open(file));
        QVERIFY(m_desk->window.document().state().tokens == state.tokens);
        m_desk->window.showLab(&m_desk->panel());
        QVERIFY(m_desk->shown());
        QCOMPARE(m_desk->photo().wish(7), TokenWish::Keep);
        m_desk->window.model().closePhotos();
        QVERIFY(m_desk->photo().isEmpty());
        QVERIFY(m_desk->child<QWidget>("tokenEmpty")->isVisible());
    }
    void theWrongModelIsSaid()
    {
        m_desk.reset();
        TokenDesk text;
        QVERIFY(text.Desk::open(dataset("tinylm")));
        text.window.showLab(&text.panel());
        QVERIFY(text.waitFor([&] { return text.controller().disabledReason().contains("no images"); }));
        QVERIFY(text.child<QWidget>("tokenEmpty")->isVisible());
    }

private:
    std::unique_ptr<TokenDesk> m_desk;
};

QTEST_MAIN(TstTokensController)
#include "tst_tokens_controller.moc"
