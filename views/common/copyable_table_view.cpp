// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/copyable_table_view.h"

#include "views/common/figure_export.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/theme.h"

#include <QApplication>
#include <QClipboard>
#include <QHeaderView>
#include <QKeyEvent>
#include <QMenu>
#include <QPainter>
#include <QSortFilterProxyModel>

#include <algorithm>
#include <set>

namespace tamis::views {
namespace {
constexpr int kCellPadding = 8;

/// Orders by kSortRole, by the shown text where a cell has none; cells without a number (NaN) come last in ascending order.
class SortProxy : public QSortFilterProxyModel {
public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

protected:
    bool lessThan(const QModelIndex& left, const QModelIndex& right) const override
    {
        const QVariant a = key(left), b = key(right);
        const bool numbers = isNumber(a) && isNumber(b);
        if (!numbers)
            return QString::localeAwareCompare(a.toString(), b.toString()) < 0;
        const double x = a.toDouble(), y = b.toDouble();
        return qIsNaN(x) ? false : qIsNaN(y) ? true : x < y;
    }

private:
    static QVariant key(const QModelIndex& index)
    {
        const QVariant value = index.data(kSortRole);
        return value.isValid() ? value : index.data(Qt::DisplayRole);
    }
    static bool isNumber(const QVariant& value)
    {
        switch (value.typeId()) {
        case QMetaType::Double: case QMetaType::Float: case QMetaType::Int: case QMetaType::UInt: case QMetaType::LongLong:
        case QMetaType::ULongLong: case QMetaType::Bool: return true;
        default: return false;
        }
    }
};

/// The number behind a cell with all its digits, or its text.
QString exactText(const QModelIndex& index)
{
    const QVariant value = index.data(kSortRole);
    switch (value.typeId()) {
    case QMetaType::Double: return QString::number(value.toDouble(), 'g', 12);
    case QMetaType::Int: case QMetaType::LongLong: return QString::number(value.toLongLong());
    case QMetaType::UInt: case QMetaType::ULongLong: return QString::number(value.toULongLong());
    case QMetaType::Bool: return value.toBool() ? QStringLiteral("true") : QStringLiteral("false");
    default: break;
    }
    const QVariant shown = index.data(Qt::DisplayRole);
    if (!shown.isValid())
        if (const QVariant state = index.data(Qt::CheckStateRole); state.isValid())
            return state.toInt() == Qt::Checked ? QStringLiteral("true") : QStringLiteral("false");
    return shown.toString();
}

/// One row of tab-separated text: a tab or a line break inside a cell would move the next cells.
QString tsvField(QString text)
{
    for (const QChar c : {QLatin1Char('\t'), QLatin1Char('\n'), QLatin1Char('\r')})
        text.replace(c, QLatin1Char(' '));
    return text;
}
} // namespace

CopyableTableView::CopyableTableView(QWidget* parent) : QTableView(parent), m_proxy(new SortProxy(this))
{
    QTableView::setModel(m_proxy);
    m_proxy->setFilterCaseSensitivity(Qt::CaseInsensitive);
    m_proxy->setFilterKeyColumn(-1);
    setSortingEnabled(true);
    sortByColumn(-1, Qt::AscendingOrder); // the model's own order at first
    setSelectionBehavior(SelectRows);
    setSelectionMode(ExtendedSelection);
    setAlternatingRowColors(false);
    setShowGrid(false);
    setWordWrap(false);
    setCornerButtonEnabled(false);
    setVerticalScrollMode(ScrollPerPixel);
    setHorizontalScrollMode(ScrollPerPixel);
    setFrameShape(NoFrame);
    setTabKeyNavigation(false);
    verticalHeader()->hide();
    verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 12);
    QHeaderView* header = horizontalHeader();
    header->setSectionsMovable(true);
    header->setHighlightSections(false);
    header->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    header->setContextMenuPolicy(Qt::CustomContextMenu);
    setContextMenuPolicy(Qt::CustomContextMenu);
    connect(header, &QWidget::customContextMenuRequested, this, &CopyableTableView::showHeaderMenu);
    connect(this, &QWidget::customContextMenuRequested, this, &CopyableTableView::showContextMenu);
    connect(selectionModel(), &QItemSelectionModel::selectionChanged, this, &CopyableTableView::emitSelectedRows);
}

