// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/jobs/jobs_view.h"

#include "views/common/icons.h"
#include "views/common/notice_bar.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QClipboard>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QPainter>
#include <QPushButton>
#include <QStackedLayout>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kBarHeight = 4;

/// The running part's name over a bar and its percentage. An unknown fraction has no bar.
class ProgressDelegate : public QStyledItemDelegate {
public:
    using QStyledItemDelegate::QStyledItemDelegate;
    void paint(QPainter* painter, const QStyleOptionViewItem& given, const QModelIndex& index) const override
    {
        QStyleOptionViewItem option = given;
        initStyleOption(&option, index);
        const QString text = option.text;
        option.text.clear();
        const QWidget* widget = option.widget;
        (widget ? widget->style() : QApplication::style())->drawControl(QStyle::CE_ItemViewItem, &option, painter, widget);
        bool known = false;
        const double fraction = index.data(JobsView::kProgressRole).toDouble(&known);
        known = known && std::isfinite(fraction);
        const Theme& theme = Theme::instance();
        const bool selected = option.state.testFlag(QStyle::State_Selected);
        const QRect inner = option.rect.adjusted(Theme::kSpacing, 2, -Theme::kSpacing, -3);
        painter->save();
        painter->setRenderHint(QPainter::Antialiasing);
        painter->setPen(option.palette.color(selected ? QPalette::HighlightedText : QPalette::Text));
        painter->setFont(Theme::smallFont(option.font));
        const QRect words = inner.adjusted(0, 0, 0, -kBarHeight);
        const QString percent = known ? formatPercent(fraction, 0) : QString();
        painter->drawText(words, Qt::AlignRight | Qt::AlignVCenter, percent);
        const int room = words.width() - painter->fontMetrics().horizontalAdvance(percent) - Theme::kSpacing;
        painter->drawText(words, Qt::AlignLeft | Qt::AlignVCenter, painter->fontMetrics().elidedText(text, Qt::ElideRight, std::max(room, 0)));
        if (known) {
            QRectF bar(inner.left(), inner.bottom() - kBarHeight + 1, inner.width(), kBarHeight);
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme.color(Ink::Grid));
            painter->drawRoundedRect(bar, kBarHeight / 2.0, kBarHeight / 2.0);
            bar.setWidth(bar.width() * std::clamp(fraction, 0.0, 1.0));
            painter->setBrush(theme.color(selected ? Ink::AccentText : fraction >= 1 ? Ink::Good : Ink::Accent));
            if (bar.width() > 0)
                painter->drawRoundedRect(bar, kBarHeight / 2.0, kBarHeight / 2.0);
        }
        painter->restore();
    }
};
} // namespace

JobsView::JobsView(QWidget* parent)
    : QWidget(parent), m_view(new QTableView), m_cancel(new QPushButton(themedIcon(QStringLiteral("stop")), tr("Cancel"))),
      m_clear(new QPushButton(tr("Clear finished"))), m_summary(new QLabel), m_stack(new QStackedLayout(this))
{
    m_view->setObjectName(QStringLiteral("jobsTable"));
    m_view->setAccessibleName(tr("Jobs"));
    m_view->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_view->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_view->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_view->setShowGrid(false);
    m_view->setWordWrap(false);
    m_view->setFrameShape(QFrame::NoFrame);
    m_view->setTabKeyNavigation(false);
    m_view->verticalHeader()->hide();
    m_view->verticalHeader()->setDefaultSectionSize(m_view->fontMetrics().height() + 16);
    m_view->horizontalHeader()->setStretchLastSection(true);
    m_view->horizontalHeader()->setHighlightSections(false);
    m_view->horizontalHeader()->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    m_view->setItemDelegateForColumn(ProgressColumn, new ProgressDelegate(m_view));
    m_view->installEventFilter(this);
    m_cancel->setObjectName(QStringLiteral("cancelJob"));
    m_cancel->setToolTip(tr("Cancel the selected jobs (Delete); without a selection, the running one"));
    m_clear->setObjectName(QStringLiteral("clearJobs"));
    m_clear->setToolTip(tr("Take finished jobs off the list"));
    m_summary->setObjectName(QStringLiteral("jobsSummary"));

    auto* full = new QWidget(this);
    auto* column = new QVBoxLayout(full);
    column->setContentsMargins(Theme::kMargin, Theme::kSpacing, Theme::kMargin, Theme::kMargin);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->setSpacing(Theme::kSpacing);
    row->addWidget(m_cancel);
    row->addWidget(m_clear);
    row->addStretch(1);
    row->addWidget(m_summary);
    column->addLayout(row);
    column->addWidget(m_view, 1);
    auto* empty = new PlaceholderPanel(QStringLiteral("jobs"), tr("No jobs"), tr("Opening, sweeping and exporting show their progress here."), this);
    empty->setObjectName(QStringLiteral("noJobs"));
    m_stack->addWidget(empty);
    m_stack->addWidget(full);
    connect(m_cancel, &QPushButton::clicked, this, &JobsView::cancelSelected);
    connect(m_clear, &QPushButton::clicked, this, &JobsView::clearFinishedRequested);
}

