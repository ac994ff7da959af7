// SPDX-License-Identifier: GPL-3.0-or-later
// The attention lab's tab with mouse and keys: maps, where a query looks, errors beside trivial operators, the head chosen everywhere, settings.
#include "tests/views/attention_lab_sample.h"
#include "views/attention/attention_lab_panel.h"
#include "views/attention/attention_lens.h"
#include "views/attention/attention_maps.h"
#include "views/attention/attention_maps_page.h"
#include "views/attention/attention_settings.h"
#include "views/attention/attention_training_page.h"
#include "views/attention/head_comparison_model.h"
#include "views/attention/head_error_model.h"
#include "views/attention/heads_page.h"
#include "views/attention/sample_picker.h"
#include "views/attention/sparse_page.h"
#include "views/common/class_bars.h"
#include "views/common/figure_export.h"
#include "views/common/heat_map.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/training_view.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"

#include <QAbstractSpinBox>
#include <QApplication>
#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QListWidget>
#include <QPushButton>
#include <QSignalSpy>
#include <QSlider>
#include <QTabBar>
#include <QTabWidget>
#include <QTest>
#include <QToolButton>

using namespace tamis;
using namespace tamis::views;

class TstAttentionLabPanel : public QObject {
    Q_OBJECT
    std::unique_ptr<PhotoModel> m_photos;
    std::unique_ptr<QWidget> m_window;
    AttentionLabPanel* m_panel = nullptr;