void CopyableTableView::setSourceModel(QAbstractItemModel* model) { m_proxy->setSourceModel(model); }
QModelIndex CopyableTableView::toSource(const QModelIndex& viewIndex) const { return m_proxy->mapToSource(viewIndex); }
QModelIndex CopyableTableView::fromSource(const QModelIndex& sourceIndex) const { return m_proxy->mapFromSource(sourceIndex); }

void CopyableTableView::setEmptyMessage(const QString& message)
{
    m_emptyMessage = message;
    viewport()->update();
}

void CopyableTableView::setCaption(const QString& settings) { m_caption = settings; }

QList<int> CopyableTableView::visibleColumns() const
{
    QList<int> columns;
    for (int visual = 0; visual < horizontalHeader()->count(); ++visual)
        if (const int logical = horizontalHeader()->logicalIndex(visual); !isColumnHidden(logical))
            columns.append(logical);
    return columns;
}

QString CopyableTableView::selectionAsTsv(bool withHeader) const
{
    std::set<int> rows, chosen;
    for (const QModelIndex& index : selectionModel()->selectedIndexes()) {
        rows.insert(index.row());
        chosen.insert(index.column());
    }
    QList<int> columns;
    for (const int column : visibleColumns())
        if (chosen.count(column) != 0)
            columns.append(column);
    QString text;
    const auto line = [&](const auto& cell) {
        for (qsizetype i = 0; i < columns.size(); ++i)
            text += (i > 0 ? QStringLiteral("\t") : QString()) + tsvField(cell(columns[i]));
        text += QLatin1Char('\n');
    };
    if (withHeader && !rows.empty())
        line([&](int column) { return m_proxy->headerData(column, Qt::Horizontal).toString(); });
    for (const int row : rows)
        line([&](int column) {
            const QModelIndex index = m_proxy->index(row, column);
            return selectionModel()->isSelected(index) ? exactText(index) : QString();
        });
    return text;
}

void CopyableTableView::copySelection() const
{
    if (const QString text = selectionAsTsv(); !text.isEmpty())
        QApplication::clipboard()->setText(text);
}

void CopyableTableView::keyPressEvent(QKeyEvent* event)
{
    if (event->matches(QKeySequence::Copy)) {
        copySelection();
        event->accept();
        return;
    }
    QTableView::keyPressEvent(event);
}

void CopyableTableView::paintEvent(QPaintEvent* event)
{
    QTableView::paintEvent(event);
    if (m_proxy->rowCount() > 0 || m_emptyMessage.isEmpty())
        return;
    QPainter painter(viewport());
    painter.setPen(Theme::instance().color(Ink::MutedText));
    const int margin = 2 * Theme::kMargin;
    painter.drawText(viewport()->rect().adjusted(margin, margin, -margin, -margin), Qt::AlignCenter | Qt::TextWordWrap, m_emptyMessage);
}

void CopyableTableView::showHeaderMenu(const QPoint& position)
{
    QMenu menu(this);
    const auto visible = visibleColumns();
    for (int visual = 0; visual < horizontalHeader()->count(); ++visual) {
        const int column = horizontalHeader()->logicalIndex(visual);
        auto* action = menu.addAction(m_proxy->headerData(column, Qt::Horizontal).toString());
        action->setCheckable(true);
        action->setChecked(!isColumnHidden(column));
        action->setEnabled(isColumnHidden(column) || visible.size() > 1); // the last column stays
        connect(action, &QAction::toggled, this, [this, column](bool on) { setColumnHidden(column, !on); });
    }
    menu.addSeparator();
    menu.addAction(tr("Show all columns"), this, [this] {
        for (int column = 0; column < horizontalHeader()->count(); ++column)
            showColumn(column);
    });
    menu.addAction(tr("Original order"), this, [this] { sortByColumn(-1, Qt::AscendingOrder); });
    menu.exec(horizontalHeader()->mapToGlobal(position));
}