void JobsView::setModel(QAbstractItemModel* model)
{
    if (auto* before = m_view->model())
        disconnect(before, nullptr, this, nullptr);
    m_view->setModel(model);
    const int digit = m_view->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[kColumnCount] = {28, 12, 26, 12, 12, 40};
    for (int i = 0; i < kColumnCount; ++i)
        m_view->setColumnWidth(i, widths[i] * digit + 2 * Theme::kSpacing);
    if (model) {
        connect(model, &QAbstractItemModel::rowsInserted, this, &JobsView::refresh);
        connect(model, &QAbstractItemModel::rowsRemoved, this, &JobsView::refresh);
        connect(model, &QAbstractItemModel::modelReset, this, &JobsView::refresh);
        connect(model, &QAbstractItemModel::dataChanged, this, &JobsView::refresh);
        connect(m_view->selectionModel(), &QItemSelectionModel::selectionChanged, this, &JobsView::refresh);
    }
    refresh();
}

bool JobsView::isActive(int row) const
{
    const QVariant active = m_view->model()->index(row, StateColumn).data(kActiveRole);
    return !active.isValid() || active.toBool(); // a model that does not say lets its owner decide
}

void JobsView::refresh()
{
    const auto* model = m_view->model();
    const int rows = model ? model->rowCount() : 0;
    m_stack->setCurrentIndex(rows > 0 ? 1 : 0);
    int active = 0;
    const bool told = rows > 0 && model->index(0, StateColumn).data(kActiveRole).isValid();
    for (int row = 0; row < rows; ++row)
        active += isActive(row) ? 1 : 0;
    bool chosenActive = false;
    const auto chosen = rows > 0 ? m_view->selectionModel()->selectedRows() : QModelIndexList();
    for (const auto& index : chosen)
        chosenActive = chosenActive || isActive(index.row());
    m_cancel->setEnabled(chosen.isEmpty() ? active > 0 : chosenActive);
    m_clear->setEnabled(rows > active || (rows > 0 && !told));
    m_summary->setText(!told ? QString() : active > 0 ? tr("%1 active").arg(active) : tr("idle"));
}

void JobsView::cancelSelected()
{
    if (!m_view->model())
        return;
    QList<int> rows;
    for (const auto& index : m_view->selectionModel()->selectedRows())
        rows.append(index.row());
    if (rows.isEmpty()) // the first that runs or waits
        for (int row = 0; row < m_view->model()->rowCount() && rows.isEmpty(); ++row)
            if (isActive(row))
                rows.append(row);
    std::sort(rows.begin(), rows.end());
    for (const int row : rows)
        if (isActive(row))
            emit cancelRequested(row);
}

bool JobsView::eventFilter(QObject* watched, QEvent* event)
{
    if (watched == m_view && event->type() == QEvent::KeyPress) {
        auto* key = static_cast<QKeyEvent*>(event);
        if (key->key() == Qt::Key_Delete) {
            cancelSelected();
            return true;
        }
        if (key->matches(QKeySequence::Copy) && m_view->model()) {
            QStringList lines;
            for (const auto& index : m_view->selectionModel()->selectedRows()) {
                QStringList cells;
                for (int column = 0; column < m_view->model()->columnCount(); ++column)
                    cells << index.siblingAtColumn(column).data().toString();
                lines << cells.join(QLatin1Char('\t'));
            }
            QApplication::clipboard()->setText(lines.join(QLatin1Char('\n')));
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace tamis::views
