// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/lab_sample.h"
#include "views/workspace/workspace_model.h"
#include "views/workspace/workspace_tree.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QTreeView>

using namespace tamis;
using namespace tamis::views;
using Kind = WorkspaceModel::Kind;

class TstWorkspaceTree : public QObject {
    Q_OBJECT
    std::unique_ptr<WorkspaceTree> m_tree;

    static report::WorkspaceOutline small()
    {
        report::WorkspaceOutline outline{.modelPath = "/m/tiny/", .modelFormat = "safetensors", .modelFamily = "timm-vit", .layers = 2,
                                         .parameters = 1'500'000, .bytes = 3u << 20};
        outline.matrices = {{.name = "head", .role = "head", .dtype = "F16", .layer = -1, .rows = 10, .cols = 64, .bytes = 1280},
                            {.name = "blocks.1.attn.qkv", .role = "qkv", .dtype = "F16", .layer = 1, .rows = 192, .cols = 64, .bytes = 24576, .calibrated = true},
                            {.name = "blocks.0.attn.qkv", .role = "qkv", .dtype = "F16", .layer = 0, .rows = 192, .cols = 64, .bytes = 24576, .calibrated = true},
                            {.name = "blocks.0.mlp.fc1", .role = "up", .dtype = "F16", .layer = 0, .rows = 256, .cols = 64, .bytes = 32768}};
        outline.calibrationPath = "/m/tiny/calibration.h5";
        outline.calibrationTokens = 2048;
        outline.sites = {{.name = "blocks.0.attn.qkv", .features = 64}};
        return outline;
    }
    static void write(const QAbstractItemModel& model, const QModelIndex& parent, int depth, QStringList& lines)
    {
        for (int row = 0; row < model.rowCount(parent); ++row) {
            QStringList cells;
            for (int column = 0; column < model.columnCount(parent); ++column)
                cells << model.index(row, column, parent).data().toString().replace(QChar(0x202f), ' ');
            lines << QString(2 * depth, ' ') + cells.join(" | ");
            write(model, model.index(row, 0, parent), depth + 1, lines);
        }
    }
    static QStringList asText(const QAbstractItemModel& model)
    {
        QStringList lines;
        write(model, {}, 0, lines);
        return lines;
    }
    /// Index in the view of the row with this name; everything is expanded.
    QModelIndex shown(const QString& name) const
    {
        m_tree->expandAll();
        const auto found = m_tree->view()->model()->match(m_tree->view()->model()->index(0, 0), Qt::DisplayRole, name, 1, Qt::MatchExactly | Qt::MatchRecursive);
        return found.isEmpty() ? QModelIndex() : found.first();
    }
    void click(const QString& name, Qt::KeyboardModifiers keys = {})
    {
        const QModelIndex at = shown(name);
        QVERIFY2(at.isValid(), qPrintable(name));
        m_tree->view()->scrollTo(at);
        QTest::mouseClick(m_tree->view()->viewport(), Qt::LeftButton, keys, m_tree->view()->visualRect(at).center());
    }

private slots:
    void init()
    {
        m_tree = std::make_unique<WorkspaceTree>();
        new QAbstractItemModelTester(m_tree->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_tree.get());
        new QAbstractItemModelTester(m_tree->view()->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_tree.get());
        m_tree->setOutline(small());
        m_tree->resize(420, 600);
        m_tree->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_tree.get()));
    }
    void cleanup() { m_tree.reset(); }

    void photosStandBesideTheModel()
    {
        m_tree->setSelection({"blocks.0.mlp.fc1"});
        m_tree->setPhotos("/photos/holiday/", 20);
        QCOMPARE(asText(*m_tree->model()).last(), QStringLiteral("holiday | photos | 20 photos | "));
        QCOMPARE(m_tree->selection(), QStringList{"blocks.0.mlp.fc1"});
        QSignalSpy photos(m_tree.get(), &WorkspaceTree::photosSelected), matrices(m_tree.get(), &WorkspaceTree::matricesSelected),
            closed(m_tree.get(), &WorkspaceTree::closeRequested);
        click("holiday");
        QCOMPARE(photos.size(), 1);
        QCOMPARE(photos[0][0].toString(), QStringLiteral("/photos/holiday/"));
        QCOMPARE(matrices.size(), 0);
        QTest::keyClick(m_tree->view(), Qt::Key_Delete);
        QCOMPARE(closed.size(), 1);
        QCOMPARE(closed[0][0].toString(), QStringLiteral("/photos/holiday/"));
        m_tree->setPhotos({}, 0);
        QVERIFY(!shown("holiday").isValid());
        m_tree->setOutline({});
        m_tree->setPhotos("/photos/holiday", 1); // photos alone
        QCOMPARE(asText(*m_tree->model()), QStringList{"holiday | photos | 1 photo | "});
        QVERIFY(m_tree->view()->isVisible());
    }

    void anAutoencoderStandsBesideTheModelAndAlone()
    {
        m_tree->setSelection({"blocks.0.mlp.fc1"});
        m_tree->setPhotos("/photos/holiday", 20);
        m_tree->setAutoencoder("/saes/small/sparsify", "2048 latents");
        QCOMPARE(asText(*m_tree->model()).at(asText(*m_tree->model()).size() - 2), QStringLiteral("small/sparsify | autoencoder | 2048 latents | ")); // before the photos
        QCOMPARE(m_tree->selection(), QStringList{"blocks.0.mlp.fc1"});
        QSignalSpy chosen(m_tree.get(), &WorkspaceTree::autoencoderSelected), matrices(m_tree.get(), &WorkspaceTree::matricesSelected), closed(m_tree.get(), &WorkspaceTree::closeRequested);
        click("small/sparsify");
        QCOMPARE(chosen.size(), 1);
        QCOMPARE(chosen[0][0].toString(), QStringLiteral("/saes/small/sparsify"));
        QCOMPARE(matrices.size(), 0);
        QTest::keyClick(m_tree->view(), Qt::Key_Delete);
        QCOMPARE(closed.value(0).value(0).toString(), QStringLiteral("/saes/small/sparsify"));
        m_tree->setPhotos({}, 0);
        m_tree->setOutline({});
        QCOMPARE(asText(*m_tree->model()), QStringList{"small/sparsify | autoencoder | 2048 latents | "});
        QVERIFY(m_tree->view()->isVisible());
        m_tree->setAutoencoder({}, {});
        QCOMPARE(m_tree->model()->rowCount(), 0);
    }

    void aTraceStandsBesideTheModelAndAlone()
    {
        m_tree->setSelection({"blocks.0.mlp.fc1"});
        m_tree->setTrace("/traces/words.txt.gz", "100 requests, 7 objects");
        QCOMPARE(asText(*m_tree->model()).last(), QStringLiteral("words.txt.gz | trace | 100 requests, 7 objects | "));
        QCOMPARE(m_tree->selection(), QStringList{"blocks.0.mlp.fc1"});
        QSignalSpy chosen(m_tree.get(), &WorkspaceTree::traceSelected), closed(m_tree.get(), &WorkspaceTree::closeRequested);
        click("words.txt.gz");
        QCOMPARE(chosen.value(0).value(0).toString(), QStringLiteral("/traces/words.txt.gz"));
        QTest::keyClick(m_tree->view(), Qt::Key_Delete);
        QCOMPARE(closed.value(0).value(0).toString(), QStringLiteral("/traces/words.txt.gz"));
        m_tree->setOutline({});
        QCOMPARE(m_tree->model()->rowCount(), 1);
        m_tree->setTrace({}, {});
        QCOMPARE(m_tree->model()->rowCount(), 0);
    }

    void theTreeAsText()
    {
        QCOMPARE(asText(*m_tree->model()), (QStringList{
            "tiny | timm-vit | 1.50 M parameters | 3.00 MiB",
            "  Layer 0 |  | 2 matrices | 56.0 KiB",
            "    blocks.0.attn.qkv | qkv | 192 × 64 | 24.0 KiB",
            "    blocks.0.mlp.fc1 | up | 256 × 64 | 32.0 KiB",
            "  Layer 1 |  | 1 matrix | 24.0 KiB",
            "    blocks.1.attn.qkv | qkv | 192 × 64 | 24.0 KiB",
            "  Outside the blocks |  | 1 matrix | 1.25 KiB",
            "    head | head | 10 × 64 | 1.25 KiB",
            "calibration.h5 | calibration | 2.05 k tokens | ",
            "  blocks.0.attn.qkv | site | 64 features | "}));
    }

    void theSameOutlineChangesNothing()
    {
        QSignalSpy reset(m_tree->model(), &QAbstractItemModel::modelReset);
        click("blocks.0.mlp.fc1");
        m_tree->setOutline(small());
        QCOMPARE(reset.size(), 0);
        QCOMPARE(m_tree->selection(), QStringList{"blocks.0.mlp.fc1"});
        m_tree->setOutline(sample::outline(*sample::spectra()));
        QCOMPARE(reset.size(), 1);
        m_tree->setOutline({});
        QCOMPARE(m_tree->model()->rowCount(), 0);
        QVERIFY(!m_tree->view()->isVisible()); // the empty state
        QSignalSpy open(m_tree.get(), &WorkspaceTree::openRequested);
        for (auto* button : m_tree->findChildren<QPushButton*>())
            if (button->isVisible())
                QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(open.size(), 1);
    }

    void choosingALayerChoosesItsMatrices()
    {
        QSignalSpy chosen(m_tree.get(), &WorkspaceTree::matricesSelected);
        click("Layer 0");
        QCOMPARE(chosen.last()[0].toStringList(), (QStringList{"blocks.0.attn.qkv", "blocks.0.mlp.fc1"}));
        click("head", Qt::ControlModifier);
        QCOMPARE(chosen.last()[0].toStringList(), (QStringList{"blocks.0.attn.qkv", "blocks.0.mlp.fc1", "head"}));
        click("tiny");
        QCOMPARE(chosen.last()[0].toStringList().size(), 4);
    }

    void choosingACalibrationSetIsNoSelectionOfMatrices()
    {
        QSignalSpy chosen(m_tree.get(), &WorkspaceTree::matricesSelected), set(m_tree.get(), &WorkspaceTree::calibrationSelected);
        click("calibration.h5");
        QCOMPARE(chosen.size(), 0);
        QCOMPARE(set.last()[0].toString(), QStringLiteral("/m/tiny/calibration.h5"));
    }

    void brushingFromElsewhereIsSilent()
    {
        QSignalSpy chosen(m_tree.get(), &WorkspaceTree::matricesSelected);
        m_tree->collapseAll();
        m_tree->setSelection({"blocks.1.attn.qkv", "not there"});
        QCOMPARE(chosen.size(), 0);
        QCOMPARE(m_tree->selection(), QStringList{"blocks.1.attn.qkv"});
        QVERIFY(m_tree->view()->visualRect(m_tree->view()->currentIndex()).isValid()); // its layer was opened
        QCOMPARE(m_tree->view()->currentIndex().data().toString(), QStringLiteral("blocks.1.attn.qkv"));
    }

    void searching()
    {
        m_tree->focusSearch();
        auto* search = m_tree->findChild<QLineEdit*>("workspaceSearch");
        QTest::keyClicks(search, "FC1");
        const auto names = [&] {
            QStringList lines = asText(*m_tree->view()->model());
            for (auto& line : lines)
                line = line.section(" |", 0, 0).trimmed();
            return lines;
        };
        QCOMPARE(names(), (QStringList{"tiny", "Layer 0", "blocks.0.mlp.fc1"}));
        search->clear();
        QTest::keyClicks(search, "outside HEAD"); // words may stand in different rows of the path
        QCOMPARE(names(), (QStringList{"tiny", "Outside the blocks", "head"}));
        search->clear();
        QTest::keyClicks(search, "nowhere");
        QVERIFY(names().isEmpty());
        search->clear();
        QCOMPARE(names().size(), 10);
    }

    void filteringTellsNobody()
    {
        click("blocks.0.attn.qkv");
        QSignalSpy chosen(m_tree.get(), &WorkspaceTree::matricesSelected);
        QTest::keyClicks(m_tree->findChild<QLineEdit*>("workspaceSearch"), "fc1");
        QCOMPARE(chosen.size(), 0);
    }

    void closingWithDelete()
    {
        QSignalSpy close(m_tree.get(), &WorkspaceTree::closeRequested);
        QApplication::setActiveWindow(m_tree.get());
        click("blocks.0.mlp.fc1");
        m_tree->view()->setFocus();
        QTest::keyClick(m_tree->view(), Qt::Key_Delete); // a matrix is not closed
        QCOMPARE(close.size(), 0);
        click("calibration.h5");
        QTest::keyClick(m_tree->view(), Qt::Key_Delete);
        QCOMPARE(close.size(), 1);
        QCOMPARE(close[0][0].toString(), QStringLiteral("/m/tiny/calibration.h5"));
    }

    void collapsing()
    {
        m_tree->expandAll();
        QVERIFY(m_tree->view()->isExpanded(shown("Layer 1")));
        m_tree->collapseAll();
        const auto* rows = m_tree->view()->model();
        const QModelIndex model = rows->index(0, 0);
        QVERIFY(m_tree->view()->isExpanded(model));
        QVERIFY(!m_tree->view()->isExpanded(rows->index(0, 0, model)));
        QVERIFY(!m_tree->view()->isExpanded(rows->index(1, 0)));
    }
};

QTEST_MAIN(TstWorkspaceTree)
#include "tst_workspace_tree.moc"
