// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/training_page.h"

#include "views/common/copyable_table_view.h"
#include "views/common/theme.h"
#include "views/common/training_view.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QItemSelectionModel>
#include <QLabel>
#include <QPushButton>
#include <QSplitter>
#include <QVBoxLayout>

#include <algorithm>

namespace tamis::views {

TrainingPage::TrainingPage(QWidget* parent)
    : QWidget(parent), m_view(new TrainingView({.suffix = {},
                                                .chart = QStringLiteral("encoderTraining"),
                                                .picture = QStringLiteral("encoder-training"),
                                                .emptyChart = tr("Losses appear here while an encoder is trained."),
                                                .notTrained = tr("The current encoder was not trained here."),
                                                .trainHelp = tr("Trains the chosen method on the tokens it is fitted to"),
                                                .finishHelp = tr("Ends training and keeps the best encoder so far")},
                                               this)),
      m_model(new TrainedModel(this)), m_table(new CopyableTableView(this))
{
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, Theme::kSpacing, 0, 0);
    auto* parts = new QSplitter(Qt::Vertical, this);
    parts->setChildrenCollapsible(false);
    parts->setHandleWidth(Theme::kSpacing);
    parts->addWidget(m_view);
    parts->addWidget(buildList());
    parts->setSizes({460, 200});
    column->addWidget(parts, 1);
    connect(m_view, &TrainingView::trainRequested, this, &TrainingPage::trainRequested);
    connect(m_view, &TrainingView::finishRequested, this, &TrainingPage::finishRequested);
    connect(m_view, &TrainingView::cancelRequested, this, &TrainingPage::cancelRequested);
    connect(m_view, &TrainingView::exportRequested, this, &TrainingPage::exportRequested);
    setTrained({});
}

QPushButton* TrainingPage::button(const QString& title, const char* name, const QString& help)
{
    auto* made = new QPushButton(title, this);
    made->setObjectName(QLatin1String(name));
    made->setToolTip(help);
    return made;
}

QWidget* TrainingPage::buildList()
{
    auto* list = new QWidget(this);
    auto* column = new QVBoxLayout(list);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(Theme::kSpacing / 2);
    auto* row = new QHBoxLayout;
    row->addWidget(new QLabel(tr("Trained in this session"), list), 1);
    m_take = button(tr("Make current"), "takeTrained", tr("The encoder that the other pages show"));
    m_save = button(tr("Save…"), "saveTrained", tr("Weights and settings as a safetensors file"));
    m_open = button(tr("Open…"), "openTrained", {});
    m_forget = button(tr("Forget"), "forgetTrained", tr("Takes it out of the list; a file that it was saved to stays"));
    for (QPushButton* each : {m_take, m_save, m_open, m_forget})
        row->addWidget(each);
    column->addLayout(row);
    m_table->setObjectName(QStringLiteral("trainedEncoders"));
    m_table->setAccessibleName(tr("Trained encoders"));
    m_table->setSourceModel(m_model);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->sortByColumn(-1, Qt::AscendingOrder);
    m_table->setEmptyMessage(tr("No encoder was trained or opened yet. Choose a method that trains, and press Train."));
    const int digit = m_table->fontMetrics().horizontalAdvance(QLatin1Char('0'));
    constexpr int widths[TrainedModel::kColumnCount] = {20, 22, 17, 14, 10, 14, 16};
    for (int at = 0; at < TrainedModel::kColumnCount; ++at)
        m_table->setColumnWidth(at, std::max(widths[at] * digit, m_table->horizontalHeader()->sectionSizeHint(at)));
    m_table->horizontalHeader()->setStretchLastSection(true);
    column->addWidget(m_table, 1);
    connect(m_table, &CopyableTableView::selectedRowsChanged, this, [this] { showState(); });
    connect(m_table, &CopyableTableView::exportRequested, this, [this](FigureFormat format) { emit exportRequested(m_table, format, QStringLiteral("trained-encoders")); });
    connect(m_table, &QAbstractItemView::activated, this, [this](const QModelIndex& at) {
        if (const auto* of = m_model->at(m_table->toSource(at).row()))
            emit takeRequested(of->number);
    });
    const auto onSelected = [this](QPushButton* of, void (TrainingPage::*signal)(int)) {
        connect(of, &QPushButton::clicked, this, [this, signal] {
            if (const auto number = selected())
                emit(this->*signal)(*number);
        });
    };
    onSelected(m_take, &TrainingPage::takeRequested);
    onSelected(m_save, &TrainingPage::saveRequested);
    onSelected(m_forget, &TrainingPage::forgetRequested);
    connect(m_open, &QPushButton::clicked, this, &TrainingPage::openRequested);
    return list;
}

std::optional<int> TrainingPage::selected() const
{
    const auto rows = m_table->selectionModel() ? m_table->selectionModel()->selectedRows() : QModelIndexList();
    const auto* row = m_model->at(!rows.isEmpty() ? m_table->toSource(rows.first()).row() : m_model->rowCount() == 1 ? 0 : -1);
    return row ? std::optional<int>(row->number) : std::nullopt;
}

void TrainingPage::setLosses(const std::vector<report::Series>& losses) { m_view->setLosses(losses); }
void TrainingPage::setRunning(const QString& title) { m_view->setRunning(title); }
bool TrainingPage::isRunning() const noexcept { return m_view->isRunning(); }
void TrainingPage::setProgress(double fraction, double remainingSeconds) { m_view->setProgress(fraction, remainingSeconds); }
void TrainingPage::setFinishing() { m_view->setFinishing(); }
void TrainingPage::setTrainReason(const QString& reason) { m_view->setTrainReason(reason); }
LineChart* TrainingPage::chart() const { return m_view->chart(); }

void TrainingPage::setOpenReason(const QString& reason)
{
    m_open->setEnabled(reason.isEmpty());
    m_open->setToolTip(reason.isEmpty() ? tr("An encoder of the autoencoder that is open, from the safetensors file it was saved to") : tr("Not now: %1").arg(reason));
}

void TrainingPage::setTrained(std::vector<TrainedRow> rows)
{
    m_model->setRows(std::move(rows));
    showState();
}

void TrainingPage::setCaption(const QString& settings)
{
    m_view->setCaption(settings);
    m_table->setCaption(settings);
}

void TrainingPage::showState()
{
    const bool chosen = selected().has_value();
    for (QPushButton* each : {m_take, m_save, m_forget})
        each->setEnabled(chosen);
}

} // namespace tamis::views
