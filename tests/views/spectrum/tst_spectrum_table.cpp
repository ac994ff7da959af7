// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/views/lab_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/spectrum/spectrum_table.h"
#include "views/spectrum/spectrum_table_model.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QSpinBox>
#include <QTest>
#include <QTimer>

using namespace tamis;
using namespace tamis::views;
using Model = SpectrumTableModel;

class TstSpectrumTable : public QObject {
    Q_OBJECT
    std::shared_ptr<report::SpectrumReport> m_spectra;
    std::unique_ptr<SpectrumTable> m_table;

    Model& model() const { return *m_table->model(); }
    QVariant cell(int row, int column, int role = Qt::DisplayRole) const { return model().index(row, column).data(role); }
    /// Middle of a cell as shown; the matrix is found by its name.
    QPoint spot(const QString& name, int column) const
    {
        auto* view = m_table->view();
        for (int row = 0; row < view->model()->rowCount(); ++row)
            if (view->model()->index(row, Model::NameColumn).data().toString() == name) {
                const QModelIndex at = view->model()->index(row, column);
                view->scrollTo(at);
                return view->visualRect(at).center();
            }
        return {-1, -1};
    }
    void click(const QString& name, int column, Qt::KeyboardModifiers keys = {}) const
    {
        QTest::mouseClick(m_table->view()->viewport(), Qt::LeftButton, keys, spot(name, column));
    }
    QStringList shown() const
    {
        QStringList names;
        const auto* rows = m_table->view()->model();
        for (int row = 0; row < rows->rowCount(); ++row)
            names << rows->index(row, Model::NameColumn).data().toString();
        return names;
    }
    /// Opens the context menu over a matrix and triggers the entry that starts so.
    void chooseInMenu(const QString& name, const QString& entry)
    {
        bool found = false;
        QTimer::singleShot(0, this, [&] {
            auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
            QVERIFY(menu);
            for (auto* action : menu->actions())
                if (action->text() == entry && action->isEnabled()) {
                    found = true;
                    action->trigger();
                }
            menu->close();
        });
        emit m_table->view()->customContextMenuRequested(spot(name, Model::NameColumn));
        QVERIFY2(found, qPrintable(entry));
    }

private slots:
    void init()
    {
        m_spectra = sample::spectra();
        m_table = std::make_unique<SpectrumTable>();
        new QAbstractItemModelTester(&model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_table.get());
        m_table->setReport(m_spectra);
        m_table->setBudget(sample::budget(*m_spectra, 0.6));
        m_table->resize(1400, 420);
        m_table->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_table.get()));
    }
    void cleanup() { m_table.reset(); }

    void cellsShowTheReport()
    {
        QCOMPARE(model().rowCount(), 25);
        const int row = model().rowOf("blocks.1.attn.qkv");
        QCOMPARE(row, 5);
        QCOMPARE(cell(row, Model::LayerColumn).toString(), QStringLiteral("1"));
        QCOMPARE(cell(row, Model::ShapeColumn).toString(), QStringLiteral("384 × 128"));
        QCOMPARE(cell(row, Model::ParametersColumn).toString(), QStringLiteral("49.2\u202fk"));
        QCOMPARE(cell(row, Model::RankColumn).toString(), QStringLiteral("57")); // floor(0.6 * 384 * 128 / 512)
        QCOMPARE(cell(row, Model::KeepColumn).toString(), QStringLiteral("59.4\u202f%"));
        QCOMPARE(cell(row, Model::KeepColumn, kFractionRole).toDouble(), 57.0 * 512 / (384 * 128));
        QVERIFY(!cell(row, Model::NameColumn, kFractionRole).isValid());
        QCOMPARE(cell(row, Model::LossColumn, kSortRole).toDouble(), m_spectra->matrices[5].loss[57] / m_spectra->matrices[5].loss[0]);
    }

    void aMatrixWithoutSpectrumShowsDashesAndSaysWhy()
    {
        for (const int column : {Model::StableRankColumn, Model::EffectiveRankColumn, Model::ConditionColumn, Model::LossColumn, Model::HeldOutColumn}) {
            QCOMPARE(cell(0, column).toString(), QStringLiteral("–"));
            QVERIFY(cell(0, column, Qt::ToolTipRole).toString().contains("2 NaN"));
            QVERIFY(cell(0, column, Qt::ToolTipRole).toString().contains(QString::fromStdString(m_spectra->matrices[0].warnings[0])));
        }
        QVERIFY(!model().flags(model().index(0, Model::RankColumn)).testFlag(Qt::ItemIsEditable));
        QCOMPARE(cell(0, Model::LayerColumn).toString(), QStringLiteral("–"));
    }

    void withoutABudgetThereAreDashes()
    {
        m_table->setBudget(nullptr);
        QCOMPARE(cell(3, Model::RankColumn).toString(), QStringLiteral("–"));
        QVERIFY(!model().flags(model().index(3, Model::RankColumn)).testFlag(Qt::ItemIsEditable));
        m_table->setReport(nullptr);
        QCOMPARE(model().rowCount(), 0);
    }

    void aBudgetIsMatchedByName()
    {
        auto turned = sample::budget(*m_spectra, 0.4);
        const std::int64_t rank = turned->matrices[7].rank;
        std::reverse(turned->matrices.begin(), turned->matrices.end());
        turned->matrices.pop_back();
        m_table->setBudget(turned);
        QCOMPARE(cell(7, Model::RankColumn).toString(), QString::number(rank));
        QCOMPARE(cell(0, Model::RankColumn).toString(), QStringLiteral("–")); // dropped from the budget
    }

    void newValuesKeepSelectionCurrentAndScroll()
    {
        m_table->setSelection({"blocks.3.mlp.fc1", "blocks.4.attn.qkv"});
        auto* bar = m_table->view()->verticalScrollBar();
        bar->setValue(bar->maximum());
        const int scrolled = bar->value();
        QVERIFY(scrolled > 0);
        QSignalSpy reset(&model(), &QAbstractItemModel::modelReset), changed(&model(), &QAbstractItemModel::dataChanged);
        QSignalSpy announced(m_table.get(), &SpectrumTable::selectionChanged);
        m_table->setReport(sample::spectra(9)); // other values, same matrices
        m_table->setBudget(sample::budget(*sample::spectra(9), 0.3));
        QCOMPARE(reset.size(), 0);
        QVERIFY(changed.size() >= 2);
        QCOMPARE(m_table->selection(), (QStringList{"blocks.3.mlp.fc1", "blocks.4.attn.qkv"}));
        QCOMPARE(m_table->current(), QStringLiteral("blocks.3.mlp.fc1"));
        QCOMPARE(bar->value(), scrolled);
        QCOMPARE(announced.size(), 0);
    }

    void anotherModelKeepsWhatIsStillThere()
    {
        m_table->setSelection({"blocks.3.mlp.fc1", "blocks.4.attn.qkv"});
        auto fewer = sample::spectra();
        fewer->matrices.erase(fewer->matrices.begin() + 17, fewer->matrices.end()); // blocks 0 to 3
        m_table->setReport(fewer);
        QCOMPARE(m_table->selection(), QStringList{"blocks.3.mlp.fc1"});
    }

    void clickingSelects()
    {
        QSignalSpy selected(m_table.get(), &SpectrumTable::selectionChanged), current(m_table.get(), &SpectrumTable::currentChanged);
        click("blocks.0.attn.proj", Model::NameColumn);
        QCOMPARE(selected.last()[0].toStringList(), QStringList{"blocks.0.attn.proj"});
        QCOMPARE(current.last()[0].toString(), QStringLiteral("blocks.0.attn.proj"));
        click("blocks.0.mlp.fc2", Model::NameColumn, Qt::ControlModifier);
        QCOMPARE(selected.last()[0].toStringList(), (QStringList{"blocks.0.attn.proj", "blocks.0.mlp.fc2"}));
        QTest::keyClick(m_table->view(), Qt::Key_Up);
        QCOMPARE(current.last()[0].toString(), QStringLiteral("blocks.0.mlp.fc1"));
    }

    void headersSortByNumber()
    {
        auto* header = m_table->view()->horizontalHeader();
        const auto press = [&](int column) {
            m_table->view()->scrollTo(m_table->view()->model()->index(0, column));
            QTest::mouseClick(header->viewport(), Qt::LeftButton, {}, QPoint(header->sectionViewportPosition(column) + header->sectionSize(column) / 2, header->height() / 2));
        };
        press(Model::ParametersColumn); // as text "16.4 k" would come before "6.14 k"
        QCOMPARE(shown().first(), QStringLiteral("patch_embed.proj"));
        std::vector<std::int64_t> sizes;
        for (const auto& name : shown()) {
            const auto* m = model().spectrum(model().rowOf(name));
            sizes.push_back(m->rows * m->cols);
        }
        QVERIFY(std::is_sorted(sizes.begin(), sizes.end()));
        press(Model::ParametersColumn);
        QCOMPARE(shown().last(), QStringLiteral("patch_embed.proj"));
    }

    void textAndRoleFilter()
    {
        auto* text = m_table->findChild<QLineEdit*>("matrixFilter");
        QTest::keyClicks(text, "FC1 .2.");
        QCOMPARE(shown(), QStringList{"blocks.2.mlp.fc1"});
        QCOMPARE(m_table->findChild<QLabel*>("matrixCount")->text(), QStringLiteral("1 of 25"));
        text->clear();
        auto* role = m_table->findChild<QComboBox*>("matrixRole");
        role->setCurrentIndex(role->findText("down"));
        QCOMPARE(shown().size(), 6);
        for (const auto& name : shown())
            QVERIFY(name.endsWith(".fc2"));
        m_table->setReport(sample::spectra(8)); // the filter stays
        QCOMPARE(shown().size(), 6);
    }

    void aRankIsTypedInItsCell()
    {
        QSignalSpy edited(m_table.get(), &SpectrumTable::rankEdited);
        click("blocks.2.mlp.fc1", Model::RankColumn);
        QTest::keyClick(m_table->view(), Qt::Key_F2);
        auto* spin = m_table->findChild<QSpinBox*>("rankEditor");
        QVERIFY(spin);
        QCOMPARE(spin->value(), 61); // floor(0.6 * 512 * 128 / 640)
        QCOMPARE(spin->maximum(), 128);
        QCOMPARE(spin->minimum(), 1);
        QTest::keyClicks(spin, "40");
        QTest::keyClick(spin, Qt::Key_Return);
        QTRY_COMPARE(edited.size(), 1); // Return commits through the event queue
        QCOMPARE(edited[0][0].toString(), QStringLiteral("blocks.2.mlp.fc1"));
        QCOMPARE(edited[0][1].toLongLong(), 40);
        QCOMPARE(cell(model().rowOf("blocks.2.mlp.fc1"), Model::RankColumn).toString(), QStringLiteral("61")); // until a budget says so
        for (const qlonglong refused : {0LL, -3LL, 129LL})
            QVERIFY(!model().setData(model().index(3, Model::RankColumn), refused, Qt::EditRole));
        QVERIFY(!model().setData(model().index(3, Model::RankColumn), QStringLiteral("many"), Qt::EditRole));
        QVERIFY(!model().setData(model().index(0, Model::RankColumn), 5, Qt::EditRole)); // no spectrum
        QCOMPARE(edited.size(), 1);
    }

    void deleteGivesRanksBack()
    {
        auto changed = sample::budget(*m_spectra, 0.6);
        changed->matrices[3].overridden = changed->matrices[4].overridden = true;
        m_table->setBudget(changed);
        QSignalSpy cleared(m_table.get(), &SpectrumTable::rankCleared);
        m_table->setSelection({"blocks.0.attn.proj", "blocks.0.mlp.fc1", "blocks.0.mlp.fc2"}); // rows 2, 3, 4
        chooseInMenu("blocks.0.mlp.fc1", "Give the rank back to the allocation");
        QCOMPARE(cleared.size(), 2);
        QCOMPARE(cleared[0][0].toString(), QStringLiteral("blocks.0.mlp.fc1"));
        QCOMPARE(cleared[1][0].toString(), QStringLiteral("blocks.0.mlp.fc2"));
    }

    void locksAreClicked()
    {
        QSignalSpy locked(m_table.get(), &SpectrumTable::lockToggled);
        click("blocks.0.attn.qkv", Model::LockColumn);
        QCOMPARE(locked.size(), 1);
        QCOMPARE(locked[0][0].toString(), QStringLiteral("blocks.0.attn.qkv"));
        QVERIFY(locked[0][1].toBool());
        auto budget = sample::budget(*m_spectra, 0.6);
        budget->matrices[1].locked = true;
        m_table->setBudget(budget);
        click("blocks.0.attn.qkv", Model::LockColumn);
        QVERIFY(!locked.last()[1].toBool());
        locked.clear();
        m_table->setSelection({"blocks.0.attn.qkv", "blocks.0.attn.proj"});
        chooseInMenu("blocks.0.attn.proj", "Lock"); // only what is not yet locked
        QCOMPARE(locked.size(), 1);
        QCOMPARE(locked[0][0].toString(), QStringLiteral("blocks.0.attn.proj"));
    }

    void sameRoleAndSameLayer()
    {
        QSignalSpy selected(m_table.get(), &SpectrumTable::selectionChanged);
        click("blocks.2.attn.qkv", Model::NameColumn);
        chooseInMenu("blocks.2.attn.qkv", "Select the same layer");
        QCOMPARE(selected.last()[0].toStringList(), (QStringList{"blocks.2.attn.qkv", "blocks.2.attn.proj", "blocks.2.mlp.fc1", "blocks.2.mlp.fc2"}));
        click("blocks.2.attn.qkv", Model::NameColumn);
        chooseInMenu("blocks.2.attn.qkv", "Select the same role");
        QCOMPARE(m_table->selection().size(), 6);
        QCOMPARE(selected.last()[0].toStringList(), m_table->selection());
    }

    void copying()
    {
        click("blocks.2.attn.qkv", Model::NameColumn);
        QTest::keyClick(m_table->view(), Qt::Key_C, Qt::ControlModifier);
        const QStringList cells = QApplication::clipboard()->text().trimmed().split('\t');
        QVERIFY(cells.contains("blocks.2.attn.qkv"));
        QVERIFY(cells.contains("57"));
        QVERIFY(cells.contains("49152"));
    }
};

QTEST_MAIN(TstSpectrumTable)
#include "tst_spectrum_table.moc"
