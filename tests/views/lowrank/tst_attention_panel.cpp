// SPDX-License-Identifier: GPL-3.0-or-later
// The attention-map page with mouse and keys: linked maps, where a query looks, choosing heads everywhere, ranks on sliders and curves.
#include "tests/views/attention_sample.h"
#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/line_chart.h"
#include "views/common/theme.h"
#include "views/lowrank/attention_panel.h"
#include "views/lowrank/head_error_view.h"
#include "views/lowrank/head_table_model.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"
#include "views/vtk/vtk_widget.h"

#include <QAbstractSpinBox>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QPushButton>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTabWidget>
#include <QTemporaryDir>
#include <QTest>
#include <QWheelEvent>

using namespace tamis;
using namespace tamis::views;

class TstAttentionPanel : public QObject {
    Q_OBJECT
    std::unique_ptr<PhotoModel> m_photos;
    std::unique_ptr<QWidget> m_window;
    AttentionPanel* m_panel = nullptr;

    template <class T> T* part(const char* name) const { return m_window->findChild<T*>(QLatin1String(name)); }
    AttentionMapView* map(int i) const { return i == 0 ? m_panel->maps()->exact() : i == 1 ? m_panel->maps()->approximate() : m_panel->maps()->difference(); }
    static void moveTo(QWidget* widget, const QPointF& at)
    {
        QMouseEvent event(QEvent::MouseMove, at, widget->mapToGlobal(at), Qt::NoButton, Qt::NoButton, {});
        QApplication::sendEvent(widget, &event);
    }
    static void wheel(QWidget* widget, const QPointF& at, int steps)
    {
        QWheelEvent event(at, widget->mapToGlobal(at), {}, QPoint(0, 120 * steps), Qt::NoButton, {}, Qt::NoScrollPhase, false);
        QApplication::sendEvent(widget, &event);
    }
    static ParameterSchema schema()
    {
        const auto rank = [](const char* name, std::int64_t value) {
            return ParameterSpec{.name = name, .title = name, .type = ParameterType::Integer, .defaultValue = value, .minimum = 1, .maximum = 8, .step = 1, .unit = {},
                                 .help = {}, .choices = {}};
        };
        return ParameterSchema({rank("query-rank", 5), rank("key-rank", 3)});
    }

private slots:
    void init()
    {
        Theme::instance().apply(*qApp, Theme::Mode::Light);
        m_photos = std::make_unique<PhotoModel>();
        m_photos->setPhotos({{.name = "cat.jpg", .path = {}, .credit = {}}, {.name = "dog.jpg", .path = {}, .credit = {}}});
        m_window = std::make_unique<QWidget>();
        m_panel = new AttentionPanel(*m_photos);
        auto* row = new QHBoxLayout(m_window.get());
        row->addWidget(m_panel, 1);
        row->addWidget(m_panel->settings());
        m_panel->setSchema(schema());
        m_window->resize(1300, 760);
        m_window->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
    }
    void cleanup()
    {
        m_window.reset();
        m_photos.reset();
    }