    template <class T> T* part(const char* name) const { return m_window->findChild<T*>(QLatin1String(name)); }
    QString text(const char* label) const { return part<QLabel>(label)->text().replace(QChar(0x202f), QLatin1Char(' ')); } // narrow spaces before units
    AttentionMapView* map(int i) const { return i == 0 ? m_panel->maps()->maps()->exact() : i == 1 ? m_panel->maps()->maps()->approximate() : m_panel->maps()->maps()->difference(); }
    static void moveTo(QWidget* widget, const QPointF& at)
    {
        QMouseEvent event(QEvent::MouseMove, at, widget->mapToGlobal(at), Qt::NoButton, Qt::NoButton, {});
        QApplication::sendEvent(widget, &event);
    }
    static void choose(QComboBox* box, int row)
    {
        box->setFocus();
        while (box->currentIndex() != row)
            QTest::keyClick(box, box->currentIndex() < row ? Qt::Key_Down : Qt::Key_Up);
    }
    static std::vector<OfferedMethod> methods()
    {
        ParameterSpec landmarks{.name = "landmarks", .title = "Landmarks", .type = ParameterType::Integer, .defaultValue = std::int64_t{16}, .minimum = 1, .maximum = 64, .step = 1, .unit = {}, .help = {}, .choices = {}};
        return {{"", "Exact", "The model's own", false, {}, ParameterSchema()},
                {"attention.nystrom", "Nyström", "Xiong et al.", false, {}, ParameterSchema({landmarks})},
                {"attention.linformer", "Linformer", "Wang et al.", false, "attention is causal", ParameterSchema()}};
    }
    void open(bool photo, int layer = 1, std::int64_t head = 2, bool complete = true)
    {
        m_panel->setSummary("sample · 4 blocks");
        m_panel->setChoices({"Nyström", {}}, {});
        m_panel->setReport(sample::attentionLab(photo, layer, head, complete));
    }

private slots:
    void init()
    {
        m_photos = std::make_unique<PhotoModel>();
        m_photos->setPhotos({{.name = "cat.jpg", .path = {}, .credit = {}}, {.name = "dog.jpg", .path = {}, .credit = {}}});
        m_window = std::make_unique<QWidget>();
        m_panel = new AttentionLabPanel(*m_photos);
        auto* row = new QHBoxLayout(m_window.get());
        row->addWidget(m_panel, 1);
        row->addWidget(m_panel->settings());
        m_panel->settings()->setFixedWidth(290);
        m_panel->settings()->show();
        m_window->resize(1400, 860);
        m_window->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_window.get()));
    }
    void cleanup() { m_window.reset(); }

    void nothingOpenSaysWhatToDo()
    {
        m_panel->setNothing("No photos are open", "Open some.", "Open photos…");
        QSignalSpy asked(m_panel, &AttentionLabPanel::openRequested);
        auto* button = part<QWidget>("attentionLabEmpty")->findChild<QPushButton*>();
        QVERIFY(button->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        open(true);
        QVERIFY(!button->isVisible());
        m_panel->setReport(nullptr);
        QVERIFY(map(0)->isEmpty());
    }

    void mapsLensAndPointerAreOne()
    {
        open(true);
        moveTo(map(0), map(0)->toPixel({7, 4}));
        for (int i = 0; i < 3; ++i)
            QVERIFY((map(i)->pointed() == TokenPair{7, 4}));
        QCOMPARE(m_panel->maps()->query(), 7);
        const auto& view = m_panel->report()->view;
        QCOMPARE(*map(2)->value({7, 4}), double(view.approximate[7 * 17 + 4] - view.exact[7 * 17 + 4]));
        auto* lens = m_panel->maps()->lens();
        QImage photo(64, 64, QImage::Format_RGB32);
        photo.fill(0xff808080);
        m_panel->setPhoto(photo);
        moveTo(lens, lens->tokenRect(true, 10).center()); // on the approximate side
        QCOMPARE(lens->query(), 10);
        QCOMPARE(map(1)->pointed()->query, 10);
        QVERIFY(lens->tokenColor(false, 3).isValid());
        QTest::mouseClick(lens, Qt::LeftButton, {}, lens->tokenRect(false, 6).center().toPoint());
        QCOMPARE(map(2)->chosenQuery(), 6);
    }

    void oneMapGetsAllTheRoom()
    {
        open(true);
        const double before = map(1)->plotArea().width();
        choose(part<QComboBox>("labMapsShown"), 2); // approximate
        QTRY_VERIFY(!map(0)->isVisible() && map(1)->isVisible() && !map(2)->isVisible());
        QTRY_VERIFY(map(1)->width() > 2 * before);
        choose(part<QComboBox>("labMapsShown"), 0);
        QTRY_VERIFY(map(0)->isVisible() && map(2)->isVisible());
    }

    void aTextHasItsTokensOnBothAxes()
    {
        open(true);
        const double numbered = map(0)->width() - map(0)->plotArea().right(), left = map(0)->plotArea().left();
        const double height = map(0)->plotArea().height();
        Q_UNUSED(numbered)
        open(false);
        QVERIFY(!map(0)->value({3, 5}).has_value()); // the key comes after the query
        QVERIFY2(map(0)->plotArea().left() > left || map(0)->plotArea().height() < height, "names take room that numbers do not");
        // The pointed pair's names stand on both axes, on a ground of their own: pixels beside the map change with the pointer.
        const QImage before = figureImage(*map(0), 1);
        moveTo(map(0), map(0)->toPixel({8, 2}));
        const QImage after = figureImage(*map(0), 1);
        const QRectF plot = map(0)->plotArea();
        const auto differs = [&](const QRect& where) { return before.copy(where) != after.copy(where); };
        QVERIFY(differs(QRectF(plot.left() - 40, map(0)->toPixel({8, 0}).y() - 6, 38, 12).toRect()));
        QVERIFY(differs(QRectF(map(0)->toPixel({0, 2}).x() - 6, plot.bottom() + 4, 12, 30).toRect()));
    }

    void errorsStandBesideTrivialOnes()
    {
        open(true);
        auto* model = m_panel->maps()->errors();
        QStringList tree;
        for (int row = 0; row < model->rowCount(); ++row)
            tree << model->index(row, 0).data().toString() + " | " + model->index(row, 1).data().toString() + " | " + model->index(row, 2).data().toString();
        QCOMPARE(tree, (QStringList{"This head, here | 0.125 | 0.25", "This head, 2 samples | 0.06 | 0.12", "Zero | 1 | 1", "Mean of the values | 0.5 | 0.75"}));
        QCOMPARE(model->index(2, 1).data(kFractionRole).toDouble(), 1.0);
        QCOMPARE(model->index(0, 1).data(kFractionRole).toDouble(), 0.125);
        QVERIFY(model->index(2, 1).data(kToneRole) != model->index(0, 1).data(kToneRole));
    }

    void theOutputBeforeAndAfter()
    {
        open(true);
        QVERIFY(m_panel->maps()->classes()->isChanged());
        QVERIFY2(text("labEffect").contains("0.0125") && text("labEffect").contains("5.00 %"), qPrintable(text("labEffect")));
        open(false);
        QVERIFY(text("labEffect").contains("75.0 %")); // next tokens
        open(false, 2, 0, false); // the first picture of another head
        QVERIFY(text("labEffect").contains("75.0 %")); // what was known stays
        QCOMPARE(m_panel->layer(), 2);
    }

    void theHeadIsOneOnAllPages()
    {
        open(true);
        QSignalSpy chosen(m_panel, &AttentionLabPanel::headChosen);
        choose(part<QComboBox>("labLayer"), 3);
        QCOMPARE(chosen.last(), (QVariantList{3, 2}));
        auto* flat = m_panel->heads()->map();
        QCOMPARE(flat->selected()->second, 3);
        m_panel->showPage("heads");
        QTest::mouseClick(flat, Qt::LeftButton, {}, flat->cellRect(1, 0).center().toPoint());
        QCOMPARE(chosen.last(), (QVariantList{0, 1}));
        open(true, 0, 1);
        QCOMPARE(m_panel->head(), 1);
        QVERIFY(part<QComboBox>("attentionScope")->itemText(2).contains("head 1 of block 0"));
    }

    void ownChoicesAreMarkedEverywhere()
    {
        open(true);
        QVERIFY(!part<QLabel>("labOwnChoice")->isVisible());
        m_panel->setChoices({"Nyström, landmarks 16", {}}, {{3, -1, "exact"}, {1, 2, "Band, reach 4"}});
        QVERIFY(part<QLabel>("labOwnChoice")->isVisible());
        QVERIFY(text("labOwnChoice").contains("Band, reach 4"));
        QCOMPARE(m_panel->heads()->map()->badges().size(), std::size_t{4}); // three heads of layer 3 and one
        auto* list = part<QListWidget>("attentionChoices");
        QCOMPARE(list->count(), 2);
        QSignalSpy forgotten(m_panel->settings(), &AttentionSettings::forgetRequested);
        list->setFocus();
        list->setCurrentRow(1);
        QTest::keyClick(list, Qt::Key_Delete);
        QCOMPARE(forgotten.size(), 1);
        QVERIFY((forgotten.first().first().value<HeadPlace>() == HeadPlace{1, 2}));
        QSignalSpy all(m_panel->settings(), &AttentionSettings::forgetAllRequested);
        QTest::mouseClick(part<QPushButton>("attentionForgetAll"), Qt::LeftButton);
        QCOMPARE(all.size(), 1);
    }

    void settingsTellMethodSliderScopeAndBlocks()
    {
        open(true);
        auto* settings = m_panel->settings();
        settings->setMethods(methods());
        settings->setChoice("attention.nystrom", {});
        QSignalSpy method(settings, &MethodForm::methodEdited), parameter(settings, &MethodForm::parameterEdited);
        auto* slider = part<QSlider>("landmarks-slider");
        slider->setFocus();
        QTest::keyClick(slider, Qt::Key_Right);
        QVERIFY(parameter.size() >= 1);
        QCOMPARE(parameter.last().first().toString(), "landmarks");
        choose(part<QComboBox>("attentionMethod"), 0);
        QCOMPARE(method.last().first().toString(), QString());
        QSignalSpy scoped(settings, &AttentionSettings::scopeChosen);
        choose(part<QComboBox>("attentionScope"), 2);
        QCOMPARE(settings->scope(), AttentionScope::Head);
        QVERIFY(!scoped.isEmpty());
        settings->setBlocks(4, {});
        QSignalSpy blocks(settings, &AttentionSettings::blocksEdited);
        QVERIFY(!part<QPushButton>("attentionAllBlocks")->isEnabled());
        QTest::mouseClick(part<QToolButton>("attentionBlock2"), Qt::LeftButton);
        QCOMPARE(blocks.last().first().value<std::vector<int>>(), (std::vector<int>{0, 1, 3}));
        settings->setBlocks(4, std::vector<int>{0, 1, 3});
        QTest::mouseClick(part<QPushButton>("attentionAllBlocks"), Qt::LeftButton);
        QCOMPARE(blocks.last().first().value<std::vector<int>>().size(), std::size_t{4});
    }

    void samplesAreChosenByNameAndText()
    {
        auto* samples = m_panel->settings()->samples();
        QSignalSpy chosen(samples, &SamplePicker::chosen);
        samples->setTexts({{"sequence 0", "It was"}, {"sequence 1", "the best"}});
        auto* list = part<QListWidget>("labTexts");
        samples->setShown(0);
        QCOMPARE(chosen.size(), 0);
        list->setFocus();
        QTest::keyClick(list, Qt::Key_Down);
        QCOMPARE(chosen.last().first().toInt(), 1);
        samples->setPhotos();
        QVERIFY(!samples->showsTexts());
    }

    void trainingIsAskedForWhereItCanBe()
    {
        open(false);
        auto* page = m_panel->training();
        m_panel->showPage("training");
        QSignalSpy train(page, &AttentionTrainingPage::trainRequested), samples(page, &AttentionTrainingPage::samplesRequested), save(page, &AttentionTrainingPage::saveRequested),
            read(page, &AttentionTrainingPage::openRequested), finish(page, &AttentionTrainingPage::finishRequested), cancel(page, &AttentionTrainingPage::cancelRequested);
        QCOMPARE(text("attentionTrainingSamples"), QString("nothing chosen"));
        page->setSamples("/photos/to train on");
        QCOMPARE(text("attentionTrainingSamples"), QString("to train on"));
        page->setSaveReason("nothing was trained");
        page->training()->setTrainReason("nothing to train on is chosen");
        for (const char* each : {"trainOnPageOfAttention", "saveTrainedAttention", "openTrainedAttention", "chooseAttentionTrainingSamples"})
            QTest::mouseClick(part<QPushButton>(each), Qt::LeftButton);
        QVERIFY(train.empty() && save.empty() && read.size() == 1 && samples.size() == 1);
        QVERIFY(part<QPushButton>("saveTrainedAttention")->toolTip().contains("nothing was trained"));
        page->setSaveReason({});
        page->training()->setTrainReason({});
        QTest::mouseClick(part<QPushButton>("saveTrainedAttention"), Qt::LeftButton);
        QTest::mouseClick(part<QPushButton>("trainOnPageOfAttention"), Qt::LeftButton);
        QVERIFY(train.size() == 1 && save.size() == 1);
        page->training()->setRunning("the model");
        QTest::mouseClick(part<QPushButton>("finishTrainingOfAttention"), Qt::LeftButton);
        QTest::mouseClick(part<QPushButton>("cancelTrainingOfAttention"), Qt::LeftButton);
        QVERIFY(finish.size() == 1 && cancel.size() == 1);
        page->setOutcome("Band, trained: perplexity 16");
        QVERIFY(part<QLabel>("attentionTrainingOutcome")->isVisible());
        page->setOutcome({});
        QVERIFY(!part<QLabel>("attentionTrainingOutcome")->isVisible());
    }

    void whatIsFittedToIsSaid()
    {
        open(true);
        QSignalSpy asked(m_panel->settings(), &AttentionSettings::fittedRequested), forgotten(m_panel->settings(), &AttentionSettings::fittedForgotten);
        auto* forget = part<QPushButton>("forgetAttentionFitted");
        QVERIFY(!forget->isEnabled()); // there is nothing to forget
        QTest::mouseClick(part<QPushButton>("chooseAttentionFitted"), Qt::LeftButton);
        m_panel->settings()->setFitted("/photos/others");
        QCOMPARE(text("attentionFitted"), QString("others"));
        QTest::mouseClick(forget, Qt::LeftButton);
        QVERIFY(asked.size() == 1 && forgotten.size() == 1);
    }

    void pagesAreToldOfAndEveryControlIsNamed()
    {
        open(false);
        QSignalSpy shown(m_panel, &AttentionLabPanel::pageShown);
        auto* bar = part<QTabWidget>("attentionLabPages")->tabBar();
        for (int page = 1; page < bar->count(); ++page) {
            QTest::mouseClick(bar, Qt::LeftButton, {}, bar->tabRect(page).center());
            QCOMPARE(shown.last().first().toString(), m_panel->page());
        }
        QCOMPARE(m_panel->page(), "addressing");
        QVERIFY(!m_panel->sparse()->isEmpty());
        m_panel->showPage("maps");
        QCOMPARE(shown.size(), bar->count() - 1); // showing one is no click
        m_panel->setRunning("Comparing");
        QSignalSpy stopped(m_panel, &AttentionLabPanel::stopRequested);
        QTest::mouseClick(part<QPushButton>("stopAttention"), Qt::LeftButton);
        QCOMPARE(stopped.size(), 1);
        QStringList unnamed;
        for (auto* each : m_window->findChildren<QWidget*>()) {
            const bool inner = qstrcmp(each->metaObject()->className(), "QWidget") == 0 || each->objectName().startsWith("qt_") || each->inherits("QTabBar") || each->inherits("QTabWidget") || each->inherits("QScrollArea");
            const auto* button = qobject_cast<QAbstractButton*>(each);
            if (!inner && !each->isHidden() && !each->parentWidget()->isHidden() && each->focusPolicy() & Qt::TabFocus && each->accessibleName().isEmpty() && !(button && !(button->text() + button->toolTip()).isEmpty()))
                unnamed << each->objectName() + QLatin1Char(' ') + QLatin1String(each->metaObject()->className());
        }
        QVERIFY2(unnamed.isEmpty(), qPrintable(unnamed.join(", ")));
    }

    void numbersAndFiguresCarryTheirSettings()
    {
        open(true);
        QVERIFY2(text("attentionLabNumbers").contains("100 k") && text("attentionLabNumbers").contains("200 k"), qPrintable(text("attentionLabNumbers")));
        m_panel->setCaption("sample, layer 1, head 2, landmarks 16");
        const QString table = figureTable(*m_panel->maps()->maps());
        QVERIFY(table.startsWith("# sample, layer 1, head 2, landmarks 16"));
        QCOMPARE(table.count('\n'), 2 + 17 * 17);
        QVERIFY(figureTable(*m_panel->heads()->map()).contains("landmarks 16"));
    }
};

QTEST_MAIN(TstAttentionLabPanel)
#include "tst_attention_lab_panel.moc"
