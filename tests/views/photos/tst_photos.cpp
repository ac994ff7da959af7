// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/model_sample.h"
#include "views/common/theme.h"
#include "views/photos/photo_filter.h"
#include "views/photos/photo_grid.h"
#include "views/photos/photo_list.h"
#include "views/photos/photo_model.h"
#include "views/photos/photo_strip.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QComboBox>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QPainter>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using Model = PhotoModel;

class TstPhotos : public QObject {
    Q_OBJECT
    std::unique_ptr<PhotoModel> m_model;
    std::unique_ptr<PhotoGrid> m_grid;

    static std::vector<PhotoEntry> photos(int count)
    {
        std::vector<PhotoEntry> all;
        for (int i = 0; i < count; ++i)
            all.push_back({.name = QStringLiteral("photo_%1.png").arg(i, 2, 10, QLatin1Char('0')), .path = QStringLiteral("/photos/photo_%1.png").arg(i),
                           .credit = i % 2 == 0 ? QStringLiteral("Jane Doe, CC BY 4.0") : QString()});
        return all;
    }
    static QImage picture(int i)
    {
        QImage image(64, 64, QImage::Format_RGB32);
        QPainter painter(&image);
        const QColor base = Theme::sequentialColor((i % 20) / 19.0);
        painter.fillRect(image.rect(), base);
        painter.fillRect(QRect(8 + i % 20, 12, 30, 36), base.darker(140));
        return image;
    }
    QStringList shown() const
    {
        QStringList names;
        const auto* rows = m_grid->list()->model();
        for (int row = 0; row < rows->rowCount(); ++row)
            names << rows->index(row, 0).data().toString();
        return names;
    }
    void fill(bool compressed)
    {
        m_model->setPhotos(photos(20));
        m_model->setReport(sample::evaluation(compressed));
    }

private slots:
    void init()
    {
        m_model = std::make_unique<PhotoModel>();
        new QAbstractItemModelTester(m_model.get(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_model.get());
        m_grid = std::make_unique<PhotoGrid>(*m_model);
        new QAbstractItemModelTester(m_grid->list()->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_grid.get());
        m_grid->resize(1100, 520);
        m_grid->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_grid.get()));
    }
    void cleanup()
    {
        m_grid.reset();
        m_model.reset();
    }

    void predictionsAreMatchedByName()
    {
        fill(true);
        const auto whole = sample::evaluation(true);
        const auto& report = *whole;
        QCOMPARE(m_model->rowCount(), 20);
        for (int row = 0; row < 20; ++row) {
            const auto& p = report.predictions[static_cast<std::size_t>(row)];
            const QModelIndex at = m_model->index(row);
            const auto classes = at.data(Model::PredictionsRole).toList();
            QCOMPARE(classes.size(), 5);
            QCOMPARE(classes[0].toMap()["name"].toString(), QString::fromStdString(report.classNames[static_cast<std::size_t>(p.classes[0])]));
            QCOMPARE(at.data(Model::ConfidenceRole).toDouble(), static_cast<double>(p.probabilities[0]));
            QCOMPARE(at.data(Model::ChangedRole).toBool(), p.compressedClasses[0] != p.classes[0]);
            QCOMPARE(at.data(Model::VerdictRole).toInt(), p.compressedClasses[0] == p.label ? 1 : -1);
        }
        m_model->setReport(nullptr);
        QVERIFY(m_model->index(3).data(Model::PredictionsRole).toList().isEmpty());
        QVERIFY(std::isnan(m_model->index(3).data(Model::ConfidenceRole).toDouble()));
        QCOMPARE(m_model->index(3).data(Model::VerdictRole).toInt(), 0);
    }

    void changeIsTheTotalVariation()
    {
        auto report = std::make_shared<report::EvaluationReport>();
        report->predictions.push_back({.sample = "photo_00.png", .label = -1, .classes = {1, 2}, .probabilities = {0.7F, 0.2F}, .compressedClasses = {2, 5}, .compressedProbabilities = {0.6F, 0.3F}});
        m_model->setPhotos(photos(2));
        m_model->setReport(report);
        // |0.7 - 0| + |0.2 - 0.6| + |0 - 0.3|, halved
        QVERIFY(std::abs(m_model->index(0).data(Model::ChangeRole).toDouble() - 0.7) < 1e-6);
        QVERIFY(std::isnan(m_model->index(1).data(Model::ChangeRole).toDouble()));
        QCOMPARE(m_model->index(0).data(Model::PredictionsRole).toList()[0].toMap()["name"].toString(), QStringLiteral("class 1")); // no names
        QCOMPARE(m_model->index(0).data(Model::VerdictRole).toInt(), 0); // no label
    }

    void brokenPredictionsDoNotHurt()
    {
        auto report = std::make_shared<report::EvaluationReport>();
        report->predictions.push_back({.sample = "photo_00.png", .label = 3, .classes = {}, .probabilities = {}, .compressedClasses = {4}, .compressedProbabilities = {}});
        report->predictions.push_back({.sample = "photo_01.png", .label = 3, .classes = {4, 5}, .probabilities = {2.5F}, .compressedClasses = {}, .compressedProbabilities = {}});
        m_model->setPhotos(photos(2));
        m_model->setReport(report);
        for (int row = 0; row < 2; ++row)
            for (int role = Model::ThumbnailRole; role <= Model::ChangeRole; ++role)
                m_model->index(row).data(role);
        QVERIFY(!m_grid->grab().isNull());
    }

    void thumbnailsAreAskedForOnceAndOnlyInSight()
    {
        QSignalSpy asked(m_model.get(), &PhotoModel::thumbnailsRequested);
        m_model->setPhotos(photos(2000));
        QTRY_COMPARE(asked.size(), 1);
        const QStringList first = asked[0][0].toStringList();
        QVERIFY(first.contains("photo_00.png"));
        QVERIFY2(first.size() < 60, qPrintable(QString::number(first.size())));
        m_grid->resize(1110, 520);
        QTest::qWait(80);
        QCOMPARE(asked.size(), 1); // still on their way
        auto* bar = m_grid->list()->verticalScrollBar();
        bar->setValue(bar->maximum());
        QTRY_COMPARE(asked.size(), 2);
        QVERIFY(asked[1][0].toStringList().contains("photo_1999.png"));
        for (const auto& name : first)
            m_model->setThumbnail(name, picture(1));
        bar->setValue(0);
        QTest::qWait(80);
        QCOMPARE(asked.size(), 2); // they are there
        QVERIFY(!m_model->index(0).data(Model::ThumbnailRole).value<QImage>().isNull());
        m_model->setPhotos(photos(2001)); // the folder again: what is known stays
        QVERIFY(!m_model->index(0).data(Model::ThumbnailRole).value<QImage>().isNull());
    }

    void aHiddenGridAsksForNothing()
    {
        m_grid->hide();
        QSignalSpy asked(m_model.get(), &PhotoModel::thumbnailsRequested);
        m_model->setPhotos(photos(10));
        QTest::qWait(80);
        QCOMPARE(asked.size(), 0);
        m_grid->show();
        QTRY_COMPARE(asked.size(), 1);
    }

    void thumbnailsMayFail()
    {
        fill(false);
        m_model->setThumbnailFailure("photo_03.png", "photo_03.png: not a PNG file.");
        m_model->setThumbnail("photo_04.png", {});
        m_model->setThumbnail("not there", picture(1));
        QVERIFY(m_model->index(3).data(Qt::ToolTipRole).toString().contains("not a PNG file"));
        QVERIFY(!m_model->index(4).data(Model::FailureRole).toString().isEmpty());
        QSignalSpy asked(m_model.get(), &PhotoModel::thumbnailsRequested);
        m_model->requestThumbnails({3, 4, 5, 99});
        for (const auto& signal : asked)
            QVERIFY(!signal[0].toStringList().contains("photo_03.png")); // not again and again
        QVERIFY(!m_grid->grab().isNull());
    }

    void orders()
    {
        auto entries = photos(3);
        entries[0].name = "IMG_10.jpg";
        entries[1].name = "img_2.jpg";
        entries[2].name = "a.jpg";
        m_model->setPhotos(entries);
        QCOMPARE(shown(), (QStringList{"a.jpg", "img_2.jpg", "IMG_10.jpg"}));
        fill(true);
        auto* order = m_grid->findChild<QComboBox*>("photoOrder");
        order->setFocus();
        const auto values = [&](int role) {
            std::vector<double> all;
            const auto* rows = m_grid->list()->model();
            for (int row = 0; row < rows->rowCount(); ++row)
                all.push_back(rows->index(row, 0).data(role).toDouble());
            return all;
        };
        QTest::keyClick(order, Qt::Key_Down);
        auto confidence = values(Model::ConfidenceRole);
        QVERIFY(std::is_sorted(confidence.rbegin(), confidence.rend()) && confidence.front() > confidence.back());
        QTest::keyClick(order, Qt::Key_Down);
        confidence = values(Model::ConfidenceRole);
        QVERIFY(std::is_sorted(confidence.begin(), confidence.end()));
        QTest::keyClick(order, Qt::Key_Down);
        const auto change = values(Model::ChangeRole);
        QVERIFY(std::is_sorted(change.rbegin(), change.rend()) && change.front() > 0);
        m_model->setReport(nullptr); // nothing to order by: names
        QCOMPARE(shown().first(), QStringLiteral("photo_00.png"));
    }

    void filters()
    {
        fill(true);
        auto* text = m_grid->findChild<QLineEdit*>("photoFilter");
        QTest::keyClicks(text, "GOLDFISH");
        for (const auto& name : shown()) {
            const QModelIndex at = m_model->index(m_model->rowOf(name));
            QVERIFY(at.data(Model::LabelRole).toString() == "goldfish" || at.data(Model::PredictionsRole).toList()[0].toMap()["name"] == "goldfish" ||
                    at.data(Model::CompressedRole).toList()[0].toMap()["name"] == "goldfish");
        }
        QVERIFY(!shown().isEmpty() && shown().size() < 20);
        QCOMPARE(m_grid->findChild<QLabel*>("photoCount")->text(), QStringLiteral("%1 of 20").arg(shown().size()));
        text->clear();
        auto* show = m_grid->findChild<QComboBox*>("photoShow");
        show->setFocus();
        QTest::keyClick(show, Qt::Key_Down);
        for (const auto& name : shown())
            QCOMPARE(m_model->index(m_model->rowOf(name)).data(Model::VerdictRole).toInt(), -1);
        QTest::keyClick(show, Qt::Key_Down);
        QCOMPARE(shown(), (QStringList{"photo_03.png", "photo_07.png", "photo_11.png", "photo_15.png", "photo_19.png"}));
        m_model->setReport(sample::evaluation(false)); // no plan: none changed
        QVERIFY(shown().isEmpty());
        QVERIFY(!m_grid->grab().isNull());
    }

    void selectingWithMouseAndKeys()
    {
        fill(true);
        QTest::qWait(20);
        QSignalSpy selected(m_grid.get(), &PhotoGrid::selectionChanged), activated(m_grid.get(), &PhotoGrid::photoActivated);
        auto* list = m_grid->list();
        const auto spot = [&](int row) { return list->visualRect(list->model()->index(row, 0)).center(); };
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, spot(1));
        QCOMPARE(selected.last()[0].toStringList(), QStringList{"photo_01.png"});
        QTest::keyClick(list, Qt::Key_Right);
        QVERIFY(selected.last()[0].toStringList() == QStringList{"photo_02.png"} || selected.last()[0].toStringList() == QStringList{"photo_03.png"});
        QTest::keyClick(list, Qt::Key_Home);
        QCOMPARE(m_grid->selection(), QStringList{"photo_00.png"});
        QTest::keyClick(list, Qt::Key_Right, Qt::ShiftModifier);
        QCOMPARE(m_grid->selection(), (QStringList{"photo_00.png", "photo_01.png"}));
        QTest::keyClick(list, Qt::Key_Return);
        QCOMPARE(activated.size(), 1);
        const auto told = selected.size();
        m_grid->setSelection({"photo_19.png", "not there"});
        QCOMPARE(m_grid->selection(), QStringList{"photo_19.png"});
        QCOMPARE(selected.size(), told);
        QVERIFY(list->visualRect(list->currentIndex()).intersects(list->viewport()->rect()));
    }

    void emptyStateOffersToOpen()
    {
        auto* empty = m_grid->findChild<QWidget*>("photosEmpty");
        QVERIFY(empty->isVisible());
        QSignalSpy asked(m_grid.get(), &PhotoGrid::openFolderRequested);
        QTest::mouseClick(empty->findChild<QPushButton*>("placeholder-action"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        fill(false);
        QVERIFY(!empty->isVisible());
        m_model->setPhotos({});
        QVERIFY(empty->isVisible());
    }

    void strip()
    {
        m_grid->hide();
        fill(true);
        PhotoStrip strip(*m_model);
        strip.resize(380, strip.height());
        strip.show();
        QVERIFY(QTest::qWaitForWindowExposed(&strip));
        QSignalSpy selected(&strip, &PhotoStrip::selectionChanged);
        QTest::mouseClick(strip.list()->viewport(), Qt::LeftButton, {}, strip.list()->visualRect(m_model->index(2)).center());
        QCOMPARE(selected.last()[0].toStringList(), QStringList{"photo_02.png"});
        QTest::keyClick(strip.list(), Qt::Key_Right);
        QCOMPARE(strip.selection(), QStringList{"photo_03.png"});
        const QList<int> sight = strip.list()->rowsInSight();
        QVERIFY(sight.contains(0) && sight.size() < 20);
        QVERIFY(strip.list()->verticalScrollBar()->maximum() == 0); // one row
    }

    void creditsAndNamesForScreenReaders()
    {
        fill(true);
        QCOMPARE(m_model->index(0).data(Model::CreditRole).toString(), QStringLiteral("Jane Doe, CC BY 4.0"));
        QVERIFY(m_model->index(0).data(Qt::ToolTipRole).toString().contains("CC BY 4.0"));
        QVERIFY(m_model->index(3).data(Qt::AccessibleTextRole).toString().contains("compressed"));
    }

    void pictures()
    {
        const QString folder = qEnvironmentVariable("TAMIS_SHOTS");
        const auto save = [&](QWidget& widget, const QString& name) {
            const QImage shot = widget.grab().toImage();
            QVERIFY(!shot.isNull());
            if (!folder.isEmpty())
                QVERIFY(shot.save(QDir(folder).filePath(QStringLiteral("photos-%1-%2x.png").arg(name).arg(shot.devicePixelRatio()))));
        };
        for (const bool dark : {false, true})
            for (const bool compressed : {true, false}) {
                Theme::instance().apply(*qApp, dark ? Theme::Mode::Dark : Theme::Mode::Light);
                fill(compressed);
                for (int i = 0; i < 18; ++i)
                    m_model->setThumbnail(QStringLiteral("photo_%1.png").arg(i, 2, 10, QLatin1Char('0')), picture(i));
                m_model->setThumbnailFailure("photo_05.png", "broken");
                m_grid->setFolder("photos-20");
                m_grid->setSelection({"photo_03.png"});
                QTest::qWait(60);
                save(*m_grid, QStringLiteral("%1-%2").arg(compressed).arg(dark));
                PhotoStrip strip(*m_model);
                strip.resize(1100, strip.height());
                strip.setSelection({"photo_03.png"});
                save(strip, QStringLiteral("strip-%1-%2").arg(compressed).arg(dark));
            }
        Theme::instance().apply(*qApp, Theme::Mode::Light);
    }
};

QTEST_MAIN(TstPhotos)
#include "tst_photos.moc"
