// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/theme.h"
#include "views/jobs/jobs_view.h"

#include <QApplication>
#include <QClipboard>
#include <QImage>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QStandardItemModel>
#include <QTableView>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

using namespace tamis::views;

class TstJobsView : public QObject {
    Q_OBJECT
    std::unique_ptr<QStandardItemModel> m_jobs;
    std::unique_ptr<JobsView> m_view;

    void add(const QString& title, const QString& state, double fraction, bool active, bool tell = true)
    {
        QList<QStandardItem*> row;
        for (const auto& cell : {title, state, QString(), QString(), QString(), QString()}) {
            row.append(new QStandardItem(cell));
            row.last()->setData(fraction, JobsView::kProgressRole);
            if (tell)
                row.last()->setData(active, JobsView::kActiveRole);
        }
        m_jobs->appendRow(row);
    }
    QPushButton* button(const char* name) const { return m_view->findChild<QPushButton*>(QLatin1String(name)); }
    QRect cell(int row, int column) const { return m_view->view()->visualRect(m_jobs->index(row, column)); }
    void click(int row, Qt::KeyboardModifiers keys = {}) const { QTest::mouseClick(m_view->view()->viewport(), Qt::LeftButton, keys, cell(row, 0).center()); }

private slots:
    void init()
    {
        Theme::instance().apply(*qApp, Theme::Mode::Light);
        m_jobs = std::make_unique<QStandardItemModel>(0, JobsView::kColumnCount);
        m_view = std::make_unique<JobsView>();
        m_view->setModel(m_jobs.get());
        m_view->resize(1100, 260);
        m_view->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_view.get()));
    }
    void cleanup()
    {
        m_view.reset();
        m_jobs.reset();
    }

    void nothingToShow()
    {
        QVERIFY(m_view->findChild<QWidget*>("noJobs")->isVisible());
        QVERIFY(!m_view->view()->isVisible());
        add("Open", "running", 0.2, true);
        QVERIFY(m_view->view()->isVisible());
        m_jobs->removeRow(0);
        QVERIFY(m_view->findChild<QWidget*>("noJobs")->isVisible());
        m_view->setModel(nullptr);
    }

    void cancelAsksForTheSelectedActiveJobs()
    {
        add("Open", "finished", 1, false);
        add("Export", "running", 0.5, true);
        add("Sweep", "queued", 0, true);
        QSignalSpy cancel(m_view.get(), &JobsView::cancelRequested);
        QTest::mouseClick(button("cancelJob"), Qt::LeftButton); // without a selection: the first that is active
        QCOMPARE(cancel.size(), 1);
        QCOMPARE(cancel[0][0].toInt(), 1);
        cancel.clear();
        click(0);
        QVERIFY(!button("cancelJob")->isEnabled()); // it is over
        click(2, Qt::ShiftModifier);
        QTest::keyClick(m_view->view(), Qt::Key_Delete);
        QCOMPARE(cancel.size(), 2);
        QCOMPARE(cancel[0][0].toInt(), 1);
        QCOMPARE(cancel[1][0].toInt(), 2);
    }

    void theButtonsFollowTheJobs()
    {
        add("Export", "running", 0.5, true);
        QVERIFY(button("cancelJob")->isEnabled() && !button("clearJobs")->isEnabled());
        QCOMPARE(m_view->findChild<QLabel*>("jobsSummary")->text(), QStringLiteral("1 active"));
        m_jobs->item(0, JobsView::StateColumn)->setData(false, JobsView::kActiveRole);
        QVERIFY(!button("cancelJob")->isEnabled() && button("clearJobs")->isEnabled());
        QCOMPARE(m_view->findChild<QLabel*>("jobsSummary")->text(), QStringLiteral("idle"));
        QSignalSpy clear(m_view.get(), &JobsView::clearFinishedRequested);
        QTest::mouseClick(button("clearJobs"), Qt::LeftButton);
        QCOMPARE(clear.size(), 1);
    }

    void aModelThatDoesNotTellMayBeCancelled()
    {
        add("Export", "running", 0.5, true, false);
        QVERIFY(button("cancelJob")->isEnabled() && button("clearJobs")->isEnabled());
        QVERIFY(m_view->findChild<QLabel*>("jobsSummary")->text().isEmpty());
    }

    void progressIsABar()
    {
        add("Export", "running", 0.25, true);
        add("Open", "running", std::numeric_limits<double>::quiet_NaN(), true);
        const QImage picture = m_view->view()->viewport()->grab().toImage();
        const QRgb ink = Theme::instance().color(Ink::Accent).rgb();
        const auto drawn = [&](int row) {
            int most = 0;
            const QRect rect = cell(row, JobsView::ProgressColumn);
            for (int y = rect.top(); y <= rect.bottom(); ++y) {
                int count = 0;
                for (int x = rect.left(); x <= rect.right(); ++x)
                    count += picture.pixel(x, y) == ink ? 1 : 0;
                most = std::max(most, count);
            }
            return static_cast<double>(most) / (rect.width() - 2 * Theme::kSpacing);
        };
        QVERIFY2(std::abs(drawn(0) - 0.25) < 0.03, qPrintable(QString::number(drawn(0)))); // rounded ends take a pixel or two
        QCOMPARE(drawn(1), 0.0);
    }

    void copying()
    {
        add("Export", "running", 0.5, true);
        add("Open", "finished", 1, false);
        click(1);
        QTest::keyClick(m_view->view(), Qt::Key_C, Qt::ControlModifier);
        QCOMPARE(QApplication::clipboard()->text(), QStringLiteral("Open\tfinished\t\t\t\t"));
    }
};

QTEST_MAIN(TstJobsView)
#include "tst_jobs_view.moc"