    void emptyStateOffersToOpen()
    {
        m_panel->setEmptyState("No photos are open", "Open some.", "Open photos");
        QSignalSpy opened(m_panel, &AttentionPanel::openRequested);
        auto* button = part<QWidget>("attentionEmpty")->findChild<QPushButton*>();
        QVERIFY(button && button->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(opened.count(), 1);
        m_panel->setReport(sample::attentionReport(true));
        QVERIFY(!part<QWidget>("attentionEmpty")->isVisible());
        m_panel->setReport(nullptr);
        QVERIFY(part<QWidget>("attentionEmpty")->isVisible());
    }

    void pointingIsSharedByAllThreeMapsAndTheLens()
    {
        m_panel->setReport(sample::attentionReport(true));
        const TokenPair pair{7, 4};
        moveTo(map(0), map(0)->toPixel(pair));
        for (int i = 0; i < 3; ++i)
            QVERIFY(map(i)->pointed() == pair);
        const auto& r = *m_panel->report();
        const auto lines = map(1)->hoverLines();
        QVERIFY2(lines[0].contains("7") && lines[0].contains("row 1, column 2"), qPrintable(lines.join('|')));
        QVERIFY2(lines[1].contains("4") && lines[1].contains("row 0, column 3"), qPrintable(lines.join('|')));
        QCOMPARE(*map(0)->value(pair), double(r.exact[7 * 17 + 4]));
        QCOMPARE(*map(1)->value(pair), double(r.approximate[7 * 17 + 4]));
        QCOMPARE(*map(2)->value(pair), double(r.approximate[7 * 17 + 4] - r.exact[7 * 17 + 4]));
        QCOMPARE(m_panel->lens()->query(), 7);
        moveTo(map(2), map(2)->toPixel({9, 1}));
        QVERIFY((map(0)->pointed() == TokenPair{9, 1}));
        QCOMPARE(m_panel->lens()->query(), 9);
    }

    void zoomAndPanAreShared()
    {
        m_panel->setReport(sample::attentionReport(true));
        const QRectF whole = map(0)->view();
        QCOMPARE(whole, QRectF(0, 0, 17, 17));
        const QPointF at = map(1)->toPixel({8, 8});
        wheel(map(1), at, 3);
        QVERIFY(map(1)->view().width() < 10);
        QCOMPARE(map(0)->view(), map(1)->view());
        QCOMPARE(map(2)->view(), map(1)->view());
        QVERIFY((map(1)->toPixel({8, 8}) - at).manhattanLength() < 1); // what was under the pointer stays there
        const QRectF zoomed = map(0)->view();
        const QPoint from = map(0)->plotArea().center().toPoint();
        QTest::mousePress(map(0), Qt::LeftButton, {}, from);
        for (int i = 1; i <= 5; ++i) {
            const QPointF to = from + QPointF(8 * i, 0);
            QMouseEvent event(QEvent::MouseMove, to, map(0)->mapToGlobal(to), Qt::NoButton, Qt::LeftButton, {});
            QApplication::sendEvent(map(0), &event);
        }
        QTest::mouseRelease(map(0), Qt::LeftButton, {}, from + QPoint(40, 0));
        QVERIFY(map(2)->view().left() < zoomed.left() - 0.5);
        QCOMPARE(map(2)->view().top(), zoomed.top());
        QVERIFY(map(0)->chosenQuery() == map(1)->chosenQuery()); // a drag chooses nothing new
        QTest::mouseDClick(map(0), Qt::LeftButton, {}, from);
        QCOMPARE(map(1)->view(), whole);
        map(2)->setFocus();
        QTest::keyClick(map(2), Qt::Key_Plus);
        QVERIFY(map(0)->view().width() < 17);
        QTest::keyClick(map(2), Qt::Key_0);
        QCOMPARE(map(0)->view(), whole);
    }

    void aClickKeepsTheQuery()
    {
        m_panel->setReport(sample::attentionReport(true));
        QTest::mouseClick(map(0), Qt::LeftButton, {}, map(0)->toPixel({5, 3}).toPoint());
        QCOMPARE(m_panel->query(), 5);
        moveTo(map(0), map(0)->toPixel({2, 3}));
        QCOMPARE(m_panel->query(), 2);
        QEvent leave(QEvent::Leave);
        QApplication::sendEvent(map(0), &leave);
        QCOMPARE(m_panel->query(), 5); // comes back
        QCOMPARE(map(2)->chosenQuery(), 5);
        map(1)->setFocus();
        QTest::keyClick(map(1), Qt::Key_Down);
        QCOMPARE(m_panel->query(), 6);
        QTest::keyClick(map(1), Qt::Key_Escape);
        QCOMPARE(map(0)->chosenQuery(), -1);
    }

    void aPatchUnderThePointerIsTheQuery()
    {
        m_panel->setReport(sample::attentionReport(true));
        QImage photo(64, 64, QImage::Format_RGB32);
        photo.fill(0xff808080);
        m_panel->setPhoto(photo);
        auto* lens = m_panel->lens();
        for (const bool approximate : {false, true}) {
            const int token = approximate ? 10 : 6;
            moveTo(lens, lens->tokenRect(approximate, token).center());
            QCOMPARE(lens->query(), token);
            QCOMPARE(map(0)->pointed()->query, token);
        }
        QVERIFY(lens->tokenRect(false, 0).isEmpty()); // the class token is no patch
        QTest::mouseClick(lens, Qt::LeftButton, {}, lens->tokenRect(false, 6).center().toPoint());
        QCOMPARE(map(1)->chosenQuery(), 6);
        // The overlay follows the query's row: a patch with more weight is no paler.
        const auto& r = *m_panel->report();
        int least = 1, best = 1;
        for (int k = 1; k < 17; ++k) {
            least = r.exact[6 * 17 + k] < r.exact[std::size_t(6 * 17 + least)] ? k : least;
            best = r.exact[6 * 17 + k] > r.exact[std::size_t(6 * 17 + best)] ? k : best;
        }
        QVERIFY(lens->tokenColor(false, best).alpha() > lens->tokenColor(false, least).alpha());
        QVERIFY(lens->grab().toImage() != QImage());
    }

    void aTextShowsItsWordsAndNothingBehindTheQuery()
    {
        m_panel->setReport(sample::attentionReport(false));
        QVERIFY(!map(0)->value({3, 5}).has_value());
        QVERIFY(map(0)->value({5, 3}).has_value());
        moveTo(map(0), map(0)->toPixel({3, 5}));
        QVERIFY(map(0)->hoverLines()[0].contains("word3"));
        QVERIFY(map(0)->hoverLines()[2].contains("after the query"));
        auto* lens = m_panel->lens();
        moveTo(lens, lens->tokenRect(true, 4).center());
        QCOMPARE(lens->query(), 4);
        QVERIFY(lens->tokenColor(false, 4).isValid());
        QVERIFY(!lens->tokenColor(false, 5).isValid());
        QVERIFY(lens->figureCsv().contains("4,0,word0,"));
        QVERIFY(!lens->figureCsv().contains("4,5,"));
    }

    void headsAreChosenEverywhere()
    {
        m_panel->setReport(sample::attentionReport(true));
        QSignalSpy chosen(m_panel, &AttentionPanel::headChosen);
        auto* layers = part<QComboBox>("attentionLayer");
        layers->setFocus();
        QTest::keyClick(layers, Qt::Key_Down);
        QCOMPARE(chosen.takeLast(), (QVariantList{2, 2}));
        m_panel->setReport(sample::attentionReport(true, 2, 2));
        part<QTabWidget>("attentionTabs")->setCurrentIndex(1);
        auto* table = m_panel->ranking();
        const auto at = table->fromSource(table->proxy()->sourceModel()->index(4, 0)); // layer 1, head 1
        table->scrollTo(at);
        QTest::mouseClick(table->viewport(), Qt::LeftButton, {}, table->visualRect(at).center());
        QCOMPARE(chosen.takeLast(), (QVariantList{1, 1}));
        m_panel->setReport(sample::attentionReport(true, 1, 1));
        QCOMPARE(layers->currentIndex(), 1);
        QCOMPARE(part<QComboBox>("attentionHead")->currentIndex(), 1);
        QVERIFY(chosen.isEmpty()); // what the program shows is no choice of the user
        part<QTabWidget>("attentionTabs")->setCurrentIndex(0);
        part<QComboBox>("headErrorForm")->setCurrentIndex(1);
        auto* flat = m_panel->errors()->flat();
        QTRY_VERIFY(flat->isVisible());
        QVERIFY((flat->selected() == std::pair{1, 1}));
        QTest::mouseClick(flat, Qt::LeftButton, {}, flat->cellRect(0, 3).center().toPoint());
        QCOMPARE(chosen.takeLast(), (QVariantList{3, 0}));
    }

    void barsInSpaceArePicked()
    {
        if (!VtkWidget::available())
            QSKIP("no OpenGL 3.2 here");
        m_panel->setReport(sample::attentionReport(true));
        auto* errors = m_panel->errors();
        QVERIFY(errors->hasScene());
        (void)errors->snapshot();
        QSignalSpy chosen(m_panel, &AttentionPanel::headChosen);
        QTest::mouseClick(errors->sceneWidget(), Qt::LeftButton, {}, errors->toPixel(3, 2).toPoint()); // the highest: nothing hides it
        QCOMPARE(chosen.count(), 1);
        QCOMPARE(chosen.takeLast(), (QVariantList{3, 2}));
        const QImage before = errors->snapshot();
        m_panel->setReport(sample::attentionReport(true, 0, 0));
        QVERIFY(errors->snapshot() != before); // the outline moved
        part<QComboBox>("headErrorOf")->setCurrentIndex(1); // gains have two signs: flat
        QTRY_VERIFY(errors->flat()->isVisible());
        QVERIFY(errors->flat()->grid().diverging);
        QVERIFY(std::abs(errors->flat()->grid().values[0] - 0.01) < 1e-12); // 0.02 separate - 0.01 joint
    }

    void rankingPutsTheWorstHeadFirst()
    {
        m_panel->setReport(sample::attentionReport(true));
        part<QTabWidget>("attentionTabs")->setCurrentIndex(1);
        auto* table = m_panel->ranking();
        QCOMPARE(table->model()->index(0, HeadTableModel::LayerColumn).data().toString(), QString("3"));
        QCOMPARE(table->model()->index(0, HeadTableModel::HeadColumn).data().toString(), QString("2"));
        QCOMPARE(table->model()->index(0, HeadTableModel::GainColumn).data().toString(), QString::fromUtf8("50.0\u202f%"));
        table->sortByColumn(HeadTableModel::SeparateMapColumn, Qt::AscendingOrder);
        QCOMPARE(table->model()->index(0, HeadTableModel::LayerColumn).data().toString(), QString("0"));
        QVERIFY(table->isColumnHidden(HeadTableModel::PlanMapColumn));
    }

    void ranksAreDraggedOnSlidersAndOnTheCurves()
    {
        m_panel->setReport(sample::attentionReport(true));
        QSignalSpy edited(m_panel, &AttentionPanel::valueEdited);
        auto* spin = part<QAbstractSpinBox>("query-rank");
        QVERIFY(spin);
        spin->setFocus();
        QTest::keyClick(spin, Qt::Key_Up);
        QVERIFY(!edited.isEmpty());
        QCOMPARE(edited.last()[0].toString(), QString("query-rank"));
        QCOMPARE(std::get<std::int64_t>(edited.takeLast()[1].value<ParameterValue>()), std::int64_t(6));
        edited.clear();
        part<QTabWidget>("attentionTabs")->setCurrentIndex(2);
        auto* plane = part<LineChart>("keyPlane");
        QVERIFY(QTest::qWaitFor([&] { return plane->plotArea().width() > 50; }));
        QCOMPARE(*plane->cursor(), 3.0);
        auto* canvas = plane->findChild<QAbstractScrollArea*>();
        QVERIFY(canvas);
        const auto place = [&](double x) { return canvas->viewport()->mapFrom(plane, QPointF(plane->toPixel(x, 1).x(), plane->plotArea().center().y())).toPoint(); };
        QTest::mousePress(canvas->viewport(), Qt::LeftButton, {}, place(3));
        QTest::mouseMove(canvas->viewport(), place(4));
        QTest::mouseMove(canvas->viewport(), place(6));
        QTest::mouseRelease(canvas->viewport(), Qt::LeftButton, {}, place(6));
        QVERIFY(!edited.isEmpty());
        QCOMPARE(edited.last()[0].toString(), QString("key-rank"));
        QCOMPARE(std::get<std::int64_t>(edited.last()[1].value<ParameterValue>()), std::int64_t(6));
        QCOMPARE(edited.last()[2].toBool(), true);
    }

    void aFirstPictureKeepsWhatTheLastOneSaidOfAllHeads()
    {
        m_panel->setReport(sample::attentionReport(true));
        auto coarse = sample::attentionReport(true, 0, 1, false);
        m_panel->setStale(true);
        m_panel->setReport(coarse);
        QVERIFY(!part<QLabel>("attentionBadge")->text().isEmpty());
        QCOMPARE(m_panel->ranking()->model()->rowCount(), 12);
        QCOMPARE(m_panel->layer(), 0);
        QVERIFY(part<QLabel>("attentionSummary")->text().contains("Layer 0, head 1"));
        m_panel->setStale(false);
        QVERIFY(part<QLabel>("attentionBadge")->text().isEmpty());
    }

    void summaryAndOutputSayWhatBecomesOfTheModel()
    {
        m_panel->setReport(sample::attentionReport(true));
        const QString summary = part<QLabel>("attentionSummary")->text();
        QVERIFY2(summary.contains("joint 0.06") && summary.contains("separate 0.12"), qPrintable(summary));
        const QString output = part<QLabel>("attentionOutput")->text();
        QVERIFY2(output.contains("cat") && output.contains("dog") && output.contains("0.0125") && output.contains("0.05"), qPrintable(output));
        QCOMPARE(part<LineChart>("attentionBlocks")->series().size(), std::size_t(4));
        auto warned = sample::attentionReport(true);
        warned->warnings = {"No calibration set is open."};
        m_panel->setReport(warned);
        QVERIFY(part<QWidget>("attentionProblem")->isVisible());
        m_panel->setReport(sample::attentionReport(true));
        QVERIFY(!part<QWidget>("attentionProblem")->isVisible());
    }

    void samplesArePicked()
    {
        QSignalSpy picked(m_panel, &AttentionPanel::sampleChosen);
        m_panel->setPhotos();
        auto* list = part<QListView>("attentionPhotos");
        const auto at = list->model()->index(1, 0);
        QTRY_VERIFY(!list->visualRect(at).isEmpty());
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualRect(at).center());
        QCOMPARE(picked.takeLast(), QVariantList{1});
        m_panel->setTexts({{"sequence 0", "It was the best"}, {"sequence 1", "of times"}, {"sequence 2", "it was"}});
        m_panel->setShownSample(0);
        QVERIFY(picked.isEmpty());
        auto* texts = part<QListWidget>("attentionTexts");
        QTest::mouseClick(texts->viewport(), Qt::LeftButton, {}, texts->visualItemRect(texts->item(2)).center());
        QCOMPARE(picked.takeLast(), QVariantList{2});
    }