void CopyableTableView::showContextMenu(const QPoint& position)
{
    QMenu menu(this);
    if (!actions().isEmpty()) { // what the owner offers for rows comes first
        menu.addActions(actions());
        menu.addSeparator();
    }
    auto* copy = menu.addAction(tr("Copy"), QKeySequence(QKeySequence::Copy), this, &CopyableTableView::copySelection);
    auto* copyAll = menu.addAction(tr("Copy with header"), this,
                                   [this] { QApplication::clipboard()->setText(selectionAsTsv(true)); });
    for (auto* action : {copy, copyAll})
        action->setEnabled(selectionModel()->hasSelection());
    menu.addAction(tr("Select all"), QKeySequence(QKeySequence::SelectAll), this, &QTableView::selectAll);
    menu.addSeparator();
    menu.addAction(tr("Save table as CSV…"), this, [this] { emit exportRequested(FigureFormat::Csv); });
    menu.addAction(tr("Save table as PNG picture…"), this, [this] { emit exportRequested(FigureFormat::Png); });
    menu.addAction(tr("Save table as SVG drawing…"), this, [this] { emit exportRequested(FigureFormat::Svg); });
    menu.exec(viewport()->mapToGlobal(position));
}

void CopyableTableView::emitSelectedRows()
{
    std::set<int> rows;
    for (const QModelIndex& index : selectionModel()->selectedIndexes())
        rows.insert(toSource(index).row());
    emit selectedRowsChanged(QList<int>(rows.begin(), rows.end()));
}

QSize CopyableTableView::figureSize() const
{
    int width = 0;
    for (const int column : visibleColumns())
        width += columnWidth(column);
    const int rows = std::min(m_proxy->rowCount(), kFigureRows);
    return {width, horizontalHeader()->height() + rows * verticalHeader()->defaultSectionSize()};
}

void CopyableTableView::paintFigure(QPainter& painter) const
{
    const Theme& theme = Theme::instance();
    const int headHeight = horizontalHeader()->height(), rowHeight = verticalHeader()->defaultSectionSize();
    const int rows = std::min(m_proxy->rowCount(), kFigureRows);
    painter.fillRect(QRect(QPoint(0, 0), figureSize()), theme.color(Ink::Panel));
    int left = 0;
    for (const int column : visibleColumns()) {
        const QRect head(left, 0, columnWidth(column), headHeight);
        painter.setFont(horizontalHeader()->font());
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(head.adjusted(kCellPadding, 0, -kCellPadding, 0), Qt::AlignLeft | Qt::AlignVCenter,
                         m_proxy->headerData(column, Qt::Horizontal).toString());
        for (int row = 0; row < rows; ++row) {
            const QModelIndex index = m_proxy->index(row, column);
            QStyleOptionViewItem option;
            initViewItemOption(&option);
            option.state &= ~(QStyle::State_Selected | QStyle::State_HasFocus | QStyle::State_MouseOver);
            option.rect = QRect(left, headHeight + row * rowHeight, columnWidth(column), rowHeight);
            painter.save();
            itemDelegateForIndex(index)->paint(&painter, option, index);
            painter.restore();
        }
        left += columnWidth(column);
    }
    painter.setPen(theme.color(Ink::Border));
    painter.drawLine(0, headHeight - 1, left, headHeight - 1);
}

QString CopyableTableView::figureCsv() const
{
    QString text;
    const QList<int> columns = visibleColumns();
    for (qsizetype i = 0; i < columns.size(); ++i)
        text += (i > 0 ? QStringLiteral(",") : QString()) + csvField(m_proxy->headerData(columns[i], Qt::Horizontal).toString());
    text += QLatin1Char('\n');
    for (int row = 0; row < m_proxy->rowCount(); ++row) {
        for (qsizetype i = 0; i < columns.size(); ++i)
            text += (i > 0 ? QStringLiteral(",") : QString()) + csvField(exactText(m_proxy->index(row, columns[i])));
        text += QLatin1Char('\n');
    }
    return text;
}

QString CopyableTableView::figureCaption() const { return m_caption; }

} // namespace tamis::views