    void colourScalesAgreeOnTheEnds()
    {
        m_panel->setReport(sample::attentionReport(true));
        auto* scale = part<QComboBox>("attentionScale");
        const double most = m_panel->maps()->exactGrid().most;
        std::vector<QColor> middle;
        for (int i = 0; i < 3; ++i) {
            scale->setCurrentIndex(i);
            QCOMPARE(map(0)->colorOf(most), Theme::sequentialColor(1));
            QCOMPARE(map(0)->colorOf(0), Theme::sequentialColor(0));
            middle.push_back(map(0)->colorOf(most / 10));
            QCOMPARE(map(2)->colorOf(0), Theme::instance().divergingColor(0.5));
        }
        QCOMPARE(middle[0], Theme::sequentialColor(0.1));
        QCOMPARE(middle[1], Theme::sequentialColor(std::sqrt(0.1)));
        QCOMPARE(middle[2], Theme::sequentialColor(0.75)); // one of four decades below the top
    }

    void picturesAndTablesAreExported()
    {
        m_panel->setReport(sample::attentionReport(true));
        QTemporaryDir directory;
        for (Figure* figure : {static_cast<Figure*>(m_panel->maps()), static_cast<Figure*>(map(0)), static_cast<Figure*>(m_panel->lens()), static_cast<Figure*>(m_panel->errors())})
            for (const char* suffix : {"png", "svg", "csv"}) {
                const QString path = directory.filePath(QStringLiteral("x.") + suffix);
                const auto failure = writeFigure(*figure, *figureFormatOf(path), path);
                QVERIFY2(!failure, failure ? qPrintable(*failure) : "");
                QVERIFY(QFileInfo(path).size() > 100);
            }
        const QStringList rows = m_panel->maps()->figureCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(rows.size(), 1 + 17 * 17);
        const QStringList fields = rows[1 + 7 * 17 + 4].split(',');
        QCOMPARE(fields[0], QString("7"));
        QVERIFY(std::abs(fields[fields.size() - 3].toDouble() - double(m_panel->report()->exact[7 * 17 + 4])) < 1e-8);
        QVERIFY(m_panel->maps()->figureCaption().contains("layer 1, head 2"));
    }

    void bothButtonsCopyTheirFigures()
    {
        m_panel->setReport(sample::attentionReport(true));
        for (const auto& [name, figure] : {std::pair<const char*, Figure*>{"exportMaps", m_panel->maps()}, {"exportPart", m_panel->lens()}}) {
            QApplication::clipboard()->clear();
            for (QAction* action : part<ExportButton>(name)->menu()->actions())
                if (action->objectName() == "copy-values")
                    action->trigger();
            QCOMPARE(QApplication::clipboard()->text(), figureTable(*figure));
            for (QAction* action : part<ExportButton>(name)->menu()->actions())
                if (action->objectName() == "copy-picture")
                    action->trigger();
            QVERIFY(!QApplication::clipboard()->image().isNull());
        }
    }

    void darkIsDrawnToo()
    {
        m_panel->setReport(sample::attentionReport(false));
        const QImage light = map(0)->grab().toImage();
        Theme::instance().apply(*qApp, Theme::Mode::Dark);
        const QImage dark = map(0)->grab().toImage();
        QVERIFY(dark.pixelColor(2, 2).lightness() < light.pixelColor(2, 2).lightness() - 80);
    }
};

QTEST_MAIN(TstAttentionPanel)
#include "tst_attention_panel.moc"
